"""From labels and weights to integers, rows and splits: NumPy only."""

from __future__ import annotations

import math
import numbers
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.model_selection import (
    KFold,
    ShuffleSplit,
    StratifiedKFold,
    StratifiedShuffleSplit,
)
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import check_array

from skmnist._parameters import is_valid_split

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


class LabelledImages(NamedTuple):
    """Some of the rows of images, with their labels and weights.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_pixels)
        All images.
    codes : ndarray of int64, shape (n_samples,)
        Their labels, encoded as 0 to n_classes - 1.
    weight : ndarray of shape (n_samples,) or None
        Their weights; None where all weigh the same.
    rows : ndarray of int, shape (n_rows,)
        The rows that are meant.
    class_weight : dict or None
        The factor in the weights that each class has, by its label.
    """

    X: np.ndarray
    codes: np.ndarray
    weight: np.ndarray | None
    rows: np.ndarray
    class_weight: dict[Any, float] | None = None

    def normalized_weight(self) -> np.ndarray | None:
        """Return weights of mean one over the rows; None where there are none.

        So the loss of a batch is a plain mean, no batch can weigh nothing, and weights
        of any size mean the same.
        """
        if self.weight is None:
            return None
        return self.weight / self.weight[self.rows].mean()


def encode_labels(y: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct labels, and the position of each label among them.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        The labels.

    Returns
    -------
    classes : ndarray of shape (n_classes,)
        The distinct labels, sorted.
    codes : ndarray of int64, shape (n_samples,)
        The position of each label of `y`.
    """
    encoder = LabelEncoder()
    codes = encoder.fit_transform(y)
    return encoder.classes_, codes.astype(np.int64, copy=False)


def find_codes(y: np.ndarray, classes: np.ndarray, name: str = "y") -> np.ndarray:
    """Return the position of each label among those that a classifier knows.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        The labels.
    classes : ndarray of shape (n_classes,)
        Those that the classifier knows, sorted.
    name : str, default="y"
        The parameter that the labels came in.

    Returns
    -------
    codes : ndarray of int64, shape (n_samples,)
        The positions.

    Raises
    ------
    ValueError
        If `y` has other labels.
    """
    found = y if y.dtype.hasobject else np.unique(y)
    # Not np.isin: it takes the text "1" for the number 1.
    unknown = sorted(set(found.tolist()) - set(classes.tolist()), key=repr)
    if unknown:
        raise ValueError(
            f"{name} has the labels {unknown}, which are not in {classes}."
        )
    return np.searchsorted(classes, y)


def check_same_classes(classes: np.ndarray, earlier: np.ndarray) -> None:
    """Raise an error if labels are not those of an earlier fit.

    Parameters
    ----------
    classes, earlier : ndarray of shape (n_classes,)
        The labels now and then, sorted.

    Raises
    ------
    ValueError
        If they differ.
    """
    if not np.array_equal(classes, earlier):
        raise ValueError(
            f"The labels {classes} are not those of the earlier fit, {earlier}; use a "
            "new classifier."
        )


def weigh(
    X: np.ndarray,
    codes: np.ndarray,
    sample_weight: Any,
    class_weight: Any,
    classes: np.ndarray,
) -> LabelledImages:
    """Return images with labels and weights, without those of weight zero.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_pixels)
        The images.
    codes : ndarray of int64, shape (n_samples,)
        Their labels, as positions in `classes`.
    sample_weight : array-like of shape (n_samples,), a number or None
        As for `fit` of :class:`MNISTMLPClassifier`.
    class_weight : dict, "balanced" or None
        As for :class:`MNISTMLPClassifier`.
    classes : ndarray of shape (n_classes,)
        The labels that a classifier knows.

    Returns
    -------
    data : LabelledImages
        The rows whose weight is not zero.

    Raises
    ------
    ValueError
        If the weights are not valid, too large or all zero.
    """
    if sample_weight is None and class_weight is None:
        return LabelledImages(X, codes, None, np.arange(len(codes)))
    weight = np.ones(len(codes))
    if sample_weight is not None:
        weight *= _check_sample_weight(sample_weight, len(codes))
    with np.errstate(over="ignore", invalid="ignore"):
        class_weights = _class_weights(class_weight, classes, codes, weight)
        weight *= class_weights[codes]
    if not np.isfinite(weight).all():
        raise ValueError(
            "sample_weight times class_weight is too large for float64; give smaller "
            "weights."
        )
    if not weight.any():
        raise ValueError(
            "All weights are zero; sample_weight and class_weight must give at least "
            "one row a positive weight."
        )
    # Scaled first: what is tiny or huge in float64 may be zero or infinite in float32.
    weight = (weight / weight.max()).astype(X.dtype)
    by_label = dict(zip(classes.tolist(), class_weights.tolist(), strict=True))
    return LabelledImages(X, codes, weight, np.flatnonzero(weight), by_label)


def split(
    data: LabelledImages, validation_split: Any, seed: int
) -> tuple[LabelledImages, LabelledImages | None]:
    """Return the images to train on and those to validate on.

    Parameters
    ----------
    data : LabelledImages
        The images.
    validation_split : float, int, ValidSplit, splitter or None
        As for :class:`MNISTMLPClassifier`.
    seed : int
        Draws the rows of a fraction.

    Returns
    -------
    train, valid : LabelledImages
        The parts; `valid` is None where there is no split.

    Raises
    ------
    ValueError
        If the data cannot be split, or a part would be empty.
    """
    if validation_split is None:
        return data, None
    if isinstance(validation_split, numbers.Real):
        parts = split_rows(validation_split, data.codes[data.rows], seed)
        train, valid = (data.rows[part] for part in parts)
    else:  # it may name rows, of all that were given
        parts = split_rows(validation_split, data.codes, seed)
        train, valid = (part[np.isin(part, data.rows)] for part in parts)
    if len(train) == 0 or len(valid) == 0:
        raise ValueError(
            f"validation_split={validation_split!r} leaves {len(train)} rows to train "
            f"on and {len(valid)} to validate on, of n_samples={len(data.rows)} whose "
            "weight is not zero; both need rows."
        )
    return data._replace(rows=train), data._replace(rows=valid)


def split_rows(
    validation_split: Any, codes: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows to train on and the rows to validate on.

    A fraction and an int are split as skorch's ValidSplit does.

    Parameters
    ----------
    validation_split : float, int, ValidSplit or splitter
        As for :class:`MNISTMLPClassifier`.
    codes : ndarray of int, shape (n_samples,)
        The encoded labels.
    seed : int
        Draws the rows of a fraction.

    Returns
    -------
    train_rows, valid_rows : ndarray of int
        Positions in `codes`.

    Raises
    ------
    ValueError
        If the rows cannot be split so.
    """
    positions = np.arange(len(codes))
    try:
        if is_valid_split(validation_split):
            subsets = validation_split(positions, codes)
            train, valid = (subset.indices for subset in subsets)
        else:
            splitter = _as_splitter(validation_split, codes, seed)
            splits = iter(splitter.split(positions, codes))
            train, valid = next(splits, (positions, positions[:0]))
    except ValueError as error:
        raise ValueError(
            f"validation_split={validation_split!r} cannot split the data: {error}"
        ) from error
    return np.asarray(train), np.asarray(valid)


