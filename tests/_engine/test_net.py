import contextlib
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import skorch.callbacks
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import accuracy_score, log_loss
from skorch.callbacks import Callback, EpochScoring, LRScheduler
from torch.utils.data import Subset

from skmnist import MNISTMLPClassifier
from skmnist._engine.batches import Batches, ImageDataset, as_tensor
from skmnist._engine.tally import Tally


def fit(digits, *callbacks, **parameters):
    defaults = {"hidden_layer_sizes": (16,), "max_epochs": 3, "random_state": 0}
    parameters = {**defaults, "callbacks": list(callbacks), **parameters}
    return MNISTMLPClassifier(**parameters).fit(*digits)


class Recorder(Callback):
    """Keeps what it is told, in the order in which it is told."""

    def on_train_begin(self, net, **kwargs):
        self.events_ = []
        self.batches_ = []
        self.gradients_ = []

    def on_epoch_begin(self, net, **kwargs):
        self.events_.append("epoch begin")

    def on_epoch_end(self, net, **kwargs):
        self.events_.append("epoch end")

    def on_batch_begin(self, net, batch=None, training=None, **kwargs):
        self.events_.append(("batch begin", training))

    def on_batch_end(self, net, batch=None, training=None, **kwargs):
        self.events_.append(("batch end", training))
        self.batches_.append((training, *batch, kwargs["y_pred"], kwargs["loss"]))

    def on_grad_computed(self, net, named_parameters, **kwargs):
        self.gradients_.append({name: p.grad.clone() for name, p in named_parameters})


def callback(classifier, name):
    return dict(classifier.net_.callbacks_)[name]


# Batches


def test_a_shuffled_pass_sees_each_row_once():
    data = Subset(
        ImageDataset(torch.arange(20.0).view(10, 2), torch.arange(10)), [*range(8)]
    )
    batches = Batches(data, 3, "cpu", np.random.default_rng(0))

    first, second = (torch.cat([y for _, y in batches]).tolist() for _ in range(2))

    assert sorted(first) == sorted(second) == list(range(8))
    assert first != second
    assert len(batches) == 3


def test_images_labels_and_weights_stay_together():
    X = torch.arange(20.0).view(10, 2)
    data = Subset(ImageDataset(X, torch.arange(10), torch.arange(10.0)), [*range(10)])

    for (Xi, yi), weight in Batches(
        data, 4, "cpu", np.random.default_rng(0)
    ).weighted():
        assert_array_equal(Xi[:, 0] / 2, yi)
        assert_array_equal(weight, yi)


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


def test_a_read_only_array_is_shared_without_a_warning():
    array = np.arange(4.0)
    array.setflags(write=False)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tensor = as_tensor(array)

    assert tensor.data_ptr() == array.ctypes.data
    assert not array.flags.writeable


def test_training_copies_neither_images_nor_their_split(digits):
    X, _ = digits
    seen = []

    class Keep(Callback):
        def on_epoch_begin(self, net, dataset_train, dataset_valid, **kwargs):
            seen.extend([dataset_train.dataset.X, dataset_valid.dataset.X])

    fit(digits, Keep(), max_epochs=1)

    assert {tensor.data_ptr() for tensor in seen} == {X.ctypes.data}


def test_the_fitted_net_keeps_no_data(digits):
    import gc
    import weakref

    X = digits[0].copy()
    reference = weakref.ref(X)
    classifier = fit((X, digits[1]))

    del X
    gc.collect()

    assert classifier.net_ is not None
    assert reference() is None


# Numbers that callbacks see


def test_callbacks_see_batches_in_order(digits):
    recorder = callback(fit(digits, Recorder(), max_epochs=1), "Recorder")

    batch = ("batch begin", True), ("batch end", True)
    valid = ("batch begin", False), ("batch end", False)
    assert recorder.events_ == ["epoch begin", *(batch * 4), *valid, "epoch end"]


