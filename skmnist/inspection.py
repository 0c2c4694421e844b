"""Tables of the scores, the mistakes and the layers of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.metrics import accuracy_score, log_loss
from sklearn.utils import check_array, check_consistent_length, column_or_1d
from sklearn.utils.validation import check_is_fitted

from skmnist._arrays import to_numpy
from skmnist._data import check_labels, find_codes, is_multilabel

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike

__all__ = ["evaluate", "misclassified", "model_summary"]


def evaluate(
    estimator: BaseEstimator,
    X: ArrayLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
) -> pd.Series:
    """Return the loss, accuracy and misclassification error of a classifier.

    Parameters
    ----------
    estimator : estimator with `predict_proba`
        A fitted classifier, or a Pipeline or search that ends in one.
    X : array-like
        The images, in a form that the classifier accepts.
    y : array-like of shape (n_samples,) or (n_samples, n_labels)
        Their labels.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the images.

    Returns
    -------
    figures : Series
        `loss` (the cross-entropy, in nats; for multilabel targets summed over the
        labels), `accuracy` (the fraction of images for which all labels are correct)
        and `misclassification_error` (1 - accuracy).

    Raises
    ------
    NotFittedError
        If the classifier is not fitted.
    TypeError
        If the classifier has no `predict_proba`.
    ValueError
        If `y` has labels that the classifier does not know, or another length than `X`.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skmnist import evaluate
    >>> X, y = load_digits(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X[:1500] / 16, y[:1500])
    >>> evaluate(model, X[1500:] / 16, y[1500:]).round(2)
    loss                       0.34
    accuracy                   0.91
    misclassification_error    0.09
    dtype: float64
    """
    import pandas as pd

    y, predicted, probabilities = _predict(estimator, X, y)
    loss = 0.0  # of the only class there is
    if y.ndim == 2:
        loss = sum(
            log_loss(*column, labels=[0, 1], sample_weight=sample_weight)
            for column in zip(y.T, probabilities.T, strict=True)
        )
    elif len(estimator.classes_) > 1:
        loss = log_loss(
            y, probabilities, labels=estimator.classes_, sample_weight=sample_weight
        )
    accuracy = accuracy_score(y, predicted, sample_weight=sample_weight)
    return pd.Series(
        {"loss": loss, "accuracy": accuracy, "misclassification_error": 1 - accuracy},
        dtype=float,
    )


def misclassified(
    estimator: BaseEstimator,
    X: ArrayLike,
    y: ArrayLike,
    *,
    true: Any = None,
    predicted: Any = None,
) -> pd.DataFrame:
    """Return a classifier's mistakes, the most confident first.

    Parameters
    ----------
    estimator : estimator with `predict_proba`
        A fitted classifier, or a Pipeline or search that ends in one.
    X : array-like
        The images, in a form that the classifier accepts.
    y : array-like of shape (n_samples,)
        Their labels.
    true : label, default=None
        Return only images of this label.
    predicted : label, default=None
        Return only images predicted as this label.

    Returns
    -------
    mistakes : DataFrame
        One row per mistake: `index` (the row of `X`), `true`, `predicted`,
        `probability` (of the predicted label) and `margin` (this probability minus
        that of the true label).

    Raises
    ------
    NotFittedError
        If the classifier is not fitted.
    TypeError
        If the classifier has no `predict_proba`.
    ValueError
        If `true`, `predicted` or `y` are labels that the classifier does not know, or
        `y` has another length than `X` or is multilabel.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skmnist import misclassified
    >>> X, y = load_digits(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X[:1500] / 16, y[:1500])
    >>> misclassified(model, X[1500:] / 16, y[1500:], true=8).head(2).round(2)
       index  true  predicted  probability  margin
    0     53     8          1          0.9    0.87
    1     29     8          5          0.4    0.05
    """
    import pandas as pd

    if is_multilabel(y):
        raise ValueError(
            "misclassified needs one label for each image, but y is multilabel."
        )
    y, labels, probabilities = _predict(estimator, X, y)
    classes = estimator.classes_
    for name, label in (("true", true), ("predicted", predicted)):
        if label is not None and label not in classes.tolist():
            raise ValueError(f"{name}={label!r} is not one of the labels {classes}.")
    rows = np.flatnonzero(y != labels)
    if true is not None:
        rows = rows[y[rows] == true]
    if predicted is not None:
        rows = rows[labels[rows] == predicted]
    y, labels = y[rows], labels[rows]
    probability = probabilities[rows, np.searchsorted(classes, labels)]
    true_probability = probabilities[rows, np.searchsorted(classes, y)]
    mistakes = pd.DataFrame(
        {
            "index": rows,
            "true": y,
            "predicted": labels,
            "probability": probability,
            "margin": probability - true_probability,
        }
    )
    return mistakes.sort_values(
        "probability", ascending=False, kind="stable", ignore_index=True
    )


def model_summary(
    estimator: BaseEstimator,
    *,
    n_features: int | None = None,
    n_classes: int | None = None,
) -> pd.DataFrame:
    """Return the layers of a network and the numbers of their parameters.

    Parameters
    ----------
    estimator : MNISTMLPClassifier, or another classifier with weights
        A classifier, or a Pipeline or search that ends in one:
        :class:`MNISTMLPClassifier`, :class:`sklearn.neural_network.MLPClassifier` or
        a linear model.
    n_features : int, default=None
        The number of pixels of an image; needed if a :class:`MNISTMLPClassifier` is
        not fitted yet.
    n_classes : int, default=None
        The number of classes; needed with `n_features`.

    Returns
    -------
    summary : DataFrame
        One row per layer: `layer`, `output_shape` (n is the number of images) and
        `parameters`; the last row is the total.

    Raises
    ------
    NotFittedError
        If the classifier is not fitted, and `n_features` or `n_classes` is missing.
    TypeError
        If the classifier has no weights that can be read.
    ValueError
        If a parameter of a classifier that is not fitted is not valid.

    Examples
    --------
    >>> from skmnist import MNISTMLPClassifier, model_summary
    >>> model_summary(MNISTMLPClassifier(), n_features=784, n_classes=10)
                     layer output_shape  parameters
    0    hidden_1 (Linear)     (n, 256)      200960
    1  activation_1 (ReLU)     (n, 256)           0
    2  dropout_1 (Dropout)     (n, 256)           0
    3      output (Linear)      (n, 10)        2570
    4                total                   203530
    """
    import pandas as pd

    _, classifier = unwrap(estimator)
    rows = list(_layers(classifier, n_features, n_classes))
    total = sum(n_parameters for *_, n_parameters in rows)
    return pd.DataFrame(
        [*rows, ("total", "", total)], columns=["layer", "output_shape", "parameters"]
    )


def unwrap(estimator: BaseEstimator) -> tuple[list[BaseEstimator], BaseEstimator]:
    """Return the transformers and the classifier of a Pipeline or fitted search.

    Parameters
    ----------
    estimator : estimator
        A classifier, alone or in Pipelines and searches.

    Returns
    -------
    transformers : list of estimators
        What the images go through first.
    classifier : estimator
        What comes last.
    """
    transformers: list[BaseEstimator] = []
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif hasattr(estimator, "steps"):
            *before, estimator = (step for _, step in estimator.steps)
            transformers += [step for step in before if hasattr(step, "transform")]
        else:
            return transformers, estimator


def weight_matrices(classifier: BaseEstimator) -> list[np.ndarray]:
    """Return the weights of each layer of a fitted classifier.

    Parameters
    ----------
    classifier : MNISTMLPClassifier, or another classifier with weights
        A fitted classifier.

    Returns
    -------
    matrices : list of ndarray of shape (n_units, n_inputs)
        One matrix per layer, the first one that of the pixels.

    Raises
    ------
    TypeError
        If the classifier has no weights that can be read.
    """
    if hasattr(classifier, "module_"):
        parameters = classifier.module_.named_parameters()
        return [
            value.detach().cpu().numpy()
            for name, value in parameters
            if name.endswith("weight")
        ]
    if hasattr(classifier, "coefs_"):
        return [np.transpose(matrix) for matrix in classifier.coefs_]
    if hasattr(classifier, "coef_"):
        weights = classifier.coef_
        is_sparse = scipy.sparse.issparse(weights)
        return [weights.toarray() if is_sparse else np.atleast_2d(weights)]
    raise TypeError(
        f"{type(classifier).__name__} has no weights that can be read; give an "
        "MNISTMLPClassifier, an MLPClassifier or a linear model."
    )


def _predict(estimator, X, y) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    check_is_fitted(estimator)
    if not hasattr(estimator, "predict_proba"):
        raise TypeError(
            f"{type(estimator).__name__} has no predict_proba; give a classifier that "
            "has probabilities."
        )
    y = to_numpy(y)
    if is_multilabel(y):
        y = check_labels(check_array(y, accept_sparse="csr", input_name="y"))
    else:
        y = column_or_1d(y)
    check_consistent_length(X, y)
    find_codes(y, np.asarray(estimator.classes_))
    predicted = to_numpy(estimator.predict(X))
    if scipy.sparse.issparse(predicted):
        predicted = predicted.toarray()
    probabilities = to_numpy(estimator.predict_proba(X))
    probabilities = np.asarray(probabilities, dtype=np.float64)
    if y.ndim == 1:
        probabilities /= probabilities.sum(axis=1, keepdims=True)
    return y, np.asarray(predicted), probabilities


def _layers(classifier, n_features, n_classes):
    from skmnist._engine.network import MLP
    from skmnist._parameters import as_sizes, check_parameters
    from skmnist.classifier import MNISTMLPClassifier

    if hasattr(classifier, "module_"):
        return _module_layers(classifier.module_)
    if isinstance(classifier, MNISTMLPClassifier):
        if n_features is None or n_classes is None:
            raise NotFittedError(
                "This MNISTMLPClassifier is not fitted yet; fit it, or give n_features "
                "and n_classes."
            )
        check_parameters(vars(classifier))
        sizes = as_sizes(classifier.hidden_layer_sizes)
        return _module_layers(
            MLP(n_features, sizes, n_classes, classifier.activation, classifier.dropout)
        )
    check_is_fitted(classifier)
    matrices = weight_matrices(classifier)
    names = [f"hidden_{number}" for number in range(1, len(matrices))] + ["output"]
    has_biases = getattr(classifier, "fit_intercept", True)
    return [
        (name, f"(n, {len(matrix)})", matrix.size + has_biases * len(matrix))
        for name, matrix in zip(names, matrices, strict=True)
    ]


def _module_layers(module):
    rows: list[tuple[str, str, int]] = []
    for name, layer in module.named_children():
        size = getattr(layer, "out_features", None)
        shape = rows[-1][1] if size is None else f"(n, {size})"
        n_parameters = sum(parameter.numel() for parameter in layer.parameters())
        rows.append((f"{name} ({type(layer).__name__})", shape, n_parameters))
    return rows
