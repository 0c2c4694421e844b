"""A skorch user goes through the list of what their nets do, callback by callback."""

import threading

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import (
    Callback,
    Checkpoint,
    EpochScoring,
    Freezer,
    GradientNormClipping,
    Initializer,
    LoadInitState,
    LRScheduler,
    TensorBoard,
)

from skmnist import MNISTMLPClassifier, RandomDistortion

X, y = load_digits(return_X_y=True)
X = X / 16
X_train, X_test, y_train, y_test = X[:1400], X[1400:], y[:1400], y[1400:]


written = []


class Writer:
    """A writer that cannot be copied or pickled, as TensorBoard's."""

    def __init__(self, folder):
        self.folder, self.lock = folder, threading.Lock()

    def add_scalar(self, tag, scalar_value, global_step):
        written.append((tag, scalar_value, global_step))

    def close(self):
        pass


class LogToWriter(TensorBoard):
    def __init__(self, folder):
        super().__init__(writer=None)
        self.folder = folder

    def on_train_begin(self, net, **kwargs):
        self.writer = Writer(self.folder)
        super().on_train_begin(net, **kwargs)


def shift(images):
    return images.roll(1, dims=3)


class SquaredErrors(torch.nn.Module):
    def forward(self, logits, y):
        errors = torch.nn.functional.one_hot(y, 10) - logits.softmax(dim=1)
        return (errors**2).sum(dim=1)


class TrainOnSquaredErrors(Callback):
    def on_train_begin(self, net, **kwargs):
        net.criterion_ = SquaredErrors()


class Normalize(Callback):
    def on_train_begin(self, net, **kwargs):
        net.module_.activation_1 = torch.nn.Sequential(
            torch.nn.BatchNorm1d(256, dtype=torch.float64), torch.nn.ReLU()
        ).to(net.device)
        net.initialize_optimizer()


def fit(*callbacks, **parameters):
    parameters = {
        "random_state": 0,
        "max_epochs": 5,
        "learning_rate": 0.01,
    } | parameters
    return MNISTMLPClassifier(callbacks=list(callbacks), **parameters).fit(
        X_train, y_train
    )


def test_a_schedule_clipping_and_another_score():
    schedule = LRScheduler("StepLR", step_size=2, gamma=0.1)
    classifier = fit(
        schedule,
        GradientNormClipping(0.1),
        EpochScoring("f1_macro", lower_is_better=False),
    )
    history = classifier.history_
    assert history["event_lr"].tolist() == pytest.approx([0.01, 0.01, 1e-3, 1e-3, 1e-4])
    assert history["f1_macro"].iloc[-1] > 0.8
    assert history["valid_loss"].tolist() == classifier.net_.history[:, "valid_loss"]
    assert classifier.score(X_test, y_test) > 0.8
    unclipped = fit(schedule)
    assert (unclipped.coefs_[0] != classifier.coefs_[0]).any()


def test_first_weights_and_frozen_ones():
    def fill(weight):
        torch.nn.init.constant_(weight, 0.01)

    classifier = fit(Initializer("hidden_1.weight", fn=fill), Freezer("hidden_1.*"))
    assert (classifier.module_.hidden_1.weight == 0.01).all()
    assert not (classifier.module_.output.bias == 0).any()
    names = [name for name, _ in classifier.module_.named_parameters()]
    assert names == ["hidden_1.weight", "hidden_1.bias", "output.weight", "output.bias"]
    with pytest.warns(UserWarning, match="hidden_9"):
        fit(Initializer("hidden_9.*", fn=fill), max_epochs=1)


def test_a_fit_that_is_resumed():
    class Count(Callback):
        def on_epoch_begin(self, net, **kwargs):
            epochs.append(len(net.history))

    whole = fit(max_epochs=6)
    checkpoint = Checkpoint(monitor=None, dirname="checkpoints")
    fit(checkpoint, max_epochs=3)
    epochs = []
    resumed = fit(LoadInitState(checkpoint), checkpoint, Count(), max_epochs=6)
    assert len(epochs) == 3
    assert resumed.n_iter_ == 6
    assert (whole.predict_proba(X_test) == resumed.predict_proba(X_test)).all()


