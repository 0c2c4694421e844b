"""Loss and accuracy of an epoch."""

import numpy as np
import pytest
import torch

from skmnist._engine.tally import Tally


@pytest.mark.parametrize("weighted", [False, True])
def test_a_tally_counts_each_batch_once(weighted):
    rng = np.random.default_rng(0)
    logits = torch.from_numpy(rng.normal(size=(10_000, 3)))
    y = torch.from_numpy(rng.integers(3, size=10_000))
    weight = torch.from_numpy(rng.uniform(0, 2, size=10_000))
    losses = torch.nn.functional.cross_entropy(logits, y, reduction="none")
    tally = Tally()

    for rows in torch.arange(10_000).split(1_500):
        step = {"loss": losses[rows].mean(), "y_pred": logits[rows]}
        tally.add(step, y[rows], weight[rows] if weighted else None)
    loss, accuracy = tally.means()

    is_correct = (logits.argmax(dim=1) == y) * (weight if weighted else 1)
    assert loss == pytest.approx(float(losses.mean()))
    assert accuracy == pytest.approx(float(is_correct.double().mean()))


def test_all_labels_of_an_image_must_be_right():
    logits = torch.tensor([[1.0, -1.0], [1.0, 1.0], [-1.0, -1.0]])
    y = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0]])
    tally = Tally()

    tally.add({"loss": torch.zeros(()), "y_pred": logits}, y, None)

    assert tally.means()[1] == pytest.approx(2 / 3)


def test_a_tally_keeps_the_outputs_of_some_batches_only():
    logits, y = torch.zeros(1_500, 3), torch.zeros(1_500, dtype=torch.int64)
    tally, kept = Tally(), []

    for _ in range(7):
        tally.add({"loss": torch.zeros(()), "y_pred": logits}, y, None)
        kept.append(len(tally.pending))

    assert kept == [1, 2, 0, 1, 2, 0, 1]
