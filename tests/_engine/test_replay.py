"""Training steps that are recorded and replayed, on a GPU or as if on one."""

import pickle
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse
import torch
from numpy.testing import assert_allclose, assert_array_equal
from skorch.callbacks import (
    Callback,
    Checkpoint,
    Freezer,
    LoadInitState,
    LRScheduler,
)

from listeners import Listen, Wait
from skmnist import MNISTMLPClassifier
from skmnist._engine import replay
from skmnist._engine.batches import Batches, ImageDataset
from small_models import small

needs_gpu = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="unavailable here: a machine without CUDA"
)
HALVING = LRScheduler("StepLR", step_size=1, gamma=0.5)
SETTINGS = {
    "default": {},
    "without dropout": {"dropout": 0.0},
    "without a last batch that is smaller": {"batch_size": 40},
    "weights": {"class_weight": "balanced"},
    "no hidden layer": {"hidden_layer_sizes": ()},
    "three layers": {"hidden_layer_sizes": (30, 20, 10), "activation": "tanh"},
    "amsgrad": {"optimizer_params": {"amsgrad": True}},
    "weight decay": {"optimizer": "adamw"},
    "momentum": {"optimizer": "sgd", "optimizer_params": {"momentum": 0.9}},
    "a schedule": {"callbacks": [HALVING]},
    "a frozen layer": {"callbacks": [Freezer("hidden_1*")]},
    "early stopping": {"early_stopping": True},
}


class Recording:
    """Does the steps that were recorded by Python, and nothing when it is made."""

    def __init__(self, function):
        self.replay = function

    def pool(self):
        return None


@pytest.fixture
def recordings(monkeypatch):
    """Replay on the CPU as on a GPU, and return what was recorded."""
    made = []

    def record(self, function, device):
        made.append(Recording(function))
        return made[-1]

    monkeypatch.setattr(Batches, "can_be_recorded", True)
    name = "register_generator_state"  # torch has it where it is built with CUDA
    monkeypatch.setattr(torch.cuda.CUDAGraph, name, None, raising=False)
    monkeypatch.setattr(replay.ReplayedSteps, "_record", record)
    return made


def train(X, y, **parameters):
    """Fit for three epochs of ten batches and a smaller one; also several labels."""
    model = small(**{"max_epochs": 3, "batch_size": 38, **parameters})
    return model.fit(X, y)


def assert_same_fits(model, expected, X):
    assert_array_equal(model.predict_proba(X), expected.predict_proba(X))
    figures = ["epoch", *expected.history_.filter(regex="loss|accuracy")]
    assert_allclose(model.history_[figures], expected.history_[figures], rtol=1e-6)
    assert model.t_ == expected.t_


@pytest.mark.parametrize("name", SETTINGS)
def test_replayed_steps_are_the_steps(digits, monkeypatch, recordings, name):
    model = train(*digits, **SETTINGS[name])
    monkeypatch.setattr(replay, "MIN_STEPS", 1000)
    expected = train(*digits, **SETTINGS[name])

    assert len(recordings) == 3  # one an epoch, since anything may change between
    assert_same_fits(model, expected, digits[0])


def test_several_labels_are_replayed(digits, monkeypatch, recordings):
    X, y = digits
    labels = np.stack([y % 2, y > 4], axis=1).astype(int)
    model = train(X, labels)
    monkeypatch.setattr(replay, "MIN_STEPS", 1000)

    assert recordings
    assert_same_fits(model, train(X, labels), X)


def test_a_fit_goes_on_from_replayed_steps(digits, tmp_path, recordings):
    X, y = digits
    whole = train(X, y, max_epochs=5)
    checkpoint = Checkpoint(monitor=None, dirname=tmp_path)

    first = train(X, y, callbacks=[checkpoint], max_epochs=3)
    loaded = train(X, y, callbacks=[LoadInitState(checkpoint)], max_epochs=5)
    assert_same_fits(loaded, whole, X)

    warm = first.set_params(warm_start=True, callbacks=None, max_epochs=2).fit(X, y)
    assert_same_fits(warm, whole, X)

    pieces = train(X, y, validation_split=None)
    expected = train(X, y, max_epochs=4, validation_split=None)
    assert_same_fits(pieces.partial_fit(X, y), expected, X)
    assert len(recordings) == 5 + 3 + 2 + 2 + 3 + 4 + 1


class Keep(Callback):
    """Notes how large the net and its module are when they are pickled."""

    def initialize(self):
        self.sizes_ = []

    def on_epoch_end(self, net, **kwargs):
        self.sizes_ += [len(pickle.dumps(each)) for each in (net, net.module_)]


def test_a_net_can_be_kept_between_replayed_epochs(digits, recordings):
    model = train(*digits, callbacks=[Keep], max_epochs=2)

    sizes = dict(model.net_.callbacks_)["Keep"].sizes_
    assert len(recordings) == 2
    assert len(sizes) == 4
    assert max(sizes) < 100_000  # masks that were drawn ahead take 1 MB


class ListenToSteps(Callback):
    def on_train_begin(self, net, **kwargs):
        net.optimizer_.register_step_post_hook(lambda *args: None)


@pytest.mark.parametrize(
    "parameters",
    [
        {"callbacks": [Wait]},
        {"callbacks": [Listen]},
        {"callbacks": [ListenToSteps]},
        {"optimizer": "rmsprop"},
        {"batch_size": 200},
    ],
)
def test_some_steps_are_not_replayed(digits, recordings, parameters):
    train(*digits, **parameters)

    assert recordings == []


@pytest.mark.parametrize(
    ("augment", "is_sparse", "is_recorded"),
    [(None, False, True), (torch.clone, False, False), (None, True, False)],
)
def test_selecting_a_batch_is_recorded_where_cuda_does_it(
    augment, is_sparse, is_recorded
):
    X = scipy.sparse.csr_matrix((20, 4)) if is_sparse else torch.zeros(20, 4)
    batches = Batches(ImageDataset(X), 10, "cpu", augment=augment)

    assert not batches.can_be_recorded
    if not is_sparse:
        batches.X = SimpleNamespace(is_cuda=True)
    assert batches.can_be_recorded is is_recorded


@needs_gpu
@pytest.mark.parametrize("name", SETTINGS)
def test_a_gpu_replays_the_same_bits(mnist, monkeypatch, name):
    X, y = (mnist[0][:6000] / 255).astype(np.float32), mnist[1][:6000]

    def fit():
        parameters = {"device": "cuda", "max_epochs": 3, "random_state": 0}
        return MNISTMLPClassifier(**parameters, **SETTINGS[name]).fit(X, y)

    model = fit()
    assert_same_fits(fit(), model, X)
    monkeypatch.setattr(replay, "MIN_STEPS", 1000)
    assert_same_fits(model, fit(), X)


@needs_gpu
def test_a_gpu_keeps_no_memory_of_earlier_epochs(mnist):
    X, y = (mnist[0][:6000] / 255).astype(np.float32), mnist[1][:6000]
    reserved = []

    class Note(Callback):
        def on_epoch_end(self, net, **kwargs):
            reserved.append(torch.cuda.memory_reserved())

    MNISTMLPClassifier(device="cuda", max_epochs=10, callbacks=[Note]).fit(X, y)

    assert reserved[-1] == reserved[4]
