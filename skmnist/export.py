"""Fitted models as ONNX, for programs without Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from skmnist._images import flatten_images

if TYPE_CHECKING:
    import onnx
    from numpy.typing import ArrayLike

__all__ = ["to_onnx"]


def to_onnx(model: BaseEstimator, X: ArrayLike) -> onnx.ModelProto:
    """Return a fitted model in ONNX, the format of many runtimes.

    It takes images and gives their labels and the probabilities of all classes, by the
    names `X`, `label` and `probabilities`. The model may be
    :class:`MNISTMLPClassifier`, :class:`ImageScaler`, what scikit-learn has around them
    that sklearn-onnx [1]_ can convert (pipelines, voting, stacking, calibration), or a
    search, whose best estimator is taken. Dropout and augmentation are of training, and
    left out. It needs the extra `onnx`: `pip install 'skmnist[onnx]'`.

    Parameters
    ----------
    model : estimator
        The fitted model.
    X : array-like of shape (n_samples, n_pixels), (n_samples, rows, columns) or \
            (n_samples, rows, columns, 1)
        One or more images like those to predict; the ONNX model takes any number of
        images of the same shape and type. The first ten are predicted both ways, to
        check that the results are the same.

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
        such as :class:`ImageCenterer`, or layers that a callback has put in.
    ImportError
        If the extra is not installed.

    See Also
    --------
    save_model : A file for Python.

    Notes
    -----
    Probabilities differ from those in Python by some 1e-7, and by more after isotonic
    calibration, which is steep where thresholds are close to each other.

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

    Write it to a file, and use it without skmnist:

    >>> with open("digits.onnx", "wb") as file:  # doctest: +SKIP
    ...     file.write(onnx_model.SerializeToString())
    >>> import onnxruntime  # doctest: +SKIP
    >>> session = onnxruntime.InferenceSession("digits.onnx")  # doctest: +SKIP
    >>> labels, probabilities = session.run(None, {"X": X})  # doctest: +SKIP
    """
    try:
        from skmnist import _onnx
    except ImportError as error:
        raise ImportError("to_onnx needs onnx; pip install 'skmnist[onnx]'.") from error
    while isinstance(model, FrozenEstimator) or hasattr(model, "best_estimator_"):
        model = getattr(model, "best_estimator_", None) or model.estimator
    check_is_fitted(model)
    some: Any = X
    some = some[:10]
    images = some.toarray() if scipy.sparse.issparse(some) else np.asarray(some)
    rows = flatten_images(images)
    if rows.ndim != 2 or len(rows) == 0 or rows.dtype.kind not in "biuf":
        raise ValueError(
            f"X has shape {np.shape(X)} and type {rows.dtype}; give one or more images "
            "of numbers, of shape (n_samples, n_pixels) or (n_samples, rows, columns)."
        )
    n_features = getattr(model, "n_features_in_", rows.shape[1])
    if rows.shape[1] != n_features:
        raise ValueError(
            f"X has {rows.shape[1]} features, but {type(model).__name__} is expecting "
            f"{n_features} features as input."
        )
    try:
        onnx_model = _onnx.convert(model, images.dtype, images.shape[1:])
        _onnx.check_outputs(onnx_model, model, some, images)
    # sklearn-onnx has no error of its own for most of what it cannot do.
    except Exception as error:
        raise ValueError(
            f"This {type(model).__name__} cannot be converted to ONNX: "
            f"{type(error).__name__}: {error}"
        ) from error
    return onnx_model
