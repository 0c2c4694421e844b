"""Private names of torch and skorch: are they still there, and what stands in.

Where the first tests fail, nothing else breaks: they tell which name upstream has
changed, so that somebody looks at what it gained.
"""

import ast
import importlib.util
import inspect
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from packaging.version import Version
from skorch import NeuralNetClassifier
from skorch.callbacks import PrintLog
from torch.nn.modules import module as torch_modules
from torch.optim import Optimizer
from torch.optim import optimizer as torch_optimizers

from skmnist._engine import build, internals, net, optimizer
from skmnist._engine.internals import (
    has_global_hooks,
    has_gradient_hooks,
    has_hooks,
    has_replaced_step,
    has_step_hooks,
)
from skmnist._engine.optimizer import FusedAdam
from skmnist._engine.products import find_factor_dtype
from small_models import fit

MODULE = torch.nn.Linear(1, 1)
SCHEDULED = torch.optim.SGD(MODULE.parameters())
torch.optim.lr_scheduler.StepLR(SCHEDULED, step_size=1)
OWNERS = {
    "torch": torch,
    "torch.cpu": torch.cpu,
    "torch.ops.aten": torch.ops.aten,
    "torch.optim.Optimizer": torch.optim.SGD(MODULE.parameters()),
    "torch.optim.Optimizer.step": SCHEDULED.step,
    "torch.optim.optimizer": torch_optimizers,
    "torch.nn.Module": MODULE,
    "torch.nn.modules.module": torch_modules,
    "torch.nn.Parameter": MODULE.weight,
    "skorch.NeuralNetClassifier": NeuralNetClassifier,
    "skorch.callbacks.PrintLog": PrintLog,
}
HOOKS = [
    "torch.optim.Optimizer._optimizer_step_pre_hooks",
    "torch.optim.Optimizer._optimizer_step_post_hooks",
    "torch.optim.optimizer._global_optimizer_pre_hooks",
    "torch.optim.optimizer._global_optimizer_post_hooks",
    "torch.nn.Module._forward_hooks",
    "torch.nn.Module._forward_pre_hooks",
    "torch.nn.Module._backward_hooks",
    "torch.nn.Module._backward_pre_hooks",
    "torch.nn.modules.module._global_forward_hooks",
    "torch.nn.modules.module._global_forward_pre_hooks",
    "torch.nn.modules.module._global_backward_hooks",
    "torch.nn.modules.module._global_backward_pre_hooks",
    "torch.nn.Parameter._backward_hooks",
    "torch.nn.Parameter._post_accumulate_grad_hooks",
]
OTHERS = [
    "torch._fused_adam_",
    "torch._fused_adamw_",
    "torch.cpu._is_avx512_bf16_supported",
    "torch.cpu._is_amx_tile_supported",
    "torch.optim.Optimizer.step._wrapped_by_lr_sched",
]
OVERRIDDEN = [
    "skorch.NeuralNetClassifier._default_callbacks",
    "skorch.NeuralNetClassifier._zero_grad_optimizer",
]
NEW_IN = {
    "torch.cpu._is_avx512_bf16_supported": "2.6",
    "torch.cpu._is_amx_tile_supported": "2.6",
}
# Of torch.optim.Optimizer, public, but wrapped.
WRAPPED = {
    "add_param_group": "add_param_group",
    "state_dict": "optimizer_state_dict",
    "load_state_dict": "load_optimizer_state_dict",
}


@pytest.mark.parametrize("name", [*HOOKS, *OTHERS, *OVERRIDDEN])
def test_upstream_has_the_name(name):
    floor = NEW_IN.get(name, "0")
    if Version(torch.__version__) < Version(floor):
        pytest.skip(f"unavailable here: {name}, new in torch {floor}")
    owner, _, attribute = name.rpartition(".")

    assert hasattr(OWNERS[owner], attribute), f"{name} is gone: see who uses it"


