"""What listens to a training: early stopping, log, bar, scikit-learn's tasks."""

from __future__ import annotations

import functools
import inspect
import math
import sys
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import skorch.callbacks
from sklearn import config_context
from sklearn.base import clone
from sklearn.metrics import get_scorer
from skorch import NeuralNet
from skorch.callbacks import Callback, ParamMapper, PassthroughScoring, PrintLog
from tqdm.auto import tqdm

from skmnist._arrays import take_rows, to_numpy
from skmnist._data import LabelledImages
from skmnist._engine.state import RNG_KEY
from skmnist._parameters import MEASURED
from skmnist._sklearn import begin_tasks, warn

# Scorers that take the probabilities of several labels, each by itself, for shares.
OF_SHARES = (
    "neg_log_loss",
    "d2_log_loss_score",
    "neg_brier_score",
    "d2_brier_score",
)


def make_callbacks(
    parameters: Mapping[str, Any],
    epochs: int,
    has_validation: bool,
    tasks: EpochTasks | None,
    score: ValidationScore | None,
) -> list[Any]:
    """Return the callbacks of a training, in the order in which they are called.

    Parameters
    ----------
    parameters, epochs, has_validation, tasks, score
        As for :meth:`MLPNet.set_up`.

    Returns
    -------
    callbacks : list
        skorch callbacks, ours with their names.
    """
    made: list[Any] = []
    if score is not None:
        made.append(("validation_score", score))
    if parameters["early_stopping"] and has_validation:
        column, patience = find_column(parameters["monitor"]), parameters["patience"]
        made.append(("early_stopping", EarlyStopping(column, patience)))
    if parameters["verbose"] >= 2:
        made.append(("progress_bar", ProgressBar(epochs)))
    if parameters["callbacks"]:
        made += clone_callbacks(parameters["callbacks"])
        made.append(("pattern_check", PatternCheck()))
    # Last, so that they see what all others have done to the net.
    return made if tasks is None else [*made, ("epoch_tasks", tasks)]


def clone_callbacks(callbacks: Any) -> Any:
    """Return callbacks made anew, where they can be; the others are shared.

    skorch takes a callback as it is, also one that cannot be made anew from its
    parameters, such as optuna's, or that holds what cannot be copied.

    Parameters
    ----------
    callbacks : list or tuple of :class:`skorch.callbacks.Callback`
        Instances, classes or pairs of a name and one; anything else is cloned whole.
    """
    if type(callbacks) in (list, tuple):
        return type(callbacks)(map(clone_callbacks, callbacks))
    try:
        return clone(callbacks, safe=False)
    except Exception:
        return callbacks


class SharedCallbacks:
    """A parameter that scikit-learn clones by `clone_callbacks`.

    Parameters
    ----------
    callbacks : list or tuple of :class:`skorch.callbacks.Callback`
        The parameter.
    """

    def __init__(self, callbacks: Any):
        self.callbacks = callbacks

    def __sklearn_clone__(self):
        return clone_callbacks(self.callbacks)


def find_column(monitor: str) -> str:
    """Return the column of the history that a `monitor` is recorded in."""
    return monitor if monitor in MEASURED else f"valid_{monitor}"


