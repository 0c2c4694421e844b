"""Adam and AdamW by torch's fused kernels, with little around them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch.optim import Optimizer


class FusedStep(Optimizer):
    """The step of a fused optimizer, without the bookkeeping of torch's own.

    That takes longer than the kernel where a network is small. Parameters, state and
    numbers are torch's with `fused=True`. Hooks of the instance are called; those that
    are registered for all optimizers at once are not.
    """

    kernel: Callable[..., None]

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Do one step.

        Parameters
        ----------
        closure : callable, default=None
            Computes the gradients and returns the loss.
        """
        if self._optimizer_step_pre_hooks or self._optimizer_step_post_hooks:
            return self.profile_hook_step(type(self)._step)(self, closure)
        return self._step(closure)

    # Torch wraps what is not marked so, and the wrapper costs a third of the step. mypy
    # knows no attributes of functions.
    step.hooked = True  # type: ignore[attr-defined]

    # Without the wrapper that imports torch's compiler, which takes a second.
    add_param_group = inspect.unwrap(Optimizer.add_param_group)
    state_dict = inspect.unwrap(Optimizer.state_dict)
    load_state_dict = inspect.unwrap(Optimizer.load_state_dict)

    @torch.no_grad()
    def _step(self, closure):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            self._step_group(group)
        return loss

    def _step_group(self, group):
        params = [param for param in group["params"] if param.grad is not None]
        if not params:
            return
        states = [self.state[param] or self._start(param, group) for param in params]
        beta1, beta2 = group["betas"]
        self.kernel(
            params,
            [param.grad for param in params],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [state["max_exp_avg_sq"] for state in states if group["amsgrad"]],
            _count_step(states),
            lr=group["lr"],
            beta1=beta1,
            beta2=beta2,
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            amsgrad=group["amsgrad"],
            maximize=group["maximize"],
        )

    def _start(self, param, group):
        names = ["exp_avg", "exp_avg_sq"] + ["max_exp_avg_sq"] * group["amsgrad"]
        state = {name: torch.zeros_like(param) for name in names}
        self.state[param] = {"step": torch.zeros(()), **state}
        return self.state[param]


def _count_step(states):
    # The counts are views of one tensor, so that one addition serves them all.
    counts = [state["step"] for state in states]
    together = counts[0]._base
    if (
        together is None
        or len(together) != len(counts)
        or any(count._base is not together for count in counts)
    ):
        together = torch.stack(counts)
        counts = list(together)
        for state, count in zip(states, counts, strict=True):
            state["step"] = count
    together += 1
    return counts


class FusedAdam(FusedStep, torch.optim.Adam):
    """Adam in one kernel."""

    kernel = staticmethod(torch._fused_adam_)


class FusedAdamW(FusedStep, torch.optim.AdamW):
    """AdamW in one kernel."""

    kernel = staticmethod(torch._fused_adamw_)
