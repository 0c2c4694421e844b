"""
Finding mislabeled digits
=========================

If a network that was not trained on an image predicts another label with a high
probability, the given label may be wrong. `cleanlab <https://docs.cleanlab.ai>`_
computes a list of suspicious labels from such probabilities. This example adds label
errors to the data and finds them, and also finds errors in the original labels. It
needs ``pip install cleanlab``.
"""

# %%
# Adding label errors
# -------------------
# One label in a hundred is replaced by another digit, so that these errors are known:

import numpy as np
from sklearn.datasets import load_digits

from skmnist import fetch_mnist

try:
    X, y = fetch_mnist(return_X_y=True, download_if_missing=False)
    data = "MNIST"
except OSError:
    X, y = load_digits(return_X_y=True)
    data = "scikit-learn's digits"

rng = np.random.default_rng(0)
planted = rng.choice(len(y), size=len(y) // 100, replace=False)
given = y.copy()
given[planted] = (y[planted] + rng.integers(1, 10, size=len(planted))) % 10
print(f"{data}: {len(planted)} of {len(y):,} labels are wrong")

# %%
# Out-of-sample probabilities
# ---------------------------
# Cross-validation predicts each image with a network that was trained on other images,
# including those with wrong labels:

from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline

from skmnist import ImageScaler, MNISTMLPClassifier

model = make_pipeline(
    ImageScaler(max_intensity=X.max()),
    MNISTMLPClassifier(max_epochs=5, validation_split=None, random_state=0),
)
folds = StratifiedKFold(3, shuffle=True, random_state=0)
probabilities = cross_val_predict(model, X, given, cv=folds, method="predict_proba")

# %%
# Finding the errors
# ------------------
# cleanlab estimates how many labels of each class are wrong, and reports as many
# labels, the least probable ones first:

from cleanlab.filter import find_label_issues

reported = find_label_issues(
    given, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1
)
is_planted = np.isin(reported, planted)
n_found = is_planted.sum()
print(f"{len(reported)} labels are reported, {n_found} of them were added")
print(f"precision {n_found / len(reported):.2f}, recall {n_found / len(planted):.2f}")

# %%
# On the dotted line, all reported labels would be added errors. Most of the first
# reported labels are. If you check the list by eye, you can stop where the curve is no
# longer close to the dotted line.

import matplotlib.pyplot as plt

fig, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
ax.plot(np.arange(1, len(reported) + 1), is_planted.cumsum(), label="found")
all_planted = [0, len(planted)]
ax.plot(all_planted, all_planted, ":", color="gray", label="if all were added")
ax.set(xlabel="Labels checked, in the order reported", ylabel="Added errors found")
ax.set_title("The reported labels, checked by eye")
ax.legend()
plt.show()

# %%
# Errors in the original labels
# -----------------------------
# These reported labels are the original ones. Some are wrong, some digits are
# ambiguous, and some labels are correct, but the image is unlike all other images.

# sphinx_gallery_thumbnail_number = 2
from skmnist import ImageGridDisplay

own = reported[~is_planted]
ImageGridDisplay.from_images(
    X[own],
    given[own],
    predictions=probabilities[own].argmax(axis=1),
    probabilities=probabilities[own],
    title=f"The first of {len(own)} reported labels that were not changed",
    n_images=15,
    n_columns=3,
)
plt.show()

# %%
# Training without the reported labels
# ------------------------------------
# ``cleanlab.classification.CleanLearning`` does all this in one classifier: it removes
# the reported images and fits the model to the others.