class ValidationScore(Callback):
    """Records what a scorer of scikit-learn makes of each epoch.

    Parameters
    ----------
    estimator : MNISTMLPClassifier
        The classifier that is fitted.
    valid : LabelledImages
        The validation data.
    """

    def __init__(self, estimator: Any, valid: LabelledImages):
        self.monitor = estimator.monitor
        self.scorer = get_scorer(self.monitor)
        self.estimator = estimator
        X, codes, weight = valid.select()
        y = estimator.classes_[codes] if codes.ndim == 1 else codes.astype(int)
        self.data: tuple[Any, ...] = (to_numpy(X), y)
        takes_weight = inspect.signature(self.scorer._score_func).parameters
        has_weight = weight is not None and "sample_weight" in takes_weight
        self.weights = {"sample_weight": weight} if has_weight else {}

    @classmethod
    def begin(cls, estimator: Any, valid: LabelledImages | None) -> Self | None:
        """Return the score that a fit stops by; None where it stops by another.

        Raises
        ------
        ValueError
            If the scorer does not take such labels or predictions; before anything is
            trained.
        """
        monitor = estimator.monitor
        if valid is None or not estimator.early_stopping or monitor in MEASURED:
            return None
        if valid.codes.ndim == 2 and monitor in OF_SHARES:
            raise ValueError(
                f"monitor={monitor!r} does not support multilabel targets; use "
                "'valid_loss'."
            )
        score = cls(estimator, valid)
        try:
            value = score.compute()
        except (TypeError, ValueError, AttributeError) as error:
            raise ValueError(
                f"monitor={monitor!r} cannot score the validation data: {error}"
            ) from error
        if not math.isfinite(value):
            raise ValueError(f"monitor={monitor!r} is {value} on the validation data.")
        return score

    def compute(self) -> float:
        """Return the score of the classifier as it is."""
        # One that expects arrays of NumPy without names, as the data are here.
        view = object.__new__(type(self.estimator))
        hidden = ("feature_names_in_", "_fitted_with")
        attributes = vars(self.estimator).items()
        view.__dict__.update(item for item in attributes if item[0] not in hidden)
        with config_context(array_api_dispatch=False):
            return float(self.scorer(view, *self.data, **self.weights))

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Record the score; NaN where the training has diverged."""
        losses = net.history[-1, ("train_loss", "valid_loss")]
        score = self.compute() if np.isfinite(losses).all() else math.nan
        net.record_figure(find_column(self.monitor), score, is_better=np.greater)

    def on_train_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Let go of the classifier and the data."""
        self.estimator, self.data = None, ()


class PatternCheck(Callback):
    """Warns of patterns of skorch's ParamMapper, as of Initializer, that match nothing.

    skorch itself leaves the weights as they are, and says nothing.
    """

    def on_train_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Compare the patterns with the names of the weights."""
        weights = list(net.get_all_learnable_params())
        for _, mapper in net.callbacks_:
            for pattern in mapper.patterns if isinstance(mapper, ParamMapper) else ():
                if not any(mapper.filter_parameters([pattern], weights)):
                    warn(
                        f"{type(mapper).__name__} has no effect: {pattern!r} matches "
                        f"none of {', '.join(name for name, _ in weights)}."
                    )


class EarlyStopping(skorch.callbacks.EarlyStopping):
    """Stops early, and restores the best weights even if training ends in an epoch.

    Parameters
    ----------
    column : str
        The column of the history to look at.
    patience : int
        The number of epochs without a better one after which to stop.
    """

    def __init__(self, column: str, patience: int):
        super().__init__(
            monitor=column,
            lower_is_better=column == "valid_loss",
            patience=patience,
            threshold=0,
            load_best=True,
        )

    def on_train_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Go back to the best weights."""
        if self.best_model_weights_ is not None:
            net.module_.load_state_dict(self.best_model_weights_)


class EpochLog(PrintLog):
    """One line per epoch, colored on a terminal only."""

    def __init__(self):
        # tqdm prints above the progress bar where there is one.
        super().__init__(keys_ignored=RNG_KEY, sink=tqdm.write)

    def format_row(self, row: dict[str, Any], key: str, color: str) -> str:
        """Format one value; without its best mark it gets no color."""
        row = row if sys.stdout.isatty() else {key: row[key]}
        return super().format_row(row, key, color)


