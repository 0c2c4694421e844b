"""Early stopping, what is printed, the progress bar and scikit-learn's tasks."""

import contextlib
import gc
import os
import pickle
import re
import subprocess
import sys
import threading
import weakref
from collections import namedtuple

import numpy as np
import pytest
import scipy.sparse
import torch
from numpy.testing import assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback, EpochScoring, Freezer, Initializer, PrintLog

from listeners import (
    HeldOut,
    NoteTasks,
    PressCtrlC,
    Recorder,
    StopAt,
    needs_callbacks,
)
from skmnist import ImageScaler, MNISTMLPClassifier
from skmnist._engine import callbacks
from small_models import fit, small


def test_callbacks_of_the_user_stay_as_they_were(digits):
    recorder, named = Recorder(), Recorder()

    fit(digits, recorder, ("named", named))

    assert not hasattr(recorder, "events_")
    assert not hasattr(named, "events_")


@pytest.mark.parametrize("kind", [Initializer, Freezer])
def test_a_pattern_that_matches_no_weights_is_warned_of(digits, kind):
    mapper = kind(["hidden_1.*", "dense*"], fn=torch.nn.init.zeros_)

    with pytest.warns(UserWarning, match=r"'dense\*' matches none of hidden") as warned:
        fit(digits, mapper)

    (warning,) = warned
    assert kind.__name__ in str(warning.message)
    assert "hidden_1.weight, hidden_1.bias, output.weight" in str(warning.message)
    assert warning.filename.endswith("small_models.py")  # where `fit` is called


@pytest.mark.filterwarnings("error")
def test_first_weights_and_frozen_weights_are_taken_as_given(digits):
    freezer = Freezer(["hidden_1.*"])
    initializer = Initializer(lambda name: name.startswith("h"), torch.nn.init.ones_)

    module = fit(digits, initializer, freezer).module_

    assert (module.hidden_1.weight == 1).all()
    assert (module.output.bias != 0).any()


class CannotBeCloned(Callback):
    """Keeps its argument under another name, as callbacks of optuna do."""

    def __init__(self, trial):
        self._trial = trial

    def on_epoch_end(self, net, **kwargs):
        self._trial.append(net.history[-1, "train_loss"])


class HoldsALock(Callback):
    def __init__(self, lock):
        self.lock = lock


def test_a_callback_that_cannot_be_cloned_is_used_as_it_is(digits):
    losses = []

    fit(digits, CannotBeCloned(losses), ("lock", HoldsALock(threading.Lock())))

    assert len(losses) == 3


def test_a_classifier_with_a_callback_that_cannot_be_cloned_is_cloned(digits):
    losses = []
    callbacks = [("list", CannotBeCloned(losses)), HoldsALock(threading.Lock())]
    callbacks.append(EpochScoring("accuracy", name="train_share", on_train=True))
    model = make_pipeline(ImageScaler(1), small(callbacks=callbacks))

    cross_val_score(model, *digits, cv=3, error_score="raise")

    assert len(losses) == 3 * 2
    pair, lock, scoring = clone(model)[-1].callbacks
    assert (pair, lock) == (callbacks[0], callbacks[1])
    assert scoring is not callbacks[2]
    assert scoring.name == "train_share"


def test_a_clone_is_as_scikit_learn_makes_it():
    classifier = small(callbacks=(PrintLog,), class_weight={0: 2.0}, dropout=0.1)
    with config_context(enable_metadata_routing=True):
        classifier.set_fit_request(sample_weight=True)
    classifier.set_params(callbacks=[PrintLog()]).extra_ = 1

    cloned = clone(classifier)

    assert not hasattr(cloned, "extra_")
    assert cloned.get_metadata_routing().fit.requests["sample_weight"] is True
    parameters, others = classifier.get_params(), cloned.get_params()
    assert parameters.pop("callbacks")[0] is not others.pop("callbacks")[0]
    assert parameters == others
    assert others["class_weight"] is not classifier.class_weight


