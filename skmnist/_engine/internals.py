"""Every private name of torch that we use, each once.

Beside each is what it gains, of a training step of the default network on two cores
(0.8 ms), and the fallback for versions of torch without it. A test fails if a version
lacks one; nothing else does. `net.py` overrides two private methods of skorch's,
`_default_callbacks` and `_zero_grad_optimizer`; scikit-learn's are in `_sklearn.py` and
`persistence/`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch.nn.modules import module as torch_modules
from torch.optim import Optimizer
from torch.optim import optimizer as torch_optimizers

# Adam's step in one kernel, called with no bookkeeping around it: 5 to 14%.
# Fallback: torch.optim.Adam with fused=True.
ADAM_KERNEL: Callable[..., None] | None = getattr(torch, "_fused_adam_", None)
ADAMW_KERNEL: Callable[..., None] | None = getattr(torch, "_fused_adamw_", None)

# torch wraps these to keep its compiler out, and imports the compiler for that: a
# second of the first fit of each process. Fallback: what is not wrapped stays so.
add_param_group = inspect.unwrap(Optimizer.add_param_group)
optimizer_state_dict = inspect.unwrap(Optimizer.state_dict)
load_optimizer_state_dict = inspect.unwrap(Optimizer.load_state_dict)


def without_profiler(step: Callable[..., Any]) -> Callable[..., Any]:
    """Keep torch from wrapping a step for its profiler and its hooks: 2 to 10%.

    Part of what `ADAM_KERNEL` gains. Fallback: the wrapper, which would call a user's
    hooks once more.
    """
    step.hooked = True  # type: ignore[attr-defined]
    return step


def has_step_hooks(optimizer: Optimizer) -> bool:
    """Tell whether a user listens to an optimizer's steps. Fallback: yes."""
    return _any_of(
        optimizer, "_optimizer_step_pre_hooks", "_optimizer_step_post_hooks"
    ) or _any_of(
        torch_optimizers, "_global_optimizer_pre_hooks", "_global_optimizer_post_hooks"
    )


def has_replaced_step(optimizer: Optimizer) -> bool:
    """Tell whether a user has replaced an optimizer's `step`.

    The schedules of torch do too, and mark it. To leave out skorch's closure gains 1%,
    to replay steps on a GPU several times the time of a step. Fallback: yes.
    """
    step = vars(optimizer).get("step")
    return step is not None and not hasattr(step, "_wrapped_by_lr_sched")


def has_hooks(module: torch.nn.Module) -> bool:
    """Tell whether a user listens to a module, or has replaced its `forward`.

    By hand instead of by autograd gains 20 to 25%. Fallback: yes, so autograd.
    """
    return "forward" in vars(module) or _any_of(
        module,
        "_forward_hooks",
        "_forward_pre_hooks",
        "_backward_hooks",
        "_backward_pre_hooks",
    )


def has_global_hooks() -> bool:
    """Tell whether a user listens to all modules, as for :func:`has_hooks`."""
    return _any_of(
        torch_modules,
        "_global_forward_hooks",
        "_global_forward_pre_hooks",
        "_global_backward_hooks",
        "_global_backward_pre_hooks",
    )


def has_gradient_hooks(parameter: torch.nn.Parameter) -> bool:
    """Tell whether a user listens to a gradient, as for :func:`has_hooks`."""
    return _any_of(parameter, "_backward_hooks", "_post_accumulate_grad_hooks")


def has_bfloat16() -> bool:
    """Tell whether AVX-512 multiplies in bfloat16: 45% at two layers of 1,024, on AMD.

    Fallback, and before torch 2.6: no.
    """
    return bool(getattr(torch.cpu, "_is_avx512_bf16_supported", bool)())


def has_amx() -> bool:
    """Tell whether the processor has AMX, as for :func:`has_bfloat16`."""
    return bool(getattr(torch.cpu, "_is_amx_tile_supported", bool)())


def _any_of(owner, *names):
    return any(getattr(owner, name, True) for name in names)
