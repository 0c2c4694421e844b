"""The classifier: parameters, validation, label encoding, fit and predict."""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import numbers
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import check_array, check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from skorch.callbacks import Callback
from skorch.dataset import ValidSplit
from skorch.helper import predefined_split
from torch.utils.data import Subset

from skmnist import __version__
from skmnist._sklearn import (
    DOC_LINK_TEMPLATE,
    CallbackSupportMixin,
    OtherVersionWarning,
    warn,
    with_callbacks,
)
from skmnist.module import ACTIVATIONS, MLP
from skmnist.net import (
    EarlyStopping,
    EpochTasks,
    ImageDataset,
    ImageNet,
    ProgressBar,
    as_tensor,
    normalize_weights,
)
from skmnist.optimizer import FusedAdam, FusedAdamW
from skmnist.preprocessing import check_labels, flatten_images

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike

__all__ = ["MNISTMLPClassifier"]

OPTIMIZERS = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
    "adagrad": torch.optim.Adagrad,
}
# Where torch can do a whole optimizer step in one kernel.
FUSED_OPTIMIZERS = {
    "cpu": {
        "adam": FusedAdam,
        "adamw": FusedAdamW,
        "sgd": torch.optim.SGD,
        "adagrad": torch.optim.Adagrad,
    },
    "cuda": {
        "adam": torch.optim.Adam,
        "adamw": torch.optim.AdamW,
        "sgd": torch.optim.SGD,
    },
}

# The parameters that a net is built from; a fitted classifier keeps their values, so
# that it can be built again after a `set_params`.
NET_PARAMETERS = (
    "hidden_layer_sizes",
    "activation",
    "dropout",
    "optimizer",
    "learning_rate",
    "optimizer_params",
    "device",
)
OPTIMIZER_SETTINGS = ("learning_rate", "optimizer_params")

HISTORY_COLUMNS = (
    "epoch",
    "train_loss",
    "train_accuracy",
    "valid_loss",
    "valid_accuracy",
    "duration",
)


