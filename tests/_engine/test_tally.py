"""Loss and accuracy of an epoch."""

import numpy as np
import pytest
import torch

from skmnist._engine.loss import BinaryCrossEntropies, CrossEntropy
from skmnist._engine.tally import Tally


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("with_losses", ["none", "all", "some"])
@pytest.mark.parametrize("kind", [CrossEntropy, BinaryCrossEntropies])
def test_a_tally_counts_each_batch_once(kind, weighted, with_losses):
    rng = np.random.default_rng(0)
    logits, y = rng.normal(size=(10_000, 3)), rng.integers(3, size=10_000)
    if kind is BinaryCrossEntropies:
        y = rng.integers(2, size=(10_000, 3)).astype(float)
    logits, y = torch.from_numpy(logits), torch.from_numpy(y)
    weight = torch.from_numpy(rng.uniform(0, 2, size=10_000)) if weighted else None
    criterion = kind()
    losses = criterion(logits, y) * (weight if weighted else 1)
    tally = Tally(criterion)

    for number, rows in enumerate(torch.arange(10_000).split(1_500)):
        step = {"y_pred": logits[rows]}
        labels = y[rows], weight[rows] if weighted else None
        if with_losses == "all" or (with_losses == "some" and number % 4 > 1):
            step["loss"] = losses[rows].mean()
        tally.add(step, *labels)
        assert tally.loss_of(step, *labels) == pytest.approx(losses[rows].mean())
    loss, accuracy = tally.means()

    if kind is CrossEntropy:
        is_correct = logits.argmax(dim=1) == y
    else:
        is_correct = ((logits > 0) == (y > 0)).all(dim=1)
    is_correct = is_correct * (weight if weighted else 1)
    assert loss == pytest.approx(float(losses.mean()))
    assert accuracy == pytest.approx(float(is_correct.double().mean()))


def test_all_labels_of_an_image_must_be_right():
    logits = torch.tensor([[1.0, -1.0], [1.0, 1.0], [-1.0, -1.0]])
    y = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0]])
    tally = Tally(BinaryCrossEntropies())

    tally.add({"y_pred": logits}, y, None)

    assert tally.means()[1] == pytest.approx(2 / 3)


def test_a_tally_keeps_the_outputs_of_some_batches_only():
    logits, y = torch.zeros(1_500, 3), torch.zeros(1_500, dtype=torch.int64)
    tally, kept = Tally(CrossEntropy()), []

    for _ in range(7):
        tally.add({"y_pred": logits}, y, None)
        kept.append(len(tally.pending))

    assert kept == [1, 2, 0, 1, 2, 0, 1]