def test_watching_the_batches_changes_no_number(digits):
    plain, watched = fit(digits), fit(digits, Recorder())

    assert_array_equal(plain.predict_proba(digits[0]), watched.predict_proba(digits[0]))
    columns = ["train_loss", "train_accuracy", "valid_loss", "valid_accuracy"]
    assert_array_equal(plain.history_[columns], watched.history_[columns])
    assert len(plain.net_.history[-1, "batches"]) == 2
    assert len(watched.net_.history[-1, "batches"]) == 5


@pytest.mark.parametrize("prefix", ["train", "valid"])
def test_the_epochs_numbers_are_those_of_its_batches(digits, prefix):
    classifier = fit(digits, Recorder(), max_epochs=1)
    batches = [
        batch
        for batch in callback(classifier, "Recorder").batches_
        if batch[0] == (prefix == "train")
    ]

    y = torch.cat([batch[2] for batch in batches]).numpy()
    probabilities = (
        torch.cat([batch[3] for batch in batches]).double().softmax(1).numpy()
    )

    epoch = classifier.history_.iloc[0]
    loss = log_loss(y, probabilities, labels=range(10))
    accuracy = accuracy_score(y, probabilities.argmax(axis=1))
    assert epoch[f"{prefix}_loss"] == pytest.approx(loss, rel=1e-5)
    assert epoch[f"{prefix}_accuracy"] == pytest.approx(accuracy)


def test_skorchs_own_scoring_agrees(digits):
    scorings = [
        EpochScoring("accuracy", name="a", lower_is_better=False),
        EpochScoring("accuracy", name="b", lower_is_better=False, use_caching=False),
        EpochScoring("neg_log_loss", name="c", lower_is_better=False),
        skorch.callbacks.PassthroughScoring("train_loss", on_train=True),
    ]

    history = fit(digits, *scorings[:3]).history_
    passed = fit(digits, scorings[3])

    assert_allclose(history["a"], history["valid_accuracy"])
    assert_allclose(history["b"], history["valid_accuracy"])
    assert_allclose(-history["c"], history["valid_loss"], rtol=1e-5)
    assert_allclose(passed.history_["train_loss"], history["train_loss"], rtol=1e-6)


def test_gradients_are_there_when_callbacks_are_told(digits):
    X, y = digits[0].astype(np.float64), digits[1]
    parameters = {"dropout": 0.0, "validation_split": None, "batch_size": 1000}
    before = fit((X, y), **parameters, max_epochs=1, learning_rate=1e-30)
    recorder = callback(fit((X, y), Recorder(), **parameters, max_epochs=1), "Recorder")

    loss = torch.nn.functional.cross_entropy(
        before.module_(torch.from_numpy(X)), torch.from_numpy(y)
    )
    names, tensors = zip(*before.module_.named_parameters(), strict=True)
    expected = torch.autograd.grad(loss, tensors)

    for name, gradient in zip(names, expected, strict=True):
        assert_allclose(recorder.gradients_[0][name], gradient, atol=1e-12)


def test_gradient_clipping_clips(digits):
    clipping = skorch.callbacks.GradientNormClipping(1e-9)
    clipped = fit(digits, clipping, optimizer="sgd", learning_rate=1.0)
    untrained = fit(digits, optimizer="sgd", learning_rate=1e-30)

    for one, other in zip(
        clipped.module_.parameters(), untrained.module_.parameters(), strict=True
    ):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(
    ("step_every", "expected"), [("epoch", [1e-3, 1e-4, 1e-5]), ("batch", None)]
)
def test_learning_rate_schedules_are_followed(digits, step_every, expected):
    scheduler = LRScheduler(
        torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.1, step_every=step_every
    )
    classifier = fit(digits, scheduler)

    if step_every == "epoch":
        assert_allclose(classifier.history_["event_lr"], expected)
    else:
        rates = classifier.net_.history[0, "batches", :4, "event_lr"]
        assert_allclose(rates, [1e-3, 1e-4, 1e-5, 1e-6])


