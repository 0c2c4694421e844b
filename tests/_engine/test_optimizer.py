"""Adam in one kernel, and the settings of an optimizer."""

import copy
import subprocess
import sys
import warnings

import pytest
import skorch.callbacks
import torch
from numpy.testing import assert_allclose

from skmnist._engine.optimizer import MAX_PIECES, FusedAdam, FusedAdamW, _cut
from small_models import small

PAIRS = [(FusedAdam, torch.optim.Adam), (FusedAdamW, torch.optim.AdamW)]


SETTINGS = [
    {},
    {"amsgrad": True},
    {"maximize": True},
    {"weight_decay": 0.1, "betas": (0.8, 0.9), "eps": 1e-4},
]


def make_params():
    generator = torch.Generator().manual_seed(0)
    return [
        torch.nn.Parameter(torch.randn(shape, generator=generator))
        for shape in [(4, 3), (4,), (2, 4)]
    ]


def set_gradients(params, step):
    generator = torch.Generator().manual_seed(step)
    for param in params:
        param.grad = torch.randn(param.shape, generator=generator)


def take_steps(optimizer, params, steps):
    for step in steps:
        set_gradients(params, step)
        optimizer.step()


@pytest.mark.parametrize(("fused", "original"), PAIRS)
@pytest.mark.parametrize("settings", SETTINGS)
def test_steps_are_those_of_torch_to_the_bit(fused, original, settings):
    ours, theirs = make_params(), make_params()

    take_steps(fused(ours, lr=0.01, fused=True, **settings), ours, range(5))
    take_steps(original(theirs, lr=0.01, fused=True, **settings), theirs, range(5))

    for one, other in zip(ours, theirs, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(("fused", "original"), PAIRS)
@pytest.mark.parametrize("is_ours_first", [True, False])
def test_state_goes_over_to_torch_and_back(fused, original, is_ours_first):
    first, second = (fused, original) if is_ours_first else (original, fused)
    params, expected = make_params(), make_params()
    earlier = first(params, lr=0.01, fused=True)
    take_steps(earlier, params, range(3))

    later = second(params, lr=0.01, fused=True)
    later.load_state_dict(earlier.state_dict())
    take_steps(later, params, range(3, 6))
    take_steps(original(expected, lr=0.01, fused=True), expected, range(6))

    for one, other in zip(params, expected, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("n_steps", [2, 6])
def test_another_state_can_be_loaded_between_steps(n_steps):
    results = []
    for kind in (FusedAdam, torch.optim.Adam):
        params, others = make_params(), make_params()
        optimizer = kind(params, lr=0.01, fused=True)
        other = kind(others, lr=0.01, fused=True)
        take_steps(optimizer, params, range(4))
        take_steps(other, others, range(n_steps))
        optimizer.load_state_dict(other.state_dict())
        take_steps(optimizer, params, range(4, 6))
        steps = {float(state["step"]) for state in optimizer.state.values()}
        assert steps == {n_steps + 2}
        results.append(torch.cat([param.detach().ravel() for param in params]))

    assert torch.equal(*results)


def test_steps_are_counted_in_one_tensor_from_the_first_on():
    params = make_params()
    optimizer = FusedAdam(params, fused=True)
    take_steps(optimizer, params, range(1))
    count = optimizer.joint_count

    take_steps(optimizer, params, range(1, 3))

    assert optimizer.joint_count is count
    assert count.tolist() == [3, 3, 3]


def test_each_group_has_settings_of_its_own():
    ours, theirs = make_params(), make_params()
    results = []
    for params, kind in ((ours, FusedAdam), (theirs, torch.optim.Adam)):
        groups = [{"params": params[:1], "lr": 0.1}, {"params": params[1:]}]
        take_steps(kind(groups, lr=0.01, fused=True), params, range(3))
        results.append(torch.cat([param.detach().ravel() for param in params]))

    assert torch.equal(*results)


def test_a_parameter_without_a_gradient_stays_as_it_is_and_goes_on_later():
    ours, theirs = make_params(), make_params()
    for params, kind in ((ours, FusedAdam), (theirs, torch.optim.Adam)):
        optimizer = kind(params, lr=0.01, fused=True)
        take_steps(optimizer, params, range(2))
        set_gradients(params, 2)
        params[0].grad = None
        optimizer.step()
        take_steps(optimizer, params, range(3, 5))
        assert float(optimizer.state[params[0]]["step"]) == 4
        assert float(optimizer.state[params[1]]["step"]) == 5

    for one, other in zip(ours, theirs, strict=True):
        assert torch.equal(one, other)


def test_without_any_gradient_nothing_moves():
    params, untouched = make_params(), make_params()

    FusedAdam(params, fused=True).step()

    for one, other in zip(params, untouched, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("hooks", [("pre", "post"), ("pre",), ("post",)])
def test_hooks_are_called_once_a_step(hooks):
    params = make_params()
    optimizer = FusedAdam(params, fused=True)
    calls = []
    for hook in hooks:
        register = getattr(optimizer, f"register_step_{hook}_hook")
        register(lambda *args, hook=hook: calls.append(hook))

    take_steps(optimizer, params, range(2))

    assert calls == [*hooks, *hooks]


def test_the_loss_of_a_closure_is_returned():
    params = make_params()
    set_gradients(params, 0)

    assert FusedAdam(params, fused=True).step(lambda: 1.5) == 1.5


def test_schedulers_see_the_steps():
    params = make_params()
    optimizer = FusedAdam(params, lr=1.0, fused=True)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.1)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        take_steps(optimizer, params, range(1))
        scheduler.step()

    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1)


def test_a_first_fit_does_not_import_a_compiler():
    code = """
import sys
import numpy as np
import torch, skorch, sklearn
before = set(sys.modules)
from skmnist import MNISTMLPClassifier
import pickle
X = np.eye(40, dtype=np.float32)
model = MNISTMLPClassifier(max_epochs=1, device="cpu").fit(X, np.arange(40) % 2)
pickle.loads(pickle.dumps(model)).predict(X)
print(sorted({"torch._dynamo", "sympy"} & (set(sys.modules) - before)))
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )

    assert result.stdout.strip() == "[]", result.stderr


def test_what_an_optimizer_does_not_take_is_named(digits):
    classifier = small(optimizer="adam", optimizer_params={"momentum": 0.9})

    with pytest.raises(
        ValueError, match=r"optimizer='adam' does not accept .*'momentum'"
    ):
        classifier.fit(*digits)


def test_warm_start_takes_up_a_new_learning_rate(digits):
    X, y = digits
    classifier = small(warm_start=True).fit(X, y)
    before = classifier.predict_proba(X)

    classifier.set_params(learning_rate=1e-12).fit(X, y)

    assert_allclose(classifier.predict_proba(X), before, atol=1e-5)


def test_warm_start_keeps_the_rate_that_a_schedule_has_reached(digits):
    schedule = skorch.callbacks.LRScheduler("ExponentialLR", gamma=0.5)
    model = small(warm_start=True, callbacks=[schedule], max_epochs=3).fit(*digits)

    same_rate = float("0.001")  # an object of its own
    model.set_params(callbacks=None, learning_rate=same_rate).fit(*digits)

    (group,) = model.net_.optimizer_.param_groups
    assert group["lr"] == pytest.approx(1e-3 / 2**3)


def test_warm_start_continues_a_schedule(digits):
    schedule = skorch.callbacks.LRScheduler("LambdaLR", lr_lambda=lambda n: 1 / (n + 1))
    parts = small(warm_start=True, callbacks=[schedule], max_epochs=3)
    whole = small(callbacks=[schedule], max_epochs=6).fit(*digits)

    parts.fit(*digits).fit(*digits)

    (group,), (expected,) = (
        model.net_.optimizer_.param_groups for model in (parts, whole)
    )
    assert group["lr"] == pytest.approx(expected["lr"])


def test_partial_fit_takes_up_a_new_learning_rate(digits):
    X, y = digits
    classifier = small().fit(X, y)
    before = classifier.predict_proba(X)

    classifier.set_params(learning_rate=1e-12).partial_fit(X, y)

    assert_allclose(classifier.predict_proba(X), before, atol=1e-5)
    assert classifier.net_.lr == 1e-12


def test_warm_start_lets_go_of_a_setting_that_was_taken_out(digits):
    classifier = small(
        warm_start=True, optimizer="sgd", optimizer_params={"momentum": 0.9}
    ).fit(*digits)

    classifier.set_params(optimizer_params=None).fit(*digits)

    (group,) = classifier.net_.optimizer_.param_groups
    assert group["momentum"] == 0


def test_warm_start_scales_a_schedule_by_the_new_learning_rate(digits):
    schedule = skorch.callbacks.LRScheduler("LambdaLR", lr_lambda=lambda n: 1 / (n + 1))
    classifier = small(warm_start=True, callbacks=[schedule]).fit(*digits)
    goes_on = copy.deepcopy(classifier).fit(*digits)

    classifier.set_params(learning_rate=0.1).fit(*digits)

    rates = [m.net_.optimizer_.param_groups[0]["lr"] for m in (classifier, goes_on)]
    assert rates[0] == pytest.approx(100 * rates[1])


@pytest.mark.parametrize(
    ("optimizer", "settings", "name"),
    [("adam", None, "exp_avg"), ("sgd", {"momentum": 0.9}, "momentum_buffer")],
)
def test_momentum_without_gradient_does_not_become_subnormal(
    digits, optimizer, settings, name
):
    X, y = digits[0][:50].copy(), digits[1][:50]
    X[:, 0] = 1
    model = small(
        optimizer=optimizer,
        optimizer_params=settings,
        batch_size=5,
        warm_start=True,
        device="cpu",
    ).fit(X, y)
    X[:, 0] = 0

    model.set_params(max_epochs=150).fit(X, y)

    weight = model.net_.module_.hidden_1.weight
    momentum = model.net_.optimizer_.state[weight][name]
    assert (momentum[:, 0] == 0).all()
    assert (momentum[:, 10] != 0).any()


def test_tensors_are_cut_into_as_many_pieces_as_one_kernel_takes():
    tensors = [torch.rand(40, 30), torch.rand(7)]
    lists, counts = [tensors, [tensor + 1 for tensor in tensors], []], [1, 2]

    (pieces, others, none), each = _cut(lists, counts)

    assert len(pieces) == len(others) == len(each) == MAX_PIECES - 1
    assert none == []
    assert each == [1] * (len(each) - 1) + [2]
    assert torch.equal(torch.cat(pieces[:-1]), tensors[0].flatten())
    assert torch.equal(torch.cat(others), torch.cat(pieces) + 1)
    pieces[0].zero_()
    assert tensors[0].flatten()[: len(pieces[0])].count_nonzero() == 0


def test_tensors_with_gaps_are_not_cut():
    lists, counts = [[torch.rand(40, 30).T]], [1]

    assert _cut(lists, counts) == (lists, counts)
