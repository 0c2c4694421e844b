"""How a grid of images looks: its size, its colors, its outlines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from skmnist.plotting._axes import BLUE, VERMILION

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
        Whether there is a color bar beside the images.

    Returns
    -------
    size : tuple of float
        Width and height, in inches.
    """
    n_rows, n_columns = shape
    lengths = [] if titles is None else [len(each) for each in titles]
    width = max(1.3, 0.08 * max(lengths, default=0))  # inches; a letter is about 0.08
    height = 1.3 + (0.3 if lengths else 0)
    least_width = max(4.8, 0.11 * len(title or ""))
    total_width = n_columns * width + (0.8 if has_color_bar else 0)
    return max(least_width, total_width), max(2.4, n_rows * height)


def choose_style(
    images: np.ndarray, is_signed: bool, im_kw: dict[str, Any]
) -> dict[str, Any]:
    """Return the keyword arguments of `imshow` with which images can be compared.

    Parameters
    ----------
    images : ndarray of shape (n_images, rows, columns)
        All images of the grid: they have one scale of colors.
    is_signed : bool
        Whether zero is in the middle of that scale. Else ink is black.
    im_kw : dict
        Keyword arguments that come first.

    Returns
    -------
    style : dict
        The color map and its limits, and all of `im_kw`.
    """
    if len(images) == 0:
        return im_kw
    if is_signed:
        # Not the largest: a few extreme pixels would make all others pale.
        limit = np.nanquantile(np.abs(images), 0.995)
        style = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}
    else:
        style = {"cmap": "gray_r", "vmin": np.nanmin(images), "vmax": np.nanmax(images)}
    if hasattr(im_kw.get("norm"), "autoscale_None"):
        # matplotlib takes limits or such an object, which would adapt to one image.
        im_kw["norm"].autoscale_None(images)
        del style["vmin"], style["vmax"]
    return style | im_kw


def draw_title(
    ax: Axes, text: str, is_correct: bool | None, title_kw: dict[str, Any]
) -> None:
    """Write the title of an image.

    Parameters
    ----------
    ax : Axes
        Where the image is.
    text : str
        The title.
    is_correct : bool or None
        Whether the prediction is correct, which the color shows.
    title_kw : dict
        Keyword arguments of `set_title` that come first.
    """
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.text import Text

    style: dict[str, Any] = {"fontsize": 9}
    if is_correct is not None:
        style["color"] = BLUE if is_correct else VERMILION
    title_kw = dict(title_kw)
    # "size" must take the place of "fontsize", and what is in a `fontdict` too.
    for given in (title_kw.pop("fontdict", None), title_kw):
        style |= normalize_kwargs(given or {}, Text)
    ax.set_title(text, **style)


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
    """Draw one color bar for all images of a grid.

    Parameters
    ----------
    axes : ndarray of Axes
        The axes of all images, which make room for the bar.
    image : AxesImage
        One of the images, which all have the same scale of colors.
    label : str
        What the values are.
    """
    axes.flat[0].figure.colorbar(
        image, ax=axes.ravel().tolist(), label=label, extend="both", aspect=30
    )
