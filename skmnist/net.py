"""The skorch net: batches of whole tensors, a weighted loss, metrics of each epoch."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, cast

import numpy as np
import skorch.callbacks
import skorch.dataset
import torch
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback, EpochTimer, PassthroughScoring, PrintLog
from torch.nn import functional as F
from torch.utils.data import Subset
from tqdm.auto import tqdm

from skmnist.module import MLP, TILE, compute_gradients, has_hooks

# Rows that are judged at once where no gradient is needed: few enough that they and
# the hidden units stay in the processor's cache.
EVALUATION_BATCH_SIZE = 512

# Rows whose accuracy is counted at once.
TALLY_ROWS = 4096


class ImageDataset(skorch.dataset.Dataset):
    """Images, labels and sample weights, each one whole tensor.

    Parameters
    ----------
    X : tensor or ndarray of shape (n_samples, n_pixels)
        The images.
    y : tensor of int64, shape (n_samples,), default=None
        The labels, encoded as 0 to n_classes - 1.
    sample_weight : tensor of shape (n_samples,), default=None
        The weights, with mean one over the rows that are trained on together.
    """

    def __init__(
        self,
        X: torch.Tensor | np.ndarray,
        y: torch.Tensor | None = None,
        sample_weight: torch.Tensor | None = None,
    ):
        super().__init__(X, y)
        self.sample_weight = sample_weight


def normalize_weights(data: Subset) -> None:
    """Scale the sample weights of a subset's rows to mean one, in place.

    So the loss of a batch is a plain mean, no batch can weigh nothing, and weights of
    any size mean the same.

    Parameters
    ----------
    data : Subset of an ImageDataset
        The rows that are trained on, or validated on, together.
    """
    weight = cast(ImageDataset, data.dataset).sample_weight
    if weight is not None:
        rows = torch.as_tensor(data.indices, device=weight.device)
        # By NumPy: torch shares out a sum of so many, and rounds it by the threads.
        weight[rows] /= float(weight[rows].cpu().numpy().mean())


class Batches:
    """Batches of a dataset's rows, each taken with one `index_select`.

    Parameters
    ----------
    dataset : ImageDataset or a Subset of one
        The data; a subset's rows stay an index into the whole.
    batch_size : int
        The number of rows of a batch.
    device : str or torch.device
        Where the batches are wanted.
    rng : numpy.random.Generator, default=None
        Shuffles the rows anew for each pass; by default they keep their order.
    """

    def __init__(
        self,
        dataset: ImageDataset | Subset,
        batch_size: int,
        device: str | torch.device,
        rng: np.random.Generator | None = None,
    ):
        is_subset = isinstance(dataset, Subset)
        whole = cast(ImageDataset, dataset.dataset if is_subset else dataset)
        self.X = torch.as_tensor(whole.X, device=device)
        self.y = None if whole.y is None else torch.as_tensor(whole.y, device=device)
        self.sample_weight = whole.sample_weight
        self.rows = np.asarray(dataset.indices) if is_subset else None
        if self.rows is not None and np.array_equal(self.rows, np.arange(len(whole))):
            self.rows = None  # slices of the whole copy nothing
        self.n_samples = len(dataset)
        self.batch_size = batch_size
        self.rng = rng

    def __iter__(self):
        return (batch for batch, _ in self.weighted())

    def __len__(self):
        return -(-self.n_samples // self.batch_size)

    def weighted(self) -> Iterator[tuple[tuple, torch.Tensor | None]]:
        """Yield pairs of a batch (images and labels) and its sample weights."""
        for rows in self._split():
            X, y, weight = (
                take(tensor, rows) for tensor in (self.X, self.y, self.sample_weight)
            )
            yield (X, y), weight

    def _split(self):
        order = self.rows
        if self.rng is not None:
            order = self.rng.permutation(self.n_samples if order is None else order)
        if order is not None:
            return torch.as_tensor(order, device=self.X.device).split(self.batch_size)
        starts = range(0, self.n_samples, self.batch_size)
        return [slice(start, start + self.batch_size) for start in starts]


def take(
    tensor: torch.Tensor | None, rows: torch.Tensor | slice
) -> torch.Tensor | None:
    """Return some rows of a tensor, or None for None."""
    if tensor is None:
        return None
    return tensor[rows] if isinstance(rows, slice) else tensor.index_select(0, rows)


class ImageNet(NeuralNetClassifier):
    """A skorch classifier that keeps the data whole and measures as it trains.

    skorch's steps and callbacks work as ever. What differs: the batches come from
    whole tensors rather than a DataLoader; loss and accuracy of an epoch are summed up
    on the way; batches are recorded in the history only where a callback looks at
    them; a callback's own stop is told from a person's Ctrl-C.

    Parameters
    ----------
    *args, **kwargs
        As for :class:`skorch.NeuralNetClassifier`.
    rng : numpy.random.Generator
        The source of the shuffling.
    """

    def __init__(
        self,
        *args: Any,
        rng: np.random.Generator,
        dataset: type[ImageDataset] = ImageDataset,
        **kwargs: Any,
    ):
        super().__init__(*args, dataset=dataset, **kwargs)
        self.rng = rng
        self._steps_by_hand = False

    @property
    def _default_callbacks(self):
        callbacks = [("epoch_timer", EpochTimer())]
        if self.verbose:
            callbacks.append(("print_log", EpochLog(keys_ignored="rng")))
        return callbacks

    def train(self, dataset: Subset, epochs: int) -> None:
        """Train for some epochs, or until a callback or Ctrl-C stops it.

        Parameters
        ----------
        dataset : Subset of an ImageDataset
            The data to train on. The data to validate on come from `train_split`.
        epochs : int
            The number of epochs. Those count that a callback loads when training
            begins, so that an interrupted training ends where it would have.

        Raises
        ------
        KeyboardInterrupt
            On Ctrl-C. The net is usable, its history holds the epochs that were ended.
        """
        data = cast(ImageDataset, dataset.dataset)
        whole = {"X": data.X, "y": data.y}
        n_earlier = len(self.history)
        with torch_threads.shared(), marked_signals():
            self.notify("on_train_begin", **whole)
            if len(self.history) > n_earlier:  # by skorch's LoadInitState
                self._restore_rng()
                epochs -= len(self.history) - n_earlier
            try:
                self.fit_loop(dataset, epochs=epochs)
            except StopTraining:
                self._forget_unfinished_epoch()
            except KeyboardInterrupt:
                self._forget_unfinished_epoch()
                self.notify("on_train_end", **whole)
                raise
            self.notify("on_train_end", **whole)

    def forward_numpy(
        self, X: np.ndarray, head: Callable[[torch.Tensor], torch.Tensor]
    ) -> np.ndarray:
        """Return `head` of the logits of images, without a gradient.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_pixels)
            The images.
        head : callable
            From a tensor of logits to a tensor: softmax, for example.

        Returns
        -------
        outputs : ndarray
            The outputs of all images.
        """
        if self.module_.training:
            self.module_.eval()
        dataset = ImageDataset(as_tensor(X))
        batches = Batches(dataset, EVALUATION_BATCH_SIZE, self.device)
        with torch.inference_mode():
            outputs = [head(self._logits(Xi)).cpu() for Xi, _ in batches]
            return torch.cat(outputs).numpy()

    def _logits(self, X):
        n_missing = -X.shape[0] % TILE
        if n_missing == 0 or not self._is_module_as_built():
            return self.module_(X)
        return self.module_(F.pad(X, (0, 0, 0, n_missing)))[: X.shape[0]]

    def input_gradient(self, X: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """Return the gradient of one class's logit over the pixels of each image.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_pixels)
            The images.
        classes : ndarray of int, shape (n_samples,)
            For each image the class, encoded as 0 to n_classes - 1.

        Returns
        -------
        gradient : ndarray of shape (n_samples, n_pixels)
            How much the logit grows with each pixel.
        """
        self.module_.eval()
        dtype = self.module_.output.weight.dtype
        pixels = torch.tensor(X, dtype=dtype, device=self.device, requires_grad=True)
        logits = self._logits(pixels)
        columns = torch.as_tensor(classes, device=self.device).unsqueeze(1)
        (gradient,) = torch.autograd.grad(logits.gather(1, columns).sum(), pixels)
        return gradient.cpu().numpy()

    def plain_state(self) -> dict[str, Any]:
        """Return weights, optimizer state, history and generator as plain objects."""
        optimizer = self.optimizer_.state_dict()
        return {
            "weights": _map_tensors(_to_numpy, dict(self.module_.state_dict())),
            "optimizer": _map_tensors(_to_numpy, optimizer),
            "history": [dict(epoch) for epoch in self.history],
        }

    def load_plain_state(
        self, state: dict[str, Any], *, optimizer_settings: bool = True
    ) -> None:
        """Take up what :meth:`plain_state` returned.

        Parameters
        ----------
        state : dict
            What :meth:`plain_state` returned.
        """
        weights = _map_tensors(_to_tensor, state["weights"])
        self.module_.load_state_dict(weights)
        optimizer = _map_tensors(_to_tensor, state["optimizer"])
        self.optimizer_.load_state_dict(optimizer)
        self.history.clear()
        self.history.extend(dict(epoch) for epoch in state["history"])
        if self.history:
            self._restore_rng()

    def check_data(self, X: Any, y: Any = None) -> None:
        """Do nothing: the classifier has checked the data."""

    def get_iterator(
        self, dataset: ImageDataset | Subset, training: bool = False
    ) -> Batches:
        """Return batches of whole tensors, shuffled for training."""
        batch_size = self.batch_size if training else EVALUATION_BATCH_SIZE
        rng = self.rng if training else None
        return Batches(dataset, batch_size, self.device, rng)

    def get_loss(
        self,
        y_pred: torch.Tensor,
        y_true: torch.Tensor,
        X: torch.Tensor | None = None,
        training: bool = False,
        sample_weight: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return the weighted mean of the losses of a batch."""
        losses = super().get_loss(y_pred, y_true, X=X, training=training)
        if sample_weight is None:
            return losses.mean()
        if losses.shape != sample_weight.shape:
            raise ValueError(
                f"The criterion {self.criterion_} gives a loss of shape "
                f"{tuple(losses.shape)}, so images cannot be weighted; use one with "
                "reduction='none'."
            )
        return (losses * sample_weight).mean()

    def _zero_grad_optimizer(self, set_to_none=None):
        """Do nothing: the gradients are written over."""

    def train_step_single(
        self,
        batch: tuple[torch.Tensor, torch.Tensor],
        sample_weight: torch.Tensor | None = None,
    ) -> dict[str, torch.Tensor]:
        """Compute the loss of a batch and its gradients.

        By hand as long as nobody listens on the way; else by autograd, so that hooks,
        and a module, criterion or method that a callback has put in, are called.
        """
        if not self.module_.training:
            self._set_training(True)
        if self._steps_by_hand:
            with torch.no_grad():
                loss, y_pred = compute_gradients(self.module_, *batch, sample_weight)
            return {"loss": loss, "y_pred": y_pred}
        Xi, yi = batch
        self.optimizer_.zero_grad()
        y_pred = self.infer(Xi)
        loss = self.get_loss(
            y_pred, yi, X=Xi, training=True, sample_weight=sample_weight
        )
        loss.backward()
        return {"loss": loss.detach(), "y_pred": y_pred.detach()}

    def _is_as_built(self):
        return (
            self._is_module_as_built()
            and _is_cross_entropy(self.criterion_)
            and vars(self).keys().isdisjoint(("get_loss", "infer"))
        )

    def _is_module_as_built(self):
        return type(self.module_) is MLP and self.module_.is_as_built()

    def validation_step(
        self,
        batch: tuple[torch.Tensor, torch.Tensor],
        sample_weight: torch.Tensor | None = None,
    ) -> dict[str, torch.Tensor]:
        """Compute the loss of a batch."""
        if self.module_.training:
            self._set_training(False)
        Xi, yi = batch
        with torch.inference_mode():
            y_pred = self._logits(Xi)
            loss = self.get_loss(y_pred, yi, X=Xi, sample_weight=sample_weight)
        return {"loss": loss, "y_pred": y_pred}

    def run_single_epoch(
        self,
        iterator: Batches | None,
        training: bool,
        prefix: str,
        step_fn: Callable[..., dict[str, torch.Tensor]],
        **fit_params: Any,
    ) -> None:
        """Go once over the batches and record loss and accuracy of the epoch."""
        if iterator is None:
            return
        torch_threads.take_share()
        if training and isinstance(self.module_, MLP):
            # So that it can go on from the state that the epoch before recorded.
            self.module_.discard_masks()
        are_batches_seen = any(map(_sees_batches, self.callbacks_))
        self._steps_by_hand = self._is_as_built()
        tally = Tally()
        for batch, weight in iterator.weighted():
            if are_batches_seen:
                self.notify("on_batch_begin", batch=batch, training=training)
                self._steps_by_hand = self._is_as_built()
            step = step_fn(batch, sample_weight=weight, **fit_params)
            tally.add(step, batch[1], weight)
            if are_batches_seen:
                self._record_batch(prefix, step["loss"], len(batch[0]))
                self.notify("on_batch_end", batch=batch, training=training, **step)
        if not are_batches_seen:
            # skorch's Checkpoint looks at the last batch, whether it needs it or not.
            self.history.new_batch()
            self._record_batch(prefix, step["loss"], len(batch[0]))
        if training:
            self._record_rng()
        loss, accuracy = tally.means()
        self._record(f"{prefix}_loss", loss, is_better=np.less)
        self._record(f"{prefix}_accuracy", accuracy, is_better=np.greater)
        self.history.record(f"{prefix}_batch_count", len(iterator))

    def notify(self, method_name: str, **cb_kwargs: Any) -> None:
        """Tell the callbacks, and put what goes wrong in them in a sentence."""
        getattr(self, method_name)(self, **cb_kwargs)
        for name, callback in self.callbacks_:
            try:
                getattr(callback, method_name)(self, **cb_kwargs)
            except KeyboardInterrupt as interrupt:
                if getattr(interrupt, "is_from_signal", False):
                    raise
                raise StopTraining from interrupt
            except KeyError as error:
                if "not found in history" not in str(error):
                    raise
                columns = [key for key in self.history[-1] if key != "batches"]
                raise ValueError(
                    f"The callback {name!r} looks at a column that the history does "
                    f"not have: {error.args[0]} It has {', '.join(columns)}; there are "
                    "valid_ columns only where there are validation data."
                ) from error

    def _record_rng(self):
        # In the history, as skorch's Checkpoint keeps that; the last one is enough.
        for epoch in self.history[-2:]:
            epoch.pop("rng", None)
        state = self.rng.bit_generator.state
        words = state["state"]["state"].tolist()  # plain, for JSON
        self.history.record("rng", {**state, "state": {"state": words}})

    def _restore_rng(self):
        state = self.history[-1, "rng"]
        words = np.array(state["state"]["state"], dtype=np.uint64)
        self.rng.bit_generator.state = {**state, "state": {"state": words}}

    def _record_batch(self, prefix, loss, n_rows):
        self.history.record_batch(f"{prefix}_loss", loss.item())
        self.history.record_batch(f"{prefix}_batch_size", n_rows)

    def _record(self, name, value, is_better):
        earlier = [epoch[name] for epoch in self.history[:-1] if name in epoch]
        self.history.record(name, value)
        self.history.record(f"{name}_best", bool(np.all(is_better(value, earlier))))

    def _forget_unfinished_epoch(self):
        if self.history and "dur" not in self.history[-1]:
            self.history.pop()
            if self.history:
                self._record_rng()


