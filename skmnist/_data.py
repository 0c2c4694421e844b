"""From labels and weights to integers, rows and splits: NumPy only."""

from __future__ import annotations

import math
import numbers
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
from sklearn.model_selection import (
    KFold,
    ShuffleSplit,
    StratifiedKFold,
    StratifiedShuffleSplit,
)
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import check_array
from sklearn.utils.multiclass import check_classification_targets

from skmnist._arrays import find_type_name, take_rows, to_numpy
from skmnist._parameters import is_valid_split


class LabelledImages(NamedTuple):
    """Some of the rows of images, with their labels and weights.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_pixels)
        All images.
    codes : ndarray of int64, shape (n_samples,), or of floats, (n_samples, n_classes)
        Their labels, encoded as 0 to n_classes - 1; or 1 for each label that an image
        has and 0 for the others.
    weight : ndarray of shape (n_samples,) or None
        Their weights; None where all weigh the same.
    rows : ndarray of int, shape (n_rows,)
        The rows that are meant.
    class_weight : dict, list of dicts or None
        The factor in the weights that each class has, by its label. For an indicator
        the weights in the loss of each column, by 0 and 1, which are no factors.
    """

    X: np.ndarray
    codes: np.ndarray
    weight: np.ndarray | None
    rows: np.ndarray
    class_weight: dict[Any, float] | list[dict[Any, float]] | None = None

    def select(self) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Return the images, labels and weights of the rows that are meant."""
        weight = None if self.weight is None else self.weight[self.rows]
        return take_rows(self.X, self.rows), self.codes[self.rows], weight

    def answer_weight(self) -> np.ndarray | None:
        """Return the weights of no and yes, of shape (2, n_labels), of an indicator."""
        if not isinstance(self.class_weight, list):
            return None
        return np.array([[each[0], each[1]] for each in self.class_weight]).T

    def normalized_weight(self) -> np.ndarray | None:
        """Return weights of mean one over the rows; None where there are none.

        So the loss of a batch is a plain mean, no batch can weigh nothing, and weights
        of any size mean the same.
        """
        if self.weight is None:
            return None
        return self.weight / self.weight[self.rows].mean()


def is_multilabel(y: Any) -> bool:
    """Tell whether `y` has a column for each label, instead of one label a row."""
    try:
        shape = y.shape if hasattr(y, "shape") else np.asarray(y).shape
    except ValueError:  # lists of several lengths, which validation refuses
        return False
    return len(shape) == 2 and shape[1] > 1


def check_labels(y: Any, name: str = "y") -> np.ndarray:
    """Return labels as a dense array, of ints where they are multilabel.

    Parameters
    ----------
    y : ndarray of shape (n_samples,) or ndarray or CSR matrix of (n_samples, n_labels)
        The labels.
    name : str, default="y"
        The parameter that they came in.

    Returns
    -------
    y : ndarray
        The labels.

    Raises
    ------
    ValueError
        If they are no labels, or have columns of other values than 0 and 1.
    """
    if y.ndim == 1:
        check_classification_targets(y)
        return y
    y = y.toarray() if scipy.sparse.issparse(y) else y
    y = np.array(y.tolist()) if y.dtype == object else y
    is_other = ~np.isin(y, [0, 1]) if y.dtype.kind in "biuf" else np.ones_like(y, bool)
    if is_other.any():
        raise ValueError(
            f"{name} has shape {y.shape} and values such as {y[is_other][0].item()!r}; "
            "give one label for each image, or one column for each label, with the "
            "number 1 if the image has this label and 0 otherwise."
        )
    return y.astype(np.int64)


def encode_labels(y: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct labels, and the position of each label among them.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or ndarray of shape (n_samples, n_labels)
        The labels, or an indicator of them.

    Returns
    -------
    classes : ndarray of shape (n_classes,)
        The distinct labels, sorted; of an indicator the numbers of its columns.
    codes : ndarray of int64, shape (n_samples,) or (n_samples, n_labels)
        The position of each label of `y`, or the indicator.
    """
    if getattr(y, "ndim", 1) == 2:
        return np.arange(y.shape[1]), y
    encoder = LabelEncoder()
    codes = encoder.fit_transform(to_numpy(y))
    return encoder.classes_, codes.astype(np.int64, copy=False)