class OwnCallbacks(MNISTMLPClassifier):
    def __init__(self, name="share", callbacks=None):
        super().__init__(
            callbacks=callbacks or [EpochScoring("accuracy", name=name)], max_epochs=2
        )
        self.name = name


class NoCallbacks(MNISTMLPClassifier):
    def __init__(self, name="share"):
        super().__init__(callbacks=[EpochScoring("accuracy", name=name)], max_epochs=2)
        self.name = name


def test_subclasses_are_cloned_as_scikit_learn_does():
    own = clone(OwnCallbacks(callbacks=[EpochScoring("accuracy", name="a")]))
    none = clone(NoCallbacks().set_params(name="b"))

    assert own.callbacks[0].name == "a"
    assert none.callbacks[0].name == "b"
    losses = []
    shared = clone(OwnCallbacks(callbacks=[CannotBeCloned(losses)]))
    assert shared.callbacks[0]._trial is losses


Pair = namedtuple("Pair", "name callback")


def test_a_pair_of_any_kind_is_taken(digits):
    pair = Pair("scoring", EpochScoring("accuracy", name="share"))

    assert "share" in fit(digits, pair).history_


def test_early_stopping_goes_back_to_the_best_epoch(digits):
    X, y = digits
    parameters = {"learning_rate": 0.05, "dropout": 0.0, "hidden_layer_sizes": (64,)}
    classifier = small(
        early_stopping=True, patience=3, max_epochs=100, **parameters
    ).fit(X, y)
    best = classifier.best_epoch_

    assert best == classifier.history_["valid_loss"].idxmin() + 1
    assert classifier.n_iter_ == best + 3 < 100
    expected = small(max_epochs=best, **parameters).fit(X, y)
    assert_array_equal(classifier.predict_proba(X), expected.predict_proba(X))


def test_early_stopping_waits_for_five_epochs_by_default(digits):
    classifier = small(
        early_stopping=True, optimizer="sgd", learning_rate=1e-30, max_epochs=50
    ).fit(*digits)

    assert classifier.best_epoch_ == 1
    assert classifier.n_iter_ == 1 + 5


@pytest.mark.parametrize(("warm_start", "n_epochs"), [(False, 2), (True, 4)])
def test_without_early_stopping_there_is_no_best_epoch(digits, warm_start, n_epochs):
    classifier = small(early_stopping=True, warm_start=warm_start).fit(*digits)

    classifier.set_params(early_stopping=False).fit(*digits)

    assert classifier.n_iter_ == n_epochs
    assert not hasattr(classifier, "best_epoch_")


def test_early_stopping_works_on_string_labels_and_weights(digits):
    X, y = digits
    labels = np.array(list("abcdefghij"))[y]
    model = MNISTMLPClassifier(
        early_stopping=True, patience=1, max_epochs=30, learning_rate=0.05
    )

    model.fit(X, labels, sample_weight=1.0 + (y == 3))

    assert 1 <= model.best_epoch_ <= model.n_iter_ <= 30
    assert model.score(X, labels) > 0.8


def test_a_diverged_training_is_not_taken_for_the_best(digits):
    model = MNISTMLPClassifier(
        early_stopping=True, patience=2, optimizer="sgd", learning_rate=1e30
    )

    with pytest.warns(ConvergenceWarning, match="lower learning_rate"):
        model.fit(*digits)

    assert model.n_iter_ == 2


def test_early_stopping_counts_the_smallest_improvement(digits):
    model = small(
        early_stopping=True, patience=2, optimizer="sgd", learning_rate=1e-6,
        dropout=0.0, max_epochs=8,
    )  # fmt: skip

    assert model.fit(*digits).n_iter_ == 8
    assert np.ptp(model.history_["valid_loss"]) < 1e-4