class MNISTMLPClassifier(CallbackSupportMixin, ClassifierMixin, BaseEstimator):
    """Classify images with a multilayer perceptron trained by PyTorch.

    The defaults are a dense layer of 256 units with dropout 0.5 between the pixels and
    a softmax over the classes. A skorch net does the training and is kept as `net_`.
    Images should be scaled to about [0, 1] first, as :class:`ImageScaler` does.

    Parameters
    ----------
    hidden_layer_sizes : int or tuple of int, default=(256,)
        The number of units of each hidden layer; `()` is a linear model.
    activation : {"relu", "tanh", "gelu", "logistic", "identity"}, default="relu"
        The activation function of the hidden layers.
    dropout : float, default=0.5
        The share of each hidden layer's outputs that is dropped in training, in [0, 1).
    optimizer : {"adam", "adamw", "sgd", "rmsprop", "adagrad"} or a subclass of \
            :class:`torch.optim.Optimizer`, default="adam"
        The optimizer.
    learning_rate : float, default=1e-3
        The learning rate of the optimizer.
    optimizer_params : dict, default=None
        More keyword arguments for the optimizer, such as `{"weight_decay": 1e-4}`.
    batch_size : int, default=128
        The number of images of a training step.
    max_epochs : int, default=10
        The number of passes over the training data.
    validation_split : float, int, splitter or None, default=0.2
        What is held out to validate on after each epoch: a fraction in (0, 1), drawn at
        random and, where every class has rows enough, stratified; an int, for one fold
        of so many; a :class:`skorch.dataset.ValidSplit`; a scikit-learn splitter; or
        None, for nothing.
    early_stopping : bool, default=False
        Whether to stop when the validation loss has not improved for `patience`
        epochs, and to go back to the weights of the best epoch.
    patience : int, default=5
        The number of epochs without improvement after which to stop.
    class_weight : dict, "balanced" or None, default=None
        A weight for each label, 1 where a label has none; "balanced" weighs every class
        alike. Multiplied with `sample_weight`. In :meth:`partial_fit`, "balanced" looks
        at the rows of that call.
    callbacks : list of :class:`skorch.callbacks.Callback`, default=None
        More callbacks for the net: instances, classes or pairs of a name and one of
        them. Each fit works on clones of them, or on a callback itself where it cannot
        be cloned.
    warm_start : bool, default=False
        Whether :meth:`fit` goes on from the weights of the fit before.
    device : str or torch.device, default="auto"
        Where to train: "auto" takes CUDA, then MPS, then the CPU.
    random_state : int, RandomState instance or None, default=None
        Determines first weights, validation split, shuffling and dropout. The global
        state of NumPy and torch is neither read nor changed; None is different each
        time.
    verbose : int, default=0
        0 is silent, 1 prints a line an epoch, 2 shows a progress bar as well.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels.
    n_features_in_ : int
        The number of pixels of an image.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        The names of the pixels; only where `X` has feature names that are all strings.
    n_iter_ : int
        The number of epochs run.
    best_epoch_ : int
        The epoch with the lowest validation loss; only with `early_stopping`, and where
        an epoch was ended.
    history_ : DataFrame
        A row an epoch: `epoch`, `train_loss`, `train_accuracy`, `valid_loss`,
        `valid_accuracy`, `duration` in seconds, and what callbacks record. Training
        values are averages over the epoch with dropout on. All are weighted averages
        where there are weights.
    net_ : :class:`skorch.NeuralNetClassifier`
        The fitted net; it knows the labels as 0 to n_classes - 1.
    module_ : :class:`torch.nn.Module`
        The fitted torch module, from pixels to logits.

    See Also
    --------
    ImageScaler : Scales images for the classifier.
    sklearn.neural_network.MLPClassifier : scikit-learn's own, without torch.

    Notes
    -----
    The network trains in the float type of `X`: float32 as :class:`ImageScaler` gives
    it, float64 in float64; all other types become float32.

    References
    ----------
    Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, 2014, "Dropout: a
    simple way to prevent neural networks from overfitting", JMLR 15.

    Kingma and Ba, 2015, "Adam: a method for stochastic optimization", ICLR.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.pipeline import make_pipeline
    >>> from skmnist import ImageScaler, MNISTMLPClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> model = make_pipeline(
    ...     ImageScaler(max_intensity=16), MNISTMLPClassifier(random_state=0)
    ... )
    >>> model.fit(X[:1500], y[:1500]).score(X[1500:], y[1500:]) > 0.8
    True
    """

    _doc_link_module = "skmnist"
    _doc_link_template = DOC_LINK_TEMPLATE

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (256,),
        *,
        activation: str = "relu",
        dropout: float = 0.5,
        optimizer: str | type[torch.optim.Optimizer] = "adam",
        learning_rate: float = 1e-3,
        optimizer_params: dict[str, Any] | None = None,
        batch_size: int = 128,
        max_epochs: int = 10,
        validation_split: Any = 0.2,
        early_stopping: bool = False,
        patience: int = 5,
        class_weight: Mapping[Any, float] | str | None = None,
        callbacks: Sequence[Any] | None = None,
        warm_start: bool = False,
        device: str | torch.device = "auto",
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.dropout = dropout
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.optimizer_params = optimizer_params
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.validation_split = validation_split
        self.early_stopping = early_stopping
        self.patience = patience
        self.class_weight = class_weight
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @with_callbacks
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> Self:
        """Train on images and their labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_pixels), (n_samples, rows, columns) or \
                (n_samples, rows, columns, 1)
            The images.
        y : array-like of shape (n_samples,)
            The labels, of any kind that scikit-learn takes.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the images. One of weight zero is left out.
        X_val : array-like like `X`, default=None
            Images to validate on, in place of `validation_split`.
        y_val : array-like of shape (n_val,), default=None
            The labels of `X_val`.
        sample_weight_val : array-like of shape (n_val,), default=None
            Non-negative weights of `X_val`.

        Returns
        -------
        self : MNISTMLPClassifier
            The fitted classifier.

        Raises
        ------
        ValueError
            If a parameter or the data are not valid; nothing has been trained then, and
            the fit before is as it was.
        KeyboardInterrupt
            On Ctrl-C; the classifier is fitted with the epochs that were ended.
        """
        _check_parameters(self)
        _check_validation_data(self, X_val, y_val, sample_weight_val)
        goes_on = self.warm_start and hasattr(self, "net_")
        with _unchanged_by_errors(self):
            if goes_on:
                self._check_same_network()
                optimizer_settings = self._new_optimizer_settings()
            else:
                self._start()
            X, y = self._validate(X, y, reset=not goes_on)
            self._set_classes(y, goes_on)
            train = self._make_data(X, y, sample_weight)
            if X_val is None:
                train, valid = self._split(train)
            else:
                X_val, y_val = self._validate(X_val, y_val, reset=False)
                valid = self._make_data(X_val, y_val, sample_weight_val, y_name="y_val")
            if not goes_on:
                self.net_: ImageNet = self._build_net()
            tasks = self._make_tasks(X, y, sample_weight)
            self._set_up_training(self.max_epochs, valid is not None, tasks)
            if goes_on:
                self._take_up(optimizer_settings)
        self._train(train, valid, self.max_epochs, tasks)
        return self

    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Go once over a part of the data.

        All rows are trained on: `validation_split`, `early_stopping`, `max_epochs` and
        `warm_start` play no part. The optimizer goes on where it was.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_pixels), (n_samples, rows, columns) or \
                (n_samples, rows, columns, 1)
            The images.
        y : array-like of shape (n_samples,)
            Their labels.
        classes : array-like of shape (n_classes,), default=None
            All labels that there will be; needed in the first call.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the images.

        Returns
        -------
        self : MNISTMLPClassifier
            The classifier.

        Raises
        ------
        ValueError
            If a parameter or the data are not valid, if the first call has no
            `classes`, or if labels or widths change between calls.
        """
        _check_parameters(self)
        goes_on = hasattr(self, "net_")
        if not goes_on and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        if not goes_on:
            self._start()
        X, y = self._validate(X, y, reset=not goes_on)
        if classes is not None:
            self._set_classes(classes, goes_on)
        train = self._make_data(X, y, sample_weight)
        if not goes_on:
            self.net_ = self._build_net()
        self._set_up_training(epochs=1, has_validation=False)
        self._train(train, None, epochs=1)
        return self

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the most probable label of each image.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_pixels), (n_samples, rows, columns) or \
                (n_samples, rows, columns, 1)
            The images.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            The labels, as they were given to :meth:`fit`.
        """
        codes = self._forward(X, lambda logits: logits.argmax(dim=1))
        return self.classes_[codes]

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Return the probability of each label for each image.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_pixels), (n_samples, rows, columns) or \
                (n_samples, rows, columns, 1)
            The images.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            The probabilities, in the order of `classes_`.
        """
        return self._forward(X, lambda logits: logits.softmax(dim=1))

    def predict_log_proba(self, X: ArrayLike) -> np.ndarray:
        """Return the logarithm of the probability of each label for each image.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_pixels), (n_samples, rows, columns) or \
                (n_samples, rows, columns, 1)
            The images.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
            Computed from the logits, so that no probability is too small.
        """
        return self._forward(X, lambda logits: logits.log_softmax(dim=1))

    def decision_function(self, X: ArrayLike) -> np.ndarray:
        """Return the logit of each label for each image.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_pixels), (n_samples, rows, columns) or \
                (n_samples, rows, columns, 1)
            The images.

        Returns
        -------
        logits : ndarray of shape (n_samples, n_classes) or (n_samples,)
            The logits; with two classes, by how much the second exceeds the first.
        """
        logits = self._forward(X, lambda logits: logits)
        if len(self.classes_) > 2:
            return logits
        return logits[:, -1] - logits[:, 0] if logits.shape[1] == 2 else logits[:, 0]

    @property
    def history_(self) -> pd.DataFrame:
        """The training history, a row an epoch."""
        import pandas as pd

        check_is_fitted(self, "net_")
        epochs = [
            {
                {"dur": "duration"}.get(name, name): value
                for name, value in epoch.items()
                if name not in ("batches", "rng")
                and not name.endswith(("_best", "_batch_count"))
            }
            for epoch in self.net_.history
        ]
        frame = pd.DataFrame(epochs, columns=None if epochs else HISTORY_COLUMNS)
        first = [name for name in HISTORY_COLUMNS if name in frame]
        return frame[first + [name for name in frame if name not in first]]

    @property
    def module_(self) -> torch.nn.Module:
        """The fitted torch module, from pixels to logits."""
        check_is_fitted(self, "net_")
        return self.net_.module_

    @property
    def n_iter_(self) -> int:
        """The number of epochs run."""
        check_is_fitted(self, "net_")
        return len(self.net_.history)

    def _start(self):
        for name in ("net_", "best_epoch_"):
            self.__dict__.pop(name, None)
        self._built_with = {name: getattr(self, name) for name in NET_PARAMETERS}
        self._seed = _draw_seed(self.random_state)

    @property
    def _device(self):
        # Of the fit, not of the parameter: the fitted net stays where it is. The CPU
        # stands in where a model was loaded on a machine without its device.
        return resolve_device(self._built_with["device"], is_needed=False)

    def _validate(self, X, y, *, reset):
        dtype = _float_types(self._device) if reset else self._dtype
        X, y = validate_data(
            self, flatten_images(X), y, reset=reset, dtype=dtype, order="C"
        )
        check_classification_targets(y)
        if reset:
            self._dtype: str = X.dtype.name
            _warn_of_raw_images(X)
        return X, y

    def _set_classes(self, labels, goes_on):
        classes = LabelEncoder().fit(labels).classes_
        if goes_on and not np.array_equal(classes, self.classes_):
            raise ValueError(
                f"The labels {classes} are not those of the fit before, "
                f"{self.classes_}; use a new classifier or warm_start=False."
            )
        self.classes_: np.ndarray = classes

    def _check_same_network(self):
        for name in NET_PARAMETERS:
            value, earlier = getattr(self, name), self._built_with[name]
            if name not in OPTIMIZER_SETTINGS and not _is_same(name, value, earlier):
                raise ValueError(
                    f"{name}={value!r} is new, but warm_start=True goes on with a "
                    f"network of {name}={earlier!r}; use warm_start=False."
                )

    def _new_optimizer_settings(self):
        """Return the settings of an optimizer made with the present parameters."""
        optimizer, settings = _resolve_optimizer(
            self.optimizer, self.optimizer_params, self._device.type
        )
        # On a parameter of its own: the net's must not change before all is well.
        parameter = torch.nn.Parameter(torch.zeros(1, device=self._device))
        with _explained_refusal(vars(self)):
            fresh = optimizer([parameter], lr=self.learning_rate, **settings)
        if self.optimizer in OPTIMIZERS:
            parameter.grad = torch.zeros_like(parameter)
            fresh.step()
            self._check_optimizer_state(fresh.state[parameter].keys())
        (group,) = fresh.param_groups
        return {name: value for name, value in group.items() if name != "params"}

    def _check_optimizer_state(self, needed):
        for state in self.net_.optimizer_.state.values():
            if state and needed - state.keys():
                raise ValueError(
                    f"optimizer_params={self.optimizer_params!r} needs "
                    f"{', '.join(sorted(needed - state.keys()))}, which the fit before "
                    "did not keep; use warm_start=False."
                )

    def _take_up(self, optimizer_settings):
        for group in self.net_.optimizer_.param_groups:
            group.update(optimizer_settings)
            if "initial_lr" in group:  # of a schedule, which goes on
                group["initial_lr"] = self.learning_rate

    def _make_data(self, X, y, sample_weight, y_name="y"):
        check_labels(y, self.classes_, y_name)
        codes = np.searchsorted(self.classes_, y)
        weight = _combine_weights(
            sample_weight, self.class_weight, self.classes_, codes, X.dtype
        )
        rows = np.arange(len(X)) if weight is None else np.flatnonzero(weight)
        tensors = [
            None if array is None else as_tensor(array).to(self._device)
            for array in (X, codes, weight)
        ]
        # torch takes an array of indices too.
        return Subset(ImageDataset(*tensors), rows)  # type: ignore[arg-type]

    def _split(self, data):
        if self.validation_split is None:
            return data, None
        rows = data.indices
        codes = data.dataset.y.cpu().numpy()[rows]
        train, valid = split_rows(self.validation_split, codes, self._seed)
        return Subset(data.dataset, rows[train]), Subset(data.dataset, rows[valid])

    def _build_net(self):
        built_with, device = self._built_with, self._device
        rng = np.random.Generator(np.random.SFC64(self._seed))
        optimizer, settings = _resolve_optimizer(
            built_with["optimizer"], built_with["optimizer_params"], device.type
        )
        net = ImageNet(
            MLP,
            module__n_features=self.n_features_in_,
            module__hidden_layer_sizes=as_sizes(built_with["hidden_layer_sizes"]),
            module__n_classes=len(self.classes_),
            module__activation=built_with["activation"],
            module__dropout=built_with["dropout"],
            module__rng=rng,
            module__dtype=getattr(torch, self._dtype),
            criterion=torch.nn.CrossEntropyLoss,
            criterion__reduction="none",
            optimizer=optimizer,
            lr=built_with["learning_rate"],
            **{f"optimizer__{name}": value for name, value in settings.items()},
            classes=np.arange(len(self.classes_)),
            device=str(device),
            verbose=0,
            rng=rng,
        )
        with _explained_refusal(built_with):
            return net.initialize()

    def _make_tasks(self, X, y, sample_weight):
        if not hasattr(self, "_skl_callbacks"):
            return None
        context = self._init_callback_context(max_subtasks=self.max_epochs)
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        return EpochTasks(context, estimator=self, X=X, y=y, metadata=metadata)

    def _set_up_training(self, epochs, has_validation, tasks=None):
        net = self.net_
        net.batch_size = self.batch_size
        net.verbose = self.verbose
        net.callbacks = self._make_callbacks(epochs, has_validation, tasks)
        net.initialize_callbacks()

    def _train(self, train, valid, epochs, tasks=None):
        net = self.net_
        net.train_split = None if valid is None else predefined_split(valid)
        for data in filter(None, (train, valid)):
            normalize_weights(data)
        try:
            net.train(train, epochs)
        finally:
            net.train_split = None  # the net must not keep the data alive
            if tasks is not None:
                tasks.forget()
            if self.early_stopping and valid is not None:
                stopper = dict(net.callbacks_)["early_stopping"]
                self._set_best_epoch(getattr(stopper, "best_epoch_", 0))
        self._warn_of_divergence()

    def _set_best_epoch(self, epoch):
        if epoch > 0:  # else none was ended
            self.best_epoch_ = epoch

    def _make_callbacks(self, epochs, has_validation, tasks):
        callbacks = []
        if self.early_stopping and has_validation:
            stopper = EarlyStopping(
                monitor="valid_loss",
                patience=self.patience,
                threshold=0,
                load_best=True,
            )
            callbacks.append(("early_stopping", stopper))
        if self.verbose >= 2:
            callbacks.append(("progress_bar", ProgressBar(epochs)))
        callbacks += map(_clone_callback, self.callbacks or [])
        # Last, so that they see what all others have done to the net.
        return callbacks if tasks is None else [*callbacks, ("epoch_tasks", tasks)]

    def _warn_of_divergence(self):
        loss = self.net_.history[-1]["train_loss"] if self.n_iter_ else 0.0
        if not math.isfinite(loss):
            warn(
                f"The training loss became {loss}; lower learning_rate="
                f"{self.learning_rate!r} or scale the images.",
                ConvergenceWarning,
            )

    def _forward(self, X, head):
        check_is_fitted(self, "net_")
        X = flatten_images(X)
        if not self._is_valid(X):
            X = validate_data(self, X, reset=False, dtype=self._dtype, order="C")
        return self.net_.forward_numpy(X, head)

    def _is_valid(self, X):
        """Whether X passes without `validate_data`, which costs two forward passes."""
        if type(X) is not np.ndarray or hasattr(self, "feature_names_in_"):
            return False
        is_ready = X.dtype == self._dtype and X.flags.c_contiguous and X.ndim == 2
        # scikit-learn's validation does not ask for the attribute either.
        if not is_ready or X.shape[1] != getattr(self, "n_features_in_", None):
            return False
        with np.errstate(over="ignore"):
            return len(X) > 0 and math.isfinite(X.sum())

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    # The fitted state is plain: no skorch net, no torch tensor, whatever the device.
    def __getstate__(self):
        state = dict(super().__getstate__(), _skmnist_version=__version__)
        if "net_" in state:
            state["_net_state"] = state.pop("net_").plain_state()
        return state

    def __setstate__(self, state):
        state = dict(state)
        version = state.pop("_skmnist_version", "unknown")
        net_state = state.pop("_net_state", None)
        super().__setstate__(state)
        if version != __version__:
            warn(OtherVersionWarning(type(self).__name__, version))
        if net_state is not None:
            _check_net_state(self, net_state)
            self.net_ = self._build_net()
            self.net_.load_plain_state(net_state)


@contextlib.contextmanager
def _unchanged_by_errors(estimator):
    # An earlier fit, which may have taken hours, is not lost to a mistake in the next.
    earlier = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(earlier)
        raise


@contextlib.contextmanager
def _explained_refusal(parameters):
    try:
        yield
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"optimizer={parameters['optimizer']!r} does not take learning_rate="
            f"{parameters['learning_rate']!r} with optimizer_params="
            f"{parameters['optimizer_params']!r}: {error}"
        ) from error


def _is_same(name, value, earlier):
    if name == "hidden_layer_sizes":
        return as_sizes(value) == as_sizes(earlier)
    if name == "device":
        return str(value) == str(earlier)
    return bool(value == earlier)


def _clone_callback(callback):
    # skorch takes a callback as it is, also one that cannot be made anew from its
    # parameters, or that holds what cannot be copied.
    try:
        return clone(callback, safe=False)
    except Exception:
        return callback


def split_rows(
    validation_split: Any, codes: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows to train on and the rows to validate on.

    Parameters
    ----------
    validation_split : float, int, ValidSplit or splitter
        As for :class:`MNISTMLPClassifier`.
    codes : ndarray of int, shape (n_samples,)
        The encoded labels.
    seed : int
        Draws the rows of a fraction.

    Returns
    -------
    train_rows, valid_rows : ndarray of int
        Positions in `codes`.

    Raises
    ------
    ValueError
        If one of the two would be empty.
    """
    positions = np.arange(len(codes))
    try:
        splitter = _as_splitter(validation_split, codes, seed)
        if isinstance(splitter, ValidSplit):
            train, valid = (subset.indices for subset in splitter(positions, codes))
        else:
            train, valid = next(iter(splitter.split(positions, codes)))
    except ValueError as error:
        raise ValueError(
            f"validation_split={validation_split!r} cannot split the data: {error}"
        ) from error
    if len(train) == 0 or len(valid) == 0:
        raise ValueError(
            f"validation_split={validation_split!r} leaves {len(train)} rows to train "
            f"on and {len(valid)} to validate on, of n_samples={len(codes)}; both need "
            "rows."
        )
    return np.asarray(train), np.asarray(valid)


