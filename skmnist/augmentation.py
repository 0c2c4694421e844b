"""Random changes of the training images."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_array

from skmnist._data import draw_seed
from skmnist._engine.batches import as_tensor, augment_rows, call_augmentation
from skmnist._engine.distortion import distort
from skmnist._images import find_image_shape, flatten_images
from skmnist._parameters import DISTORTION_RULES, check_distortion

if TYPE_CHECKING:
    import torch
    from numpy.typing import ArrayLike

__all__ = ["RandomDistortion"]


class RandomDistortion(BaseEstimator):
    """Distort images at random, like different ways of writing the same digit.

    As the `augmentation` of :class:`MNISTMLPClassifier` it distorts each image of each
    training batch, differently in each epoch. An image is stretched, sheared, rotated,
    shifted, and bent by a smooth random field; pixels from outside of the image are 0.

    Parameters
    ----------
    rotation : float, default=10.0
        The largest angle in either direction, in degrees.
    scale : float, default=0.15
        The largest fraction by which rows and columns each grow or shrink.
    shear : float, default=11.0
        The largest angle by which vertical lines are slanted, in degrees.
    shift : float, default=2.0
        The largest distance in each direction, in pixels.
    elastic : float, default=0.45
        The standard deviation of the displacement of a point by bending, along each
        axis, in pixels.
    smoothness : float, default=5.0
        The distance between the control points of the cubic spline that bends an
        image, in pixels.

    See Also
    --------
    MNISTMLPClassifier : The classifier that trains on the distorted images.

    References
    ----------
    Simard, Steinkraus, Platt, 2003, "Best practices for convolutional neural networks
    applied to visual document analysis", ICDAR; Ciresan, Meier, Gambardella,
    Schmidhuber, 2010, "Deep, big, simple neural nets for handwritten digit
    recognition", Neural Computation.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skmnist import MNISTMLPClassifier, RandomDistortion
    >>> X, y = load_digits(return_X_y=True)
    >>> distortion = RandomDistortion(shift=0.5, elastic=0.2)
    >>> distortion.distort(X[:3], random_state=0).shape
    (3, 64)
    >>> model = MNISTMLPClassifier(
    ...     augmentation=distortion, max_epochs=20, random_state=0
    ... ).fit(X[:1500] / 16, y[:1500])
    >>> print(f"accuracy: {model.score(X[1500:] / 16, y[1500:]):.1f}")
    accuracy: 0.9
    """

    def __init__(
        self,
        *,
        rotation: float = 10.0,
        scale: float = 0.15,
        shear: float = 11.0,
        shift: float = 2.0,
        elastic: float = 0.45,
        smoothness: float = 5.0,
    ):
        self.rotation = rotation
        self.scale = scale
        self.shear = shear
        self.shift = shift
        self.elastic = elastic
        self.smoothness = smoothness

    def distort(
        self, X: ArrayLike, random_state: int | np.random.RandomState | None = None
    ) -> np.ndarray:
        """Return distorted images, as they are used in training.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_pixels) or (n_samples, rows, columns[, 1])
            The images. Rows of pixels are assumed to be square images.
        random_state : int, RandomState instance or None, default=None
            Seed of the distortions.

        Returns
        -------
        X_distorted : ndarray of the same shape
            The images, in float64 if `X` is, else in float32.

        Raises
        ------
        ValueError
            If a parameter or the images are not valid.
        """
        check_distortion(vars(self))
        rows: Any = check_array(
            flatten_images(X), dtype=("float32", "float64"), order="C"
        )
        image_shape = find_image_shape(X, rows.shape[1])
        if image_shape is None:
            raise ValueError(
                f"X has images of {rows.shape[1]} pixels, which are not square; give a "
                "stack of shape (n_samples, rows, columns)."
            )
        images = as_tensor(rows.reshape(-1, 1, *image_shape))
        rng = np.random.Generator(np.random.SFC64(draw_seed(random_state)))
        distorted = distort(images, rng, **self.get_params()).numpy()
        return distorted.reshape(np.shape(X))


def make_augment(
    augmentation: Any,
    image_shape: tuple[int, int] | None,
    rng: np.random.Generator,
    dtype: str,
    device: torch.device,
) -> Callable[[torch.Tensor], torch.Tensor] | None:
    """Return the function that augments a batch of rows of pixels.

    Parameters
    ----------
    augmentation : RandomDistortion, callable or None
        The parameter of :class:`MNISTMLPClassifier`.
    image_shape : tuple of int or None
        The rows and columns of an image; None where they are unknown.
    rng : numpy.random.Generator
        The source of the random numbers of a RandomDistortion.
    dtype : {"float32", "float64"}
        The type of the images.
    device : torch.device
        Where they are.

    Returns
    -------
    augment : callable or None
        None where there is no augmentation.

    Raises
    ------
    ValueError
        If there is one, and the shape is unknown; if a callable does not return images.
    """
    if augmentation is None:
        return None
    if image_shape is None:
        raise ValueError(
            f"augmentation={augmentation!r} needs images with rows and columns, but X "
            "has rows of pixels that are not square; give a stack of images, such as "
            "ImageScaler(output_shape=(rows, columns)) returns."
        )
    if isinstance(augmentation, RandomDistortion):
        parameters = {name: getattr(augmentation, name) for name in DISTORTION_RULES}
        function = partial(distort, rng=rng, **parameters)
    else:
        function = partial(call_augmentation, augmentation)
        # Before the training: a wrong one then costs no earlier fit.
        noise = np.random.default_rng(0).random((2, 1, *image_shape)).astype(dtype)
        function(as_tensor(noise).to(device))
    return partial(augment_rows, function, image_shape)
