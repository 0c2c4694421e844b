"""Functions that load data sets, like scikit-learn's fetchers."""

from __future__ import annotations

import math
import os
from numbers import Integral, Real
from typing import Any, Literal, overload

import numpy as np
from sklearn.utils import Bunch

from skmnist._cache import find_folder, load_file
from skmnist._idx import decompress, parse_idx
from skmnist._sources import FASHION_MNIST, KMNIST, MNIST

__all__ = ["fetch_fashion_mnist", "fetch_kmnist", "fetch_mnist"]

SUBSETS = {"train": ("train",), "test": ("t10k",), "all": ("train", "t10k")}


@overload
def fetch_mnist(
    *,
    subset: Literal["train", "test", "all"] = "train",
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: Literal[False] = False,
    as_frame: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
) -> Bunch: ...


@overload
def fetch_mnist(
    *,
    subset: Literal["train", "test", "all"] = "train",
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: Literal[True],
    as_frame: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
) -> tuple[Any, Any]: ...


def fetch_mnist(
    *,
    subset: Literal["train", "test", "all"] = "train",
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    as_frame: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
) -> Bunch | tuple[Any, Any]:
    """Load the MNIST handwritten digits, downloading them if they are missing.

    Parameters
    ----------
    subset : {"train", "test", "all"}, default="train"
        The 60,000 training images, the 10,000 test images, or all 70,000, training
        images first.
    data_home : str or path-like, default=None
        The folder of all data sets; the files are stored in its subfolder `mnist`. By
        default scikit-learn's own, see :func:`sklearn.datasets.get_data_home`.
    download_if_missing : bool, default=True
        If False, raise an OSError if a file is missing or corrupt, instead of
        downloading it.
    return_X_y : bool, default=False
        If True, return `(data, target)` instead of a Bunch.
    as_frame : bool, default=False
        If True, `data` is a DataFrame and `target` a Series.
    n_retries : int, default=3
        How many more times to try all mirrors if none of them has a file.
    delay : float, default=1.0
        The seconds to wait before the mirrors are tried again. This time is doubled
        after each retry.

    Returns
    -------
    mnist : :class:`~sklearn.utils.Bunch`
        Dictionary-like object, with the following attributes.

        data : ndarray of uint8, shape (n_samples, 784), or DataFrame
            The images as rows of pixels, from 0 to 255.
        images : ndarray of uint8, shape (n_samples, 28, 28)
            The images as rows and columns; a view of the same memory as the array
            `data`.
        target : ndarray of int64, shape (n_samples,), or Series
            The digit that each image shows.
        target_names : ndarray of str, shape (10,)
            The names of the classes, "0" to "9".
        feature_names : list of str
            The names of the 784 pixels, by row and column.
        frame : DataFrame of shape (n_samples, 785) or None
            `data` and `target` in one; only with `as_frame=True`.
        DESCR : str
            A description of the data set.

    (data, target) : tuple
        Only with `return_X_y=True`.

    Raises
    ------
    ValueError
        If a parameter, or the environment variable `SKMNIST_MIRROR`, is not valid.
    OSError
        If a file is missing or corrupt and `download_if_missing=False`, if no mirror
        has it, or if the folder cannot be created, read or written.

    Notes
    -----
    The four original files are stored compressed under their original names. Each file
    is checked by SHA-256 whenever it is loaded.

    A file is downloaded from the first of several mirrors that has it. A download that
    takes longer than five minutes is stopped, and the next mirror is tried. The
    environment variable `SKMNIST_MIRROR` adds a mirror that is tried first: the http or
    https address of a folder that contains the files. The proxies in `http_proxy`,
    `https_proxy` and `no_proxy` are used, as in :mod:`urllib.request`.

    A terminal shows a progress bar. The logger `skmnist` of `logging` records each
    mirror that is tried (level INFO), and each retry (level WARNING).

    References
    ----------
    Y. LeCun, L. Bottou, Y. Bengio, P. Haffner (1998). "Gradient-based learning applied
    to document recognition." Proceedings of the IEEE, 86(11), 2278-2324.

    Examples
    --------
    >>> from skmnist import fetch_mnist
    >>> mnist = fetch_mnist()  # doctest: +SKIP
    >>> mnist.data.shape, mnist.images.shape  # doctest: +SKIP
    ((60000, 784), (60000, 28, 28))
    >>> X_test, y_test = fetch_mnist(subset="test", return_X_y=True)  # doctest: +SKIP
    >>> X_test.shape, y_test.shape  # doctest: +SKIP
    ((10000, 784), (10000,))
    """
    return _fetch(
        MNIST,
        subset=subset,
        data_home=data_home,
        download_if_missing=download_if_missing,
        return_X_y=return_X_y,
        as_frame=as_frame,
        n_retries=n_retries,
        delay=delay,
    )


