"""Training steps that are recorded and replayed, on a GPU or as if on one."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from skorch.callbacks import Callback, Freezer, LRScheduler

from skmnist import MNISTMLPClassifier
from skmnist._engine import replay
from skmnist._engine.batches import Batches
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

    monkeypatch.setattr(Batches, "are_on_gpu", True)
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
    histories = [each.history_.drop(columns="duration") for each in (model, expected)]
    assert_allclose(*histories, rtol=1e-6)
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


class LookAtBatches(Callback):
    def on_batch_end(self, net, **kwargs):
        pass


class Listen(Callback):
    def on_train_begin(self, net, **kwargs):
        net.module_.register_forward_hook(lambda *args: None)


class ListenToSteps(Callback):
    def on_train_begin(self, net, **kwargs):
        net.optimizer_.register_step_post_hook(lambda *args: None)


@pytest.mark.parametrize(
    "parameters",
    [
        {"callbacks": [LookAtBatches]},
        {"callbacks": [Listen]},
        {"callbacks": [ListenToSteps]},
        {"optimizer": "rmsprop"},
        {"batch_size": 200},
    ],
)
def test_some_steps_are_not_replayed(digits, recordings, parameters):
    train(*digits, **parameters)

    assert recordings == []


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