def find_codes(y: np.ndarray, classes: np.ndarray, name: str = "y") -> np.ndarray:
    """Return the position of each label among those that a classifier knows.

    Parameters
    ----------
    y : ndarray of shape (n_samples,) or (n_samples, n_labels)
        The labels, or an indicator of them.
    classes : ndarray of shape (n_classes,)
        Those that the classifier knows, sorted.
    name : str, default="y"
        The parameter that the labels came in.

    Returns
    -------
    codes : ndarray of int64, shape (n_samples,) or (n_samples, n_labels)
        The positions, or the indicator.

    Raises
    ------
    ValueError
        If `y` has other labels.
    """
    if y.ndim == 2:
        columns = np.arange(y.shape[1])
        if not np.array_equal(columns, classes):
            raise ValueError(
                f"{name} has one column for each of the labels {columns}, but the "
                f"labels of the classifier are {classes}."
            )
        return y
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


def check_same_kind(now_multilabel: bool, was_multilabel: bool, name: str) -> None:
    """Raise an error if there is a column for each label, and was not, or the reverse.

    Parameters
    ----------
    now_multilabel, was_multilabel : bool
        What `is_multilabel` is of the labels, and of those that they are to be like.
    name : str
        The parameter that they came in.

    Raises
    ------
    ValueError
        If they differ.
    """
    kinds = {False: "multiclass", True: "multilabel"}
    if now_multilabel != was_multilabel:
        raise ValueError(
            f"{name} is {kinds[now_multilabel]}, but the classifier was given a "
            f"{kinds[was_multilabel]} y."
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
    codes : ndarray of int64, shape (n_samples,) or (n_samples, n_classes)
        Their labels, as positions in `classes` or an indicator.
    sample_weight : array-like of shape (n_samples,), a number or None
        As for `fit` of :class:`MNISTMLPClassifier`.
    class_weight : dict, "balanced", list of dicts or None
        As for :class:`MNISTMLPClassifier`, or that of :class:`LabelledImages`.
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
    # Floats where they are an indicator, as the loss takes them.
    targets = codes if codes.ndim == 1 else codes.astype(find_type_name(X))
    if sample_weight is None and class_weight is None:
        return LabelledImages(X, targets, None, np.arange(len(codes)))
    weight = np.ones(len(codes))
    if sample_weight is not None:
        weight *= _check_sample_weight(sample_weight, len(codes))
    if codes.ndim == 2:
        resolved = _weights_of_columns(class_weight, codes, weight)
    else:
        factor, resolved = _class_weights(class_weight, classes, codes, weight)
        with np.errstate(over="ignore", invalid="ignore"):
            weight *= factor
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
    weight = (weight / weight.max()).astype(find_type_name(X))
    return LabelledImages(X, targets, weight, np.flatnonzero(weight), resolved)


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
    codes : ndarray of shape (n_samples,) or (n_samples, n_classes)
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
    # Rows of several labels are not stratified.
    counts = np.bincount(codes) if codes.ndim == 1 else np.ones(1, dtype=int)
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
    sample_weight = to_numpy(sample_weight)
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
    # The factor of each row, and that of each label.
    labels = classes.tolist()
    weights = np.ones(len(labels))
    if isinstance(class_weight, str):
        counts = np.bincount(codes, weights=sample_weight, minlength=len(labels))
        is_there = counts > 0
        weights[is_there] = counts.sum() / (is_there.sum() * counts[is_there])
    elif class_weight is not None:
        unknown = [label for label in class_weight if label not in labels]
        # A label that a fold lacks is no mistake, one in place of another is.
        if unknown and any(label not in class_weight for label in labels):
            raise ValueError(
                f"class_weight has the labels {unknown}, which are not in {classes}."
            )
        weights = np.array([class_weight.get(label, 1.0) for label in labels])
    return weights[codes], dict(zip(labels, weights.tolist(), strict=True))


def _weights_of_columns(class_weight, indicator, sample_weight):
    # In the loss of each label: a product over them would be tiny for most images.
    if class_weight is None or isinstance(class_weight, list):
        return class_weight
    if isinstance(class_weight, dict):
        raise ValueError(
            f"class_weight={class_weight!r} needs one label for each image, but y is "
            "multilabel; give 'balanced', or sample_weight."
        )
    return [
        _class_weights(class_weight, np.arange(2), column, sample_weight)[1]
        for column in indicator.T
    ]