class Tally:
    """Takes in the batches of an epoch and tells their mean loss and accuracy.

    It counts what was right over many batches at once, since counting in each takes a
    fiftieth of the training step of a small network.
    """

    def __init__(self):
        self.losses: list[torch.Tensor] = []
        self.sizes: list[int] = []
        self.pending: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]] = []
        self.n_correct: float | torch.Tensor = 0.0

    def add(
        self,
        step: dict[str, torch.Tensor],
        y: torch.Tensor,
        weight: torch.Tensor | None,
    ) -> None:
        """Take in what a training or validation step returned."""
        self.losses.append(step["loss"])
        self.sizes.append(y.shape[0])
        self.pending.append((step["y_pred"].T, y, weight))
        if len(self.pending) * y.shape[0] >= TALLY_ROWS:
            self._count()

    def means(self) -> tuple[float, float]:
        """Return the mean loss and accuracy of all rows."""
        self._count()
        loss = np.average(torch.stack(self.losses).cpu().numpy(), weights=self.sizes)
        return float(loss), float(self.n_correct) / sum(self.sizes)

    def _count(self):
        if not self.pending:
            return
        logits, y, weight = zip(*self.pending, strict=True)
        self.pending.clear()
        # max over rows: argmax takes ten times as long.
        is_correct = torch.cat(logits, dim=1).max(dim=0).indices == torch.cat(y)
        if weight[0] is not None:
            is_correct = is_correct * torch.cat(weight)
        self.n_correct += is_correct.sum()


