"""
Out-of-core training
====================

``partial_fit`` trains on one chunk of the data after another. Here the chunks are read
from a file on disk that NumPy maps into memory: only the current chunk is loaded.
"""

# %%
# A file on disk
# --------------
# The file is an example of data that do not fit into memory. ``mmap_mode`` opens it
# without reading the images.

import tempfile
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skmnist import fetch_mnist

try:
    X, y = fetch_mnist(subset="all", return_X_y=True, download_if_missing=False)
    data = "MNIST"
except OSError:
    X, y = load_digits(return_X_y=True)
    data = "scikit-learn's digits"
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=1 / 7, shuffle=False
)

path = Path(tempfile.mkdtemp()) / "images.npy"
np.save(path, X_train)
images = np.load(path, mmap_mode="r")
print(f"{data}, {path.stat().st_size / 1e6:.1f} MB on disk, {type(images).__name__}")

# %%
# Chunk by chunk
# --------------
# ``partial_fit`` shuffles the images of each chunk; this script shuffles the order of
# the chunks. If a file is sorted by label, shuffle it once before training.
# ``partial_fit`` has no validation set and no early stopping. Therefore the last chunk
# is held out here, and evaluated after each epoch.

from skmnist import ImageScaler, MNISTMLPClassifier, evaluate

n_epochs, n_chunks = 5, 10
*chunks, last = np.array_split(np.arange(len(images)), n_chunks)
scaler = ImageScaler(max_intensity=X.max()).fit(images[:1])
X_val, y_val = scaler.transform(images[last]), y_train[last]

classifier = MNISTMLPClassifier(random_state=0)
rng = np.random.default_rng(0)
valid_losses = []
for _ in range(n_epochs):
    for number in rng.permutation(len(chunks)):
        rows = slice(chunks[number][0], chunks[number][-1] + 1)
        classifier.partial_fit(
            scaler.transform(images[rows]), y_train[rows], classes=np.arange(10)
        )
    valid_losses.append(evaluate(classifier, X_val, y_val)["loss"])

scaled_test = scaler.transform(X_test)
print(f"test accuracy {classifier.score(scaled_test, y_test):.4f}")

# %%
# The history
# -----------
# Each call of ``partial_fit`` adds a row to ``history_``.

history = classifier.history_
history[["epoch", "train_loss", "train_accuracy", "duration"]].tail().round(4)

# %%
# With all images in memory
# -------------------------
# ``fit`` shuffles all images together. If the chunks have thousands of images, the
# difference is small:

whole = MNISTMLPClassifier(max_epochs=n_epochs, random_state=0)
rest = np.concatenate(chunks)
whole.fit(scaler.transform(X_train[rest]), y_train[rest], X_val=X_val, y_val=y_val)
print(f"test accuracy {whole.score(scaled_test, y_test):.4f}")

# %%

import matplotlib.pyplot as plt

epochs = np.arange(1, n_epochs + 1)
passes = history["epoch"] / len(chunks)
fig, ax = plt.subplots(layout="constrained")
ax.plot(passes, history["train_loss"], marker=".", label="training, chunk by chunk")
ax.plot(epochs, valid_losses, marker="o", label="validation, chunk by chunk")
ax.plot(epochs, whole.history_["valid_loss"], marker="x", label="validation, in memory")
ax.set(xlabel="Epoch", ylabel="Loss", title="Chunk by chunk and in memory")
ax.legend()
plt.show()
