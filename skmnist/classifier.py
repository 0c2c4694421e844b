"""The classifier."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from scipy.sparse import csr_matrix, issparse
from sklearn.base import ClassifierMixin
from sklearn.utils import check_random_state, column_or_1d

from skmnist import _arrays, _data, _images, _parameters, _sklearn
from skmnist._engine import batches, callbacks, device, net, state
from skmnist._estimator import unchanged_by_errors
from skmnist._fitted import FittedNetwork
from skmnist.augmentation import RandomDistortion, make_augment

if TYPE_CHECKING:
    import torch
    from numpy.typing import ArrayLike

__all__ = ["MNISTMLPClassifier"]


class MNISTMLPClassifier(ClassifierMixin, FittedNetwork):
    """Classify images with a multilayer perceptron trained by PyTorch.

    By default the network has one hidden layer of 256 units with dropout. Scale the
    images to about [0, 1] first, for example with :class:`ImageScaler`. Training uses
    float64 if the images are float64, else float32.

    Parameters
    ----------
    hidden_layer_sizes : int or tuple of int, default=(256,)
        The number of units of each hidden layer; `()` is a linear model.
    activation : {"relu", "tanh", "gelu", "logistic", "identity"}, default="relu"
        The activation function of the hidden layers.
    dropout : float, default=0.5
        The fraction of each hidden layer's outputs dropped in training, in [0, 1).
    optimizer : {"adam", "adamw", "sgd", "rmsprop", "adagrad"} or type, default="adam"
        The optimizer; a type is a subclass of :class:`torch.optim.Optimizer`.
    learning_rate : float, default=1e-3
        The learning rate of the optimizer.
    optimizer_params : dict, default=None
        Other keyword arguments for the optimizer, such as `{"weight_decay": 1e-4}`.
    batch_size : int, default=128
        The number of images in a training step.
    max_epochs : int, default=10
        The number of passes over the training data.
    validation_split : float, int, splitter or None, default=0.2
        What to validate on: a random fraction in (0, 1), stratified if possible; the
        first of this many folds; or the first split of a splitter or ValidSplit.
    early_stopping : bool, default=False
        Whether to stop if `monitor` no longer improves, and restore the best weights.
    monitor : str, default="valid_loss"
        "valid_loss", "valid_accuracy" or the name of a scorer, for early stopping.
    patience : int, default=5
        The number of epochs without improvement after which training stops.
    label_smoothing : float, default=0.0
        The fraction of the true label's probability that all labels share, in [0, 1).
    class_weight : dict, "balanced" or None, default=None
        Weights of labels, 1 by default, or "balanced"; multiplied by `sample_weight`.
    augmentation : RandomDistortion, callable or None, default=None
        Changes each training batch, a float tensor of shape (n, 1, rows, columns).
    callbacks : list of :class:`skorch.callbacks.Callback`, default=None
        Instances, classes, or pairs of a name and one of these; cloned if possible.
    warm_start : bool, default=False
        Whether :meth:`fit` continues with the weights of the earlier fit.
    device : str or torch.device, default="auto"
        Where to train; "auto" uses CUDA if available, else MPS, else the CPU.
    random_state : int, RandomState instance or None, default=None
        Seed of initial weights, validation split, shuffling, dropout and distortion.
    verbose : int, default=0
        0: silent, 1: a line per epoch, 2: also a progress bar.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels.
    n_features_in_ : int
        The number of pixels of an image.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        The names of the pixels; only if `X` has feature names that are all strings.
    n_iter_, t_ : int
        The number of epochs, and of training images over all epochs.
    best_epoch_ : int
        The epoch with the best value of `monitor`; only with `early_stopping`.
    history_ : DataFrame
        One row per epoch: `epoch`, `train_loss`, `train_accuracy`, `valid_loss`,
        `valid_accuracy`, `duration` in seconds, and values recorded by callbacks.
    coefs_, intercepts_ : list of ndarray of shapes (n_inputs, n_units) and (n_units,)
        The weights and biases of each layer; :meth:`set_weights` replaces them.
    loss_curve_, loss_, best_loss_, validation_scores_, best_validation_score_
        Values of `history_`, as in :class:`sklearn.neural_network.MLPClassifier`.
    n_layers_, n_outputs_, out_activation_
        As there, but for two classes there are two outputs with "softmax".
    net_ : :class:`skorch.NeuralNetClassifier`
        The fitted net, whose labels are 0 to n_classes - 1.
    module_ : :class:`torch.nn.Module`
        The fitted torch module, from pixels to logits.

    References
    ----------
    Srivastava et al., 2014, "Dropout: a simple way to prevent neural networks from
    overfitting", JMLR; Kingma, Ba, 2015, "Adam: a method for stochastic optimization".

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.pipeline import make_pipeline
    >>> from skmnist import ImageScaler, MNISTMLPClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> model = make_pipeline(ImageScaler(16), MNISTMLPClassifier(random_state=0))
    >>> accuracy = model.fit(X[:1500], y[:1500]).score(X[1500:], y[1500:])
    >>> print(f"accuracy: {accuracy:.1f}")
    accuracy: 0.9
    """

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
        monitor: str = "valid_loss",
        patience: int = 5,
        label_smoothing: float = 0.0,
        class_weight: Mapping[Any, float] | str | None = None,
        augmentation: RandomDistortion | Callable[..., Any] | None = None,
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
        self.monitor = monitor
        self.patience = patience
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight
        self.augmentation = augmentation
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @_sklearn.with_callbacks
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
        X : array-like of shape (n_samples, n_pixels) or (n_samples, rows, columns[, 1])
            The images.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            The labels, of any kind that scikit-learn accepts. For multilabel targets,
            one column per label, dense or sparse: 1 if the image has it, otherwise 0.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the images. Images of weight zero are ignored.
        X_val, y_val, sample_weight_val : array-like, default=None
            Validation data to use instead of `validation_split`.

        Returns
        -------
        self : MNISTMLPClassifier
            The fitted classifier.

        Raises
        ------
        ValueError
            If a parameter or the data are not valid; an earlier fit is left unchanged.
        KeyboardInterrupt
            On Ctrl-C, with the weights reached; `history_` has the completed epochs.

        Warns
        -----
        ConvergenceWarning, UserWarning
            If the training loss becomes infinite or NaN; if the images seem not to be
            scaled, or `X_val` has another scale than `X`.
        """
        self._check_parameters()
        _parameters.check_validation_set(vars(self), X_val, y_val, sample_weight_val)
        continues = self.warm_start and hasattr(self, "net_")
        with unchanged_by_errors(self):
            earlier = self._begin(continues)
            X, y, shape = self._validate(X, y, reset=not continues)
            classes, codes = _data.encode_labels(y)
            self._set_classes(classes, continues)
            train = _data.weigh(X, codes, sample_weight, self.class_weight, classes)
            if X_val is None:
                train, valid = _data.split(train, self.validation_split, self._seed)
            else:
                with _parameters.named_in_errors("X_val", "y_val", "sample_weight_val"):
                    X_val, y_val, _ = self._validate(X_val, y_val, False, "y_val")
                    codes = _data.find_codes(y_val, classes, "y_val")
                    valid = _data.weigh(
                        X_val, codes, sample_weight_val, train.class_weight, classes
                    )
                _images.warn_of_other_scale(X_val, X)
            subsets = batches.make_subsets(train, valid, device=self._device)
            tasks = callbacks.EpochTasks.begin(
                self,
                (X, y, sample_weight),
                (X_val, y_val, sample_weight_val),
                None if valid is None else valid.rows,
            )
            self._prepare_net(earlier, self.max_epochs, shape, train, valid, tasks)
        self._train(subsets, self.max_epochs)
        return self

    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Train for one more epoch on the given data, without a validation split.

        Parameters
        ----------
        X, y : array-like
            Images and their labels, as for :meth:`fit`.
        classes : array-like of shape (n_classes,), default=None
            All labels that can occur; required in the first call.
        sample_weight : array-like of shape (n_samples,), default=None
            The weights of the images, as for :meth:`fit`.

        Returns
        -------
        self : MNISTMLPClassifier
            The classifier.

        Raises
        ------
        ValueError
            If a parameter or the data are not valid, or do not match earlier calls.
        KeyboardInterrupt
            On Ctrl-C; the epoch is not completed.

        Warns
        -----
        ConvergenceWarning, UserWarning
            As in :meth:`fit`.
        """
        self._check_parameters()
        continues = hasattr(self, "net_")
        if not continues and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        with unchanged_by_errors(self):
            earlier = self._begin(continues)
            X, y, shape = self._validate(X, y, reset=not continues)
            if classes is not None:
                labels = _data.encode_labels(column_or_1d(classes))[0]
                self._set_classes(labels, continues)
            codes = _data.find_codes(y, self.classes_)
            train = _data.weigh(
                X, codes, sample_weight, self.class_weight, self.classes_
            )
            subsets = batches.make_subsets(train, None, device=self._device)
            self._prepare_net(earlier, 1, shape, train)
        self._train(subsets, epochs=1)
        return self

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the predicted label of each image, or its labels if multilabel.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_pixels) or a stack of images
            The images, as for :meth:`fit`.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_labels)
            The labels, of the same kind as in :meth:`fit`; for multilabel targets, 1
            for each label with a probability above one half.

        Raises
        ------
        NotFittedError, ValueError
            If the classifier is not fitted, or the images do not match those of `fit`.
        """
        predicted = self._forward("predict", X)
        if not self._is_multilabel:
            return _arrays.take_labels(self.classes_, predicted)
        return csr_matrix(predicted) if self._has_sparse_labels else predicted

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Return the probability of each label for each image.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_pixels) or a stack of images
            The images, as for :meth:`fit`.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            The probabilities, in the order of `classes_`.

        Raises
        ------
        NotFittedError, ValueError
            If the classifier is not fitted, or the images do not match those of `fit`.
        """
        return self._forward("predict_proba", X)

    def predict_log_proba(self, X: ArrayLike) -> np.ndarray:
        """Return the logarithm of the probability of each label for each image.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_pixels) or a stack of images
            The images, as for :meth:`fit`.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
            The logarithms, also of probabilities that would be rounded to zero.

        Raises
        ------
        NotFittedError, ValueError
            If the classifier is not fitted, or the images do not match those of `fit`.
        """
        return self._forward("predict_log_proba", X)

    def decision_function(self, X: ArrayLike) -> np.ndarray:
        """Return the logit of each label for each image.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_pixels) or a stack of images
            The images, as for :meth:`fit`.

        Returns
        -------
        logits : ndarray of shape (n_samples, n_classes) or (n_samples,)
            The logits; for two classes, that of the second minus that of the first.

        Raises
        ------
        NotFittedError, ValueError
            If the classifier is not fitted, or the images do not match those of `fit`.
        """
        logits = self._forward("decision_function", X)
        if len(self.classes_) > 2 or self._is_multilabel:
            return logits
        return logits[:, -1] - logits[:, 0] if logits.shape[1] == 2 else logits[:, 0]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _check_parameters(self):
        _parameters.check_parameters(vars(self))
        check_random_state(self.random_state)
        device.resolve_device(self.device)

    def _begin(self, continues):
        # Return what the net that continues was built with; None for a new one.
        earlier = self._built_with if continues else None
        if earlier is not None:
            _parameters.check_same_network(vars(self), earlier)
        else:
            self.__dict__.pop("net_", None)
            self._seed: int = _data.draw_seed(self.random_state)
        self.__dict__.pop("best_epoch_", None)
        self._built_with: dict[str, Any] = _parameters.select_of_net(vars(self))
        return earlier

    def _validate(self, X, y, reset, name="y") -> tuple[np.ndarray, np.ndarray, Any]:
        is_multilabel, has_sparse_labels = _data.is_multilabel(y), issparse(y)
        if not reset:
            _data.check_same_kind(is_multilabel, self._is_multilabel, name)
        dtype = device.find_float_types(self._device) if reset else self._dtype
        y = _arrays.to_numpy(y)
        rows, y = self._validate_pairs(
            X, y, reset=reset, dtype=dtype, multi_output=is_multilabel
        )
        y = _data.check_labels(y, name)
        if reset:
            self._is_multilabel: bool = is_multilabel
            self._has_sparse_labels: bool = has_sparse_labels
            self._dtype: str = _arrays.find_type_name(rows)
            _images.warn_of_raw_images(rows)
        return rows, y, _images.find_image_shape(X, rows.shape[1])

    def _set_classes(self, classes, continues):
        if continues:
            _data.check_same_classes(classes, self.classes_)
        self.classes_: np.ndarray = classes

    def _prepare_net(self, earlier, epochs, image_shape, train, valid=None, tasks=None):
        if earlier is None:
            self.net_: net.MLPNet = self._build_net()
        elif self.net_.device != str(self._device):
            self.net_ = state.copy_state(self.net_, self._build_net())
        augment = make_augment(
            self.augmentation, image_shape, self.net_.rng, self._dtype, self._device
        )
        # Before an earlier net is changed: it may be an error.
        score = callbacks.ValidationScore.begin(self, valid)
        self.net_.set_up(
            vars(self),
            earlier,
            epochs,
            has_validation=valid is not None,
            augment=augment,
            tasks=tasks,
            score=score,
            answer_weight=train.answer_weight(),
        )

    def _train(self, subsets, epochs):
        train, valid = subsets
        try:
            self.net_.train(train, valid, epochs)
        finally:
            if self.net_.best_epoch > 0:  # else none was completed
                self.best_epoch_: int = self.net_.best_epoch
