"""What both displays share: colours, types, and axes to draw on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    AxesLike = Axes | Sequence[Axes] | np.ndarray

# From Okabe and Ito's palette, which is safe for every kind of colour vision.
BLUE, VERMILION = "#0072B2", "#D55E00"


def make_axes(
    ax: AxesLike | None,
    shape: tuple[int, int],
    figsize: tuple[float, float],
    **subplots_kw: Any,
) -> np.ndarray:
    """Return a grid of axes: on a new figure, in place of one axes, or as given.

    Parameters
    ----------
    ax : Axes or sequence of Axes or None
        Where to draw: on a new figure (None), on one axes to divide, or on each.
    shape : tuple of int
        The rows and columns of the grid.
    figsize : tuple of float
        The width and height of a new figure, in inches.
    **subplots_kw
        Keyword arguments of :func:`matplotlib.pyplot.subplots`.

    Returns
    -------
    axes : ndarray of Axes, of the given shape
        The grid.

    Raises
    ------
    ValueError
        If `ax` has fewer axes than the grid.
    """
    if ax is None:
        import matplotlib.pyplot as plt

        _, axes = plt.subplots(
            *shape, figsize=figsize, squeeze=False, layout="constrained", **subplots_kw
        )
        return axes
    if hasattr(ax, "get_subplotspec"):
        whole: Any = ax
        whole.set_axis_off()
        return _divide(whole, shape).subplots(squeeze=False, **subplots_kw)
    axes = np.asarray(ax, dtype=object)
    if axes.size < math.prod(shape):
        raise ValueError(
            f"ax has {axes.size} axes, but {math.prod(shape)} are to be drawn; give as "
            "many, or one to divide."
        )
    return axes.ravel()[: math.prod(shape)].reshape(shape)


def _divide(ax: Any, shape: tuple[int, int]) -> Any:
    """Return a grid in the place of one axes."""
    if (cell := ax.get_subplotspec()) is not None:
        return cell.subgridspec(*shape)
    from matplotlib.gridspec import GridSpec

    box = ax.get_position()  # of axes that are not of a grid, as `add_axes` makes them
    return GridSpec(
        *shape, ax.figure, left=box.x0, right=box.x1, bottom=box.y0, top=box.y1
    )