def resolve_device(
    device: str | torch.device, *, is_needed: bool = True
) -> torch.device:
    """Return the torch device to use.

    Parameters
    ----------
    device : str or torch.device
        What torch takes, or "auto": CUDA, MPS or the CPU. Worker processes of joblib's
        are spread over several GPUs.
    is_needed : bool, default=True
        Whether a device that is not there is an error; else the CPU stands in.

    Returns
    -------
    device : torch.device
        A device that is there.

    Raises
    ------
    ValueError
        If the device is not there.
    """
    if isinstance(device, str) and device == "auto":
        if torch.cuda.is_available():
            number = _number_of_process() % torch.cuda.device_count()
            return torch.device("cuda", number)
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        torch.empty(0, device=device).cpu()
        return torch.device(device)
    # torch without CUDA raises AssertionError; "meta" holds no data.
    except (RuntimeError, AssertionError, TypeError, NotImplementedError) as error:
        if not is_needed:
            return torch.device("cpu")
        raise ValueError(
            f"device={device!r} cannot be used here: {str(error).splitlines()[0]} "
            "Give 'auto', 'cpu' or a device that torch sees."
        ) from error


def _number_of_process():
    # joblib numbers its workers in their names, as in LokyProcess-2.
    number = re.search(r"-(\d+)$", multiprocessing.current_process().name)
    return 0 if number is None else int(number[1]) - 1