def test_checkpoints_are_written_at_the_best_epoch(digits, tmp_path):
    checkpoint = skorch.callbacks.Checkpoint(dirname=tmp_path, load_best=True)
    classifier = fit(digits, checkpoint)

    assert (tmp_path / "params.pt").exists()
    assert classifier.history_["event_cp"].any()


def test_best_marks_are_those_of_the_best_so_far(digits):
    history = fit(digits, max_epochs=8, learning_rate=0.3).net_.history
    losses = np.array(history[:, "valid_loss"])

    expected = losses == np.minimum.accumulate(losses)

    assert_array_equal(history[:, "valid_loss_best"], expected)
    assert not expected.all()


def test_callbacks_of_the_user_stay_as_they_were(digits):
    recorder = Recorder()

    fit(digits, recorder)

    assert not hasattr(recorder, "events_")


def test_skorchs_own_prediction_works_on_the_net(digits):
    X, y = digits
    classifier = fit(digits)

    probabilities = classifier.net_.predict_proba(X)

    assert_allclose(probabilities, classifier.predict_proba(X), rtol=1e-6)
    assert classifier.net_.score(X, y) == classifier.score(X, y)


# Stopping


class StopAfter(Callback):
    def __init__(self, epochs):
        self.epochs = epochs

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == self.epochs:
            raise KeyboardInterrupt


def test_a_callback_can_stop_the_training(digits):
    assert fit(digits, StopAfter(2), max_epochs=10).n_iter_ == 2


class PressCtrlC(Callback):
    """Sends the process the signal that Ctrl-C sends, in the given epoch."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_batch_end(self, net, **kwargs):
        import signal
        import time

        if len(net.history) == self.epoch:
            signal.raise_signal(signal.SIGINT)
            time.sleep(1)


@pytest.fixture
def with_ctrl_c():
    """Let the signal through, which a process in the background may ignore."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("with_ctrl_c")
def test_ctrl_c_is_raised_on_and_leaves_a_fitted_classifier(digits):
    classifier = MNISTMLPClassifier(
        (16,), max_epochs=10, callbacks=[PressCtrlC(3)], random_state=0
    )

    with pytest.raises(KeyboardInterrupt) as interrupt:
        classifier.fit(*digits)

    assert type(interrupt.value) is KeyboardInterrupt
    assert classifier.n_iter_ == 2
    assert classifier.predict(digits[0]).shape == (500,)


class Ruin(Callback):
    """Makes the network worse when the third epoch begins."""

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == 3:
            for parameter in net.module_.parameters():
                parameter.data.mul_(-100)


def test_the_best_weights_are_back_after_a_stop_within_the_next_epoch(digits):
    stopped = fit(digits, StopAt("on_batch_end", 3), early_stopping=True, max_epochs=9)
    expected = fit(digits, max_epochs=2)

    assert (stopped.n_iter_, stopped.best_epoch_) == (2, 2)
    assert_array_equal(
        stopped.predict_proba(digits[0]), expected.predict_proba(digits[0])
    )


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


class StopAt(Callback):
    """Stops the training, as skorch's callbacks do, at a moment of an epoch."""

    def __init__(self, moment, epoch):
        self.moment = moment
        self.epoch = epoch

    def notice(self, moment, net):
        if moment == self.moment and len(net.history) == self.epoch:
            raise KeyboardInterrupt

    def on_epoch_begin(self, net, **kwargs):
        self.notice("on_epoch_begin", net)

    def on_batch_begin(self, net, **kwargs):
        self.notice("on_batch_begin", net)

    def on_batch_end(self, net, **kwargs):
        self.notice("on_batch_end", net)

    def on_grad_computed(self, net, **kwargs):
        self.notice("on_grad_computed", net)