def test_the_best_weights_are_back_after_a_stop_within_the_next_epoch(digits):
    stopped = fit(digits, StopAt("on_batch_end", 3), early_stopping=True, max_epochs=9)
    expected = fit(digits, max_epochs=2)

    assert (stopped.n_iter_, stopped.best_epoch_) == (2, 2)
    assert_array_equal(
        stopped.predict_proba(digits[0]), expected.predict_proba(digits[0])
    )


class Ruin(Callback):
    """Makes the network worse when the third epoch begins."""

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == 3:
            for parameter in net.module_.parameters():
                parameter.data.mul_(-100)


@pytest.mark.usefixtures("with_ctrl_c")
def test_the_best_weights_are_back_after_ctrl_c(digits):
    classifier = MNISTMLPClassifier(
        (16,),
        max_epochs=10,
        early_stopping=True,
        callbacks=[Ruin, PressCtrlC(5)],
        random_state=0,
    )
    expected = fit(digits, max_epochs=2)

    with pytest.raises(KeyboardInterrupt):
        classifier.fit(*digits)

    assert (classifier.n_iter_, classifier.best_epoch_) == (4, 2)
    assert_array_equal(
        classifier.predict_proba(digits[0]), expected.predict_proba(digits[0])
    )


def test_verbose_0_prints_nothing(digits, capfd):
    fit(digits, verbose=0)

    assert capfd.readouterr() == ("", "")


def test_verbose_1_prints_a_line_an_epoch(digits, capfd):
    fit(digits, verbose=1)

    out, err = capfd.readouterr()
    lines = out.splitlines()
    assert lines[0].split() == [
        *("epoch", "train_accuracy", "train_loss", "valid_accuracy", "valid_loss"),
        "dur",
    ]
    assert [line.split()[0] for line in lines[2:]] == ["1", "2", "3"]
    assert err == ""
    assert "\x1b" not in out


@pytest.mark.parametrize(("verbose", "n_bars"), [(0, 0), (1, 0), (2, 1), (3, 1)])
def test_a_bar_is_shown_from_verbose_2_on(verbose, n_bars):
    parameters = small(verbose=verbose).get_params()

    made = callbacks.make_callbacks(parameters, 2, True, tasks=None, score=None)

    assert [name for name, _ in made] == ["progress_bar"] * n_bars


def test_verbose_2_shows_no_bar_where_there_is_no_terminal(digits, capfd):
    fit(digits, verbose=2)

    out, err = capfd.readouterr()
    assert len(out.splitlines()) == 5
    assert err == ""


@pytest.mark.skipif(
    sys.platform == "win32", reason="unavailable here: os.openpty, which Windows lacks"
)
def test_verbose_2_shows_a_bar_on_a_terminal():
    import termios

    terminal, process_side = os.openpty()
    termios.tcsetwinsize(terminal, (24, 100))
    code = """
import numpy as np
from skmnist import MNISTMLPClassifier
X = np.eye(40, dtype=np.float32)
MNISTMLPClassifier(max_epochs=2, verbose=2).fit(X, np.arange(40) % 2)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=process_side, stderr=process_side
    )
    os.close(process_side)
    shown = b""
    with contextlib.suppress(OSError):  # how a terminal says that it has ended
        while part := os.read(terminal, 4096):
            shown += part
    os.close(terminal)

    assert process.wait() == 0
    assert b"0/2" in shown
    assert re.search(rb"2/2 .*accuracy=0\.\d+, loss=\d", shown)


class Bar:
    """Stands in for tqdm's bar, counts those that are open, keeps what they show."""

    n_open = 0
    shown = ()

    def __init__(self, **kwargs):
        type(self).n_open += 1
        assert not kwargs["leave"]  # the last line is the log's

    def set_postfix(self, **kwargs):
        type(self).shown += (kwargs,)

    def update(self): ...

    def close(self):
        type(self).n_open -= 1

    @staticmethod
    def write(text): ...