def test_every_name_that_is_looked_up_is_looked_for_here():
    tree = ast.parse(Path(internals.__file__).read_text(encoding="utf-8"))
    texts = {
        str(each.value) for each in ast.walk(tree) if isinstance(each, ast.Constant)
    }

    looked_up = {text for text in texts if re.fullmatch(r"_\w+|\w+_backward", text)}

    assert looked_up == {name.rpartition(".")[2] for name in [*HOOKS, *OTHERS]}


@pytest.mark.parametrize("name", WRAPPED)
def test_torch_wraps_what_is_unwrapped(name):
    wrapper = getattr(Optimizer, name)

    assert hasattr(wrapper, "__wrapped__"), f"torch wraps Optimizer.{name} no longer"


def test_torch_leaves_a_step_alone_that_is_marked_as_hooked():
    step = FusedAdam.step

    FusedAdam([torch.zeros(1)], fused=True)

    assert FusedAdam.step is step, "torch heeds `hooked` of Optimizer.step no longer"


def test_nobody_listens_at_first():
    module = torch.nn.Linear(1, 1)

    assert not has_hooks(module), "torch keeps other hooks of Module"
    assert not has_global_hooks(), "torch keeps other hooks of all modules"
    assert not has_gradient_hooks(module.weight), "torch keeps other hooks of Tensor"
    assert not has_step_hooks(torch.optim.SGD(module.parameters())), (
        "torch keeps other hooks of Optimizer"
    )


@pytest.mark.parametrize(
    ("has_listeners", "owner", "register"),
    [
        (has_hooks, "torch.nn.Module", "register_forward_hook"),
        (has_hooks, "torch.nn.Module", "register_forward_pre_hook"),
        (has_hooks, "torch.nn.Module", "register_full_backward_hook"),
        (has_hooks, "torch.nn.Module", "register_full_backward_pre_hook"),
        (has_gradient_hooks, "torch.nn.Parameter", "register_hook"),
        (
            has_gradient_hooks,
            "torch.nn.Parameter",
            "register_post_accumulate_grad_hook",
        ),
        (has_step_hooks, "torch.optim.Optimizer", "register_step_pre_hook"),
        (has_step_hooks, "torch.optim.Optimizer", "register_step_post_hook"),
    ],
)
def test_whoever_listens_is_noticed(has_listeners, owner, register):
    owner = OWNERS[owner]

    with getattr(owner, register)(lambda *_: None):
        assert has_listeners(owner)

    assert not has_listeners(owner)


@pytest.mark.parametrize(
    "register",
    [
        torch_modules.register_module_forward_hook,
        torch_modules.register_module_forward_pre_hook,
        torch_modules.register_module_full_backward_hook,
        torch_modules.register_module_full_backward_pre_hook,
    ],
)
def test_whoever_listens_to_all_modules_is_noticed(register):
    with register(lambda *_: None):
        assert has_global_hooks()

    assert not has_global_hooks()


@pytest.mark.parametrize(
    "register",
    [
        torch_optimizers.register_optimizer_step_pre_hook,
        torch_optimizers.register_optimizer_step_post_hook,
    ],
)
def test_whoever_listens_to_all_optimizers_is_called(digits, register):
    seen = []

    with register(lambda *_: seen.append("step")):
        fit(digits, batch_size=100, max_epochs=1)

    assert len(seen) == 4


def test_a_schedule_is_no_replaced_step():
    assert not has_replaced_step(OWNERS["torch.optim.Optimizer"])
    assert not has_replaced_step(SCHEDULED)

    replaced = torch.optim.SGD(MODULE.parameters())
    replaced.step = lambda closure: None
    assert has_replaced_step(replaced)


def test_where_a_name_is_gone_somebody_may_listen():
    nothing = SimpleNamespace()

    assert has_hooks(nothing)
    assert has_gradient_hooks(nothing)
    assert has_step_hooks(nothing)


