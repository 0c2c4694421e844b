"""The skorch net: its steps, its epochs and what they record."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import EpochTimer
from torch.utils.data import Subset

from skmnist._engine import callbacks, gradients
from skmnist._engine.batches import Batches, ImageDataset
from skmnist._engine.device import torch_threads
from skmnist._engine.evaluation import EvaluationNet
from skmnist._engine.internals import has_replaced_step, has_step_hooks
from skmnist._engine.interrupts import StopTraining, is_from_signal, marked_signals
from skmnist._engine.loss import BinaryCrossEntropies, Criterion, is_as_built
from skmnist._engine.network import MLP
from skmnist._engine.optimizer import (
    KNOWN,
    STEPS_BETWEEN,
    change_settings,
    forget_faint_momentum,
)
from skmnist._engine.products import have_same_bits
from skmnist._engine.replay import ReplayedSteps, can_replay
from skmnist._engine.state import record_rng, restore_rng
from skmnist._engine.tally import Tally
from skmnist._sklearn import warn

# Methods that a callback may replace, which steps by hand do not call.
OVERRIDABLE = (
    "get_loss",
    "get_train_step_accumulator",
    "infer",
    "on_grad_computed",
    "train_step",
    "train_step_single",
)


class MLPNet(EvaluationNet):
    """A skorch classifier that keeps the data whole and measures as it trains.

    It differs from skorch's: the batches come from whole tensors rather than a
    DataLoader; loss and accuracy of an epoch are summed up on the way; batches are
    recorded in the history only if a callback looks at them; a callback that stops the
    training is told from Ctrl-C.

    Parameters
    ----------
    *args, **kwargs
        As for :class:`skorch.NeuralNetClassifier`.
    rng : numpy.random.Generator
        The source of the shuffling.
    """

    def __init__(self, *args: Any, rng: np.random.Generator, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.rng = rng
        self.augment: Callable[[torch.Tensor], torch.Tensor] | None = None
        self._steps_by_hand = False
        self._replayed: ReplayedSteps | None = None

    def __getstate__(self):
        return {**super().__getstate__(), "_replayed": None}  # it is of a GPU

    @property
    def _default_callbacks(self):
        defaults = [("epoch_timer", EpochTimer())]
        if self.verbose:
            defaults.append(("print_log", callbacks.EpochLog()))
        return defaults

    def set_up(
        self,
        parameters: Mapping[str, Any],
        earlier: Mapping[str, Any] | None,
        epochs: int,
        has_validation: bool,
        augment: Callable[[torch.Tensor], torch.Tensor] | None = None,
        tasks: callbacks.EpochTasks | None = None,
        score: callbacks.ValidationScore | None = None,
        answer_weight: np.ndarray | None = None,
    ) -> None:
        """Set what may change from one training to the next.

        Parameters
        ----------
        parameters : dict
            The parameters of :class:`MNISTMLPClassifier`.
        earlier : dict or None
            Those that the net was trained with before; None for a new net.
        epochs : int
            The number of epochs.
        has_validation : bool
            Whether there will be data to validate on.
        augment : callable, default=None
            What the rows of pixels of a training batch go through.
        tasks : EpochTasks, default=None
            The tasks of scikit-learn's callbacks.
        score : ValidationScore, default=None
            What early stopping looks at, if it is a scorer's.
        answer_weight : ndarray of shape (2, n_labels), default=None
            Of several labels the weights of those that an image has not, and has.
        """
        self.batch_size = parameters["batch_size"]
        self.verbose = parameters["verbose"]
        self.augment = augment
        if isinstance(self.criterion_, Criterion):
            self.criterion_.label_smoothing = parameters["label_smoothing"]
        if isinstance(self.criterion_, BinaryCrossEntropies):
            like = next(self.module_.parameters())
            self.criterion_.weigh_answers(answer_weight, like)
        self.callbacks = callbacks.make_callbacks(
            parameters, epochs, has_validation, tasks, score
        )
        self.initialize_callbacks()
        if earlier is not None:
            change_settings(self.optimizer_, parameters, earlier)
            self.lr = parameters["learning_rate"]

    def train(self, train: Subset, valid: Subset | None, epochs: int) -> None:
        """Train for some epochs, or until a callback or Ctrl-C stops it.

        Parameters
        ----------
        train : Subset of an ImageDataset
            The data to train on.
        valid : Subset of an ImageDataset or None
            The data to validate on after each epoch.
        epochs : int
            The number of epochs. Those count that a callback loads when training
            begins, so that an interrupted training ends where it would have.

        Raises
        ------
        KeyboardInterrupt, Exception
            On Ctrl-C, or what a callback raises. The net keeps the weights that it has
            reached; its history holds the completed epochs.
        """
        data = cast(ImageDataset, train.dataset)
        whole = {"X": data.X, "y": data.y}
        n_earlier = len(self.history)
        with torch_threads.shared(), marked_signals():
            self.notify("on_train_begin", **whole)
            if len(self.history) > n_earlier:  # by skorch's LoadInitState
                restore_rng(self.history, self.rng)
                epochs -= len(self.history) - n_earlier
            try:
                self._run_epochs(train, valid, epochs)
            except StopTraining:
                pass
            finally:
                self._forget_unfinished_epoch()
                self._set_mode(training=False)  # as who looks at the module expects
                self._replayed = None
                self.notify("on_train_end", **whole)
        self._warn_of_divergence()

    @property
    def best_epoch(self) -> int:
        """The epoch that early stopping found best; 0 where there is none."""
        stopper = dict(self.callbacks_).get("early_stopping")
        return getattr(stopper, "best_epoch_", 0)

    def _warn_of_divergence(self):
        loss = self.history[-1]["train_loss"] if self.history else 0.0
        if not math.isfinite(loss):
            rate = self.optimizer_.param_groups[0]["lr"]
            warn(
                f"The training loss became {loss} at a learning rate of {rate:g}; "
                "lower learning_rate or scale the images.",
                ConvergenceWarning,
            )

    def _run_epochs(self, train, valid, epochs):
        self.check_training_readiness()
        datasets = {"dataset_train": train, "dataset_valid": valid}
        train_batches = self.get_iterator(train, training=True)
        valid_batches = None if valid is None else self.get_iterator(valid)
        for _ in range(epochs):
            self.notify("on_epoch_begin", **datasets)
            self.run_single_epoch(train_batches, True, "train", self.train_step)
            self.run_single_epoch(valid_batches, False, "valid", self.validation_step)
            self.notify("on_epoch_end", **datasets)

    def check_data(self, X: Any, y: Any = None) -> None:
        """Do nothing: the classifier has checked the data."""

    def get_iterator(
        self, dataset: ImageDataset | Subset, training: bool = False
    ) -> Batches:
        """Return batches of whole tensors, shuffled and augmented for training."""
        if not training:
            return self.evaluation_batches(dataset)
        return Batches(dataset, self.batch_size, self.device, self.rng, self.augment)

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
        self._set_mode(training=True)
        Xi, yi = batch
        if self._steps_by_hand:
            y_pred = self._compute_by_hand(batch, sample_weight)
            loss = self.criterion_.evaluate(y_pred.T, yi, sample_weight)
            return {"loss": loss, "y_pred": y_pred}
        self.optimizer_.zero_grad()
        y_pred = self.infer(Xi)
        loss = self.get_loss(
            y_pred, yi, X=Xi, training=True, sample_weight=sample_weight
        )
        loss.backward()
        return {"loss": loss.detach(), "y_pred": y_pred.detach()}

    def _compute_by_hand(self, batch, sample_weight, layers=None):
        Xi, yi = batch
        with torch.no_grad():
            return gradients.compute_gradients(
                self.module_, self.criterion_, Xi, yi, sample_weight, layers
            )

    def _step_by_hand(self, batch, sample_weight=None, *, layers):
        # Without the loss, and skorch's closure and notifications: nobody needs them.
        y_pred = self._compute_by_hand(batch, sample_weight, layers)
        self.optimizer_.step()
        return {"y_pred": y_pred}

    def _is_as_built(self):
        return (
            self._is_module_as_built()
            and is_as_built(self.criterion_)
            and vars(self).keys().isdisjoint(OVERRIDABLE)
        )

    def _is_optimizer_as_built(self):
        # It needs no closure then, and nobody moves a parameter.
        optimizer = self.optimizer_
        is_changed = has_replaced_step(optimizer) or has_step_hooks(optimizer)
        return type(optimizer) in KNOWN and not is_changed

    def validation_step(
        self,
        batch: tuple[torch.Tensor, torch.Tensor],
        sample_weight: torch.Tensor | None = None,
    ) -> dict[str, torch.Tensor]:
        """Compute the loss of a batch."""
        self._set_mode(training=False)
        Xi, yi = batch
        with torch.inference_mode():
            y_pred = self._logits(Xi)
            if self._steps_by_hand:
                loss = self.criterion_.evaluate(y_pred.T, yi, sample_weight)
            else:
                loss = self.get_loss(y_pred, yi, X=Xi, sample_weight=sample_weight)
        return {"loss": loss, "y_pred": y_pred}

    def _set_mode(self, training):
        if self.module_.training != training:
            self.module_.train(training)
            self.criterion_.train(training)

    def run_single_epoch(
        self,
        iterator: Batches | None,
        training: bool,
        prefix: str,
        step_fn: Callable[..., dict[str, torch.Tensor]],
    ) -> None:
        """Go once over the batches and record loss and accuracy of the epoch."""
        if iterator is None:
            return
        torch_threads.take_share()
        if training and isinstance(self.module_, MLP):
            # So that it can continue from the state that the epoch before recorded.
            self.module_.discard_masks()
        self._steps_by_hand = self._is_as_built()
        tally = Tally(self.criterion_)
        if any(callbacks.sees_batches(each) for _, each in self.callbacks_):
            self._show_batches(iterator, training, prefix, step_fn, tally)
        else:
            last = self._run_batches(iterator, training, step_fn, tally)
            # skorch's Checkpoint looks at the last batch, whether it needs it or not.
            self.history.new_batch()
            self._record_batch(prefix, tally.loss_of(*last), len(last[1]))
        self.history.record_batch(f"{prefix}_images", sum(tally.sizes))
        if training:
            record_rng(self.history, self.rng)
        loss, accuracy = tally.means()
        self.record_figure(f"{prefix}_loss", loss, is_better=np.less)
        self.record_figure(f"{prefix}_accuracy", accuracy, is_better=np.greater)
        self.history.record(f"{prefix}_batch_count", len(iterator))

    def _run_batches(self, iterator, training, step_fn, tally):
        """Do the steps of an epoch; return the last step, its labels and weights."""
        is_by_hand = training and self._steps_by_hand
        if is_by_hand and self._is_optimizer_as_built():
            self._set_mode(training=True)
            layers = self.module_.in_tiles()
            step_fn = functools.partial(self._step_by_hand, layers=layers)
            if can_replay(iterator, self.optimizer_):
                self._replayed = ReplayedSteps(step_fn, self.module_, self._replayed)
                return self._replayed.run(iterator, tally)
        batches = iterator.weighted()
        # Only where the results do not depend on the number of threads.
        if is_by_hand and self.is_on_cpu and have_same_bits():
            batches = torch_threads.watched(batches)
        for number, (batch, weight) in enumerate(batches):
            self._clean_optimizer(training, number)
            step = step_fn(batch, sample_weight=weight)
            tally.add(step, batch[1], weight)
        return step, batch[1], weight

    def _show_batches(self, iterator, training, prefix, step_fn, tally):
        """Do the steps of an epoch, and tell the callbacks of each batch."""
        for number, (batch, weight) in enumerate(iterator.weighted()):
            self._clean_optimizer(training, number)
            self.notify("on_batch_begin", batch=batch, training=training)
            self._steps_by_hand = self._is_as_built()
            step = step_fn(batch, sample_weight=weight)
            tally.add(step, batch[1], weight)
            self._record_batch(prefix, step["loss"], len(batch[0]))
            self.notify("on_batch_end", batch=batch, training=training, **step)

    def _clean_optimizer(self, training, number):
        if training and number % STEPS_BETWEEN == 0:
            forget_faint_momentum(self.optimizer_)

    def notify(self, method_name: str, **cb_kwargs: Any) -> None:
        """Tell the callbacks."""
        try:
            super().notify(method_name, **cb_kwargs)
        except KeyboardInterrupt as interrupt:
            if is_from_signal(interrupt):
                raise
            raise StopTraining from interrupt
        except KeyError as error:
            columns = [name for epoch in self.history[-1:] for name in epoch]
            error.add_note(
                f"A callback raised this in {method_name}. The history has the columns "
                f"{', '.join(columns)}; it has valid_ columns only with validation "
                "data."
            )
            raise

    def _record_batch(self, prefix, loss, n_rows):
        self.history.record_batch(f"{prefix}_loss", loss.item())
        self.history.record_batch(f"{prefix}_batch_size", n_rows)

    def record_figure(
        self, name: str, value: float, is_better: Callable[..., Any]
    ) -> None:
        """Record a figure of an epoch, and whether it is the best so far."""
        earlier = [epoch[name] for epoch in self.history[:-1] if name in epoch]
        self.history.record(name, value)
        self.history.record(f"{name}_best", bool(np.all(is_better(value, earlier))))

    def _forget_unfinished_epoch(self):
        if self.history and "dur" not in self.history[-1]:
            self.history.pop()
            if self.history:
                record_rng(self.history, self.rng)