@overload
def fetch_fashion_mnist(
    *,
    subset: Literal["train", "test", "all"] = "train",
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: Literal[False] = False,
    as_frame: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
) -> Bunch: ...


@overload
def fetch_fashion_mnist(
    *,
    subset: Literal["train", "test", "all"] = "train",
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: Literal[True],
    as_frame: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
) -> tuple[Any, Any]: ...


def fetch_fashion_mnist(
    *,
    subset: Literal["train", "test", "all"] = "train",
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    as_frame: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
) -> Bunch | tuple[Any, Any]:
    """Load Fashion-MNIST, articles of clothing, downloading it if it is missing.

    Parameters
    ----------
    subset : {"train", "test", "all"}, default="train"
        The 60,000 training images, the 10,000 test images, or all 70,000, training
        images first.
    data_home : str or path-like, default=None
        The folder of all data sets; the files are stored in its subfolder
        `fashion-mnist`. By default scikit-learn's own, see
        :func:`sklearn.datasets.get_data_home`.
    download_if_missing : bool, default=True
        If False, raise an OSError if a file is missing or corrupt, instead of
        downloading it.
    return_X_y : bool, default=False
        If True, return `(data, target)` instead of a Bunch.
    as_frame : bool, default=False
        If True, `data` is a DataFrame and `target` a Series.
    n_retries : int, default=3
        How many more times to try all mirrors if none of them has a file.
    delay : float, default=1.0
        The seconds to wait before the mirrors are tried again. This time is doubled
        after each retry.

    Returns
    -------
    fashion_mnist : :class:`~sklearn.utils.Bunch`
        Dictionary-like object with the attributes that :func:`fetch_mnist` describes.
        `target_names`, by label: "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
        "Sandal", "Shirt", "Sneaker", "Bag" and "Ankle boot".

    (data, target) : tuple
        Only with `return_X_y=True`.

    Raises
    ------
    ValueError
        If a parameter, or the environment variable `SKMNIST_MIRROR`, is not valid.
    OSError
        If a file is missing or corrupt and `download_if_missing=False`, if no mirror
        has it, or if the folder cannot be created, read or written.

    Notes
    -----
    Files are checked and downloaded in the same way as by :func:`fetch_mnist`. In a
    mirror set by `SKMNIST_MIRROR` they are expected in the subfolder `fashion-mnist`.

    References
    ----------
    H. Xiao, K. Rasul, R. Vollgraf (2017). "Fashion-MNIST: a novel image dataset for
    benchmarking machine learning algorithms." arXiv:1708.07747.

    Examples
    --------
    >>> from skmnist import fetch_fashion_mnist
    >>> fashion = fetch_fashion_mnist()  # doctest: +SKIP
    >>> fashion.data.shape  # doctest: +SKIP
    (60000, 784)
    >>> print(fashion.target_names[fashion.target[0]])  # doctest: +SKIP
    Ankle boot
    """
    return _fetch(
        FASHION_MNIST,
        subset=subset,
        data_home=data_home,
        download_if_missing=download_if_missing,
        return_X_y=return_X_y,
        as_frame=as_frame,
        n_retries=n_retries,
        delay=delay,
    )


@overload
def fetch_kmnist(
    *,
    subset: Literal["train", "test", "all"] = "train",
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: Literal[False] = False,
    as_frame: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
) -> Bunch: ...


@overload
def fetch_kmnist(
    *,
    subset: Literal["train", "test", "all"] = "train",
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: Literal[True],
    as_frame: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
) -> tuple[Any, Any]: ...


