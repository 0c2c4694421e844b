"""What both displays promise."""

import inspect
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from skmnist import HistoryDisplay, ImageGridDisplay

HISTORY = pd.DataFrame({"epoch": [1], "train_loss": [0.9], "valid_accuracy": [0.6]})


def test_matplotlib_is_imported_only_to_draw():
    code = (
        "import sys, skmnist; skmnist.HistoryDisplay({}); skmnist.ImageGridDisplay([]);"
        "skmnist.MNISTMLPClassifier; skmnist.evaluate; skmnist.fetch_mnist;"
        "print('matplotlib' in sys.modules)"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout

    assert printed.strip() == "False"


on_axes = pytest.mark.parametrize(
    "draw",
    [
        lambda ax: HistoryDisplay.from_history(HISTORY, ax=ax),
        lambda ax: ImageGridDisplay.from_images(np.zeros((2, 3, 3)), ax=ax),
    ],
)


@on_axes
@pytest.mark.parametrize("layout", [None, "constrained"])
def test_axes_that_are_of_no_grid_are_divided_too(draw, layout):
    figure = plt.figure(layout=layout)
    ax = figure.add_axes((0.5, 0.2, 0.4, 0.6))

    display = draw(ax)

    figure.canvas.draw()
    assert display.figure_ is figure
    boxes = [cell.get_position() for cell in display.ax_.flat]
    assert len(boxes) == 2
    assert min(box.x0 for box in boxes) == pytest.approx(0.5)
    assert max(box.x1 for box in boxes) == pytest.approx(0.9)
    assert min(box.y0 for box in boxes) >= 0.2 - 1e-9
    assert max(box.y1 for box in boxes) <= 0.8 + 1e-9


@on_axes
def test_too_few_axes_are_refused(draw):
    _, ax = plt.subplots(1, 2)

    with pytest.raises(ValueError, match="ax has 1 axes, but 2 are needed"):
        draw(ax[:1])


@pytest.mark.parametrize("display", [HistoryDisplay, ImageGridDisplay])
def test_every_door_has_the_options_of_plot_and_their_defaults(display):
    options = list(inspect.signature(display.plot).parameters.values())[2:]
    doors = [getattr(display, name) for name in dir(display) if name.startswith("from")]

    for door in doors:
        parameters = list(inspect.signature(door).parameters.values())
        *_, ax = parameters[: -len(options)]
        assert ax.name == "ax"
        assert parameters[-len(options) :] == options
