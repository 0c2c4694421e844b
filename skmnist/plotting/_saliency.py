"""How the logit of a class depends on each pixel: the numbers behind the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skmnist._images import flatten_images, stack_images
from skmnist.inspection import unwrap

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def compute_saliency(
    estimator: BaseEstimator,
    X: ArrayLike,
    target: Any = None,
    image_shape: tuple[int, int] | None = None,
) -> tuple[np.ndarray, np.ndarray, list[Any]]:
    """Return images, the gradients of a logit by their pixels, and the logit's class.

    Parameters
    ----------
    estimator : estimator
        A fitted :class:`skmnist.MNISTMLPClassifier`, or a Pipeline or search that ends
        in one.
    X : array-like
        The images, as the estimator takes them.
    target : label, default=None
        The class; by default the one that is predicted for each image. Required where
        an image may have several.
    image_shape : tuple of int, default=None
        The rows and columns of an image.

    Returns
    -------
    images : ndarray of shape (n_samples, rows, columns)
        The images as they reach the classifier.
    gradients : ndarray of shape (n_samples, rows, columns)
        The gradient of the logit.
    targets : list of length n_samples
        The class of each image.

    Raises
    ------
    NotFittedError
        If the classifier is not fitted.
    TypeError
        If the classifier is not an :class:`skmnist.MNISTMLPClassifier`.
    ValueError
        If `target` is missing or not one of the labels, or the shape of an image cannot
        be inferred.
    """
    transformers, classifier = unwrap(estimator)
    check_is_fitted(classifier)
    if not hasattr(classifier, "net_"):
        raise TypeError(
            f"{type(classifier).__name__} has no gradients of its logits; give an "
            "MNISTMLPClassifier."
        )
    labels = classifier.classes_.tolist()
    if target is not None and target not in labels:
        raise ValueError(f"target={target!r} is not one of the labels {labels}.")
    if target is None and classifier._is_multilabel:
        raise ValueError(
            f"target=None, but an image may have several labels; give one of {labels}."
        )
    if image_shape is None and np.ndim(X) > 2:
        image_shape = np.shape(X)[1:3]
    for transformer in transformers:
        X = transformer.transform(X)
    images = stack_images(X, image_shape)
    targets = classifier.predict(X) if target is None else [target] * len(images)
    codes = [labels.index(label) for label in targets]
    gradients = classifier.net_.input_gradient(flatten_images(images), codes)
    return images, gradients.reshape(images.shape), list(targets)