def _as_splitter(validation_split, codes, seed):
    if not isinstance(validation_split, numbers.Real):
        return validation_split
    counts = np.bincount(codes)
    smallest_class = counts[counts > 0].min()
    if isinstance(validation_split, numbers.Integral):
        n_folds = int(validation_split)
        return ValidSplit(n_folds, stratified=bool(smallest_class >= n_folds))
    n_valid = math.ceil(float(validation_split) * len(codes))
    smallest_part = min(n_valid, len(codes) - n_valid)
    has_rows_enough = smallest_class >= 2 and smallest_part >= np.count_nonzero(counts)
    return ValidSplit(
        float(validation_split), stratified=bool(has_rows_enough), random_state=seed
    )


def _resolve_optimizer(optimizer, optimizer_params, device_type):
    settings = dict(optimizer_params or {})
    fused = FUSED_OPTIMIZERS.get(device_type, {})
    alternatives = {"foreach", "fused", "capturable", "differentiable"}
    if optimizer in fused and not alternatives & settings.keys():
        return fused[optimizer], {**settings, "fused": True}
    return OPTIMIZERS.get(optimizer, optimizer), settings


def _float_types(device):
    has_float64 = device.type != "mps"
    return (np.float32, np.float64) if has_float64 else np.float32


def as_sizes(hidden_layer_sizes: int | Sequence[int]) -> tuple[int, ...]:
    """Return `hidden_layer_sizes`, an int or a tuple, as a tuple of ints."""
    return tuple(int(size) for size in np.atleast_1d(hidden_layer_sizes))


