"""
Out-of-core training
====================

``partial_fit`` trains on one chunk after another. Here the chunks come from a file on
disk that NumPy maps into memory: only the current chunk is read. This example is not
run when the documentation is built.
"""

import tempfile
from pathlib import Path

import numpy as np

from skmnist import ImageScaler, MNISTMLPClassifier, fetch_mnist

# A stand-in for a file that is larger than memory.
X, y = fetch_mnist(return_X_y=True)
path = Path(tempfile.gettempdir()) / "skmnist-images.npy"
np.save(path, X)
images = np.load(path, mmap_mode="r")

n_epochs, chunk_size = 5, 6_000
scaler = ImageScaler().fit(images[:1])
classifier = MNISTMLPClassifier(random_state=0)
rng = np.random.default_rng(0)

# The classifier shuffles the images of each chunk; the order of the chunks is shuffled
# here. If the file is sorted by label, shuffle it once beforehand.
starts = np.arange(0, len(images), chunk_size)
for epoch in range(n_epochs):
    for start in rng.permutation(starts):
        chunk = slice(start, start + chunk_size)
        classifier.partial_fit(
            scaler.transform(images[chunk]), y[chunk], classes=np.arange(10)
        )
    loss = classifier.history_["train_loss"].tail(len(starts)).mean()
    print(f"epoch {epoch + 1}: training loss {loss:.4f}")

X_test, y_test = fetch_mnist(subset="test", return_X_y=True)
print(f"test accuracy: {classifier.score(scaler.transform(X_test), y_test):.4f}")

# %%
# Each call of ``partial_fit`` adds a row to ``history_``. There is no validation set
# and no early stopping: to validate, hold out a chunk and evaluate the model on it.
