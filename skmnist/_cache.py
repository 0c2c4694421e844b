"""The files of a data set: kept in a folder, checked, downloaded from mirrors."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import tempfile
import time
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path

from skmnist._download import read_url
from skmnist._sources import Source

logger = logging.getLogger(__name__)


def find_folder(source: Source, data_home: str | os.PathLike[str] | None) -> Path:
    """Return the folder of a data set in the data home, which is made if missing.

    Parameters
    ----------
    source : Source
        The data set.
    data_home : str or path-like or None
        The folder that holds data sets; by default scikit-learn's.

    Returns
    -------
    folder : Path
        The folder of the data set; it need not exist.

    Raises
    ------
    OSError
        If the data home cannot be made.
    """
    from sklearn.datasets import get_data_home

    try:
        return Path(get_data_home(data_home)) / source.name
    except OSError as error:
        raise _unusable(error.filename, error) from error


def load_file(
    source: Source,
    path: Path,
    download_if_missing: bool,
    n_retries: int,
    delay: float,
) -> bytes:
    """Return the content of a file of a data set, checked by SHA-256.

    Parameters
    ----------
    source : Source
        The data set.
    path : Path
        The file; its name is one of `source.files`.
    download_if_missing : bool
        Whether a file that is missing or corrupt is downloaded.
    n_retries : int
        How many more times to try all mirrors after none had the file.
    delay : float
        The seconds to wait before the mirrors are tried again; each wait is twice as
        long as the one before.

    Returns
    -------
    content : bytes
        The content of the file, as it is compressed.

    Raises
    ------
    ValueError
        If the environment variable `SKMNIST_MIRROR` is not valid.
    OSError
        If the file is missing or corrupt and not downloaded, if no mirror has it, or if
        the folder cannot be created, read or written.
    """
    _, checksum = source.files[path.name]
    content = _read(path)
    problem = _find_problem(content, checksum)
    if problem and download_if_missing:
        _download(source, path, n_retries, delay)
        content = _read(path)
        problem = _find_problem(content, checksum)
    if problem:
        raise OSError(
            f"{path} {problem}; put the original file there, or use "
            "download_if_missing=True to download it."
        )
    return content


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


def _download(source: Source, path: Path, n_retries: int, delay: float) -> None:
    mirrors = _mirrors(source, os.environ)
    _require_writable(path)
    for attempt in range(n_retries + 1):
        if attempt > 0:
            logger.warning(
                "no mirror has %s; trying all of them again in %g s", path.name, delay
            )
            time.sleep(delay)
            delay *= 2
        failures = {}
        for mirror in mirrors:
            logger.info("downloading %s%s", mirror, path.name)
            failure = _download_from(mirror, path, *source.files[path.name])
            if failure is None:
                return
            logger.info("%s failed: %s", mirror, failure)
            failures[mirror] = failure
    reasons = "".join(f"\n  {mirror}: {why}" for mirror, why in failures.items())
    raise OSError(
        f"{path.name} could not be downloaded from any mirror:{reasons}\n"
        "Set SKMNIST_MIRROR to the address of a folder that serves "
        f"{_subfolder(source)}{path.name}, or put the four files into {path.parent}."
    )


def _mirrors(source: Source, environment: Mapping[str, str]) -> tuple[str, ...]:
    own = environment.get("SKMNIST_MIRROR", "").strip()
    if not own:
        return source.mirrors
    if not re.match(r"https?://[^/]", own, re.IGNORECASE):
        raise ValueError(
            f"SKMNIST_MIRROR={own!r} is not an address that begins with http:// or "
            "https://; give that of a folder that serves the files, or unset it."
        )
    own = f"{own.rstrip('/')}/{_subfolder(source)}"
    return (own, *(mirror for mirror in source.mirrors if mirror != own))


def _subfolder(source: Source) -> str:
    """Return where one's own mirror has the files, below its address."""
    # MNIST came first: its files are in the folder itself.
    return "" if source.name == "mnist" else f"{source.name}/"


def _require_writable(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise _unusable(path, error) from error


def _download_from(mirror: str, path: Path, size: int, checksum: str) -> str | None:
    """Return why the mirror failed, or None where the file is now at the path."""
    import pooch

    # Read and written apart, to tell a dead mirror from a full disk: both are OSErrors.
    try:
        content = read_url(mirror + path.name, size)
    # Python 3.11 raises an OverflowError for the number of a port that is too large.
    except (OSError, HTTPException, ValueError, OverflowError) as error:
        return _printable(str(error)) or type(error).__name__
    # pooch checks a temporary file beside the path, then moves it there in one step.
    try:
        pooch.retrieve(
            mirror + path.name,
            known_hash=f"sha256:{checksum}",
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