def _draw_seed(random_state):
    if random_state is None:
        # Not check_random_state: it would draw from NumPy's global generator.
        return int(np.random.SeedSequence().generate_state(1)[0])
    if isinstance(random_state, numbers.Integral):
        return int(random_state)
    return int(random_state.randint(2**31 - 1))


def _combine_weights(sample_weight, class_weight, classes, codes, dtype):
    if sample_weight is None and class_weight is None:
        return None
    weight = np.ones(len(codes))
    if sample_weight is not None:
        weight *= _check_sample_weight(sample_weight, len(codes))
    weight *= _class_weights(class_weight, classes, codes, weight)[codes]
    if not weight.any():
        raise ValueError(
            "All weights are zero; sample_weight and class_weight must leave at least "
            "one row a positive weight."
        )
    # Scaled first: what is tiny or huge in float64 may be zero or infinite in float32.
    return (weight / weight.max()).astype(dtype)


def _check_sample_weight(sample_weight, n_samples):
    if isinstance(sample_weight, numbers.Real):
        sample_weight = np.full(n_samples, sample_weight)
    weight = check_array(
        sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight"
    )
    if weight.shape != (n_samples,):
        raise ValueError(
            f"sample_weight has shape {weight.shape}; expected ({n_samples},), one "
            "weight for each row of X."
        )
    if weight.min() < 0:
        raise ValueError(
            f"Negative values in data passed to `sample_weight`, such as "
            f"{weight.min()}; give weights of zero or more."
        )
    return weight


