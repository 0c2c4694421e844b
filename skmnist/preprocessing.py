"""Transformers of images: to rows of pixels in [0, 1], and to MNIST's format."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import scipy.sparse
from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.utils import assert_all_finite, check_array
from sklearn.utils.validation import check_is_fitted, validate_data

from skmnist._arrays import find_range, find_type_name, reshape, to_float32, to_numpy
from skmnist._estimator import ImageEstimator, unchanged_by_errors
from skmnist._framing import frame_image, to_gray
from skmnist._images import find_square, flatten_images, separate_images
from skmnist._sklearn import warn, with_callbacks

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["ImageCenterer", "ImageScaler"]


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
        self._check_library(X, "transform")
        X = self._validate_images(X, reset=False)
        self._check_output_shape(X)
        scaled = to_float32("divide", X, self.max_intensity)
        if self.output_shape is None:
            return scaled
        return reshape(scaled, (scaled.shape[0], *self.output_shape))

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
        self._check_library(X, "inverse_transform")
        # Not `validate_data`: what was transformed has lost the names of its features.
        images: Any = check_array(flatten_images(X), accept_sparse="csr", order="C")
        if images.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {images.shape[1]} features, but ImageScaler is expecting "
                f"{self.n_features_in_} features as input."
            )
        return to_float32("multiply", images, self.max_intensity)

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

    def _warn_of_other_intensities(self, X):
        low, high = find_range(X)
        is_scaled = 0 <= low < high <= 1 and "float" in find_type_name(X)
        if is_scaled and self.max_intensity > 1:
            warn(
                f"X looks scaled already, with intensities up to {high:g}; remove the "
                "ImageScaler, or use max_intensity=1.",
            )
        elif high > self.max_intensity:
            warn(
                f"X has intensities up to {high:g}, more than max_intensity="
                f"{self.max_intensity!r}; the scaled images will exceed 1.",
            )


class ImageCenterer(TransformerMixin, ImageEstimator):
    """Convert photos, scans and drawings of digits to the format of MNIST.

    The images are made in the same way as those of MNIST [1]_: in shades of gray, with
    bright ink on a background of 0, the longer side of the ink scaled to `box` pixels,
    and its center of mass in the center of `size` x `size` pixels. The background and
    its shadows are estimated as a smooth surface and removed. Otsu's threshold [2]_
    separates ink from background, and specks are removed. Images of MNIST stay
    unchanged, except for a few pixels.

    Parameters
    ----------
    size : int, default=28
        The number of rows and of columns of a transformed image.
    box : int, default=20
        The longer side of the ink in a transformed image, in pixels; at most `size`.
    invert : {"auto", True, False}, default="auto"
        Whether the ink is darker than the background. By default this is determined for
        each image.

    Attributes
    ----------
    n_features_in_ : int
        The number of pixels of an image; only if `X` in :meth:`fit` was rows of pixels.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        The names of the pixels; only if `X` has feature names that are all strings.

    See Also
    --------
    ImageScaler : Scale the transformed images to [0, 1].

    Notes
    -----
    The transformer learns nothing: :meth:`transform` needs no :meth:`fit`, and images
    may have other sizes than in :meth:`fit`. The intensities of a transformed image
    have the range of the input. Its largest value is assumed to be 1, 255 or 65535 if
    the brightest pixel is above a quarter of it, else that of the brightest pixel.

    References
    ----------
    .. [1] LeCun, Y., Bottou, L., Bengio, Y. and Haffner, P. (1998). Gradient-based
       learning applied to document recognition. Proceedings of the IEEE, 86(11),
       2278-2324.
    .. [2] Otsu, N. (1979). A threshold selection method from gray-level histograms.
       IEEE Transactions on Systems, Man, and Cybernetics, 9(1), 62-66.

    Examples
    --------
    >>> import numpy as np
    >>> from skmnist import ImageCenterer
    >>> page = np.full((150, 100), 255, dtype=np.uint8)
    >>> page[20:60, 70:80] = 0  # a dark line; its position does not matter
    >>> centered = ImageCenterer().transform([page, page[:90, 50:]])
    >>> centered.shape
    (2, 784)
    >>> bool((centered[0] == centered[1]).all())
    True
    """

    def __init__(self, size: int = 28, box: int = 20, invert: bool | str = "auto"):
        self.size = size
        self.box = box
        self.invert = invert

    @with_callbacks
    def fit(self, X: Any, y: None = None) -> Self:
        """Check the parameters and the images.

        Parameters
        ----------
        X : array-like or list of images
            The images, as in :meth:`transform`.
        y : None
            Ignored.

        Returns
        -------
        self : ImageCenterer
            The centerer.

        Raises
        ------
        ValueError
            If a parameter is not valid, or `X` is not a valid set of images.
        """
        self._check_parameters()
        with unchanged_by_errors(self):
            self._separate(X, reset=True)
        self._tell_callbacks(X, y)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Convert images to the format of MNIST.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_pixels), (n_samples, rows, columns) or \
                (n_samples, rows, columns, channels), or list of images
            The images. Rows of pixels are assumed to be square images. A list contains
            arrays of shape (rows, columns) or (rows, columns, channels), or Pillow
            images, of any sizes. The channels are gray, gray and alpha, RGB or RGBA.

        Returns
        -------
        X_framed : ndarray of shape (n_samples, size * size)
            The transformed images, of the same type as `X`; booleans become float32.

        Raises
        ------
        ValueError
            If a parameter is not valid, or `X` is not a valid set of images.

        Warns
        -----
        UserWarning
            If images are blank; they stay blank.
        """
        self._check_parameters()
        images = self._separate(X, reset=False)
        framed = [
            frame_image(to_gray(image), self.size, self.box, self.invert)
            for image in images
        ]
        n_blank = sum(image is None for image in framed)
        if n_blank:
            warn(f"{n_blank} of {len(framed)} images are blank; they stay blank.")
        blank = np.zeros((self.size, self.size), np.float32)
        pixels = np.stack([blank if image is None else image for image in framed])
        dtype = np.result_type(*{image.dtype for image in images})
        return _to_type(pixels.reshape(len(framed), -1), dtype)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the pixels of a transformed image.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        names : ndarray of str objects, shape (size * size,)
            Names such as "pixel_0_27", by row and column, as in :func:`fetch_mnist`.
        """
        places = np.ndindex(self.size, self.size)
        return np.array([f"pixel_{row}_{column}" for row, column in places], object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        tags.array_api_support = False
        # Not any: rows of pixels are square images.
        tags.input_tags.two_d_array = False
        tags.transformer_tags.preserves_dtype = ["float32", "float64"]
        tags.requires_fit = False
        return tags

    def _check_parameters(self):
        for name in ("size", "box"):
            value = getattr(self, name)
            is_int = isinstance(value, (int, np.integer)) and not isinstance(
                value, bool
            )
            if not is_int or value < 1:
                raise ValueError(f"{name}={value!r} is not an int of at least 1.")
        if self.box > self.size:
            raise ValueError(
                f"box={self.box} does not fit into size={self.size}; give at most "
                "that, such as 20 of 28."
            )
        is_auto = isinstance(self.invert, str) and self.invert == "auto"
        if not (is_auto or isinstance(self.invert, (bool, np.bool_))):
            raise ValueError(
                f"invert={self.invert!r} is not valid; give True, False or 'auto'."
            )

    def _separate(self, X, *, reset):
        X = to_numpy(X)  # of which Pillow makes images
        images = separate_images(X)
        if images is None:
            rows = validate_data(self, X, reset=reset)
            return rows.reshape(len(rows), *self._find_shape(*rows.shape))
        if reset:
            for name in ("n_features_in_", "feature_names_in_"):
                if hasattr(self, name):
                    delattr(self, name)
        for image in images:
            assert_all_finite(image, input_name="X")
        return images

    def _find_shape(self, n_samples, n_pixels):
        image_shape = find_square(n_pixels)
        if image_shape is None:
            raise ValueError(
                f"X has shape {(n_samples, n_pixels)}, but rows of {n_pixels} pixels "
                "are not square images; give one image as a list of one, [image]."
            )
        return image_shape


def _to_type(pixels, dtype):
    if dtype.kind in "bf":
        return pixels.astype(np.result_type(dtype, np.float32))
    return pixels.round().clip(None, np.iinfo(dtype).max).astype(dtype)
