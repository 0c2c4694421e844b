"""From images of any accepted shape to rows of pixels, and to the range [0, 1]."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import scipy.sparse
from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from skmnist._estimator import ImageEstimator, unchanged_by_errors
from skmnist._images import flatten_images
from skmnist._sklearn import begin_tasks, warn, with_callbacks

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["ImageScaler"]


class ImageScaler(OneToOneFeatureMixin, TransformerMixin, ImageEstimator):
    """Scale images from [0, `max_intensity`] to float32 in [0, 1].

    Images are rows of pixels, a stack of images, or a stack of images with one channel,
    of any real type. They are returned as float32 rows of pixels, or in `output_shape`,
    without a float64 copy in between.

    Parameters
    ----------
    max_intensity : float, default=255.0
        The largest intensity that a pixel can have: 255 for MNIST, 16 for
        :func:`sklearn.datasets.load_digits`. Must be positive.
    output_shape : tuple of int, default=None
        The shape of one transformed image, such as `(28, 28)` or `(28, 28, 1)`. By
        default an image is a row of pixels.

    Attributes
    ----------
    n_features_in_ : int
        The number of pixels of an image.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        The names of the pixels; only if `X` has feature names that are all strings.

    See Also
    --------
    MNISTMLPClassifier : The classifier that expects scaled images.

    Examples
    --------
    >>> import numpy as np
    >>> from skmnist import ImageScaler
    >>> images = np.array([[[0, 51], [102, 255]]], dtype=np.uint8)
    >>> ImageScaler().fit_transform(images)
    array([[0. , 0.2, 0.4, 1. ]], dtype=float32)
    >>> ImageScaler(output_shape=(2, 2, 1)).fit_transform(images).shape
    (1, 2, 2, 1)
    """

    def __init__(
        self, max_intensity: float = 255.0, output_shape: tuple[int, ...] | None = None
    ):
        self.max_intensity = max_intensity
        self.output_shape = output_shape

    @with_callbacks
    def fit(self, X: ArrayLike, y: None = None) -> Self:
        """Check the parameters and learn the number of pixels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_pixels), (n_samples, rows, columns) or \
                (n_samples, rows, columns, 1)
            The images.
        y : None
            Ignored.

        Returns
        -------
        self : ImageScaler
            The fitted scaler.

        Raises
        ------
        ValueError
            If `X` is not a valid set of images, if `max_intensity` is not a positive
            number, or if `output_shape` does not have as many pixels as an image.

        Warns
        -----
        UserWarning
            If intensities of the first 1,000 images exceed `max_intensity`, or seem to
            be scaled already.
        """
        self._check_max_intensity()
        with unchanged_by_errors(self):
            X = self._validate_images(X, reset=True)
            self._check_output_shape(X)
        self._warn_of_other_intensities(X)
        self._tell_callbacks(X, y)
        return self

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Divide by `max_intensity`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_pixels), (n_samples, rows, columns) or \
                (n_samples, rows, columns, 1)
            The images.

        Returns
        -------
        X_scaled : ndarray of float32, shape (n_samples, n_pixels) or \
                `(n_samples, *output_shape)`
            The scaled images; sparse if `X` is.

        Raises
        ------
        NotFittedError
            If the scaler is not fitted.
        ValueError
            If the images are not like those of :meth:`fit`, or exceed float32.
        """
        check_is_fitted(self)
        X = self._validate_images(X, reset=False)
        self._check_output_shape(X)
        scaled = _to_float32(np.divide, X, self.max_intensity)
        if scipy.sparse.issparse(scaled):
            return scaled
        return scaled.reshape(len(scaled), *(self.output_shape or scaled.shape[1:]))

    def inverse_transform(self, X: ArrayLike) -> np.ndarray:
        """Multiply by `max_intensity`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_pixels), (n_samples, rows, columns) or \
                (n_samples, rows, columns, 1)
            Scaled images.

        Returns
        -------
        X_original : ndarray of float32, shape (n_samples, n_pixels)
            The images in their original range, as rows of pixels.

        Raises
        ------
        NotFittedError
            If the scaler is not fitted.
        ValueError
            If the images are not like those of :meth:`fit`, or exceed float32.
        """
        check_is_fitted(self)
        # Not `validate_data`: what was transformed has lost the names of its features.
        images: Any = check_array(flatten_images(X), accept_sparse="csr", order="C")
        if images.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {images.shape[1]} features, but ImageScaler is expecting "
                f"{self.n_features_in_} features as input."
            )
        return _to_float32(np.multiply, images, self.max_intensity)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def __sklearn_is_fitted__(self):
        return hasattr(self, "n_features_in_")

    def _check_max_intensity(self):
        value = self.max_intensity
        is_number = isinstance(value, (int, float, np.number)) and not isinstance(
            value, bool
        )
        with np.errstate(all="ignore"):
            is_positive = is_number and 0 < np.float32(value) < math.inf
        if not is_positive:
            raise ValueError(
                f"max_intensity={value!r} is not a positive number in the range of "
                "float32; give the largest intensity of a pixel, such as 255."
            )

    def _check_output_shape(self, X):
        if self.output_shape is None:
            return
        is_shape = isinstance(self.output_shape, (tuple, list)) and all(
            isinstance(size, (int, np.integer)) and size > 0
            for size in self.output_shape
        )
        if not is_shape:
            raise ValueError(
                f"output_shape={self.output_shape!r} is not a tuple of positive ints, "
                "such as (28, 28)."
            )
        if scipy.sparse.issparse(X):
            raise ValueError(
                f"output_shape={self.output_shape!r} needs dense images, but X is "
                "sparse; give output_shape=None."
            )
        if math.prod(self.output_shape) != X.shape[1]:
            raise ValueError(
                f"output_shape={self.output_shape!r} does not fit images of "
                f"{X.shape[1]} pixels; its sizes must multiply to that number."
            )

    def _tell_callbacks(self, X, y):
        context = begin_tasks(self)
        if context is not None:
            context.call_on_fit_task_begin(estimator=self, X=X, y=y)
            context.call_on_fit_task_end(
                estimator=self, X=X, y=y, reconstruction_attributes={}
            )

    def _warn_of_other_intensities(self, X):
        some = X[:1000]
        low, high = some.min(), some.max()
        if self.max_intensity > 1 and 0 <= low < high <= 1 and some.dtype.kind == "f":
            warn(
                f"X looks scaled already, with intensities up to {high:g}; remove the "
                "ImageScaler, or use max_intensity=1.",
            )
        elif high > self.max_intensity:
            warn(
                f"X has intensities up to {high:g}, more than max_intensity="
                f"{self.max_intensity!r}; the scaled images will exceed 1.",
            )


def _to_float32(operation, X, max_intensity):
    if scipy.sparse.issparse(X):
        values = _to_float32(operation, X.data, max_intensity)
        return type(X)((values, X.indices, X.indptr), shape=X.shape)
    # NumPy casts in small buffers on the way, so no second copy of X is made.
    with np.errstate(over="raise"):
        try:
            return operation(
                X, np.float32(max_intensity), dtype=np.float32, casting="same_kind"
            )
        except FloatingPointError:
            raise ValueError(
                "X has values too large for float32; images lie in [0, max_intensity]."
            ) from None
