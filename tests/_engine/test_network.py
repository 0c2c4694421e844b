import math

import numpy as np
import pytest
import torch

from skmnist._engine import gradients, network
from skmnist._engine.activations import ACTIVATIONS
from skmnist._engine.network import MLP, Dropout
from skmnist._engine.products import find_factor_dtype, multiply

compute_gradients = torch.no_grad()(gradients.compute_gradients)


def make_dropout(p, seed=0):
    return Dropout(p, np.random.Generator(np.random.SFC64(seed)))


def test_layers_have_the_names_that_the_summary_reads():
    module = MLP(784, (256, 64), 10)

    assert list(dict(module.named_children())) == [
        *("hidden_1", "activation_1", "dropout_1"),
        *("hidden_2", "activation_2", "dropout_2"),
        "output",
    ]


def test_no_hidden_layer_is_a_linear_model():
    module = MLP(4, (), 3)
    X = torch.rand(5, 4)

    torch.testing.assert_close(module(X), X @ module.output.weight.T)


@pytest.mark.parametrize(
    ("activation", "function"),
    [
        ("relu", torch.relu),
        ("tanh", torch.tanh),
        ("gelu", torch.nn.functional.gelu),
        ("logistic", torch.sigmoid),
        ("identity", lambda X: X),
    ],
)
def test_each_activation_is_the_function_of_its_name(activation, function):
    module = MLP(4, (6,), 3, activation=activation).eval()
    X = torch.randn(5, 4)

    expected = module.output(function(module.hidden_1(X)))

    torch.testing.assert_close(module(X), expected)
    assert set(ACTIVATIONS) == {"relu", "tanh", "gelu", "logistic", "identity"}


def test_first_weights_are_glorot_uniform_and_biases_zero():
    module = MLP(784, (256,), 10)
    bound = math.sqrt(6 / (784 + 256))
    weight = module.hidden_1.weight.detach()

    assert weight.abs().max() <= bound
    assert weight.abs().max() > 0.99 * bound
    assert weight.mean().abs() < 0.01 * bound
    assert float(weight.std()) == pytest.approx(bound / math.sqrt(3), rel=0.01)
    assert not module.hidden_1.bias.any()


@pytest.mark.parametrize("p", [0.1, 0.25, 0.5, 0.9])
def test_the_mask_keeps_the_share_that_it_should(p):
    n = 4_000_000
    mask = make_dropout(p).draw_mask(torch.empty(n))

    kept = float((mask > 0).double().mean())

    assert kept == pytest.approx(1 - p, abs=4 * math.sqrt(p * (1 - p) / n) + 1e-5)
    assert float(mask.max()) == pytest.approx(1 / (1 - p), rel=1e-4)


@pytest.mark.parametrize("p", [0.1, 0.3, 0.7, 1 / 3])
def test_the_share_that_is_kept_is_exact_to_17_bits(p):
    mask = make_dropout(p).draw_mask(torch.empty(1000, dtype=torch.float64))

    assert 1 / float(mask.max()) == pytest.approx(1 - p, abs=2**-17)


def test_layers_of_one_size_have_masks_of_their_own():
    module = MLP(64, (64, 64), 64, activation="identity", dropout=0.5)
    for layer in (module.hidden_1, module.hidden_2, module.output):
        torch.nn.init.eye_(layer.weight)
    images, labels = torch.ones(64, 64), torch.zeros(64, dtype=torch.int64)

    _, logits = compute_gradients(module, images, labels)

    assert set(logits.unique().tolist()) == {0, 4}
    assert float((logits > 0).double().mean()) == pytest.approx(1 / 4, abs=0.05)


@pytest.mark.parametrize("p", [0.5, 0.25, 0.3])
def test_mask_is_independent_across_places_and_draws(p):
    dropout = make_dropout(p)
    kept = torch.stack([dropout.draw_mask(torch.empty(64)) > 0 for _ in range(20_000)])
    signs = (kept.double() - (1 - p)) / math.sqrt(p * (1 - p))

    correlation = signs.T @ signs / len(signs)
    off_diagonal = correlation - torch.diag(correlation.diag())

    assert off_diagonal.abs().max() < 5 / math.sqrt(len(signs))
    assert signs.mean(dim=0).abs().max() < 5 / math.sqrt(len(signs))
    assert (signs[1:] * signs[:-1]).mean().abs() < 5 / math.sqrt(signs.numel())


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (128, 256)])
def test_masks_come_in_any_shape_and_type(shape):
    mask = make_dropout(0.5).draw_mask(torch.empty(shape, dtype=torch.float64))

    assert mask.shape == shape
    assert mask.dtype == torch.float64


@pytest.mark.parametrize("p", [1e-9, 1 - 1e-9])
def test_extreme_rates_stay_finite(p):
    assert make_dropout(p).draw_mask(torch.empty(1000)).isfinite().all()


def test_masks_drawn_ahead_differ_from_each_other():
    dropout = make_dropout(0.5)

    masks = [dropout.draw_mask(torch.empty(8, 64)) for _ in range(20)]

    assert len({tuple(mask.ravel().tolist()) for mask in masks}) == 20


