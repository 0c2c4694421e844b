"""Files of images or labels in the IDX format, compressed by gzip."""

from __future__ import annotations

import math
import struct
import zlib

import numpy as np

# Bytes per file once decompressed: the largest has 47,040,016.
CONTENT_SIZE_LIMIT = 50_000_000


def decompress(content: bytes, name: str) -> bytes:
    """Return the content of a gzip file, of `CONTENT_SIZE_LIMIT` bytes at most.

    Parameters
    ----------
    content : bytes
        The content of the file, compressed.
    name : str
        The name of the file, for the messages of errors.

    Returns
    -------
    decompressed : bytes
        The content of the file, decompressed.

    Raises
    ------
    ValueError
        If the content is not that of such a file.
    """
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
