"""From logits to what the methods of a classifier return."""

from __future__ import annotations

import torch
from torch.nn import functional as F


def as_they_are(logits: torch.Tensor) -> torch.Tensor:
    """Return the logits."""
    return logits


# Where an image has one label, and where it may have several.
OF_ONE_LABEL = {
    "predict": lambda logits: logits.argmax(dim=1),
    "predict_proba": lambda logits: logits.softmax(dim=1),
    "predict_log_proba": lambda logits: logits.log_softmax(dim=1),
    "decision_function": as_they_are,
}
OF_SEVERAL_LABELS = {
    "predict": lambda logits: (logits > 0).long(),
    "predict_proba": torch.sigmoid,
    "predict_log_proba": F.logsigmoid,
    "decision_function": as_they_are,
}