def draw_seed(random_state: Any) -> int:
    """Return the seed of a fit, without use of NumPy's global generator."""
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    if isinstance(random_state, numbers.Integral):
        return int(random_state)
    return int(random_state.randint(2**31 - 1))


def _as_splitter(validation_split, codes, seed):
    if not isinstance(validation_split, numbers.Real):
        return validation_split
    counts = np.bincount(codes)
    smallest_class = counts[counts > 0].min()
    if isinstance(validation_split, numbers.Integral):
        n_folds = int(validation_split)
        return (StratifiedKFold if smallest_class >= n_folds else KFold)(n_folds)
    n_valid = math.ceil(float(validation_split) * len(codes))
    smallest_part = min(n_valid, len(codes) - n_valid)
    has_rows_enough = smallest_class >= 2 and smallest_part >= np.count_nonzero(counts)
    splitter = StratifiedShuffleSplit if has_rows_enough else ShuffleSplit
    return splitter(test_size=float(validation_split), random_state=seed)


def _check_sample_weight(sample_weight, n_samples):
    if isinstance(sample_weight, numbers.Real):
        sample_weight = np.full(n_samples, sample_weight)
    weight = check_array(
        sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight"
    )
    if weight.shape != (n_samples,):
        raise ValueError(
            f"sample_weight has shape {weight.shape}; expected ({n_samples},), one "
            "weight for each row of X."
        )
    if weight.min() < 0:
        raise ValueError(
            f"Negative values in data passed to `sample_weight`, such as "
            f"{weight.min()}; give weights of zero or more."
        )
    return weight


def _class_weights(class_weight, classes, codes, sample_weight):
    weights = np.ones(len(classes))
    if class_weight is None:
        return weights
    if isinstance(class_weight, str):
        counts = np.bincount(codes, weights=sample_weight, minlength=len(classes))
        is_there = counts > 0
        weights[is_there] = counts.sum() / (is_there.sum() * counts[is_there])
        return weights
    labels = classes.tolist()
    unknown = [label for label in class_weight if label not in labels]
    # A label that a fold lacks is no mistake, one in place of another is.
    if unknown and any(label not in class_weight for label in labels):
        raise ValueError(
            f"class_weight has the labels {unknown}, which are not in {classes}."
        )
    return np.array([class_weight.get(label, 1.0) for label in labels])