def _class_weights(class_weight, classes, codes, sample_weight):
    weights = np.ones(len(classes))
    if class_weight is None:
        return weights
    if isinstance(class_weight, str):
        counts = np.bincount(codes, weights=sample_weight, minlength=len(classes))
        is_there = counts > 0
        weights[is_there] = counts.sum() / (is_there.sum() * counts[is_there])
        return weights
    labels = classes.tolist()
    unknown = [label for label in class_weight if label not in labels]
    # A label that a fold lacks is no mistake, one in place of another is.
    if unknown and any(label not in class_weight for label in labels):
        raise ValueError(
            f"class_weight has the labels {unknown}, which are not in {classes}."
        )
    return np.array([class_weight.get(label, 1.0) for label in labels])


def _warn_of_raw_images(X):
    some = X[:1000]
    if some.min() >= 0 and 127 < some.max() <= 255:
        warn(
            f"X looks like raw images, with intensities up to {some.max():g}. Put an "
            "ImageScaler before the classifier: it trains better on [0, 1]."
        )


def _check_net_state(estimator, state):
    # Before the net is built: a file of a few bytes could ask for one of any size, and
    # torch's fused optimizers trust the shapes of their state.
    built_with, weights = estimator._built_with, list(state["weights"].values())
    for name in NET_PARAMETERS[:-1]:  # the device is looked for, and may be missing
        _check_parameter(name, built_with[name])
    sizes = (
        estimator.n_features_in_,
        *as_sizes(built_with["hidden_layer_sizes"]),
        len(estimator.classes_),
    )
    shapes = [
        shape for n_in, n_out in pairwise(sizes) for shape in ((n_out, n_in), (n_out,))
    ]
    is_valid = (
        [weight.shape for weight in weights] == shapes
        and estimator._dtype in ("float32", "float64")
        and all(weight.dtype == estimator._dtype for weight in weights)
        and _fits_optimizer(built_with["optimizer"], state["optimizer"], shapes)
    )
    if not is_valid:
        raise ValueError(
            "The weights or the optimizer's state do not fit hidden_layer_sizes="
            f"{built_with['hidden_layer_sizes']!r}; the saved model is damaged."
        )


