"""MNIST in the form of scikit-learn's fetchers: checked, cached, from mirrors."""

from __future__ import annotations

import hashlib
import math
import os
import re
import struct
import tempfile
import time
import zlib
from collections.abc import Mapping
from http.client import HTTPException
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
from sklearn.utils import Bunch

from skmnist._download import read_url

__all__ = ["fetch_mnist"]

MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://raw.githubusercontent.com/fgnt/mnist/master/",
)

CHECKSUMS = {
    "train-images-idx3-ubyte.gz": (
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"
    ),
    "train-labels-idx1-ubyte.gz": (
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"
    ),
    "t10k-images-idx3-ubyte.gz": (
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"
    ),
    "t10k-labels-idx1-ubyte.gz": (
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"
    ),
}

SUBSETS = {"train": ("train",), "test": ("t10k",), "all": ("train", "t10k")}

# Bytes per file once decompressed: the largest has 47,040,016.
CONTENT_SIZE_LIMIT = 50_000_000

DESCR = """\
MNIST handwritten digits
------------------------

Images of handwritten digits, centered, in shades of gray.

:Training images: 60,000
:Test images: 10,000
:Size of an image: 28 rows x 28 columns, 784 pixels
:Classes: 10, the digits 0 to 9
:Maximum intensity: 255 (ink); 0 is the background
:Creators: Yann LeCun, Corinna Cortes, Christopher J.C. Burges
:Source: http://yann.lecun.com/exdb/mnist/, through mirrors
:License: CC BY-SA 3.0

Reference: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner (1998). Gradient-based learning
applied to document recognition. Proceedings of the IEEE, 86(11), 2278-2324.
"""


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
        The folder that holds data sets; the files go into its subfolder `mnist`. By
        default scikit-learn's own, see :func:`sklearn.datasets.get_data_home`.
    download_if_missing : bool, default=True
        If False, raise an OSError if a file is missing or corrupt, instead of
        downloading it.
    return_X_y : bool, default=False
        If True, return `(data, target)` instead of a Bunch.
    as_frame : bool, default=False
        If True, `data` is a DataFrame and `target` a Series.
    n_retries : int, default=3
        How many more times to try all mirrors after none had a file.
    delay : float, default=1.0
        The seconds to wait before the mirrors are tried again; each wait is twice as
        long as the one before.

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
            The digit of each image.
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
    The four original files are kept compressed under their original names, and each
    one that is needed is checked by SHA-256 whenever it is loaded.

    A file is downloaded from the first of several mirrors that has it; a mirror that
    takes longer than five minutes is given up. The environment variable
    `SKMNIST_MIRROR` adds one that is tried before the others: the http or https address
    of a folder that serves the files. A proxy is taken from `http_proxy`, `https_proxy`
    and `no_proxy`, as :mod:`urllib.request` does.

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
    _check_parameters(subset, n_retries, delay)
    folder = _cache_folder(data_home)

    def load(kind):
        paths = [folder / f"{part}-{kind}.gz" for part in SUBSETS[subset]]
        arrays = [_load(path, download_if_missing, n_retries, delay) for path in paths]
        # Joined even where there is one: parsed arrays are read-only, a copy is not.
        return np.concatenate(arrays)

    images = load("images-idx3-ubyte")
    target = load("labels-idx1-ubyte").astype(np.int64)
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
        target_names=np.array([str(digit) for digit in range(10)]),
        DESCR=DESCR,
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


def _cache_folder(data_home: str | os.PathLike[str] | None) -> Path:
    from sklearn.datasets import get_data_home

    try:
        return Path(get_data_home(data_home)) / "mnist"
    except OSError as error:
        raise _unusable(error.filename, error) from error


def _load(
    path: Path, download_if_missing: bool, n_retries: int, delay: float
) -> np.ndarray:
    content = _read(path)
    problem = _find_problem(content, CHECKSUMS[path.name])
    if problem and download_if_missing:
        _download(path, n_retries, delay)
        content = _read(path)
        problem = _find_problem(content, CHECKSUMS[path.name])
    if problem:
        raise OSError(
            f"{path} {problem}; put the original file there, or use "
            "download_if_missing=True to download it."
        )
    return parse_idx(_decompress(content, path.name), path.name)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise _unusable(path, error) from error


def _find_problem(content: bytes, checksum: str) -> str | None:
    if not content:
        return "is missing or empty"
    if hashlib.sha256(content).hexdigest() != checksum:
        return "is corrupt (its SHA-256 differs)"
    return None


