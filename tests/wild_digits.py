"""Digits as they come from a camera: any size and place, dark on a shaded page."""

import numpy as np
from PIL import Image
from scipy import ndimage

SIZES = (140, 300)


def draw_wild_digits(images, random_state=0):
    """Draw MNIST's images anew, each on a page of its own.

    Parameters
    ----------
    images : ndarray of uint8, shape (n_samples, 28, 28)
        The digits, bright on dark.
    random_state : int, default=0
        The seed.

    Returns
    -------
    pages : list of n_samples ndarrays of uint8, shape (rows, columns)
        Pages of 140 to 300 pixels: a digit of a third to three quarters of the page,
        turned by up to 10 degrees, thicker or thinner by up to a pixel of MNIST's; dark
        on bright, with a soft shadow and noise.
    """
    rng = np.random.default_rng(random_state)
    return [_draw(image, rng) for image in images]


def _draw(image, rng):
    shape = rng.integers(*SIZES, 2, endpoint=True)
    paper, ink = rng.uniform(190, 250), rng.uniform(20, 90)
    reflected = paper + (ink - paper) * _place(_rewrite(image, rng), shape, rng)
    page = reflected * _cast_shadow(shape, rng)
    page += rng.uniform(3, 8) * rng.standard_normal(shape, dtype=np.float32)
    return page.clip(0, 255).astype(np.uint8)


def _rewrite(image, rng):
    """Return a digit four times as large with a pen of another width, in [0, 1]."""
    large = Image.fromarray(image).resize((112, 112), Image.Resampling.BICUBIC)
    change = rng.integers(-1, 3)  # quarters of a pixel, on both sides of a stroke
    change_width = ndimage.grey_erosion if change < 0 else ndimage.grey_dilation
    ink = change_width(np.asarray(large), 2 * abs(change) + 1)
    return ((ink / np.float32(255) - 0.5) * 3 + 0.5).clip(0, 1)


def _place(ink, shape, rng):
    """Return a digit turned and moved, on an empty page."""
    height = rng.uniform(0.35, 0.75) * min(shape)
    angle = np.deg2rad(rng.uniform(-10, 10))
    scale = 80 / height  # of its 112 pixels, a digit is 80 high
    turn = scale * np.array(
        [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]
    )
    center = shape[::-1] / 2 + rng.uniform(-1, 1, 2) * (shape[::-1] / 2 - 0.6 * height)
    offset = 56 - turn @ center
    coefficients = (*turn[0], offset[0], *turn[1], offset[1])
    placed = Image.fromarray(ink).transform(
        tuple(map(int, shape[::-1])),
        Image.Transform.AFFINE,
        coefficients,
        Image.Resampling.BILINEAR,
    )
    return np.asarray(placed)


def _cast_shadow(shape, rng):
    """Return how much light falls on each pixel: less beyond a soft, straight edge."""
    angle, place = rng.uniform(0, 2 * np.pi), rng.uniform(-0.4, 0.4)
    rows, columns = (np.linspace(-0.5, 0.5, n, dtype=np.float32) for n in shape)
    across = np.add.outer(np.sin(angle) * rows, np.cos(angle) * columns)
    edge = np.tanh((across - place) / rng.uniform(0.1, 0.5))
    return 1 - rng.uniform(0.1, 0.5) * (edge + 1) / 2
