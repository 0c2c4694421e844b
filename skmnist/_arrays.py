"""From the array library of the caller, and back to it."""

from __future__ import annotations

import contextlib
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse

from skmnist import _sklearn


class Space(NamedTuple):
    """The library and the device of an array that is not NumPy's.

    Parameters
    ----------
    xp : module
        The library's namespace, as the array API standard describes it.
    device : object
        The device.
    """

    xp: Any
    device: Any

    @property
    def name(self) -> str:
        """The library's name, such as "torch"."""
        return self.xp.__name__.rpartition(".")[2]

    def find_types(self, names: str | list[str]) -> Any:
        """Return types by their names; "numeric" stays as it is, for scikit-learn."""
        if isinstance(names, list):
            return [self.find_types(name) for name in names]
        return names if names == "numeric" else getattr(self.xp, names)

    def refuse_complex(self, array: Any) -> None:
        """Raise an error if the numbers of an array are complex."""
        # scikit-learn does for NumPy's arrays only.
        if self.xp.isdtype(array.dtype, "complex floating"):
            raise ValueError(
                f"Complex data not supported: X is of type {find_type_name(array)}."
            )

    def move(self, array: Any) -> Any:
        """Return an array as one of this library, on this device."""
        return _sklearn.move_to(array, xp=self.xp, device=self.device)


def find_space(X: Any) -> Space | None:
    """Return the library and the device of an array.

    Parameters
    ----------
    X : object
        The array.

    Returns
    -------
    space : Space or None
        None for NumPy's arrays and what is none, and without array API dispatch.
    """
    # First what takes no time: a prediction for one image takes 0.1 ms.
    if type(X) is np.ndarray or not hasattr(X, "__dlpack__"):
        return None
    found = _sklearn.find_namespace(X)
    return None if found is None else Space(*found)


def to_numpy(array: Any) -> Any:
    """Return an array of another library as NumPy's, and anything else as it is."""
    if find_space(array) is None:
        return array
    return _sklearn.move_to(array, xp=np, device="cpu")


def reshape(X: Any, shape: tuple[int, ...]) -> Any:
    """Return an array in another shape."""
    if hasattr(X, "reshape"):
        return X.reshape(shape)
    return X.__array_namespace__().reshape(X, shape)


def take_rows(X: Any, rows: np.ndarray) -> Any:
    """Return some rows of an array, in its library and on its device."""
    space = find_space(X)
    return X[rows] if space is None else space.xp.take(X, space.move(rows), axis=0)


def find_type_name(X: Any) -> str:
    """Return the name of an array's type, such as "float32"."""
    # NumPy's have a name; else there is only "torch.float32", for example.
    return getattr(X.dtype, "name", None) or str(X.dtype).rpartition(".")[2]


def find_range(X: Any) -> tuple[float, float]:
    """Return the smallest and the largest intensity of the first 1,000 images."""
    space = find_space(X)
    X = X[: min(X.shape[0], 1000), :]  # the array API standard has no longer slices
    if space is None:
        return X.min(), X.max()
    X = space.xp.astype(X, space.xp.float32)  # of booleans there is no smallest
    return float(space.xp.min(X)), float(space.xp.max(X))


def to_float32(operation: str, X: Any, factor: float) -> Any:
    """Return images times or divided by a number, as float32.

    Parameters
    ----------
    operation : {"multiply", "divide"}
        What to do.
    X : array or sparse matrix of shape (n_samples, n_pixels)
        The images.
    factor : float
        The number.

    Returns
    -------
    X : array or sparse matrix of float32
        The result, in the library and on the device of `X`.

    Raises
    ------
    ValueError
        If it exceeds float32.
    """
    if scipy.sparse.issparse(X):
        values = to_float32(operation, X.data, factor)
        return type(X)((values, X.indices, X.indptr), shape=X.shape)
    space = find_space(X)
    if space is not None:
        xp, float32 = space.xp, space.xp.float32
        # An array: torch multiplies by the inverse of a number, which is not as exact.
        number = xp.asarray(factor, dtype=float32, device=space.device)
        result = getattr(xp, operation)(xp.astype(X, float32), number)
        if xp.all(xp.isfinite(result)):
            return result
    else:
        # NumPy casts in small buffers on the way, so no second copy of X is made.
        with np.errstate(over="raise"), contextlib.suppress(FloatingPointError):
            return getattr(np, operation)(
                X, np.float32(factor), dtype=np.float32, casting="same_kind"
            )
    raise ValueError(
        "X has values too large for float32; images lie in [0, max_intensity]."
    )


def take_labels(classes: np.ndarray, codes: Any) -> Any:
    """Return labels by their positions.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        The labels.
    codes : array of int, shape (n_samples,)
        The position of each.

    Returns
    -------
    labels : array of shape (n_samples,)
        In the library and on the device of `codes`; of NumPy if they are no numbers.
    """
    space = find_space(codes)
    if space is None:
        return classes[codes]
    if classes.dtype.kind not in "biuf":
        return classes[to_numpy(codes)]
    return space.move(classes)[codes]