def _unusable(path: Path | str, error: OSError) -> OSError:
    return OSError(
        f"{path} cannot be made, read or written ({error}); give a data_home where "
        "that is allowed, or set SCIKIT_LEARN_DATA to one."
    )


def _decompress(content: bytes, name: str) -> bytes:
    decompressor = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)  # 16 means gzip
    try:
        decompressed = decompressor.decompress(content, CONTENT_SIZE_LIMIT)
    except zlib.error as error:
        raise ValueError(f"{name} is not a gzip file ({error}).") from error
    if not decompressor.eof:
        raise ValueError(
            f"{name} is truncated, or has more than {CONTENT_SIZE_LIMIT} bytes once "
            "decompressed."
        )
    return decompressed


def parse_idx(content: bytes, name: str) -> np.ndarray:
    """Return the values of an IDX file of images or labels, as a read-only view.

    Parameters
    ----------
    content : bytes
        The content of the file, decompressed.
    name : str
        The name of the file, for the messages of errors.

    Returns
    -------
    values : ndarray of uint8, shape (n_samples,) or (n_samples, rows, columns)
        The labels or the images.

    Raises
    ------
    ValueError
        If the content is not that of such a file.
    """
    n_dimensions = {b"\0\0\x08\x01": 1, b"\0\0\x08\x03": 3}.get(content[:4])
    if n_dimensions is None:
        raise ValueError(
            f"{name} is not an IDX file of images or labels: it begins with "
            f"{content[:4]!r}, not with the number 2051 or 2049 in four bytes."
        )
    n_header_bytes = 4 + 4 * n_dimensions
    if len(content) < n_header_bytes:
        raise ValueError(
            f"{name} ends after {len(content)} bytes, within its header of "
            f"{n_header_bytes}."
        )
    shape = struct.unpack_from(f">{n_dimensions}I", content, offset=4)
    n_values = len(content) - n_header_bytes
    if 0 in shape or math.prod(shape) != n_values:
        raise ValueError(
            f"{name} has {n_values} values, but its header says {shape}; the file is "
            "empty, truncated or too long."
        )
    return np.frombuffer(content, np.uint8, offset=n_header_bytes).reshape(shape)


def _download(path: Path, n_retries: int, delay: float) -> None:
    mirrors = _mirrors(os.environ)
    _require_writable(path)
    for attempt in range(n_retries + 1):
        if attempt > 0:
            time.sleep(delay)
            delay *= 2
        failures = {}
        for mirror in mirrors:
            failure = _download_from(mirror, path)
            if failure is None:
                return
            failures[mirror] = failure
    reasons = "".join(f"\n  {mirror}: {why}" for mirror, why in failures.items())
    raise OSError(
        f"{path.name} could not be downloaded from any mirror:{reasons}\n"
        "Set SKMNIST_MIRROR to the address of a folder that serves it, or put the four "
        f"files into {path.parent}."
    )


def _mirrors(environment: Mapping[str, str]) -> tuple[str, ...]:
    own = environment.get("SKMNIST_MIRROR", "").strip()
    if not own:
        return MIRRORS
    if not re.match(r"https?://[^/]", own, re.IGNORECASE):
        raise ValueError(
            f"SKMNIST_MIRROR={own!r} is not an address that begins with http:// or "
            "https://; give that of a folder that serves the files, or unset it."
        )
    own = own.rstrip("/") + "/"
    return (own, *(mirror for mirror in MIRRORS if mirror != own))


def _require_writable(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise _unusable(path, error) from error


def _download_from(mirror: str, path: Path) -> str | None:
    """Return why the mirror failed, or None where the file is now at the path."""
    import pooch

    # Read and written apart, to tell a dead mirror from a full disk: both are OSErrors.
    try:
        content = read_url(mirror + path.name)
    # Python 3.11 raises an OverflowError for the number of a port that is too large.
    except (OSError, HTTPException, ValueError, OverflowError) as error:
        return _printable(str(error)) or type(error).__name__
    # pooch checks a temporary file beside the path, then moves it there in one step.
    try:
        pooch.retrieve(
            mirror + path.name,
            known_hash=f"sha256:{CHECKSUMS[path.name]}",
            fname=path.name,
            path=path.parent,
            downloader=lambda url, file, pooch: Path(file).write_bytes(content),
        )
    except ValueError:
        return "the file that it sent is corrupt (its SHA-256 differs)"
    except OSError as error:
        raise _unusable(path, error) from error
    return None


def _printable(text: str) -> str:
    """Return what a server said in one short line, without control characters."""
    line = " ".join(text.split())[:300]
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
