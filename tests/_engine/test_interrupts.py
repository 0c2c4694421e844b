"""A callback's wish to stop, and a person's Ctrl-C."""

import pickle
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest
from numpy.testing import assert_array_equal
from skorch.callbacks import Callback

from listeners import PressCtrlC, StopAfter, StopAt
from skmnist import MNISTMLPClassifier
from small_models import fit


def test_a_callback_can_stop_the_training(digits):
    assert fit(digits, StopAfter(2), max_epochs=10).n_iter_ == 2


def test_a_callback_can_stop_the_training_in_a_thread(digits):
    with ThreadPoolExecutor(1) as pool:
        fitted = pool.submit(fit, digits, StopAfter(2), max_epochs=10).result()

    assert fitted.n_iter_ == 2


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