@pytest.mark.parametrize("epoch", [1, 3])
@pytest.mark.parametrize(
    "moment", ["on_epoch_begin", "on_batch_begin", "on_batch_end", "on_grad_computed"]
)
def test_a_stop_within_an_epoch_leaves_the_epochs_before(digits, moment, epoch):
    stopped = fit(digits, StopAt(moment, epoch), max_epochs=10, early_stopping=True)
    copied = pickle.loads(pickle.dumps(stopped))

    assert stopped.n_iter_ == len(stopped.history_) == epoch - 1
    assert {"train_loss", "train_accuracy"} <= set(stopped.history_.columns)
    assert_array_equal(
        copied.predict_proba(digits[0]), stopped.predict_proba(digits[0])
    )
    assert copied.set_params(callbacks=None).partial_fit(*digits).n_iter_ == epoch


class Signal(Callback):
    """Sends the process a signal in the third epoch."""

    def __init__(self, number):
        self.number = number

    def on_epoch_end(self, net, **kwargs):
        import signal  # in the worker process too

        if len(net.history) == 3:
            signal.raise_signal(self.number)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_an_interrupt_by_a_signal_handler_is_raised_on(digits, name):
    def handle(number, frame):
        raise KeyboardInterrupt

    number = getattr(signal, name)
    before = signal.signal(number, handle)
    try:
        with pytest.raises(KeyboardInterrupt) as interrupt:
            fit(digits, Signal(number), max_epochs=10)
        assert signal.getsignal(number) is handle
    finally:
        signal.signal(number, before)

    assert type(interrupt.value) is KeyboardInterrupt


def test_a_signal_that_was_handled_does_not_hide_a_stop(digits):
    seen = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))
    try:
        fitted = fit(digits, Signal(signal.SIGTERM), StopAfter(3), max_epochs=10)
    finally:
        signal.signal(signal.SIGTERM, before)

    assert (seen, fitted.n_iter_) == ([signal.SIGTERM], 3)


def test_a_callback_can_stop_the_training_in_a_thread(digits):
    with ThreadPoolExecutor(1) as pool:
        fitted = pool.submit(fit, digits, StopAfter(2), max_epochs=10).result()

    assert fitted.n_iter_ == 2


# What a callback puts into the net


class OnTrainBegin(Callback):
    """Calls a function with the net when training begins."""

    def __init__(self, function):
        self.function = function

    def on_train_begin(self, net, **kwargs):
        self.function(net)


def hook_forward(seen):
    def put_in(net):
        net.module_.hidden_1.register_forward_hook(lambda *_: seen.append("hidden"))

    return put_in


def hook_backward(seen):
    def put_in(net):
        net.module_.output.register_full_backward_hook(lambda *_: seen.append("out"))

    return put_in


def replace_criterion(seen):
    class Criterion(torch.nn.CrossEntropyLoss):
        def forward(self, y_pred, y):
            seen.append("criterion")
            return super().forward(y_pred, y)

    return lambda net: setattr(net, "criterion_", Criterion())


def replace_child(seen):
    class Activation(torch.nn.Tanh):
        def forward(self, X):
            seen.append("activation")
            return super().forward(X)

    return lambda net: setattr(net.module_, "activation_1", Activation())


def hook_gradient(seen):
    def put_in(net):
        net.module_.hidden_1.weight.register_hook(lambda _: seen.append("gradient"))

    return put_in


def hook_accumulated_gradient(seen):
    def put_in(net):
        weight = net.module_.hidden_1.weight
        weight.register_post_accumulate_grad_hook(lambda _: seen.append("gradient"))

    return put_in


def replace_module(seen):
    class Module(torch.nn.Linear):
        def forward(self, X):
            if self.training:
                seen.append("module")
            return super().forward(X)

    def put_in(net):
        net.module_ = Module(64, 10)
        net.initialize_optimizer()

    return put_in


def override_criterion(seen):
    def put_in(net):
        forward = net.criterion_.forward
        net.criterion_.forward = lambda *args: seen.append("loss") or forward(*args)

    return put_in


