"""Conversion of a fitted model to ONNX."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse
from sklearn.base import BaseEstimator, is_classifier
from sklearn.utils.validation import check_is_fitted

from skmnist._images import flatten_images

if TYPE_CHECKING:
    import onnx
    from numpy.typing import ArrayLike

__all__ = ["to_onnx"]


def to_onnx(model: BaseEstimator, X: ArrayLike) -> onnx.ModelProto:
    """Convert a fitted model to ONNX, a format for runtimes in many languages.

    The ONNX model has the input `X`, the images, and the outputs `label` and
    `probabilities`. The model can be :class:`MNISTMLPClassifier` or
    :class:`ImageScaler`, also within scikit-learn's pipelines, voting, stacking and
    calibration, with all other steps that sklearn-onnx [1]_ can convert. For a search,
    the best estimator is converted. Dropout and augmentation are only used in training,
    and are left out. This function needs the extra `onnx`:
    `pip install 'skmnist[onnx]'`.

    Parameters
    ----------
    model : estimator
        The fitted model.
    X : array-like of shape (n_samples, n_pixels), (n_samples, rows, columns) or \
            (n_samples, rows, columns, 1)
        One or more images like those to predict. The ONNX model accepts any number of
        images with the same shape and type. The first 100 images are predicted with
        both models, to check that the results are the same.

    Returns
    -------
    onnx_model : onnx.ModelProto
        The model. `label` is int64 or text, with 0 and 1 for booleans;
        `probabilities` are float64 if `X` is, else float32.

    Raises
    ------
    NotFittedError
        If the model is not fitted.
    ValueError
        If the images are not valid, or the model has a part that cannot be converted,
        such as :class:`ImageCenterer`, or layers that a callback has replaced.
    ImportError
        If the extra is not installed.

    See Also
    --------
    save_model : Save a model to a file for Python.

    Notes
    -----
    Probabilities differ from those in Python by rounding errors. The differences are
    larger after isotonic calibration, if its thresholds are close to each other.

    References
    ----------
    .. [1] https://onnx.ai/sklearn-onnx/

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.pipeline import make_pipeline
    >>> from skmnist import ImageScaler, MNISTMLPClassifier, to_onnx
    >>> X, y = load_digits(return_X_y=True)
    >>> model = make_pipeline(ImageScaler(16), MNISTMLPClassifier(max_epochs=2))
    >>> onnx_model = to_onnx(model.fit(X, y), X)
    >>> [output.name for output in onnx_model.graph.output]
    ['label', 'probabilities']

    Write the model to a file, and use it without skmnist:

    >>> with open("digits.onnx", "wb") as file:  # doctest: +SKIP
    ...     file.write(onnx_model.SerializeToString())
    >>> import onnxruntime  # doctest: +SKIP
    >>> session = onnxruntime.InferenceSession("digits.onnx")  # doctest: +SKIP
    >>> labels, probabilities = session.run(None, {"X": X})  # doctest: +SKIP
    """
    try:
        from skmnist.export import _conversion
    except ImportError as error:
        raise ImportError("to_onnx needs onnx; pip install 'skmnist[onnx]'.") from error
    check_is_fitted(model)
    some: Any = X
    if scipy.sparse.issparse(some):
        some = some.tocsr()
    if hasattr(some, "__getitem__"):
        some = some[:100]
    images = _to_dense(some)
    rows = flatten_images(images)
    if rows.ndim != 2 or len(rows) == 0 or rows.dtype.kind not in "biuf":
        raise ValueError(
            f"X has shape {np.shape(X)} and type {rows.dtype}; give one or more images "
            "of numbers, of shape (n_samples, n_pixels) or (n_samples, rows, columns)."
        )
    methods = ("predict", "predict_proba") if is_classifier(model) else ("transform",)
    expected = {
        method: _to_dense(getattr(model, method)(some))
        for method in methods
        if hasattr(model, method)
    }
    if not expected:
        raise ValueError(
            f"{type(model).__name__} is neither a classifier nor a transformer."
        )
    try:
        onnx_model = _conversion.convert(model, images.dtype, images.shape[1:])
        _conversion.check_outputs(onnx_model, images, expected)
    # sklearn-onnx has no error of its own for most of what it cannot do.
    except Exception as error:
        raise ValueError(
            f"This {type(model).__name__} cannot be converted to ONNX: "
            f"{type(error).__name__}: {error}"
        ) from error
    return onnx_model


def _to_dense(array):
    return array.toarray() if scipy.sparse.issparse(array) else np.asarray(array)
