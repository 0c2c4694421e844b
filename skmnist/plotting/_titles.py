"""What is written above images: labels, predictions, and what the grid shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    ClassNames = Sequence[str] | Mapping[Any, str] | np.ndarray


def title_images(
    n_samples: int,
    n_images: int | None,
    labels: ArrayLike | None,
    predictions: ArrayLike | None,
    probabilities: ArrayLike | None,
    class_names: ClassNames | None,
) -> tuple[list[str] | None, np.ndarray | None]:
    """Return the titles of the first images, and which predictions are correct.

    Parameters
    ----------
    n_samples : int
        The number of all images.
    n_images : int or None
        The number of images that get a title; None for all.
    labels : array-like of shape (n_samples,) or None
        The true labels.
    predictions : array-like of shape (n_samples,) or None
        The predicted labels.
    probabilities : array-like of shape (n_samples,) or (n_samples, n_classes) or None
        The probabilities of the predictions.
    class_names : sequence or dict of str or None
        The names of the labels.

    Returns
    -------
    titles : list of str or None
        The titles, such as "1 predicted as 2 (0.75)"; None where all are empty.
    is_correct : ndarray of bool or None
        None where labels or predictions are missing.

    Raises
    ------
    ValueError
        If there are not as many labels, predictions or probabilities as images.
    """
    if probabilities is not None and np.ndim(probabilities) == 2:
        probabilities = np.max(probabilities, axis=1)
    is_compared = labels is not None and predictions is not None
    labels = _first("labels", labels, n_samples, n_images)
    predictions = _first("predictions", predictions, n_samples, n_images)
    probabilities = _first("probabilities", probabilities, n_samples, n_images)
    titles = [
        _title_image(*row, class_names)
        for row in zip(labels, predictions, probabilities, strict=True)
    ]
    is_correct = np.equal(labels, predictions) if is_compared else None
    return titles if any(titles) else None, is_correct


def title_mistakes(
    n_shown: int,
    n_mistakes: int,
    n_images: int,
    kind: tuple[Any, Any] = (None, None),
    class_names: ClassNames | None = None,
) -> str:
    """Return the title of a grid of mistakes.

    Parameters
    ----------
    n_shown : int
        The number of mistakes in the grid.
    n_mistakes : int
        The number of all mistakes of this kind.
    n_images : int
        The number of images that were classified.
    kind : tuple of label or None
        The true and the predicted label of all of them; None for any.
    class_names : sequence or dict of str or None
        The names of the labels.

    Returns
    -------
    title : str
        The title.
    """
    what = "Mistakes"
    if kind != (None, None):
        names = [
            other if label is None else name_class(label, class_names)
            for label, other in zip(kind, ("Others", "others"), strict=True)
        ]
        what = " predicted as ".join(names)
    number = f"{n_mistakes:,}" if n_mistakes else "none"
    if n_shown < n_mistakes:
        number = f"the most confident {n_shown:,} of {number}"
    return f"{what} in {n_images:,} images: {number}"


def name_class(label: Any, class_names: ClassNames | None) -> str:
    """Return the name of a label.

    Parameters
    ----------
    label : label
        The label.
    class_names : sequence or dict of str or None
        The names, by label; None where a label is its own name.

    Returns
    -------
    name : str
        The name.

    Raises
    ------
    ValueError
        If there is no name for the label.
    """
    if class_names is None:
        return str(label)
    try:
        return str(class_names[label])
    except (LookupError, TypeError) as error:
        raise ValueError(
            f"class_names has no name for the label {label!r}; give a sequence for the "
            "labels 0, 1, ..., or a dict from labels to names."
        ) from error


def _first(name, values, n_samples, n_images) -> list[Any]:
    if values is None:
        return [None] * len(range(n_samples)[:n_images])
    if len(values) != n_samples:
        raise ValueError(
            f"{name} has {len(values)} entries for {n_samples} images; give one each."
        )
    return np.asarray(values)[:n_images].tolist()


def _title_image(label, prediction, probability, class_names):
    words = []
    if label is not None:
        words.append(name_class(label, class_names))
    if prediction is not None and prediction != label:
        words += ["predicted as"] if words else []
        words.append(name_class(prediction, class_names))
    if probability is not None:
        words.append(f"({probability:.2f})")
    return " ".join(words)


def name_rows(
    classifier: Any, n_rows: int, *, has_others: bool
) -> tuple[list[str], str]:
    """Return the titles of the rows of a classifier's first weights, and of their grid.

    Parameters
    ----------
    classifier : classifier
        A fitted classifier.
    n_rows : int
        The number of rows.
    has_others : bool
        Whether there are weights of other layers. If not, the rows are those of the
        classes, of which the first of two may be missing.

    Returns
    -------
    names : list of str
        The titles of the rows.
    title : str
        The title of the grid.
    """
    if has_others or n_rows > len(classifier.classes_):
        names = [f"unit {row}" for row in range(n_rows)]
        return names, "What the units of the first layer look for"
    names = [f"class {label}" for label in classifier.classes_[-n_rows:]]
    return names, "Weights of the classes"