def test_the_best_epoch_on_disk():
    best = Checkpoint(monitor="valid_accuracy_best", dirname="best")
    classifier = MNISTMLPClassifier(
        learning_rate=0.1, max_epochs=8, callbacks=[best], random_state=0
    ).fit(X_train, y_train, X_val=X_test, y_val=y_test)
    accuracies = classifier.history_["valid_accuracy"]
    assert accuracies.iloc[-1] < accuracies.max()
    classifier.net_.load_params(checkpoint=best)
    assert classifier.score(X_test, y_test) == pytest.approx(accuracies.max())


def test_a_writer_that_cannot_be_copied():
    classifier = MNISTMLPClassifier(
        callbacks=[LogToWriter("runs")], max_epochs=2, random_state=0
    )
    written.clear()
    search = GridSearchCV(classifier, {"dropout": [0.0, 0.5]}, cv=2).fit(X, y)
    losses = [value for tag, value, _ in written if tag.endswith("train_loss")]
    assert len(losses) == 2 * (2 * 2 + 1)
    assert losses[-2:] == search.best_estimator_.history_["train_loss"].tolist()


def test_a_loss_and_a_layer_of_ones_own():
    classifier = MNISTMLPClassifier(
        callbacks=[TrainOnSquaredErrors(), Normalize()], max_epochs=5, random_state=0
    ).fit(X_train, y_train, X_val=X_test, y_val=y_test)
    assert classifier.score(X_test, y_test) > 0.8
    errors = (classifier.predict_proba(X_test) - np.eye(10)[y_test]) ** 2
    recorded = classifier.history_["valid_loss"].iloc[-1]
    assert recorded == pytest.approx(errors.sum(axis=1).mean())

    norm = classifier.module_.activation_1[0]
    assert not (norm.weight == 1).any()
    assert not (norm.running_mean == 0).any()

    expected = classifier.predict_proba(X_test)
    torch.save(classifier.module_, "module.pt")
    module = torch.load("module.pt", "cpu", weights_only=False).eval()
    with torch.no_grad():
        probabilities = module(torch.tensor(X_test)).softmax(dim=1)
    assert probabilities.numpy() == pytest.approx(expected)


def test_chunks_and_weights_out_and_in():
    classifier = MNISTMLPClassifier(learning_rate=0.01, random_state=0)
    for start in range(0, len(X_train), 100):
        chunk = slice(start, start + 100)
        classifier.partial_fit(X_train[chunk], y_train[chunk], classes=np.unique(y))
    assert classifier.n_iter_ == 14
    assert classifier.score(X_test, y_test) > 0.7

    other = clone(classifier).partial_fit(X_train[:10], y_train[:10], classes=range(10))
    other.set_weights(classifier.coefs_, classifier.intercepts_)
    assert (other.predict_proba(X_test) == classifier.predict_proba(X_test)).all()
    assert [layer.shape for layer in other.coefs_] == [(64, 256), (256, 10)]


def test_threads_do_not_change_the_network(two_threads):
    two = fit(max_epochs=2)
    torch.set_num_threads(1)
    one = fit(max_epochs=2)
    # Bit for bit where PyTorch uses MKL.
    assert one.predict_proba(X_test) == pytest.approx(two.predict_proba(X_test))


def test_smoothed_labels_and_an_augmentation_of_ones_own():
    plain, smooth = fit(), fit(label_smoothing=0.1)
    sure = plain.predict_proba(X_test).max(axis=1).mean()
    assert smooth.predict_proba(X_test).max(axis=1).mean() < sure
    shifted = fit(augmentation=shift)
    moved = np.roll(X_test.reshape(-1, 8, 8), 1, axis=2)
    assert plain.score(moved, y_test) < 0.6
    assert shifted.score(moved, y_test) > 0.8
    assert fit(augmentation=RandomDistortion(shift=0.5)).score(X_test, y_test) > 0.7
