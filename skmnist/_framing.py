"""From an image of any size to MNIST's frame: its ink, upright size and center."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

Gray = NDArray[np.float32]

# Luma of red, green and blue: ITU-R BT.601.
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
# An image is shrunk to this many times its box: more pixels would show no more.
LARGEST = 12
# The side at which the page is estimated, as it is smooth; one of a smaller image is
# taken to be even.
PAGE_SIDE = 32
# The terms of a cubic surface: pairs of columns of np.vander, of degree 3 together.
FIRST, SECOND = np.nonzero(np.add.outer(range(4), range(4)) >= 3)
# Standard deviations of the page: what is farther from it is not page.
FAR = 3.0
# Of white: what differs less from the page is not ink.
FAINTEST = 0.02
# In standard deviations of the page: ink differs from it by more.
CONTRAST = 3.5
# Of the largest part of the ink: what is smaller is a speck.
SPECK = 0.05
# Of the frame's pixels: strokes have soft edges this far beyond their mask.
EDGE = 2
# Of the size: to resample for a smaller change costs more than it gains.
SAME_SIZE = 0.08
# Of white: strokes that are as bright are left as they are.
BRIGHT = 0.9


def to_gray(image: NDArray[np.generic]) -> Gray:
    """Return an image as shades of gray, on white where it is transparent.

    Parameters
    ----------
    image : ndarray of shape (rows, columns) or (rows, columns, channels)
        The image; channels are gray, gray and alpha, colors, or colors and alpha.

    Returns
    -------
    gray : ndarray of float32, shape (rows, columns)
        The image, in the same range of intensities.

    Raises
    ------
    ValueError
        If intensities exceed float32.
    """
    with np.errstate(over="ignore"):
        pixels = image.astype(np.float32)
    if not np.isfinite(pixels).all():
        raise ValueError("X has values too large for float32.")
    if pixels.ndim == 2:
        return pixels
    n_colors = 3 if pixels.shape[2] > 2 else 1
    gray = pixels[..., :3] @ LUMA if n_colors == 3 else pixels[..., 0]
    if pixels.shape[2] == n_colors:
        return gray
    white = _find_white(pixels)
    return white + (gray - white) * pixels[..., -1] / white


def frame_image(
    gray: Gray, size: int, box: int, invert: bool | str = "auto"
) -> Gray | None:
    """Return an image in MNIST's frame.

    Parameters
    ----------
    gray : ndarray of float32, shape (rows, columns)
        The image.
    size : int
        The rows and columns of the frame.
    box : int
        The longer side of the ink in the frame.
    invert : bool or "auto", default="auto"
        Whether the ink is darker than the page; "auto" looks.

    Returns
    -------
    framed : ndarray of float32, shape (size, size), or None
        The ink, bright on 0; None if there is no ink.
    """
    gray = _shrink(gray - min(gray.min(), np.float32(0)), LARGEST * box)
    if gray.min() == gray.max():
        return None
    white = _find_white(gray)
    ink = _find_ink(gray / white, invert)
    strokes = _find_strokes(ink) if ink.max() > FAINTEST else None
    if strokes is None:
        return None
    peak = np.percentile(ink[strokes], 90)
    if peak < BRIGHT:
        ink = ink / peak
    extents = [_find_extent(strokes.any(axis)) for axis in (0, 1)]
    longest = max(last - first for first, last in extents)
    reach = max(1, round(EDGE * longest / box))
    ink = np.where(ndimage.binary_dilation(strokes, iterations=reach), ink, 0)
    return white * _place(ink.clip(0, 1), extents, longest, size, box)


def _place(ink, extents, longest, size, box):
    """Return ink in its box, with its center of mass in the center of the frame."""
    is_in_size = abs(box / longest - 1) <= SAME_SIZE and longest <= size
    scale = 1.0 if is_in_size else longest / box
    corner = [
        _find_corner(ink.sum(axis), extent, scale * size, size)
        for axis, extent in enumerate(extents)
    ]
    if is_in_size:
        corner = [round(place) for place in corner]
    return _cut(ink, corner, scale * size, size).clip(0, 1)


def _find_white(pixels):
    """Return the largest intensity that a pixel of such an image can have."""
    brightest = pixels.max()
    for white in (1, 255, 65535):
        if white / 4 < brightest <= white:
            return np.float32(white)
    return brightest or np.float32(1)


def _shrink(gray, side):
    factor = -(-max(gray.shape) // side)
    if factor == 1:
        return gray
    return np.asarray(Image.fromarray(gray).reduce(factor))


def _find_ink(gray, invert):
    """Return how much each pixel differs from the page, positive for ink."""
    page = _find_page(gray)
    ink = gray - page
    if invert == "auto":
        # Ink is the long tail of the differences.
        invert = np.sum(ink * ink * ink) < 0
    if not invert:
        return ink
    # A shadow darkens ink and page by the same factor.
    return -ink / page.clip(0.05)


def _find_page(gray):
    """Return the level of the page at each pixel: a surface without what is far off."""
    small = _shrink(gray, PAGE_SIDE)
    border = small[_find_border(small.shape, 1)]
    level = np.median(border)
    is_even = np.median(np.abs(border - level)) == 0
    if is_even or max(gray.shape) <= PAGE_SIDE:
        return np.full_like(gray, level)
    # The border is page, mostly; the surface grows inwards from there.
    rows, columns = _powers(small.shape)
    terms = (rows[:, None, FIRST] * columns[None, :, SECOND]).reshape(small.size, -1)
    is_page = _find_border(small.shape, 3).ravel()
    for _ in range(5):
        page = terms[is_page]
        # lstsq on all rows waits for threads, for ten times as long on busy cores.
        inverse = np.linalg.pinv(page.T @ page, rcond=1e-10, hermitian=True)
        weights = inverse @ (page.T @ small.ravel()[is_page])
        distance = np.abs(small.ravel() - terms @ weights)
        is_page = distance <= FAR * 1.4826 * np.median(distance[is_page])
    rows, columns = _powers(gray.shape)
    return (rows[:, FIRST] * weights) @ columns[:, SECOND].T


def _find_border(shape, width):
    is_border = np.ones(shape, bool)
    is_border[width:-width, width:-width] = False
    return is_border


def _powers(shape):
    """Return the powers, up to cubes, of the places of rows and of columns."""
    return [np.vander(np.linspace(-1, 1, n, dtype=np.float32), 4) for n in shape]


def _find_strokes(ink):
    """Return which pixels are ink, without specks; None if none are."""
    strokes = ink > _otsu_threshold(ink)
    # Noise falls into halves that are 2.3 deviations apart, or 3.2 if it is uniform.
    level, page = np.median(ink[strokes]), ink[~strokes]
    deviation = 1.4826 * np.median(np.abs(page - np.median(page)))
    if level - np.median(page) <= CONTRAST * deviation:
        return None
    parts, _ = ndimage.label(strokes, np.ones((3, 3)))
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return (sizes >= SPECK * sizes.max())[parts]


def _otsu_threshold(ink):
    counts, edges = np.histogram(ink, bins=128)
    below = np.cumsum(counts)[:-1]
    sums = np.cumsum(counts * (edges[1:] + edges[:-1]) / 2)
    share = below / ink.size
    between = (share * sums[-1] - sums[:-1]) ** 2 / (share * (1 - share))
    return edges[1 + np.argmax(between)]


def _find_extent(has_ink):
    places = np.flatnonzero(has_ink)
    return int(places[0]), int(places[-1]) + 1


def _find_corner(mass, extent, side, size):
    """Return where the frame begins, so that the center of mass is in its center.

    As in MNIST, that is the middle of the pixel at half the size. No ink is cut off.
    """
    center = mass @ np.arange(0.5, len(mass)) / mass.sum()
    begin = center - side * (0.5 + 0.5 / size)
    return min(max(begin, extent[1] - side), extent[0])


def _cut(ink, corner, side, size):
    """Return a square of an image, black beyond its borders, as `size` pixels."""
    first = [int(np.floor(place)) for place in corner]
    last = [int(np.ceil(place + side)) for place in corner]
    begin = [place - at for place, at in zip(corner, first, strict=True)]
    square = (*begin, *(place + side for place in begin))
    part = Image.fromarray(ink).crop((first[0], first[1], last[0], last[1]))
    return np.asarray(part.resize((size, size), Image.Resampling.LANCZOS, square))
