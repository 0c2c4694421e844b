"""Loss and accuracy of an epoch, counted on the way."""

from __future__ import annotations

import numpy as np
import torch

# Rows whose accuracy is counted at once.
TALLY_ROWS = 4096


class Tally:
    """Takes in the batches of an epoch and tells their mean loss and accuracy.

    It counts what was right over many batches at once, since counting in each takes a
    fiftieth of the training step of a small network.
    """

    def __init__(self):
        self.losses: list[torch.Tensor] = []
        self.sizes: list[int] = []
        self.pending: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]] = []
        self.n_correct: float | torch.Tensor = 0.0

    def add(
        self,
        step: dict[str, torch.Tensor],
        y: torch.Tensor,
        weight: torch.Tensor | None,
    ) -> None:
        """Take in what a training or validation step returned."""
        self.losses.append(step["loss"])
        self.sizes.append(y.shape[0])
        self.pending.append((step["y_pred"].T, y, weight))
        if len(self.pending) * y.shape[0] >= TALLY_ROWS:
            self._count()

    def means(self) -> tuple[float, float]:
        """Return the mean loss and accuracy of all rows."""
        self._count()
        loss = np.average(torch.stack(self.losses).cpu().numpy(), weights=self.sizes)
        return float(loss), float(self.n_correct) / sum(self.sizes)

    def _count(self):
        if not self.pending:
            return
        logits, y, weight = zip(*self.pending, strict=True)
        self.pending.clear()
        outputs, labels = torch.cat(logits, dim=1), torch.cat(y)
        if labels.dim() == 2:  # all of an image's labels
            is_correct = ((outputs > 0) == labels.T).all(dim=0)
        else:  # max over rows: argmax takes ten times as long
            is_correct = outputs.max(dim=0).indices == labels
        if weight[0] is not None:
            is_correct = is_correct * torch.cat(weight)
        self.n_correct += is_correct.sum()
