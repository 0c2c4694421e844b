"""The loss, and the gradients that are written by hand."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.metrics import log_loss
from torch.nn import functional as F

from listeners import OnTrainBegin
from skmnist._engine import gradients, network
from skmnist._engine.activations import ACTIVATIONS
from skmnist._engine.loss import BinaryCrossEntropies, CrossEntropy
from skmnist._engine.network import MLP
from small_models import small

compute_gradients = torch.no_grad()(gradients.compute_gradients)


def cross_entropy(logits, y, share=0.0):
    """torch's own, image by image."""
    return F.cross_entropy(logits, y, reduction="none", label_smoothing=share)


def binary_cross_entropies(logits, y, share, answer_weight=None):
    """The sum of torch's own, image by image."""
    targets = y * (1 - share) + share / 2
    losses = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    if answer_weight is not None:
        losses = losses * torch.where(
            y == 1, *torch.from_numpy(answer_weight[::-1].copy())
        )
    return losses.sum(dim=1)


def by_autograd(module, X, y, sample_weight, losses_of=cross_entropy):
    """Loss, logits and gradients of the same step as torch does it."""
    module.zero_grad()
    logits = module(X)
    losses = losses_of(logits, y)
    loss = (losses * (1 if sample_weight is None else sample_weight)).mean()
    loss.backward()
    return loss.detach(), logits.detach(), [p.grad.clone() for p in module.parameters()]


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("sizes", [(), (7,), (7, 6), (5, 6, 7, 4)])
@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("weighted", [False, True])
def test_gradients_are_those_of_autograd(activation, sizes, dropout, weighted):
    rng = np.random.Generator(np.random.SFC64(0))
    module = MLP(9, sizes, 3, activation, dropout, rng, dtype=torch.float64)
    X = torch.from_numpy(rng.normal(size=(12, 9)))
    y = torch.from_numpy(rng.integers(3, size=12))
    weight = torch.from_numpy(rng.uniform(0, 3, size=12)) if weighted else None

    state = rng.bit_generator.state
    expected = by_autograd(module, X, y, weight)
    rng.bit_generator.state = state
    module.discard_masks()
    module.zero_grad()
    logits = compute_gradients(module, CrossEntropy(), X, y, weight)
    loss = CrossEntropy().evaluate(logits.T, y, weight)

    gradients = [parameter.grad for parameter in module.parameters()]
    torch.testing.assert_close((loss, logits, gradients), expected, atol=1e-10, rtol=0)


@pytest.mark.parametrize("share", [0.0, 0.1])
@pytest.mark.parametrize("n_classes", [3, 16])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", [CrossEntropy, BinaryCrossEntropies])
def test_each_criterion_is_torchs_with_its_gradient(kind, weighted, n_classes, share):
    rng = np.random.Generator(np.random.SFC64(0))
    module = MLP(9, (7,), n_classes, "relu", 0.0, rng, dtype=torch.float64)
    X = torch.from_numpy(rng.normal(size=(12, 9)))
    y, losses_of = rng.integers(n_classes, size=12), cross_entropy
    if kind is BinaryCrossEntropies:
        y, losses_of = rng.uniform(size=(12, n_classes)).round(), binary_cross_entropies
    y = torch.from_numpy(y)
    weight = torch.from_numpy(rng.uniform(0, 3, size=12)) if weighted else None
    criterion = kind(label_smoothing=share)

    expected = by_autograd(module, X, y, weight, lambda *two: losses_of(*two, share))
    as_criterion = by_autograd(module, X, y, weight, criterion)
    logits = compute_gradients(module, criterion, X, y, weight)
    loss = criterion.evaluate(logits.T, y, weight)

    by_hand = loss, logits, [parameter.grad for parameter in module.parameters()]
    torch.testing.assert_close(by_hand, expected, atol=1e-10, rtol=0)
    torch.testing.assert_close(as_criterion, expected, atol=1e-10, rtol=0)


def test_the_answers_of_labels_may_be_weighted():
    rng = np.random.default_rng(0)
    module = MLP(9, (7,), 3, "relu", 0.0, dtype=torch.float64)
    X, y = torch.from_numpy(rng.normal(size=(12, 9))), rng.uniform(size=(12, 3)).round()
    answer_weight = rng.uniform(size=(2, 3))
    criterion, y = BinaryCrossEntropies(0.1), torch.from_numpy(y)
    criterion.weigh_answers(answer_weight, like=X)

    expected = by_autograd(
        module,
        *(X, y, None),
        lambda *two: binary_cross_entropies(*two, 0.1, answer_weight),
    )
    logits = compute_gradients(module, criterion, X, y)
    loss = criterion.evaluate(logits.T, y)

    by_hand = loss, logits, [parameter.grad for parameter in module.parameters()]
    torch.testing.assert_close(by_hand, expected, atol=1e-10, rtol=0)


def test_gradients_are_written_over_in_place():
    module = MLP(4, (3,), 2, "relu", dropout=0)
    X, y = torch.rand(5, 4), torch.tensor([0, 1, 0, 1, 1])

    compute_gradients(module, CrossEntropy(), X, y)
    first = [parameter.grad for parameter in module.parameters()]
    copies = [gradient.clone() for gradient in first]
    compute_gradients(module, CrossEntropy(), X, y)

    for parameter, before, copy in zip(module.parameters(), first, copies, strict=True):
        assert parameter.grad is before
        torch.testing.assert_close(parameter.grad, copy)


