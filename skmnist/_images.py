"""The shapes of images: one rule for scalers, classifier and displays."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse

from skmnist._arrays import find_range, reshape
from skmnist._sklearn import warn

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

# Modes of Pillow whose channels are not those of gray or RGB images.
OTHER_MODES = ("P", "PA", "CMYK", "YCbCr", "LAB", "HSV")


def flatten_images(X: Any) -> Any:
    """Return images as rows of pixels, without a copy if none is needed.

    Anything that is not a stack of images (a DataFrame, a sparse matrix) is returned
    unchanged, for scikit-learn's own validation to check.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_pixels), (n_samples, rows, columns) or \
            (n_samples, rows, columns, 1)
        The images.

    Returns
    -------
    X : array-like of shape (n_samples, n_pixels)
        The same images.

    Raises
    ------
    ValueError
        If `X` has more than one channel or too many dimensions, or is a ragged list or
        the pixels of a single image.
    """
    if isinstance(X, (list, tuple)):
        try:
            X = np.asarray(X)
        except ValueError as error:
            raise ValueError(
                "X is a list of images of different lengths; give all images the same "
                f"number of pixels ({error})."
            ) from error
    # Not np.ndim: it breaks on array-likes that refuse NumPy's functions.
    n_dimensions = getattr(X, "ndim", 2)
    if n_dimensions == 2:
        return X
    if n_dimensions < 2:  # scikit-learn would print all pixels
        raise ValueError(
            f"Expected 2D array, got {n_dimensions}D array: X has shape {X.shape}. "
            "Reshape your data; for one image give a stack of one: X[i:i+1] instead "
            "of X[i]."
        )
    if n_dimensions > 4 or (n_dimensions == 4 and X.shape[3] != 1):
        raise ValueError(
            f"X has shape {tuple(X.shape)}; images are (n_samples, n_pixels), "
            "(n_samples, rows, columns) or (n_samples, rows, columns, 1)."
        )
    return reshape(X, (X.shape[0], math.prod(X.shape[1:])))


def find_image_shape(X: Any, n_pixels: int) -> tuple[int, int] | None:
    """Return the rows and columns of an image, before X is flattened.

    Parameters
    ----------
    X : array-like
        The images. Rows of pixels are assumed to be square images.
    n_pixels : int
        The number of pixels of an image.

    Returns
    -------
    image_shape : tuple of int or None
        None where rows of pixels are not square images.
    """
    # Of a list its first image tells: to convert it all once more would take long.
    some = np.asarray(X[:1]) if isinstance(X, (list, tuple)) else X
    if getattr(some, "ndim", 2) > 2:
        return tuple(some.shape[1:3])
    return find_square(n_pixels)


def find_square(n_pixels: int) -> tuple[int, int] | None:
    """Return the rows and columns of a square image; None if there is none."""
    side = math.isqrt(n_pixels)
    return (side, side) if side**2 == n_pixels else None


def separate_images(X: Any) -> list[np.ndarray] | None:
    """Return a stack or a list of images, of any sizes, as an array for each image.

    Parameters
    ----------
    X : array-like
        Images of shape (rows, columns) or (rows, columns, channels), or rows of pixels.

    Returns
    -------
    images : list of ndarray, or None
        The images; None if `X` holds anything else, such as rows of pixels.

    Raises
    ------
    ValueError
        If the shape or the type of an image is not valid.
    """
    if hasattr(X, "getbands"):
        raise ValueError("X is one Pillow image; give a list of one, [image].")
    if isinstance(X, (list, tuple)) or _holds_objects(X):
        images = [_to_array(image) for image in X]
        if not images or min(image.ndim for image in images) < 2:
            return None
    elif getattr(X, "ndim", 2) <= 2:
        return None
    elif len(X) == 0:
        raise ValueError(f"X has shape {tuple(X.shape)}, without any image.")
    else:
        images = list(np.asarray(X))
        if X.ndim == 3 and X.shape[2] in (3, 4):
            raise ValueError(
                f"X has shape {tuple(X.shape)}, like one image in color; give a list "
                "of one, [image]."
            )
    for image in images:
        has_channels = image.ndim == 2 or (image.ndim == 3 and image.shape[2] <= 4)
        if not has_channels or image.size == 0 or image.dtype.kind not in "biuf":
            raise ValueError(
                f"X has an image of shape {image.shape} and type {image.dtype}; images "
                "are numbers of shape (rows, columns) or (rows, columns, channels), "
                "with 1 to 4 channels."
            )
    return images


def _holds_objects(X):
    return isinstance(X, np.ndarray) and X.dtype == object


def _to_array(image):
    # Pillow's palettes, transparent colors, and colors other than red, green and blue.
    mode = getattr(image, "mode", None)
    if mode == "1":  # black and white: in the range of other images
        image = image.convert("L")
    elif mode in OTHER_MODES or (mode and "transparency" in image.info):
        image = image.convert("RGBA")
    return np.asarray(image)


def stack_images(
    X: ArrayLike, image_shape: tuple[int, int] | None = None
) -> np.ndarray:
    """Return images as a stack of rows and columns, ready to be drawn.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_pixels), (n_samples, rows, columns) or \
            (n_samples, rows, columns, 1)
        The images.
    image_shape : tuple of int, default=None
        The rows and columns of an image. By default those that `X` has; rows of pixels
        are assumed to be square images.

    Returns
    -------
    images : ndarray of shape (n_samples, rows, columns)
        The same images.

    Raises
    ------
    ValueError
        If the shape of an image cannot be inferred, or does not fit.
    """
    matrix: Any = X
    X = matrix.toarray() if scipy.sparse.issparse(matrix) else np.asarray(X)
    rows_of_pixels = flatten_images(X)
    n_samples, n_pixels = rows_of_pixels.shape
    if image_shape is None:
        image_shape = find_image_shape(X, n_pixels)
    if (
        image_shape is None
        or np.shape(image_shape) != (2,)
        or math.prod(image_shape) != n_pixels
    ):
        raise ValueError(
            f"image_shape={image_shape!r} does not fit images of {n_pixels} pixels; "
            "give the rows and columns of an image."
        )
    return rows_of_pixels.reshape(n_samples, *image_shape)


def are_valid_rows(X: Any, dtype: str, n_features: int | None) -> bool:
    """Tell whether X passes without `validate_data`, which costs two forward passes.

    Parameters
    ----------
    X : object
        The images.
    dtype : str
        The float type that they must have.
    n_features : int or None
        The number of pixels that each must have.

    Returns
    -------
    are_valid : bool
        False also where `validate_data` would have to change them.
    """
    is_plain = type(X) is np.ndarray and X.ndim == 2 and X.flags.c_contiguous
    if not is_plain or X.dtype != dtype or X.shape[1] != n_features:
        return False
    with np.errstate(over="ignore"):
        return len(X) > 0 and math.isfinite(X.sum())


def warn_of_raw_images(X: Any) -> None:
    """Warn of images that have not been scaled.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_pixels)
        The images.

    Warns
    -----
    UserWarning
        If the largest intensity of the first 1,000 is above 127 and at most 255.
    """
    low, high = find_range(X)
    if low >= 0 and 127 < high <= 255:
        warn(
            f"X looks like raw images, with intensities up to {high:g}. Put an "
            "ImageScaler before the classifier: it trains better on [0, 1]."
        )


def warn_of_other_scale(X_val: Any, X: Any) -> None:
    """Warn of validation images that are not scaled as the training images are.

    Parameters
    ----------
    X_val, X : ndarray of shape (n_samples, n_pixels)
        The images to validate on and to train on.

    Warns
    -----
    UserWarning
        If the largest intensity of the first 1,000 is ten times that of the others.
    """
    (_, largest_val), (_, largest) = find_range(X_val), find_range(X)
    if max(largest_val, largest) > 10 * min(largest_val, largest) > 0:
        warn(
            f"X_val has intensities up to {largest_val:g}, X up to {largest:g}; scale "
            "both in the same way. In a Pipeline, use metadata routing and "
            'transform_input=["X_val"].'
        )
