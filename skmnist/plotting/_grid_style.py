"""How a grid of images looks: its size, its colours, its outlines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage


def choose_size(
    shape: tuple[int, int],
    titles: Sequence[str] | None,
    title: str | None,
    has_color_bar: bool,
) -> tuple[float, float]:
    """Return the size of a figure on which all titles have room.

    Parameters
    ----------
    shape : tuple of int
        The rows and columns of the grid.
    titles : sequence of str or None
        The title of each image.
    title : str or None
        The title of the figure.
    has_color_bar : bool
        Whether there is a colour bar beside the images.

    Returns
    -------
    size : tuple of float
        Width and height, in inches.
    """
    n_rows, n_columns = shape
    longest_title = max(map(len, titles or [""]), default=0)
    width = max(1.3, 0.08 * longest_title)  # inches; a letter is about 0.08
    height = 1.3 + (0.3 if titles else 0)
    least_width = max(4.8, 0.11 * len(title or ""))
    total_width = n_columns * width + (0.8 if has_color_bar else 0)
    return max(least_width, total_width), max(2.4, n_rows * height)


def choose_style(images: np.ndarray, is_signed: bool) -> dict[str, Any]:
    """Return the keyword arguments of `imshow` with which images can be compared.

    Parameters
    ----------
    images : ndarray of shape (n_images, rows, columns)
        All images of the grid: they have one scale of colours.
    is_signed : bool
        Whether zero is in the middle of that scale. Else ink is black.

    Returns
    -------
    style : dict
        The colour map and its limits.
    """
    if len(images) == 0:
        return {}
    if not is_signed:
        return {"cmap": "gray_r", "vmin": np.min(images), "vmax": np.max(images)}
    # Not the largest: a few extreme pixels would make all others pale.
    limit = np.quantile(np.abs(images), 0.995)
    return {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}


def draw_outline(ax: Axes, image: np.ndarray) -> None:
    """Draw the outline of the ink of an image.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    image : ndarray of shape (rows, columns)
        The image; one of a single shade has no outline.
    """
    low, high = np.min(image), np.max(image)
    if low < high:
        level = (low + high) / 2
        ax.contour(image, levels=[level], colors="black", linewidths=0.8)


def draw_color_bar(axes: np.ndarray, image: AxesImage, label: str) -> None:
    """Draw one colour bar for all images of a grid.

    Parameters
    ----------
    axes : ndarray of Axes
        The axes of all images, which make room for the bar.
    image : AxesImage
        One of the images, which all have the same scale of colours.
    label : str
        What the values are.
    """
    axes.flat[0].figure.colorbar(
        image, ax=axes.ravel().tolist(), label=label, extend="both", aspect=30
    )
