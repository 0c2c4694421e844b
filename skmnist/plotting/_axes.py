"""What both displays share: colors, types, and axes to draw on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    AxesLike = Axes | Sequence[Axes] | np.ndarray

# From Okabe and Ito's palette, which is safe for every kind of color vision.
BLUE, VERMILION = "#0072B2", "#D55E00"


def make_axes(
    ax: AxesLike | None,
    n_axes: int,
    shape: tuple[int, int],
    figsize: tuple[float, float],
    **subplots_kw: Any,
) -> np.ndarray:
    """Return a grid of axes: on a new figure, in place of one axes, or as given.

    Parameters
    ----------
    ax : Axes or sequence of Axes or None
        Where to draw: on a new figure (None), on one axes to divide, or on each.
    n_axes : int
        The number of axes to draw on.
    shape : tuple of int
        The rows and columns of the grid.
    figsize : tuple of float
        The width and height of a new figure, in inches.
    **subplots_kw
        Keyword arguments of :func:`matplotlib.pyplot.subplots`.

    Returns
    -------
    axes : ndarray of Axes, of the given shape or of shape (n_axes,)
        The grid, or those of the sequence.

    Raises
    ------
    ValueError
        If `ax` has fewer axes than that.
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
        return _divide(whole, shape, subplots_kw)
    axes = np.asarray(ax, dtype=object).ravel()
    if axes.size < n_axes:
        raise ValueError(
            f"ax has {axes.size} axes, but {n_axes} are needed; give that many, or one "
            "to divide."
        )
    return axes[:n_axes]


def _divide(ax: Any, shape: tuple[int, int], subplots_kw: dict[str, Any]) -> np.ndarray:
    """Return a grid of axes in the place of one."""
    if (place := ax.get_subplotspec()) is not None:
        return place.subgridspec(*shape).subplots(squeeze=False, **subplots_kw)
    from matplotlib.gridspec import GridSpec

    box = ax.get_position()  # of axes that are not of a grid, as `add_axes` makes them
    axes = GridSpec(
        *shape, ax.figure, left=box.x0, right=box.x1, bottom=box.y0, top=box.y1
    ).subplots(squeeze=False, **subplots_kw)
    for cell in axes.flat:
        cell.set_in_layout(False)  # a layout would move them elsewhere
    return axes