def _fits_optimizer(optimizer, state, shapes):
    if optimizer not in OPTIMIZERS:
        return True  # a class of the user's keeps what it likes
    order = [index for group in state["param_groups"] for index in group["params"]]
    return order == list(range(len(shapes))) and all(
        value is None or np.shape(value) == (() if name == "step" else shapes[index])
        for index, values in state["state"].items()
        for name, value in values.items()
    )


def _check_validation_data(estimator, X_val, y_val, sample_weight_val):
    if (X_val is None) != (y_val is None):
        missing = "y_val" if y_val is None else "X_val"
        raise ValueError(f"{missing}=None; give X_val and y_val together, or neither.")
    if X_val is None and sample_weight_val is not None:
        raise ValueError("sample_weight_val is given, but X_val and y_val are None.")
    has_validation = X_val is not None or estimator.validation_split is not None
    if estimator.early_stopping and not has_validation:
        raise ValueError(
            "early_stopping=True needs data to validate on, but validation_split=None; "
            "give a fraction in (0, 1), a splitter, or X_val and y_val."
        )


def _check_parameters(estimator):
    for name in PARAMETER_RULES:
        _check_parameter(name, getattr(estimator, name))
    check_random_state(estimator.random_state)
    resolve_device(estimator.device)


def _check_parameter(name, value):
    is_valid, allowed = PARAMETER_RULES[name]
    if not is_valid(value):
        raise ValueError(f"{name}={value!r} is not valid; give {allowed}.")


