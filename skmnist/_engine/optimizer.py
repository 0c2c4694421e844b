"""The optimizers by name, Adam and AdamW with little around torch's fused kernels."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any

import torch
from torch.optim import Optimizer

from skmnist._engine import internals

# Of a momentum: what is forgotten, and the steps until that is looked for again.
FAINT = 1e-30
STEPS_BETWEEN = 100

# How many tensors of each list one kernel of a fused optimizer takes on a GPU, if there
# are five lists, as with amsgrad.
MAX_PIECES = 30


class FusedStep(Optimizer):
    """The step of a fused optimizer, without the bookkeeping of torch's own.

    That takes longer than the kernel where a network is small. Parameters, state and
    numbers are torch's with `fused=True`.
    """

    kernel: Callable[..., None]

    # The counts of the parameters' steps, as views of one tensor: one addition serves
    # them all.
    counts: tuple[torch.Tensor, ...] = ()
    joint_count: torch.Tensor

    @internals.without_profiler
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Do one step.

        Parameters
        ----------
        closure : callable, default=None
            Computes the gradients and returns the loss.
        """
        if internals.has_step_hooks(self):
            return self.profile_hook_step(type(self)._step)(self, closure)
        return self._step(closure)

    add_param_group = internals.add_param_group
    state_dict = internals.optimizer_state_dict
    load_state_dict = internals.load_optimizer_state_dict

    @torch.no_grad()
    def _step(self, closure):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        groups = [
            (group, [param for param in group["params"] if param.grad is not None])
            for group in self.param_groups
        ]
        self._count_step(groups)
        for group, params in groups:
            if params:
                self._step_group(group, params)
        return loss

    def _count_step(self, groups):
        states = [
            self.state[param] or self._start(param, group)
            for group, params in groups
            for param in params
        ]
        is_same = len(states) == len(self.counts) and all(
            state["step"] is count
            for state, count in zip(states, self.counts, strict=True)
        )
        if states and not is_same:
            self.joint_count = torch.stack([state["step"] for state in states])
            self.counts = tuple(self.joint_count)
            for state, count in zip(states, self.counts, strict=True):
                state["step"] = count
        if states:
            self.joint_count += 1

    def _step_group(self, group, params):
        states = [self.state[param] for param in params]
        beta1, beta2 = group["betas"]
        tensors = [
            params,
            [param.grad for param in params],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [state["max_exp_avg_sq"] for state in states if group["amsgrad"]],
        ]
        counts = [state["step"] for state in states]
        # Only while steps are recorded: to cut them up takes longer than it saves.
        if params[0].is_cuda and torch.cuda.is_current_stream_capturing():
            tensors, counts = _cut(tensors, counts)
        self.kernel(
            *tensors,
            counts,
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
        count = torch.zeros((), dtype=torch.float32, device=param.device)
        self.state[param] = {"step": count, **state}
        return self.state[param]


def _cut(lists, counts):
    """Cut tensors into as many pieces as one kernel takes.

    torch has no more than a block of threads for each 65,536 numbers of a tensor, which
    leaves most of a GPU idle: 62 us instead of 11 for the default network.
    """
    if not all(tensor.is_contiguous() for tensors in lists for tensor in tensors):
        return lists, counts
    n_pieces = max(1, MAX_PIECES - len(counts))  # each tensor ends with a smaller one
    size = -(-sum(map(torch.Tensor.numel, lists[0])) // n_pieces)
    size = -(-size // 4) * 4  # the kernel takes four at once where they are aligned
    cut = [[tensor.view(-1).split(size) for tensor in tensors] for tensors in lists]
    counts = [
        count for count, pieces in zip(counts, cut[0], strict=True) for _ in pieces
    ]
    return [list(chain.from_iterable(tensors)) for tensors in cut], counts


class FusedAdam(FusedStep, torch.optim.Adam):
    """Adam in one kernel."""

    kernel = staticmethod(internals.ADAM_KERNEL)  # type: ignore[arg-type]


class FusedAdamW(FusedStep, torch.optim.AdamW):
    """AdamW in one kernel."""

    kernel = staticmethod(internals.ADAMW_KERNEL)  # type: ignore[arg-type]


OPTIMIZERS: dict[Any, type[Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
    "adagrad": torch.optim.Adagrad,
}
# Where torch can do a whole optimizer step in one kernel.
FUSED: dict[Any, type[Optimizer]] = {
    "adam": FusedAdam if internals.ADAM_KERNEL else torch.optim.Adam,
    "adamw": FusedAdamW if internals.ADAMW_KERNEL else torch.optim.AdamW,
    "sgd": torch.optim.SGD,
}
KNOWN = {*OPTIMIZERS.values(), *FUSED.values()}
FUSED_OPTIMIZERS = {
    "cpu": {**FUSED, "adagrad": torch.optim.Adagrad},
    "cuda": FUSED,
}


def resolve_optimizer(
    optimizer: Any, optimizer_params: dict[str, Any] | None, device_type: str
) -> tuple[Callable[..., Optimizer], dict[str, Any]]:
    """Return the class of an optimizer and its keyword arguments, without `lr`.

    Parameters
    ----------
    optimizer, optimizer_params
        As for :class:`MNISTMLPClassifier`.
    device_type : str
        The type of the device that it will work on, such as "cpu".

    Returns
    -------
    cls : type
        The class.
    settings : dict
        The keyword arguments.
    """
    settings = dict(optimizer_params or {})
    fused = FUSED_OPTIMIZERS.get(device_type, {})
    alternatives = {"foreach", "fused", "capturable", "differentiable"}
    if optimizer in fused and not alternatives & settings.keys():
        return fused[optimizer], {**settings, "fused": True}
    return OPTIMIZERS.get(optimizer, optimizer), settings


def change_settings(
    optimizer: Optimizer, parameters: Mapping[str, Any], earlier: Mapping[str, Any]
) -> None:
    """Give an optimizer new settings; it is left unchanged if it rejects them.

    If `learning_rate` is the same, the rate is too: a schedule may have changed it.

    Parameters
    ----------
    optimizer : Optimizer
        The optimizer, with the state that it has reached.
    parameters, earlier : dict
        The parameters `optimizer`, `learning_rate` and `optimizer_params` of
        :class:`MNISTMLPClassifier`, now and in the training before.

    Raises
    ------
    ValueError
        If the optimizer rejects them, or needs a state that it did not keep.
    """
    device = optimizer.param_groups[0]["params"][0].device
    cls, settings = resolve_optimizer(
        parameters["optimizer"], parameters["optimizer_params"], device.type
    )
    parameter = torch.nn.Parameter(torch.zeros(1, device=device))
    with explained_refusal(parameters):
        fresh = cls([parameter], lr=parameters["learning_rate"], **settings)
    if parameters["optimizer"] in OPTIMIZERS:
        parameter.grad = torch.zeros_like(parameter)
        fresh.step()
        needed = fresh.state[parameter].keys()
        missing = {
            name
            for state in optimizer.state.values()
            for name in needed - state.keys()
            if state
        }
        if missing:
            raise ValueError(
                f"optimizer_params={parameters['optimizer_params']!r} needs "
                f"{', '.join(sorted(missing))}, which the earlier fit did not store; "
                "use a new classifier."
            )
    (settings,) = fresh.param_groups
    is_same_rate = parameters["learning_rate"] == earlier["learning_rate"]
    for name in ("params", "lr") if is_same_rate else ("params",):
        del settings[name]
    for group in optimizer.param_groups:
        group.update(settings)
        if not is_same_rate and "initial_lr" in group:  # where a schedule begins
            group["initial_lr"] = settings["lr"]


def forget_faint_momentum(optimizer: Optimizer) -> None:
    """Set to zero what is left of a momentum after long without a gradient.

    A pixel that is almost always black leaves numbers that fall below 1e-38, where
    processors of Intel take a hundred times as long for each. Every `STEPS_BETWEEN`
    steps is often enough: at 0.9 a step a momentum of `FAINT` needs 175 to fall as low.
    So small a one does not change a weight.

    Parameters
    ----------
    optimizer : Optimizer
        An optimizer, of torch's or a user's.
    """
    for state in optimizer.state.values():
        for name in ("exp_avg", "momentum_buffer"):
            momentum = state.get(name)
            if isinstance(momentum, torch.Tensor) and momentum.is_cpu:
                torch.hardshrink(momentum, FAINT, out=momentum)


@contextlib.contextmanager
def explained_refusal(parameters: Mapping[str, Any]) -> Iterator[None]:
    """Say which parameters an optimizer does not take, where it raises an error."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"optimizer={parameters['optimizer']!r} does not accept learning_rate="
            f"{parameters['learning_rate']!r} with optimizer_params="
            f"{parameters['optimizer_params']!r}: {error}"
        ) from error
