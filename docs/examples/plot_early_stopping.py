"""
Early stopping with a validation set in a pipeline
==================================================

``early_stopping=True`` stops training when the validation loss no longer improves, and
restores the weights of the best epoch. The validation set can be a random part of the
training images, or your own validation set. In a pipeline, it must be scaled like the
training images; with ``transform_input`` the pipeline does this.
"""

# %%
# Split the images into a training, a validation and a test set:

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
X_train, X_val, y_train, y_val = train_test_split(
    X_train, y_train, test_size=0.2, stratify=y_train, random_state=0
)
print(f"{data}: {len(X_train):,} images to train on, {len(X_val):,} to validate on")

# %%
# The pipeline
# ------------
# With metadata routing enabled, the classifier requests ``X_val`` and ``y_val``, and
# ``transform_input`` makes the pipeline transform ``X_val``. All images are passed
# unscaled.

from sklearn import config_context
from sklearn.pipeline import make_pipeline

from skmnist import ImageScaler, MNISTMLPClassifier

with config_context(enable_metadata_routing=True):
    classifier = MNISTMLPClassifier(
        dropout=0, max_epochs=100, early_stopping=True, patience=3, random_state=0
    )
    model = make_pipeline(
        ImageScaler(max_intensity=X.max()),
        classifier.set_fit_request(X_val=True, y_val=True),
        transform_input=["X_val"],
    )
    model.fit(X_train, y_train, X_val=X_val, y_val=y_val)

classifier = model[-1]
print(f"stopped after epoch {classifier.n_iter_}, best epoch {classifier.best_epoch_}")

# %%
# The curves
# ----------
# The training loss keeps falling, but the validation loss stops falling. The star marks
# its lowest value. Training stops when there is no lower value in the next three
# epochs, the ``patience``.

import matplotlib.pyplot as plt

from skmnist import HistoryDisplay

display = HistoryDisplay.from_estimator(model)
display.figure_.suptitle("Loss and accuracy until early stopping")
plt.show()

# %%
# The fitted model has the weights of the best epoch, so both losses are equal:

from skmnist import evaluate

print(f"lowest validation loss: {classifier.history_['valid_loss'].min():.5f}")
print(f"that of the model:      {evaluate(model, X_val, y_val)['loss']:.5f}")
print(f"test accuracy: {model.score(X_test, y_test):.4f}")

# %%
# If the validation set can be a random part of the training images, metadata routing is
# not needed: ``MNISTMLPClassifier(early_stopping=True)`` holds out a fifth of them.
