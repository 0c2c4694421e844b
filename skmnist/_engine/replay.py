"""Training steps on a GPU: recorded once an epoch as a CUDA graph, then replayed."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any, cast

import torch

from skmnist._engine.batches import Batches
from skmnist._engine.network import MLP
from skmnist._engine.optimizer import FusedAdam, FusedAdamW
from skmnist._engine.tally import Counted, Tally

Step = Callable[..., dict[str, torch.Tensor]]

# Recording takes as long as a few steps, so an epoch of fewer whole batches is not
# recorded.
MIN_STEPS = 8
# While a thread records, torch lets no other use its own random generator on that GPU.
LOCK = threading.Lock()


def can_replay(batches: Batches, optimizer: torch.optim.Optimizer) -> bool:
    """Tell whether the steps by hand of an epoch can be recorded, and are worth it."""
    return (
        batches.can_be_recorded
        and batches.n_samples // batches.batch_size >= MIN_STEPS
        and type(optimizer) in (FusedAdam, FusedAdamW, torch.optim.SGD)
        and hasattr(torch.cuda.CUDAGraph, "register_generator_state")
    )


@functools.cache
def _find_stream(device):
    # One for all recordings: cuBLAS keeps memory for each.
    return torch.cuda.Stream(device)


class ReplayedSteps:
    """The training steps of an epoch, of which the second is recorded and replayed.

    A step of a small network is thirty kernels of a few microseconds each, and Python
    takes several times as long to launch them as a GPU to run them. A recording uses
    fixed memory and settings, so it is valid for one epoch, if no callback looks at its
    batches.

    Parameters
    ----------
    step : callable
        From a batch (images, labels) and its `sample_weight` to its logits, `y_pred`.
    module : MLP
        The network, which has the generators of the dropout masks.
    earlier : ReplayedSteps, default=None
        Those of the epoch before, whose memory these take over.
    """

    def __init__(self, step: Step, module: MLP, earlier: ReplayedSteps | None = None):
        self.step = step
        self.module = module
        self.graph: Any = None if earlier is None else earlier.graph

    def run(self, batches: Batches, tally: Tally) -> Counted:
        """Go over the batches once; return the last step, its labels and weights."""
        order = cast(torch.Tensor, batches.order())
        size = batches.batch_size
        n_whole = len(order) // size
        # Not replayed, since it also makes what the optimizer keeps.
        first = self._step(batches, order[:size])
        tally.add(*first)
        rows = order[size : n_whole * size].view(-1, size)
        logits = self._replay(batches, rows, first[0])
        replayed = {"y_pred": logits.flatten(0, 1)}
        tally.add(replayed, *batches.select_labels(rows.flatten()))
        if n_whole * size == len(order):
            return {"y_pred": logits[-1]}, *batches.select_labels(rows[-1])
        last = self._step(batches, order[n_whole * size :])
        tally.add(*last)
        return last

    def _step(self, batches: Batches, rows: torch.Tensor) -> Counted:
        y, weight = batches.select_labels(rows)
        X = batches.select_images(rows)
        return self.step((X, y), sample_weight=weight), y, weight

    def _replay(self, batches, rows, like):
        """Do the steps of some rows, of shape (n_steps, batch_size)."""
        number = torch.zeros(1, dtype=torch.int64, device=rows.device)
        logits = like["y_pred"].new_empty((len(rows), *like["y_pred"].shape))

        def step():
            result, *_ = self._step(batches, rows.index_select(0, number).view(-1))
            logits.index_copy_(0, number, result["y_pred"].unsqueeze(0))
            number.add_(1)

        with LOCK:
            self.graph = self._record(step, rows.device)
        for _ in range(len(rows)):
            with LOCK:
                self.graph.replay()
        return logits

    def _record(self, function, device):
        graph = torch.cuda.CUDAGraph()
        for generator in self.module.mask_generators():
            graph.register_generator_state(generator)
        stream = _find_stream(device)
        stream.wait_stream(torch.cuda.current_stream(device))
        pool = None if self.graph is None else self.graph.pool()
        with torch.cuda.stream(stream):
            # Not `torch.cuda.graph`, which collects garbage: 0.2 s an epoch. "global"
            # would not let other threads allocate memory meanwhile.
            graph.capture_begin(pool, capture_error_mode="thread_local")
            try:
                function()
            finally:
                graph.capture_end()
        return graph