def test_the_bar_shows_each_epochs_scores(digits, monkeypatch):
    monkeypatch.setattr("skmnist._engine.callbacks.tqdm", Bar)
    monkeypatch.setattr(Bar, "shown", ())

    history = fit(digits, verbose=2).history_

    pairs = zip(history["train_loss"], history["train_accuracy"], strict=True)
    assert Bar.shown == tuple(
        {"loss": f"{loss:.4f}", "accuracy": f"{accuracy:.4f}"}
        for loss, accuracy in pairs
    )


@pytest.mark.usefixtures("with_ctrl_c")
def test_the_bar_is_closed_in_the_end_and_by_ctrl_c(digits, monkeypatch):
    monkeypatch.setattr("skmnist._engine.callbacks.tqdm", Bar)

    fit(digits, verbose=2)
    with pytest.raises(KeyboardInterrupt):
        fit(digits, PressCtrlC(2), verbose=2)

    assert Bar.n_open == 0


@needs_callbacks
def test_a_callback_of_scikit_learns_can_stop_the_training(digits):
    stopper = NoteTasks(n_epochs=2)

    model = small(max_epochs=5).set_callbacks(stopper).fit(*digits)

    assert model.n_iter_ == 2
    assert stopper.tasks == [
        *("setup", "begin fit 0", "begin epoch 0", "end epoch 0"),
        *("begin epoch 1", "end epoch 1", "end fit 0", "teardown"),
    ]


@needs_callbacks
@pytest.mark.parametrize("epoch", [1, 3])
@pytest.mark.parametrize(
    "moment", ["on_epoch_begin", "on_batch_begin", "on_batch_end", "on_grad_computed"]
)
def test_a_stop_within_an_epoch_leaves_no_task_open(digits, moment, epoch):
    noter = NoteTasks()
    model = small(max_epochs=9, callbacks=[StopAt(moment, epoch)])

    model.set_callbacks(noter).fit(*digits)

    assert model.n_iter_ == epoch - 1
    assert_no_task_is_open(noter.tasks)


@needs_callbacks
@pytest.mark.usefixtures("with_ctrl_c")
def test_ctrl_c_leaves_no_task_open(digits):
    noter = NoteTasks()
    model = small(max_epochs=9, callbacks=[PressCtrlC(2)]).set_callbacks(noter)

    with pytest.raises(KeyboardInterrupt):
        model.fit(*digits)

    assert_no_task_is_open(noter.tasks)


def assert_no_task_is_open(tasks):
    begun, ended = (
        [task.removeprefix(verb) for task in tasks if task.startswith(verb)]
        for verb in ("begin ", "end ")
    )
    assert begun[0] == ended[-1] == "fit 0"
    assert begun[1:] == ended[:-1]
    assert tasks[-1] == "teardown"


@needs_callbacks
def test_callbacks_do_not_keep_the_data_alive(digits):
    from sklearn import callback

    X, y = digits[0].copy(), digits[1]
    mlp = small(max_epochs=1).set_callbacks(callback.ScoringMonitor(scoring="accuracy"))
    mlp.fit(X, y)
    is_alive = weakref.ref(X)

    del X
    gc.collect()

    assert is_alive() is None
    assert_array_equal(pickle.loads(pickle.dumps(mlp)).classes_, mlp.classes_)


class NoteMetadata(NoteTasks):
    """A callback of scikit-learn's that keeps the metadata of each task."""

    def on_fit_task_begin(self, estimator, context, *, metadata=None):
        self.tasks.append(metadata)

    def on_fit_task_end(self, estimator, context, *, metadata=None):
        self.tasks.append(metadata)

    def get_one(self):
        begun = self.tasks[1:-1]
        assert len(begun) == 2 + 2 * 2  # the fit and two epochs
        assert all(metadata is begun[0] for metadata in begun)  # made once
        return begun[0]


