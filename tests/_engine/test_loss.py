"""Smoothed labels; the losses themselves are tested with their gradients."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from listeners import OnTrainBegin
from skmnist._engine.loss import BinaryCrossEntropies, CrossEntropy, is_as_built
from small_models import small


def listen(net):
    """Have a net train and validate by autograd and skorch's steps."""
    net.module_.register_forward_hook(lambda *_: None)


@pytest.mark.parametrize("weight", [None, np.arange(500) % 3])
def test_smoothed_labels_are_the_same_by_hand_and_by_autograd(digits, weight):
    X, y = digits[0].astype(np.float64), digits[1]

    by_hand = small(label_smoothing=0.1).fit(X, y, weight)
    by_autograd = small(label_smoothing=0.1, callbacks=[OnTrainBegin(listen)])

    by_autograd.fit(X, y, weight)
    assert_allclose(by_hand.predict_proba(X), by_autograd.predict_proba(X), rtol=1e-6)
    columns = ["train_loss", "valid_loss"]
    assert_allclose(by_hand.history_[columns], by_autograd.history_[columns])


def test_smoothed_labels_make_a_network_less_sure(digits):
    settings = {"max_epochs": 200, "learning_rate": 0.01, "dropout": 0.0}
    X, y = digits

    sure, smooth = (
        small(label_smoothing=share, **settings).fit(X, y) for share in (0.0, 0.1)
    )

    rows = np.arange(len(y))
    assert np.median(sure.predict_proba(X)[rows, y]) > 0.99
    # With ten classes the loss is lowest at 1 - 0.1 + 0.1 / 10.
    assert np.median(smooth.predict_proba(X)[rows, y]) == pytest.approx(0.91, abs=0.02)


def test_the_share_may_change_where_training_continues(digits):
    first = small(warm_start=True).fit(*digits)
    second = small(warm_start=True).fit(*digits)

    first.set_params(label_smoothing=0.5).fit(*digits)
    second.fit(*digits)

    assert (
        first.history_["train_loss"].iloc[-1] > second.history_["train_loss"].iloc[-1]
    )


def test_no_smoothing_is_the_default(digits):
    X, y = digits
    explicit = small(label_smoothing=0.0).fit(X, y)

    assert_array_equal(small().fit(X, y).predict_proba(X), explicit.predict_proba(X))


def test_a_criterion_that_was_changed_is_not_as_built():
    changed = CrossEntropy()
    changed.weight = torch.ones(3)
    summed = CrossEntropy()
    summed.reduction = "sum"
    ignoring = CrossEntropy()
    ignoring.ignore_index = 2
    heard = BinaryCrossEntropies()
    heard.register_forward_hook(lambda *_: None)
    mine = type("Mine", (BinaryCrossEntropies,), {})()

    assert is_as_built(CrossEntropy(0.1))
    assert is_as_built(BinaryCrossEntropies(0.1))
    assert not any(map(is_as_built, (changed, summed, ignoring, heard, mine)))
    assert not is_as_built(torch.nn.CrossEntropyLoss())