def override_get_loss(seen):
    def put_in(net):
        get_loss = net.get_loss
        net.get_loss = lambda *args, **kw: seen.append("loss") or get_loss(*args, **kw)

    return put_in


def override_forward(seen):
    def put_in(net):
        forward = net.module_.hidden_1.forward
        net.module_.hidden_1.forward = lambda X: seen.append("forward") or forward(X)

    return put_in


@pytest.mark.parametrize(
    "make",
    [
        hook_forward,
        hook_backward,
        hook_gradient,
        hook_accumulated_gradient,
        replace_criterion,
        replace_child,
        replace_module,
        override_criterion,
        override_get_loss,
        override_forward,
    ],
)
def test_what_a_callback_puts_in_is_called_in_training(digits, make):
    seen = []
    n_steps = 3 * 4  # epochs of 500 rows in batches of 128

    fit(digits, OnTrainBegin(make(seen)), validation_split=None)

    assert len(seen) == n_steps


def test_a_layer_of_another_kind_is_validated_and_predicted_with(digits):
    X, y = digits[0][:, :30], digits[1]

    def put_in(net):
        net.module_.hidden_1 = torch.nn.Linear(30, 16)
        net.initialize_optimizer()

    fitted = fit((X, y), OnTrainBegin(put_in))

    assert fitted.predict_proba(X[:7]).shape == (7, 10)


def test_a_callback_may_use_autograd_when_gradients_are_there(digits):
    seen = []

    class Note(Callback):
        def on_grad_computed(self, net, **kwargs):
            seen.append(torch.is_grad_enabled())

    fit(digits, Note)

    assert set(seen) == {True}


def test_a_hook_on_all_modules_is_called_in_training(digits):
    seen = []
    register = torch.nn.modules.module.register_module_forward_hook
    with register(lambda module, *_: seen.append(module)):
        fitted = fit(digits, validation_split=None)

    assert seen.count(fitted.module_) == 3 * 4


def test_listening_by_a_hook_changes_no_number(digits):
    X, _ = digits
    watched = fit(digits, OnTrainBegin(hook_forward([])), batch_size=100)
    alone = fit(digits, batch_size=100)

    assert_allclose(watched.predict_proba(X), alone.predict_proba(X), atol=1e-5)


def test_the_criterions_settings_are_heeded(digits):
    def smooth(net):
        net.criterion_.label_smoothing = 0.3

    settings = {"dropout": 0.0, "learning_rate": 0.01, "max_epochs": 20}
    smoothed = fit(digits, OnTrainBegin(smooth), **settings)
    sharp = fit(digits, **settings)

    losses = [model.history_["train_loss"].iloc[-1] for model in (smoothed, sharp)]
    assert losses[0] > losses[1] + 0.3


def test_batch_normalisation_can_be_put_in(digits):
    def put_in(net):
        net.module_.activation_1 = torch.nn.Sequential(
            torch.nn.BatchNorm1d(16), torch.nn.ReLU()
        )
        net.initialize_optimizer()

    fitted = fit(digits, OnTrainBegin(put_in), max_epochs=5)

    norm = fitted.module_.activation_1[0]
    assert norm.num_batches_tracked == 5 * 4
    assert not torch.equal(norm.weight, torch.ones(16))


def test_a_criterion_that_averages_cannot_weigh_images(digits):
    def average(net):
        net.criterion_ = torch.nn.CrossEntropyLoss()

    model = MNISTMLPClassifier((16,), callbacks=[OnTrainBegin(average)])

    with pytest.raises(ValueError, match="cannot be weighted; use one with reduction"):
        model.fit(*digits, sample_weight=np.linspace(1, 2, 500))


def test_dropout_can_be_changed_while_training(digits):
    def drop_nothing(net):
        net.module_.dropout_1.p = 0.0

    changed = fit(digits, OnTrainBegin(drop_nothing), dropout=0.5)
    without = fit(digits, dropout=0.0)

    losses = [model.history_["train_loss"].iloc[-1] for model in (changed, without)]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)


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


