"""Loss and accuracy of an epoch, counted on the way."""

from __future__ import annotations

import numpy as np
import torch

from skmnist._engine.loss import Criterion

# A step's outputs and perhaps its loss, the labels of its batch and their weights.
Counted = tuple[dict[str, torch.Tensor], torch.Tensor, torch.Tensor | None]

# So many rows, or more, are counted at once.
TALLY_ROWS = 4096


class Tally:
    """Takes in the batches of an epoch and tells their mean loss and accuracy.

    It counts what was right over many batches at once, since counting in each takes a
    fiftieth of the training step of a small network.

    Parameters
    ----------
    criterion : CrossEntropy or BinaryCrossEntropies
        The loss of an image, for steps that did not compute theirs. Many in a row take
        half the time that they would within the steps, whose products fill the caches.
    """

    def __init__(self, criterion: Criterion):
        self.criterion = criterion
        self.losses: list[torch.Tensor] = []
        self.sizes: list[int] = []
        self.pending: list[Counted] = []
        self.n_correct: float | torch.Tensor = 0.0

    def add(
        self,
        step: dict[str, torch.Tensor],
        y: torch.Tensor,
        weight: torch.Tensor | None,
    ) -> None:
        """Take in what a training or validation step returned."""
        self.sizes.append(y.shape[0])
        self.pending.append((step, y, weight))
        if len(self.pending) * y.shape[0] >= TALLY_ROWS:
            self._count()

    def loss_of(
        self,
        step: dict[str, torch.Tensor],
        y: torch.Tensor,
        weight: torch.Tensor | None,
    ) -> torch.Tensor:
        """Return the mean loss of a batch."""
        if "loss" in step:
            return step["loss"]
        return self.criterion.evaluate(step["y_pred"].T, y, weight)

    def means(self) -> tuple[float, float]:
        """Return the mean loss and accuracy of all rows."""
        self._count()
        loss = np.average(torch.stack(self.losses).cpu().numpy(), weights=self.sizes)
        return float(loss), float(self.n_correct) / sum(self.sizes)

    def _count(self):
        if not self.pending:
            return
        self.losses += [self.loss_of(*each) for each in self.pending]
        steps, y, weight = zip(*self.pending, strict=True)
        self.pending.clear()
        outputs = torch.cat([step["y_pred"].T for step in steps], dim=1)
        labels = torch.cat(y)
        if labels.dim() == 2:  # all of an image's labels
            is_correct = ((outputs > 0) == labels.T).all(dim=0)
        else:  # max over rows: argmax takes ten times as long
            is_correct = outputs.max(dim=0).indices == labels
        if weight[0] is not None:
            is_correct = is_correct * torch.cat(weight)
        self.n_correct += is_correct.sum()