def test_without_masks_ahead_the_next_depends_on_the_generator_alone():
    dropout = make_dropout(0.5)
    dropout.draw_mask(torch.empty(8, 64))
    state = dropout.rng.bit_generator.state

    dropout.discard_masks()
    first = dropout.draw_mask(torch.empty(8, 64))
    dropout.rng.bit_generator.state = state
    dropout.discard_masks()

    assert torch.equal(dropout.draw_mask(torch.empty(8, 64)), first)


def test_dropout_drops_nothing_outside_training():
    X = torch.rand(4, 4)

    assert make_dropout(0.5).eval()(X) is X


def test_making_a_module_leaves_the_global_generator_alone():
    before = torch.get_rng_state()

    MLP(20, (10,), 3).train()(torch.rand(2, 20, generator=torch.Generator()))

    assert torch.equal(before, torch.get_rng_state())


def by_autograd(module, X, y, sample_weight):
    """Loss, logits and gradients of the same step as torch does it."""
    module.zero_grad()
    logits = module(X)
    losses = torch.nn.functional.cross_entropy(logits, y, reduction="none")
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
    loss, logits = compute_gradients(module, X, y, weight)

    gradients = [parameter.grad for parameter in module.parameters()]
    torch.testing.assert_close((loss, logits, gradients), expected, atol=1e-10, rtol=0)


def test_gradients_are_written_over_in_place():
    module = MLP(4, (3,), 2, dropout=0)
    X, y = torch.rand(5, 4), torch.tensor([0, 1, 0, 1, 1])

    compute_gradients(module, X, y)
    first = [parameter.grad for parameter in module.parameters()]
    copies = [gradient.clone() for gradient in first]
    compute_gradients(module, X, y)

    for parameter, before, copy in zip(module.parameters(), first, copies, strict=True):
        assert parameter.grad is before
        torch.testing.assert_close(parameter.grad, copy)


def test_a_frozen_parameter_has_no_gradient():
    module = MLP(4, (3,), 2)
    X, y = torch.rand(5, 4), torch.tensor([0, 1, 0, 1, 1])
    compute_gradients(module, X, y)

    module.hidden_1.weight.requires_grad = False
    compute_gradients(module, X, y)

    assert module.hidden_1.weight.grad is None
    assert module.output.weight.grad is not None


def test_a_step_leaves_its_images_alone():
    module = MLP(4, (), 2, activation="identity")
    X, y = torch.rand(5, 4), torch.tensor([0, 1, 0, 1, 1])
    before = X.clone()

    compute_gradients(module, X, y)

    assert torch.equal(X, before)


@pytest.mark.parametrize("units", [64, 7, 10])
def test_products_are_the_same_on_two_threads(units, two_threads):
    generator = torch.Generator().manual_seed(0)
    gradient = torch.randn(units, 32, generator=generator)
    inputs = torch.randn(32, 100, generator=generator)
    ours, expected = torch.empty(2, units, 100)

    multiply(gradient, inputs, out=ours)
    torch.mm(gradient, inputs, out=expected)

    torch.testing.assert_close(ours, expected)


@pytest.fixture
def precision():
    """Return torch's own call that sets the precision, and undo it in the end."""
    yield torch.set_float32_matmul_precision
    torch.set_float32_matmul_precision("highest")


@pytest.mark.parametrize(
    ("wish", "has_bfloat16", "dtype", "expected"),
    [
        ("medium", True, torch.float32, torch.bfloat16),
        ("medium", False, torch.float32, torch.float32),
        ("medium", True, torch.float64, torch.float64),
        ("high", True, torch.float32, torch.float32),
        ("highest", True, torch.float32, torch.float32),
    ],
)
@pytest.mark.parametrize("is_new_torch", [True, False])
def test_products_are_of_bfloat16_where_it_is_asked_for_and_there(
    monkeypatch, precision, wish, has_bfloat16, dtype, expected, is_new_torch
):
    supported = "_is_avx512_bf16_supported"  # new in torch 2.6
    monkeypatch.setattr(torch.cpu, supported, lambda: has_bfloat16, raising=False)
    if not is_new_torch:
        monkeypatch.setattr(torch.backends.mkldnn, "matmul", None, raising=False)
    precision(wish)

    assert find_factor_dtype(torch.empty(1, dtype=dtype)) == expected


@pytest.mark.parametrize("sizes", [(16,), (16, 12)])
def test_products_of_bfloat16_give_nearly_the_same_gradients(monkeypatch, sizes):
    rng = np.random.Generator(np.random.SFC64(0))
    module = MLP(20, sizes, 3, "tanh", dropout=0, rng=rng)
    X = torch.from_numpy(rng.normal(size=(64, 20)).astype(np.float32))
    y = torch.from_numpy(rng.integers(3, size=64))

    _, exact_logits = compute_gradients(module, X, y)
    exact = [parameter.grad.clone() for parameter in module.parameters()]
    monkeypatch.setattr(network, "find_factor_dtype", lambda X: torch.bfloat16)
    _, logits = compute_gradients(module, X, y)

    assert not torch.equal(logits, exact_logits)
    torch.testing.assert_close(logits, module(X))
    for parameter, gradient in zip(module.parameters(), exact, strict=True):
        difference = (parameter.grad - gradient).norm() / gradient.norm()
        assert 0 < difference < 0.01