class TorchThreads:
    """Shares torch's threads among the fits that run at once in this process.

    A search with the threading backend, or on a dask worker with several threads, would
    otherwise start all of torch's threads for each of its fits. A fit that runs alone
    is left as it is.
    """

    def __init__(self):
        self.lock = threading.Lock()
        self.n_fits = 0
        self.n_threads = 1

    @contextlib.contextmanager
    def shared(self) -> Iterator[None]:
        """Take part, and leave torch as it was found."""
        with self.lock:
            if self.n_fits == 0:
                self.n_threads = torch.get_num_threads()
            self.n_fits += 1
        try:
            yield
        finally:
            with self.lock:
                self.n_fits -= 1
            self._set(self.n_threads)

    def take_share(self) -> None:
        """Set the number of threads that is this fit's share now."""
        self._set(max(1, self.n_threads // max(1, self.n_fits)))

    def _set(self, n_threads):
        # Of the calling thread and of those yet to start, not of the others.
        if torch.get_num_threads() != n_threads:
            torch.set_num_threads(n_threads)


torch_threads = TorchThreads()


def _use_one_thread():
    # OpenMP's threads do not survive a fork, and it would wait for them for ever. Nor
    # does it start new ones when asked, so the child keeps to its one thread.
    TorchThreads.__init__(torch_threads)
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_use_one_thread)


@contextlib.contextmanager
def marked_signals() -> Iterator[None]:
    """Mark each KeyboardInterrupt that a signal handler raises, meanwhile.

    skorch's callbacks stop a training by KeyboardInterrupt. So does a person by Ctrl-C,
    through a signal, and that must also stop the script around the training.
    """
    wrapped = {}
    # Python runs handlers in the main thread only, and only there can they be set.
    if threading.current_thread() is threading.main_thread():
        for number in signal.valid_signals():
            handler = signal.getsignal(number)
            if callable(handler):
                wrapped[number] = _mark_interrupts(handler), handler
    try:
        for number, (wrapper, _) in wrapped.items():
            signal.signal(number, wrapper)
        yield
    finally:
        for number, (wrapper, handler) in wrapped.items():
            if signal.getsignal(number) is wrapper:
                signal.signal(number, handler)


def _mark_interrupts(handler):
    def handle(number, frame):
        try:
            return handler(number, frame)
        except KeyboardInterrupt as interrupt:
            # An attribute of our own, which the class does not declare.
            interrupt.is_from_signal = True  # type: ignore[attr-defined]
            raise

    return handle


class StopTraining(KeyboardInterrupt):
    """A callback's own wish to stop, which skorch expresses as KeyboardInterrupt."""


class EarlyStopping(skorch.callbacks.EarlyStopping):
    """Stops early, and has the best weights also where a training ends in an epoch."""

    def on_train_end(self, net: ImageNet, **kwargs: Any) -> None:
        """Go back to the best weights."""
        if self.best_model_weights_ is not None:
            net.module_.load_state_dict(self.best_model_weights_)


class EpochLog(PrintLog):
    """A line an epoch, coloured on a terminal only."""

    def format_row(self, row: dict[str, Any], key: str, color: str) -> str:
        """Format one value; without its best mark it gets no colour."""
        row = row if sys.stdout.isatty() else {key: row[key]}
        return super().format_row(row, key, color)

    def _sink(self, text, verbose):
        if verbose:
            tqdm.write(text)  # prints above the progress bar where there is one


class ProgressBar(Callback):
    """One bar for the whole training, on a terminal or in a notebook only.

    Parameters
    ----------
    epochs : int
        The number of epochs that are planned.
    """

    def __init__(self, epochs: int):
        self.epochs = epochs

    def on_train_begin(self, net: ImageNet, **kwargs: Any) -> None:
        """Show the bar."""
        # disable=None: nothing where the output is not a terminal, such as a log file.
        self.bar_ = tqdm(total=self.epochs, unit="epoch", disable=None, leave=False)

    def on_epoch_end(self, net: ImageNet, **kwargs: Any) -> None:
        """Move the bar by an epoch."""
        loss, accuracy = net.history[-1, ("train_loss", "train_accuracy")]
        self.bar_.set_postfix(loss=f"{loss:.4f}", accuracy=f"{accuracy:.4f}")
        self.bar_.update()

    def on_train_end(self, net: ImageNet, **kwargs: Any) -> None:
        """Take the bar away."""
        self.bar_.close()


class EpochTasks(Callback):
    """Makes each epoch a task of scikit-learn's own callbacks.

    Parameters
    ----------
    context : :class:`sklearn.callback.CallbackContext`
        The task of the whole fit.
    **arguments
        What the hooks are told: `estimator`, `X`, `y` and `metadata`.
    """

    def __init__(self, context: Any, **arguments: Any):
        self.context = context
        self.arguments = arguments

    def on_train_begin(self, net: ImageNet, **kwargs: Any) -> None:
        """Begin the task of the fit."""
        self.context.call_on_fit_task_begin(**self.arguments)

    def on_epoch_begin(self, net: ImageNet, **kwargs: Any) -> None:
        """Begin the task of an epoch."""
        self.epoch_ = self.context.subcontext("epoch")
        self.epoch_.call_on_fit_task_begin(**self.arguments)

    def on_epoch_end(self, net: ImageNet, **kwargs: Any) -> None:
        """End the task of the epoch, and the training where a callback wishes it."""
        # Nothing to add: at the end of an epoch the estimator itself is fitted.
        if self.epoch_.call_on_fit_task_end(
            **self.arguments, reconstruction_attributes={}
        ):
            raise KeyboardInterrupt

    def on_train_end(self, net: ImageNet, **kwargs: Any) -> None:
        """End the task of the fit."""
        self.context.call_on_fit_task_end(
            **self.arguments, reconstruction_attributes={}
        )

    def forget(self) -> None:
        """Let go of the data."""
        self.arguments = {}


def as_tensor(X: np.ndarray) -> torch.Tensor:
    """Return a tensor that shares an array's memory, also where that is read-only."""
    if X.flags.writeable:
        return torch.from_numpy(X)
    # torch warns of read-only arrays (memory maps, joblib's workers). We never write.
    return torch.from_numpy(np.asarray(_WriteableView(X)))


class _WriteableView:
    def __init__(self, array):
        self.array = array
        interface = array.__array_interface__
        self.__array_interface__ = {**interface, "data": (interface["data"][0], False)}


def _sees_batches(named_callback):
    _, callback = named_callback
    hooks = ("on_batch_begin", "on_batch_end", "on_grad_computed")
    return isinstance(callback, PassthroughScoring) or any(
        getattr(type(callback), hook) is not getattr(Callback, hook) for hook in hooks
    )


def _is_cross_entropy(criterion):
    """Tell whether a criterion is the one that the net was built with, unchanged."""
    return (
        type(criterion) is torch.nn.CrossEntropyLoss
        and criterion.weight is None
        and criterion.ignore_index == -100
        and criterion.reduction == "none"
        and criterion.label_smoothing == 0
        and not has_hooks(criterion)
    )


def _map_tensors(function, tree):
    if isinstance(tree, (torch.Tensor, np.ndarray)):
        return function(tree)
    if isinstance(tree, dict):
        return {key: _map_tensors(function, value) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)(_map_tensors(function, value) for value in tree)
    return tree


def _to_numpy(tensor):
    return tensor.detach().cpu().numpy().copy()


def _to_tensor(array):
    return torch.from_numpy(np.array(array))
