"""Callbacks that stop a training, or note what they are told."""

import signal
import time

import pytest
import sklearn
from packaging.version import Version
from skorch.callbacks import Callback


class StopAfter(Callback):
    """Stops the training, as skorch's callbacks do, after some epochs."""

    def __init__(self, epochs):
        self.epochs = epochs

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == self.epochs:
            raise KeyboardInterrupt


class StopAt(Callback):
    """Stops the training at a moment of an epoch."""

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


class PressCtrlC(Callback):
    """Sends the process the signal that Ctrl-C sends, in the given epoch."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_batch_end(self, net, **kwargs):
        if len(net.history) == self.epoch:
            signal.raise_signal(signal.SIGINT)
            time.sleep(1)


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


class OnTrainBegin(Callback):
    """Calls a function with the net when training begins."""

    def __init__(self, function):
        self.function = function

    def on_train_begin(self, net, **kwargs):
        self.function(net)


class HeldOut(Callback):
    """Notes which rows are validated on."""

    def __init__(self, rows):
        self.rows = rows

    def __sklearn_clone__(self):
        return self

    def on_epoch_begin(self, net, dataset_valid=None, **kwargs):
        self.rows.append(sorted(dataset_valid.indices))


needs_callbacks = pytest.mark.skipif(
    Version(sklearn.__version__) < Version("1.9"),
    reason="unavailable here: sklearn.callback, new in scikit-learn 1.9",
)


class NoteTasks:
    """A callback of scikit-learn's that notes its tasks, and may stop after some."""

    def __init__(self, n_epochs=None):
        self.n_epochs = n_epochs
        self.tasks = []

    def setup(self, estimator, context):
        self.tasks.append("setup")

    def teardown(self, estimator, context):
        self.tasks.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.tasks.append(f"begin {context.task_name} {context.task_id}")

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        self.tasks.append(f"end {context.task_name} {context.task_id}")
        assert getattr(fitted_estimator, "n_features_in_", 64) == 64
        return context.task_name == "epoch" and context.task_id + 1 == self.n_epochs


class Wait(Callback):
    """Is called after each batch, and could do anything."""

    def on_batch_end(self, net, **kwargs):
        pass


class Listen(Callback):
    """Has the steps go by autograd, whose results depend on the number of threads."""

    def on_train_begin(self, net, **kwargs):
        net.module_.register_forward_hook(lambda *args: None)
