"""Images moved and bent at random, a batch at once."""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional as F

from skmnist._engine.products import TILE, pad_to_tiles

# The standard deviation of a random byte.
SPREAD_OF_BYTES = math.sqrt((256**2 - 1) / 12)


class Spline(NamedTuple):
    """Control points along an axis of an image, and the curve through its pixels.

    Parameters
    ----------
    positions : ndarray of shape (n_points,)
        Where the control points are, in pixels from the middle of the image.
    weights : tensor of float32, of whole tiles
        The weight of each control point, a column, at each pixel, a row.
    spread : float
        The standard deviation at a pixel where that of the control points is 1.
    """

    positions: np.ndarray
    weights: torch.Tensor
    spread: float


def distort(
    images: torch.Tensor,
    rng: np.random.Generator,
    *,
    rotation: float,
    scale: float,
    shear: float,
    shift: float,
    elastic: float,
    smoothness: float,
) -> torch.Tensor:
    """Return images, each moved and bent in its own way.

    The control points of a cubic B-spline are moved, which tells for each pixel of a
    distorted image where it comes from. As two products of whole tiles this does not
    depend on the number of threads.

    Parameters
    ----------
    images : tensor of shape (n_images, 1, rows, columns)
        The images.
    rng : numpy.random.Generator
        The source of the random numbers.
    rotation, scale, shear, shift, elastic, smoothness : float
        The parameters of :class:`RandomDistortion`.

    Returns
    -------
    distorted : tensor of shape (n_images, 1, rows, columns)
        The distorted images; what comes from outside of an image is 0.
    """
    n_images, _, *sizes = images.shape
    rows, columns = (make_spline(size, smoothness) for size in sizes)
    # grid_sample counts from -1 to 1 between the outer edges; columns come first.
    unit = np.reshape([2 / size for size in reversed(sizes)], (2, 1, 1))
    # A cubic B-spline through what is linear is linear: it moves an image exactly.
    points = _draw_bends(rng, n_images, rows, columns, unit * elastic)
    for part in _draw_moves(
        rng, n_images, rows, columns, rotation, scale, shear, shift
    ):
        points += (part * unit).astype(np.float32)
    grid = _interpolate(torch.from_numpy(points).to(images.device), rows, columns)
    grid = grid[:, :, : sizes[0], : sizes[1]].contiguous().to(images.dtype)
    return F.grid_sample(images, grid.permute(0, 2, 3, 1), align_corners=False)


@functools.lru_cache
def make_spline(size: int, smoothness: float) -> Spline:
    """Return the spline along an axis.

    Parameters
    ----------
    size : int
        The number of pixels.
    smoothness : float
        The distance between control points, in pixels.

    Returns
    -------
    spline : Spline
        The spline, with one control point beyond either end.
    """
    n_points = math.ceil((size - 1) / smoothness) + 3
    pixels = np.arange(size) - (size - 1) / 2
    positions = (np.arange(n_points) - (n_points - 1) / 2) * smoothness
    distances = abs(pixels[:, None] - positions) / smoothness
    inner, outer = (np.maximum(reach - distances, 0) ** 3 for reach in (1, 2))
    weights = (outer - 4 * inner) / 6
    spread = math.sqrt((weights**2).sum(axis=1).mean())
    return Spline(positions, pad_to_tiles(torch.from_numpy(weights).float()), spread)


def _draw_bends(rng, n_images, rows, columns, elastic):
    shape = (n_images, 2, len(rows.positions), len(columns.positions))
    # In half the time of floats, a ninth of that of normal ones. A pixel adds up those
    # of many points, so that it is moved by what is nearly normal.
    steps = rng.integers(-128, 128, size=shape, dtype=np.int8) + np.float32(0.5)
    spread = SPREAD_OF_BYTES * rows.spread * columns.spread
    return steps * (elastic / spread).astype(np.float32)


def _draw_moves(rng, n_images, rows, columns, rotation, scale, shear, shift):
    # Where the control points come from: what their x gives, and what their y gives.
    draws = rng.uniform(-1, 1, size=(6, n_images, 1, 1, 1))
    angle = math.radians(rotation) * draws[0]
    slope = np.tan(math.radians(shear) * draws[1])
    stretch = np.concatenate(list(1 + scale * draws[2:4]), axis=1)
    shift_x, shift_y = shift * draws[4:]
    cos, sin = np.cos(angle), np.sin(angle)
    # An image is stretched, sheared, rotated, then shifted; this is the way back.
    of_x = np.concatenate([cos + slope * sin, -sin], axis=1) / stretch
    of_y = np.concatenate([sin - slope * cos, cos], axis=1) / stretch
    return (
        of_x * (columns.positions - shift_x),
        of_y * (rows.positions[:, None] - shift_y),
    )


def _interpolate(points, rows, columns):
    missing = [-size % TILE for size in points.shape[2:]]
    points = F.pad(points, (0, missing[1], 0, missing[0]))
    by_column = points @ columns.weights.T.to(points.device)
    return rows.weights.to(points.device) @ by_column