class ProgressBar(Callback):
    """One bar for the whole training, on a terminal or in a notebook only.

    Parameters
    ----------
    epochs : int
        The number of epochs that are planned.
    """

    def __init__(self, epochs: int):
        self.epochs = epochs

    def on_train_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Show the bar."""
        # disable=None: nothing where the output is not a terminal, such as a log file.
        self.bar_ = tqdm(total=self.epochs, unit="epoch", disable=None, leave=False)

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Move the bar by an epoch."""
        loss, accuracy = net.history[-1, ("train_loss", "train_accuracy")]
        self.bar_.set_postfix(loss=f"{loss:.4f}", accuracy=f"{accuracy:.4f}")
        self.bar_.update()

    def on_train_end(self, net: NeuralNet, **kwargs: Any) -> None:
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

    @classmethod
    def begin(
        cls,
        estimator: Any,
        train: tuple[Any, Any, Any],
        valid: tuple[Any, Any, Any],
        held_out: np.ndarray | None,
    ) -> Self | None:
        """Return the tasks of a fit of an estimator; None where nobody listens.

        Parameters
        ----------
        estimator : MNISTMLPClassifier
            The classifier.
        train, valid : tuple of X, y and sample_weight
            What `fit` was given; without validation data the second holds None.
        held_out : ndarray of int or None
            The rows that are validated on, of the one or the other.
        """
        context = begin_tasks(estimator, n_tasks=estimator.max_epochs)
        if context is None:
            return None
        if any(map(_scores_with_all_metadata, estimator._skl_callbacks)):
            held_out = None
        X, y, weight = train

        @functools.cache
        def metadata():  # called if a callback asks for it: it copies rows
            return _make_metadata(weight, _find_validation_data(train, valid, held_out))

        return cls(context, estimator=estimator, X=X, y=y, metadata=metadata)

    def on_train_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Begin the task of the fit."""
        self.epoch_: Any = None
        self.context.call_on_fit_task_begin(**self.arguments)

    def on_epoch_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Begin the task of an epoch."""
        self.epoch_ = self.context.subcontext("epoch")
        self.epoch_.call_on_fit_task_begin(**self.arguments)

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """End the task of the epoch, and the training if a callback asks for it."""
        if self._end_epoch():
            raise KeyboardInterrupt

    def on_train_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """End the task of the fit, and that of an epoch that was broken off."""
        if self.epoch_ is not None:
            self._end_epoch()
        self._end(self.context)
        self.arguments = {}  # let go of the data

    def _end_epoch(self):
        epoch, self.epoch_ = self.epoch_, None
        return self._end(epoch)

    def _end(self, task):
        # Nothing to add: at the end of an epoch the estimator itself is fitted.
        return task.call_on_fit_task_end(**self.arguments, reconstruction_attributes={})


def _scores_with_all_metadata(callback):
    # The ScoringMonitor of scikit-learn 1.9 hands all metadata to its scorers, which do
    # not take X_val. Later ones are to have a method that asks for it, see scikit-learn
    # #34137.
    from sklearn.callback import ScoringMonitor

    hook = getattr(type(callback), "on_fit_task_end", None)
    is_own = hook is ScoringMonitor.on_fit_task_end
    return is_own and not hasattr(callback, "set_on_fit_task_end_request")


def _find_validation_data(train, valid, held_out):
    # Images, labels and weights to validate on; None for each that there is not.
    if held_out is None:
        return None, None, None
    if valid[0] is not None:
        return valid
    X, y, weight = train
    is_one_for_all = np.ndim(weight) == 0  # or None
    return (
        take_rows(X, held_out),
        y[held_out],
        weight if is_one_for_all else np.asarray(to_numpy(weight))[held_out],
    )


def _make_metadata(sample_weight, valid):
    names = ("sample_weight", "X_val", "y_val", "sample_weight_val")
    values = zip(names, (sample_weight, *valid), strict=True)
    return {name: value for name, value in values if value is not None} or None


def sees_batches(callback: Callback) -> bool:
    """Tell whether a callback looks at single batches."""
    hooks = ("on_batch_begin", "on_batch_end", "on_grad_computed")
    if (
        type(callback) is skorch.callbacks.LRScheduler
        and callback.step_every == "epoch"
    ):
        return False  # its hook does nothing then
    return isinstance(callback, PassthroughScoring) or any(
        getattr(type(callback), hook) is not getattr(Callback, hook) for hook in hooks
    )