def test_a_callback_that_looks_for_a_missing_column_is_told_of_those_there(digits):
    stopping = skorch.callbacks.EarlyStopping(monitor="valid_loss")

    with pytest.raises(KeyError, match="valid_loss") as raised:
        fit(digits, stopping, validation_split=None)

    (note,) = raised.value.__notes__
    assert "on_epoch_end" in note
    assert "train_loss" in note


# What is printed


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


def test_verbose_2_shows_no_bar_where_there_is_no_terminal(digits, capfd):
    fit(digits, verbose=2)

    out, err = capfd.readouterr()
    assert len(out.splitlines()) == 5
    assert err == ""


class Bar:
    """Stands in for tqdm's bar and counts those that are open."""

    n_open = 0

    def __init__(self, **kwargs):
        type(self).n_open += 1

    def set_postfix(self, **kwargs): ...

    def update(self): ...

    def close(self):
        type(self).n_open -= 1

    @staticmethod
    def write(text): ...


@pytest.mark.usefixtures("with_ctrl_c")
def test_the_bar_is_closed_in_the_end_and_by_ctrl_c(digits, monkeypatch):
    monkeypatch.setattr("skmnist._engine.callbacks.tqdm", Bar)

    fit(digits, verbose=2)
    with pytest.raises(KeyboardInterrupt):
        fit(digits, PressCtrlC(2), verbose=2)

    assert Bar.n_open == 0


# Gradients over the pixels


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


def test_the_input_gradient_is_that_of_finite_differences(digits):
    X, y = digits[0][:3].astype(np.float64), digits[1]
    classifier = fit((digits[0].astype(np.float64), y), activation="tanh")
    classes = np.array([0, 3, 9])

    gradient = classifier.net_.input_gradient(X, classes)

    step = 1e-6
    for pixel in (20, 27, 36):
        moved = np.zeros(64)
        moved[pixel] = step
        up, down = (
            classifier.decision_function(X + sign * moved)[range(3), classes]
            for sign in (1, -1)
        )
        assert_allclose(gradient[:, pixel], (up - down) / (2 * step), atol=1e-7)


TRAIN = """
import os, signal, sys
import numpy as np
from skorch.callbacks import Callback, Checkpoint, LoadInitState
from sklearn.datasets import load_digits
from skmnist import MNISTMLPClassifier

class Die(Callback):
    def on_batch_end(self, net, training, **kwargs):
        if training and len(net.history) == 4 and len(net.history[-1, "batches"]) == 2:
            os.kill(os.getpid(), signal.SIGKILL)

folder, dies = sys.argv[1], sys.argv[2] == "dies"
X, y = load_digits(return_X_y=True)
checkpoint = Checkpoint(monitor=None, dirname=folder)
callbacks = [LoadInitState(checkpoint), checkpoint] + [Die] * dies
model = MNISTMLPClassifier(
    max_epochs=6, callbacks=callbacks, random_state=0, device="cpu"
).fit((X[:500] / 16).astype(np.float32), y[:500])
print(model.history_.drop(columns="duration").to_csv())
print(model.predict_proba((X[500:] / 16).astype(np.float32)).tobytes().hex())
"""


def train(folder, dies):
    return subprocess.run(
        [sys.executable, "-c", TRAIN, folder, dies], capture_output=True, text=True
    )


@pytest.mark.skipif(
    sys.platform == "win32", reason="unavailable here: SIGKILL, which Windows lacks"
)
def test_training_goes_on_after_a_kill_as_if_nothing_had_been(tmp_path):
    killed = train(tmp_path / "killed", "dies")
    resumed = train(tmp_path / "killed", "lives")
    uninterrupted = train(tmp_path / "other", "lives")

    assert killed.returncode == -signal.SIGKILL
    assert resumed.stdout == uninterrupted.stdout != ""