def fetch_kmnist(
    *,
    subset: Literal["train", "test", "all"] = "train",
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    as_frame: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
) -> Bunch | tuple[Any, Any]:
    """Load KMNIST, cursive Japanese characters, downloading it if it is missing.

    Parameters
    ----------
    subset : {"train", "test", "all"}, default="train"
        The 60,000 training images, the 10,000 test images, or all 70,000, training
        images first.
    data_home : str or path-like, default=None
        The folder of all data sets; the files are stored in its subfolder `kmnist`. By
        default scikit-learn's own, see :func:`sklearn.datasets.get_data_home`.
    download_if_missing : bool, default=True
        If False, raise an OSError if a file is missing or corrupt, instead of
        downloading it.
    return_X_y : bool, default=False
        If True, return `(data, target)` instead of a Bunch.
    as_frame : bool, default=False
        If True, `data` is a DataFrame and `target` a Series.
    n_retries : int, default=3
        How many more times to try all mirrors if none of them has a file.
    delay : float, default=1.0
        The seconds to wait before the mirrors are tried again. This time is doubled
        after each retry.

    Returns
    -------
    kmnist : :class:`~sklearn.utils.Bunch`
        Dictionary-like object with the attributes that :func:`fetch_mnist` describes.
        `target_names`, by label: "o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re"
        and "wo".

    (data, target) : tuple
        Only with `return_X_y=True`.

    Raises
    ------
    ValueError
        If a parameter, or the environment variable `SKMNIST_MIRROR`, is not valid.
    OSError
        If a file is missing or corrupt and `download_if_missing=False`, if no mirror
        has it, or if the folder cannot be created, read or written.

    Notes
    -----
    Files are checked and downloaded in the same way as by :func:`fetch_mnist`. In a
    mirror set by `SKMNIST_MIRROR` they are expected in the subfolder `kmnist`.

    References
    ----------
    T. Clanuwat, M. Bober-Irizar, A. Kitamoto, A. Lamb, K. Yamamoto, D. Ha (2018). "Deep
    learning for classical Japanese literature." arXiv:1812.01718.

    Examples
    --------
    >>> from skmnist import fetch_kmnist
    >>> X, y = fetch_kmnist(return_X_y=True)  # doctest: +SKIP
    >>> X.shape, y.shape  # doctest: +SKIP
    ((60000, 784), (60000,))
    """
    return _fetch(
        KMNIST,
        subset=subset,
        data_home=data_home,
        download_if_missing=download_if_missing,
        return_X_y=return_X_y,
        as_frame=as_frame,
        n_retries=n_retries,
        delay=delay,
    )


def _fetch(
    source,
    *,
    subset,
    data_home,
    download_if_missing,
    return_X_y,
    as_frame,
    n_retries,
    delay,
):
    _check_parameters(subset, n_retries, delay)
    folder = find_folder(source, data_home)

    def load(part, kind):
        name = f"{part}-{kind}.gz"
        content = load_file(
            source, folder / name, download_if_missing, n_retries, delay
        )
        return parse_idx(decompress(content, name), name)

    def load_parts(kind):
        # Joined even where there is one: parsed arrays are read-only, a copy is not.
        return np.concatenate([load(part, kind) for part in SUBSETS[subset]])

    images = load_parts("images-idx3-ubyte")
    target = load_parts("labels-idx1-ubyte").astype(np.int64)
    data = images.reshape(len(images), -1)
    feature_names = [f"pixel_{row}_{column}" for row, column in np.ndindex(28, 28)]
    if as_frame:
        import pandas as pd

        data = pd.DataFrame(data, columns=feature_names)
        target = pd.Series(target, name="target")
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        frame=pd.concat([data, target], axis=1) if as_frame else None,
        images=images,
        feature_names=feature_names,
        target_names=np.array(source.class_names),
        DESCR=source.description,
    )


def _check_parameters(subset: Any, n_retries: Any, delay: Any) -> None:
    if not isinstance(subset, str) or subset not in SUBSETS:
        raise ValueError(f"subset={subset!r} is not one of 'train', 'test' and 'all'.")
    if not _is_number(n_retries, Integral) or n_retries < 0:
        raise ValueError(f"n_retries={n_retries!r} is not an int of 0 or more.")
    if not _is_number(delay, Real) or not 0 <= delay < math.inf:
        raise ValueError(f"delay={delay!r} is not a number of seconds of 0 or more.")


def _is_number(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)