@pytest.mark.parametrize("name", HOOKS)
def test_training_works_where_a_name_is_gone(monkeypatch, digits, name):
    name = name.rpartition(".")[2]
    X, _ = digits
    expected = fit(digits, batch_size=100).predict_proba(X)
    any_of = internals._any_of
    asked = []

    def any_of_others(owner, *names):
        asked.extend(names)
        return any_of(owner, *("gone" if each == name else each for each in names))

    monkeypatch.setattr(internals, "_any_of", any_of_others)
    fitted = fit(digits, batch_size=100)

    assert name in asked
    assert_allclose(fitted.predict_proba(X), expected, atol=1e-5)


def load_again(module):
    """Return a module anew; the one that is in use stays as it is."""
    spec = importlib.util.spec_from_file_location(module.__name__, module.__file__)
    again = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(again)
    return again


@pytest.mark.parametrize(
    ("name", "kernel"),
    [("_fused_adam_", "ADAM_KERNEL"), ("_fused_adamw_", "ADAMW_KERNEL")],
)
def test_a_kernel_that_torch_lacks_is_none(monkeypatch, name, kernel):
    monkeypatch.delattr(torch, name)

    assert getattr(load_again(internals), kernel) is None


@pytest.mark.parametrize(
    ("name", "kernel", "cls"),
    [
        ("adam", "ADAM_KERNEL", torch.optim.Adam),
        ("adamw", "ADAMW_KERNEL", torch.optim.AdamW),
    ],
)
def test_torchs_own_optimizer_stands_in_for_the_kernel(
    monkeypatch, digits, name, kernel, cls
):
    settings = {"optimizer": name, "device": "cpu"}
    expected = fit(digits, **settings).predict_proba(digits[0])
    monkeypatch.setattr(internals, kernel, None)
    again = load_again(optimizer)
    monkeypatch.setattr(build, "resolve_optimizer", again.resolve_optimizer)

    fitted = fit(digits, **settings)

    assert type(fitted.net_.optimizer_) is cls
    assert_array_equal(fitted.predict_proba(digits[0]), expected)


@pytest.mark.parametrize(("name", "ours"), WRAPPED.items())
def test_what_is_not_wrapped_is_taken_as_it_is(monkeypatch, name, ours):
    plain = inspect.unwrap(getattr(Optimizer, name))
    monkeypatch.setattr(Optimizer, name, plain)

    assert getattr(load_again(internals), ours) is plain


def test_a_step_that_torch_wraps_is_the_same_step(monkeypatch, digits):
    expected = fit(digits, device="cpu").predict_proba(digits[0])
    wrapped = type("WrappedAdam", (FusedAdam,), {})
    monkeypatch.delattr(FusedAdam.step, "hooked")
    monkeypatch.setitem(optimizer.FUSED_OPTIMIZERS["cpu"], "adam", wrapped)

    fitted = fit(digits, device="cpu")

    assert wrapped.step is not FusedAdam.step
    assert_array_equal(fitted.predict_proba(digits[0]), expected)


def empty_torch(monkeypatch):
    """Leave nothing in the `torch.cpu` that internals.py sees."""
    empty = SimpleNamespace(cpu=None)
    monkeypatch.setattr(internals, "torch", empty)


def test_products_stay_in_float32_where_nobody_tells_of_bfloat16(
    monkeypatch, digits, precision
):
    has_amx = internals.has_amx()
    expected = fit(digits).predict_proba(digits[0])
    empty_torch(monkeypatch)
    precision("medium")

    assert not internals.has_bfloat16()
    assert not internals.has_amx()
    assert find_factor_dtype(torch.zeros(2, 16)) is torch.float32
    if not has_amx:  # with it torch itself multiplies float32 in bfloat16
        assert_array_equal(fit(digits).predict_proba(digits[0]), expected)


@pytest.mark.parametrize("name", ["_default_callbacks", "_zero_grad_optimizer"])
def test_training_works_where_skorch_calls_its_own(monkeypatch, digits, name):
    expected = fit(digits).predict_proba(digits[0])
    monkeypatch.delattr(net.MLPNet, name)

    assert_array_equal(fit(digits).predict_proba(digits[0]), expected)