def _listed(names):
    return ", ".join(repr(name) for name in names)


def _is_real(value):
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _is_int(value):
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _is_positive_int(value):
    return _is_int(value) and value >= 1


def _is_bool(value):
    return isinstance(value, (bool, np.bool_))


def _are_sizes(value):
    sizes = value if isinstance(value, (tuple, list, np.ndarray)) else (value,)
    return all(map(_is_positive_int, sizes))


def _is_optimizer(value):
    if isinstance(value, type):
        return issubclass(value, torch.optim.Optimizer)
    return isinstance(value, str) and value in OPTIMIZERS


def _is_validation_split(value):
    if _is_int(value):
        return value >= 2
    if _is_real(value):
        return 0 < value < 1
    if isinstance(value, str):  # which has a method named split too
        return False
    return value is None or isinstance(value, ValidSplit) or hasattr(value, "split")


def _is_class_weight(value):
    if isinstance(value, dict):
        return all(_is_real(w) and 0 <= w < math.inf for w in value.values())
    return value is None or (isinstance(value, str) and value == "balanced")


def _are_callbacks(value):
    def is_callback(item):
        if isinstance(item, tuple) and len(item) == 2:
            item = item[1]
        return isinstance(item, Callback) or (
            isinstance(item, type) and issubclass(item, Callback)
        )

    return value is None or (
        isinstance(value, (list, tuple)) and all(map(is_callback, value))
    )


def _are_optimizer_params(value):
    if isinstance(value, dict):
        return all(isinstance(name, str) for name in value) and "lr" not in value
    return value is None


PARAMETER_RULES = {
    "hidden_layer_sizes": (
        _are_sizes,
        "a positive int or a tuple of them, such as (256,)",
    ),
    "activation": (
        lambda value: isinstance(value, str) and value in ACTIVATIONS,
        f"one of {_listed(ACTIVATIONS)}",
    ),
    "dropout": (
        lambda value: _is_real(value) and 0 <= value < 1,
        "a number in [0, 1)",
    ),
    "optimizer": (
        _is_optimizer,
        f"one of {_listed(OPTIMIZERS)}, or a subclass of torch.optim.Optimizer",
    ),
    "learning_rate": (
        lambda value: _is_real(value) and 0 < value < math.inf,
        "a positive number",
    ),
    "optimizer_params": (
        _are_optimizer_params,
        "None or a dict of the optimizer's keyword arguments (for lr there is "
        "learning_rate)",
    ),
    "batch_size": (_is_positive_int, "an int of at least 1"),
    "max_epochs": (_is_positive_int, "an int of at least 1"),
    "validation_split": (
        _is_validation_split,
        "a fraction in (0, 1), an int of at least 2, a skorch ValidSplit, a "
        "scikit-learn splitter, or None",
    ),
    "early_stopping": (_is_bool, "True or False"),
    "patience": (_is_positive_int, "an int of at least 1"),
    "class_weight": (
        _is_class_weight,
        "None, 'balanced', or a dict from labels to weights of zero or more",
    ),
    "callbacks": (_are_callbacks, "None or a list of skorch callbacks"),
    "warm_start": (_is_bool, "True or False"),
    "verbose": (
        lambda value: _is_bool(value) or (_is_int(value) and value >= 0),
        "0, 1 or 2",
    ),
}