@needs_callbacks
@pytest.mark.parametrize("as_given", [np.asarray, scipy.sparse.csr_array])
def test_scikit_learns_callbacks_get_an_explicit_validation_set(digits, as_given):
    X, y = digits
    noter = NoteMetadata()
    names = np.array(list("abcdefghij"))[y]

    small().set_callbacks(noter).fit(
        *(as_given(X[:300]), names[:300]),
        X_val=as_given(X[300:]),
        y_val=names[300:],
        sample_weight_val=y[300:],
    )

    metadata = noter.get_one()
    assert set(metadata) == {"X_val", "y_val", "sample_weight_val"}
    assert_array_equal(as_dense(metadata["X_val"]), X[300:])
    assert_array_equal(metadata["y_val"], names[300:])
    assert_array_equal(metadata["sample_weight_val"], y[300:])


def as_dense(X):
    return X.toarray() if scipy.sparse.issparse(X) else X


@needs_callbacks
@pytest.mark.parametrize("as_given", [np.asarray, scipy.sparse.csr_array])
def test_scikit_learns_callbacks_get_the_rows_of_a_split(digits, as_given):
    X, y = digits
    noter, rows = NoteMetadata(), []
    model = small(callbacks=[HeldOut(rows)]).set_callbacks(noter)
    weight = np.arange(1.0, 501.0)

    model.fit(as_given(X), y, sample_weight=weight.tolist())

    metadata, order = noter.get_one(), np.argsort(noter.get_one()["sample_weight_val"])
    assert_array_equal(metadata["sample_weight_val"][order], weight[rows[0]])
    assert_array_equal(as_dense(metadata["X_val"])[order], X[rows[0]])
    assert_array_equal(metadata["y_val"][order], y[rows[0]])
    assert metadata["sample_weight"] == weight.tolist()


@needs_callbacks
def test_without_validation_and_weights_there_is_no_metadata(digits):
    noter = NoteMetadata()

    small(validation_split=None).set_callbacks(noter).fit(*digits)

    assert noter.get_one() is None


@needs_callbacks
def test_no_validation_rows_are_copied_for_who_does_not_ask(digits, monkeypatch):
    monkeypatch.setattr(callbacks, "_make_metadata", None)  # which cannot be called

    small().set_callbacks(NoteTasks()).fit(*digits)

    with pytest.raises(TypeError, match="not callable"):
        small().set_callbacks(NoteMetadata()).fit(*digits)


def read_scores(monitor):
    log = monitor.get_logs().data_as_pandas
    return log.loc[log["task_name"] == "epoch", "accuracy"]


@needs_callbacks
def test_scikit_learns_monitor_scores_training_images_beside_validation_data(digits):
    from sklearn import callback

    X, y = digits
    monitor = callback.ScoringMonitor(scoring="accuracy")
    weight = np.arange(300) % 3

    model = small(max_epochs=3).set_callbacks(monitor)
    model.fit(X[:300], y[:300], weight, X_val=X[300:], y_val=y[300:])

    assert read_scores(monitor).iloc[-1] == model.score(X[:300], y[:300], weight)


@needs_callbacks
def test_a_monitor_may_score_the_validation_data(digits):
    from sklearn import callback

    class ValidationMonitor(callback.ScoringMonitor):
        def on_fit_task_end(
            self, estimator, context, *, fitted_estimator=None, metadata=None
        ):
            super().on_fit_task_end(
                estimator,
                context,
                X=metadata["X_val"],
                y=metadata["y_val"],
                fitted_estimator=fitted_estimator,
            )

    monitor = ValidationMonitor(scoring="accuracy")

    model = small(max_epochs=3).set_callbacks(monitor).fit(*digits)

    np.testing.assert_allclose(read_scores(monitor), model.history_["valid_accuracy"])


@needs_callbacks
def test_a_monitor_that_can_ask_for_validation_data_gets_them(digits, monkeypatch):
    from sklearn import callback

    monitor = callback.ScoringMonitor(scoring="accuracy")
    monkeypatch.setattr(
        callback.ScoringMonitor, "set_on_fit_task_end_request", None, raising=False
    )

    # This one hands them to its scorer, as if they were weights.
    with pytest.raises(TypeError, match="X_val"):
        small().set_callbacks(monitor).fit(*digits)