def test_a_frozen_parameter_has_no_gradient():
    module = MLP(4, (3,), 2, "relu", dropout=0.5)
    X, y = torch.rand(5, 4), torch.tensor([0, 1, 0, 1, 1])
    compute_gradients(module, CrossEntropy(), X, y)

    module.hidden_1.weight.requires_grad = False
    compute_gradients(module, CrossEntropy(), X, y)

    assert module.hidden_1.weight.grad is None
    assert module.output.weight.grad is not None


@pytest.mark.parametrize("n_units", [3, 16])  # 16 rows are a whole tile
def test_a_parameter_may_thaw_move_or_lose_its_gradient(n_units):
    module = MLP(4, (n_units,), 2, "relu", dropout=0)
    X, y = torch.rand(5, 4), torch.tensor([0, 1, 0, 1, 1])
    weight, bias = module.hidden_1.weight, module.hidden_1.bias
    bias.requires_grad = False
    compute_gradients(module, CrossEntropy(), X, y)

    bias.requires_grad = True
    weight.data = weight.data.clone() / 2
    module.output.weight.grad = None
    compute_gradients(module, CrossEntropy(), X, y)

    gradients = [parameter.grad.clone() for parameter in module.parameters()]
    _, _, expected = by_autograd(module, X, y, None)
    torch.testing.assert_close(gradients, expected)


def test_a_step_leaves_its_images_alone():
    module = MLP(4, (), 2, "identity", dropout=0.5)
    X, y = torch.rand(5, 4), torch.tensor([0, 1, 0, 1, 1])
    before = X.clone()

    compute_gradients(module, CrossEntropy(), X, y)

    assert torch.equal(X, before)


@pytest.mark.parametrize("n_images", [128, 100])
def test_each_step_of_the_default_network_has_a_mask_of_its_own(n_images):
    module = MLP(784, (256,), 10, "relu", dropout=0.5)
    images, labels = torch.ones(n_images, 784), torch.zeros(n_images, dtype=torch.int64)

    first, second = (
        compute_gradients(module, CrossEntropy(), images, labels) for _ in range(2)
    )

    assert not torch.equal(first, second)


def test_layers_of_one_size_have_masks_of_their_own():
    module = MLP(64, (64, 64), 64, activation="identity", dropout=0.5)
    for layer in (module.hidden_1, module.hidden_2, module.output):
        torch.nn.init.eye_(layer.weight)
    images, labels = torch.ones(64, 64), torch.zeros(64, dtype=torch.int64)

    logits = compute_gradients(module, CrossEntropy(), images, labels)

    assert set(logits.unique().tolist()) == {0, 4}
    assert float((logits > 0).double().mean()) == pytest.approx(1 / 4, abs=0.05)


@pytest.mark.parametrize("sizes", [(16,), (16, 12)])
def test_products_of_bfloat16_give_nearly_the_same_gradients(monkeypatch, sizes):
    rng = np.random.Generator(np.random.SFC64(0))
    module = MLP(20, sizes, 3, "tanh", dropout=0, rng=rng)
    X = torch.from_numpy(rng.normal(size=(64, 20)).astype(np.float32))
    y = torch.from_numpy(rng.integers(3, size=64))

    exact_logits = compute_gradients(module, CrossEntropy(), X, y)
    exact = [parameter.grad.clone() for parameter in module.parameters()]
    monkeypatch.setattr(network, "find_factor_dtype", lambda X: torch.bfloat16)
    logits = compute_gradients(module, CrossEntropy(), X, y)

    assert not torch.equal(logits, exact_logits)
    torch.testing.assert_close(logits, module(X))
    for parameter, gradient in zip(module.parameters(), exact, strict=True):
        difference = (parameter.grad - gradient).norm() / gradient.norm()
        assert 0 < difference < 0.01


def listen(net):
    """Have a net train and validate by autograd and skorch's steps."""
    net.module_.register_forward_hook(lambda *_: None)


@pytest.mark.parametrize("weight", [None, np.tile([3.0, 1.0], 50)], ids=str)
@pytest.mark.parametrize(
    "callbacks", [[], [OnTrainBegin(listen)]], ids=["by hand", "by skorch"]
)
def test_the_validation_loss_is_scikit_learns_log_loss(
    monkeypatch, digits, weight, callbacks
):
    monkeypatch.setattr("skmnist._engine.evaluation.BATCH_SIZE", 30)
    X, y = digits[0].astype(np.float64), digits[1]
    valid = {"X_val": X[:100], "y_val": y[:100], "sample_weight_val": weight}

    model = small(callbacks=callbacks).fit(X[100:], y[100:], **valid)

    probabilities = model.predict_proba(X[:100])
    expected = log_loss(y[:100], probabilities, sample_weight=weight, labels=range(10))
    assert_allclose(model.history_["valid_loss"].iloc[-1], expected, rtol=1e-12)
