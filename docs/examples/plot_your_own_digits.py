"""
Your own digits
===============

A network that classifies almost all of MNIST correctly fails on a photo of a digit. In
MNIST, digits are bright on dark, scaled to 20 of 28 pixels, and centered by their
center of mass. :class:`~skmnist.ImageCenterer` converts other images to this format.
"""

# %%
# If MNIST is not in the data home, scikit-learn's digits are scaled up to its format:

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skmnist import ImageCenterer, fetch_mnist

try:
    X, y = fetch_mnist(subset="all", return_X_y=True, download_if_missing=False)
    data = "MNIST"
except OSError:
    X, y = load_digits(return_X_y=True)
    X = ImageCenterer().transform(X / 16 * 255)
    data = "scikit-learn's digits"
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=1 / 7, shuffle=False
)

# %%
# A network for MNIST
# -------------------
# :class:`~skmnist.RandomDistortion` makes it less sensitive to how a digit is written.

from sklearn.pipeline import make_pipeline

from skmnist import ImageScaler, MNISTMLPClassifier, RandomDistortion

classifier = MNISTMLPClassifier(
    (512, 512), dropout=0.1, augmentation=RandomDistortion(), random_state=0
)
network = make_pipeline(ImageScaler(), classifier).fit(X_train, y_train)
print(f"{data}, test accuracy {network.score(X_test, y_test):.4f}")

# %%
# A scanned form
# --------------
# Instead of your handwriting, the example uses the first 20 test images. They are drawn
# in ink into the cells of a form, with a random size, rotation, position and thickness.
# A shadow falls on the page, and noise is added.

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

rng = np.random.default_rng(0)
tops = 20 + np.cumsum([0, *rng.integers(140, 220, 4)])
lefts = 20 + np.cumsum([0, *rng.integers(150, 260, 5)])


def cut(page):
    """Return the cells of a form, without its lines."""
    bands = [np.split(band, lefts, axis=1)[1:-1] for band in np.split(page, tops)[1:-1]]
    return [cell[4:-4, 4:-4] for band in bands for cell in band]


def fill_form(images):
    """Return a page with twenty images, one in each cell."""
    ink = np.zeros((tops[-1] + 20, lefts[-1] + 20))
    ink[tops, 20:-20] = ink[20:-20, lefts] = 1
    images = images.reshape(20, 28, 28).astype(np.uint8)
    for image, cell in zip(images, cut(ink), strict=True):
        size = int(rng.uniform(0.6, 1) * min(cell.shape))
        digit = Image.fromarray(image).resize((size, size)).rotate(rng.uniform(-10, 10))
        top, left = rng.integers(np.subtract(cell.shape, size), endpoint=True)
        strokes = np.clip(3 * (np.asarray(digit) / 255 - rng.uniform(0.15, 0.45)), 0, 1)
        cell[top : top + size, left : left + size] = strokes

    light = 1 - 0.5 / (1 + np.exp((900 - np.indices(ink.shape).sum(axis=0)) / 90))
    paper, pen = np.array([250, 244, 228]), np.array([40, 50, 110])
    page = light[..., None] * (paper + ink[..., None] * (pen - paper))
    return (page + rng.normal(0, 5, page.shape)).clip(0, 255).astype(np.uint8)


page = fill_form(X_test[:20])
plt.figure(figsize=(6, 5.5), layout="constrained")
plt.imshow(page)
plt.axis("off")
plt.title("A shaded form with twenty handwritten digits")
plt.show()

# %%
# Resizing is not enough
# ----------------------
# The network needs 28 by 28 gray pixels. If the cells are only resized, it classifies
# almost all of them incorrectly, and if they are also inverted, most of them. The plot
# shows bright pixels in black.

from skmnist import ImageGridDisplay

cells, labels = cut(page), y_test[:20]
small = np.stack([Image.fromarray(c).convert("L").resize((28, 28)) for c in cells])
inverted = 255 - small
print(f"accuracy, resized:  {network.score(small, labels):.2f}")
print(f"accuracy, inverted: {network.score(inverted, labels):.2f}")
ImageGridDisplay.from_images(
    inverted,
    labels,
    predictions=network.predict(inverted),
    title="The cells, resized and inverted: most predictions are wrong",
)
plt.show()

# %%
# In MNIST's format
# -----------------
# The centerer removes the background and its shadow, scales the digit, and moves its
# center of mass to the center of the image. The plot shows one cell as it is, resized
# and inverted, and centered; the lines cross in the center.

centered = ImageCenterer().transform(cells)
steps = {
    "cell": cells[4],
    "inverted": inverted[4],
    "centered": centered[4].reshape(28, 28),
}
fig, axes = plt.subplots(1, 3, figsize=(6.4, 2.4), layout="constrained")
for ax, (title, image) in zip(axes, steps.items(), strict=True):
    ax.imshow(image, cmap="gray")
    ax.axhline(image.shape[0] / 2, linewidth=0.8)
    ax.axvline(image.shape[1] / 2, linewidth=0.8)
    ax.set(title=title, xticks=[], yticks=[], anchor="N")
plt.show()

# %%
# One pipeline
# ------------
# With the centerer as its first step, a pipeline accepts the cells as they are, or a
# photo: ``model.predict([Image.open("photo.jpg")])``. The centerer learns nothing from
# data and hardly changes images of MNIST, so the fitted network can be used as it is.

model = make_pipeline(ImageCenterer(), *network)
print(f"accuracy, centered: {model.score(cells, labels):.2f}")
ImageGridDisplay.from_images(
    centered, labels, predictions=model.predict(cells), title="The cells, centered"
)
plt.show()

# %%
# More forms give a better estimate of the accuracy. Compare it with the accuracy on the
# same test images as they were before they were drawn into the forms:

n_forms = min(20, len(X_test) // 20)
images, labels = X_test[: 20 * n_forms], y_test[: 20 * n_forms]
forms = [fill_form(part) for part in np.split(images, n_forms)]
cells = [cell for form in forms for cell in cut(form)]
print(f"accuracy on {len(cells)} cells: {model.score(cells, labels):.3f}")
print(f"accuracy on the images:  {network.score(images, labels):.3f}")

# %%
# From the command line
# ---------------------
# ``skmnist predict model.skmnist digit.png`` does the same for files. Reading a file of
# ``save_model`` needs the extra ``skmnist[skops]``.

import subprocess
import sys
import tempfile

from skmnist import save_model

with tempfile.TemporaryDirectory() as folder:
    save_model(model, f"{folder}/model.skmnist")
    Image.fromarray(cells[4]).save(f"{folder}/digit.png")
    command = [sys.executable, "-m", "skmnist", "predict", "model.skmnist", "digit.png"]
    print(subprocess.check_output(command, cwd=folder, text=True))

# %%
# Limits
# ------
# Each image is assumed to show one digit, so cut numbers and whole pages into digits
# first. Some background must be visible around the digit, without lines as dark as it.
