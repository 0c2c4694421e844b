"""
Your own digits
===============

A network that reads almost all of MNIST fails on the digit that you have just written:
its image is not in MNIST's frame, bright on dark, 20 of 28 pixels long, and centered by
mass. :class:`~skmnist.ImageCenterer` puts it there; nothing else has to change.
"""

# %%
# Without MNIST, scikit-learn's digits are scaled up to its frame:

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
# :class:`~skmnist.RandomDistortion` shows it each digit as other hands would write it.

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
# The first 20 test images stand in for your handwriting, in ink on a shaded page:

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


images = X_test[:20].reshape(20, 28, 28).astype(np.uint8)
ink = np.zeros((tops[-1] + 20, lefts[-1] + 20))
ink[tops, 20:-20] = ink[20:-20, lefts] = 1
for image, cell in zip(images, cut(ink), strict=True):
    size = int(rng.uniform(0.6, 1) * min(cell.shape))
    digit = Image.fromarray(image).resize((size, size)).rotate(rng.uniform(-10, 10))
    top, left = rng.integers(np.subtract(cell.shape, size), endpoint=True)
    strokes = np.clip(3 * (np.asarray(digit) / 255 - rng.uniform(0.15, 0.45)), 0, 1)
    cell[top : top + size, left : left + size] = strokes

light = 1 - 0.5 / (1 + np.exp((900 - np.indices(ink.shape).sum(axis=0)) / 90))
paper, pen = np.array([250, 244, 228]), np.array([40, 50, 110])
page = light[..., None] * (paper + ink[..., None] * (pen - paper))
page = (page + rng.normal(0, 5, page.shape)).clip(0, 255).astype(np.uint8)

plt.figure(figsize=(6, 5.5), layout="constrained")
plt.imshow(page)
plt.axis("off")
plt.title("A shaded form with twenty handwritten digits")
plt.show()

# %%
# Shrinking is not enough
# -----------------------
# The network takes 28 by 28 gray pixels. It reads almost none of the cells if they are
# only shrunk to these, and few if they are inverted too (bright is drawn as black):

from skmnist import ImageGridDisplay

cells, labels = cut(page), y_test[:20]
small = np.stack([Image.fromarray(c).convert("L").resize((28, 28)) for c in cells])
inverted = 255 - small
print(f"accuracy, shrunk:   {network.score(small, labels):.2f}")
print(f"accuracy, inverted: {network.score(inverted, labels):.2f}")
ImageGridDisplay.from_images(
    inverted,
    labels,
    predictions=network.predict(inverted),
    title="The cells, shrunk and inverted: most are read wrong",
)
plt.show()

# %%
# In MNIST's frame
# ----------------
# The centerer removes the page and its shadow, scales the digit, and centers its mass.
# One cell as it is, shrunk and inverted, and framed; the lines cross in the center:

framed = ImageCenterer().transform(cells)
steps = {"cell": cells[4], "inverted": inverted[4], "framed": framed[4].reshape(28, 28)}
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
# With the centerer as its first step, a model takes the cells as they are, or a photo:
# ``model.predict([Image.open("photo.jpg")])``. The centerer learns nothing and hardly
# changes images of MNIST, so the network needs no second fit.

model = make_pipeline(ImageCenterer(), *network)
print(f"accuracy, framed: {model.score(cells, labels):.2f}")
ImageGridDisplay.from_images(
    framed, labels, predictions=model.predict(cells), title="The cells, framed"
)
plt.show()

# %%
# From the command line
# ---------------------
# ``skmnist predict model.skmnist digit.png`` reads files, with ``skmnist[skops]``:

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
# What it does not do
# -------------------
# Each image is taken to hold one digit, so numbers and whole pages have to be cut into
# digits first. The page must be visible around it, without lines as dark as the ink.
