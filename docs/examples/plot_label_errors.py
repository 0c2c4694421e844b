"""
Find the mislabelled digits
===========================

A network that has not seen an image during training can still be sure that its label
is wrong. `cleanlab <https://docs.cleanlab.ai>`_ turns out-of-sample probabilities into
a list of suspicious labels. This example finds errors that it has planted itself, and
then some that MNIST has had since 1998. It needs ``pip install cleanlab``.
"""

# %%
# Plant some errors
# -----------------
# One label in a hundred is replaced by another digit, so that the answer is known:

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
# Probabilities of images that were held out
# ------------------------------------------
# Cross-validation predicts each image with a network that was trained on the others,
# with the wrong labels among them:

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
# Find them
# ---------
# cleanlab estimates how many labels of each kind are wrong, and reports that many, the
# least probable label first:

from cleanlab.filter import find_label_issues

reported = find_label_issues(
    given, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1
)
is_planted = np.isin(reported, planted)
n_found = is_planted.sum()
print(f"{len(reported)} labels are reported, {n_found} of them planted")
print(f"precision {n_found / len(reported):.2f}, recall {n_found / len(planted):.2f}")

# %%
# Almost all of the first are planted. Who checks the list by eye can stop where the
# curve leaves the dotted line, on which every label would be a planted one.

import matplotlib.pyplot as plt

fig, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
ax.plot(np.arange(1, len(reported) + 1), is_planted.cumsum())
ax.plot([0, len(planted)], [0, len(planted)], color="gray", linestyle=":")
ax.set(xlabel="Labels checked, in the order reported", ylabel="Planted errors found")
ax.set_title("The reported labels, checked by eye")
plt.show()

# %%
# Those that we did not plant
# ---------------------------
# These labels are the data's own. Some are wrong, some digits could be either of two,
# and some are right but so odd that no other image helps to read them.

# sphinx_gallery_thumbnail_number = 2
from skmnist import ImageGridDisplay

own = reported[~is_planted]
ImageGridDisplay.from_images(
    X[own],
    given[own],
    predictions=probabilities[own].argmax(axis=1),
    probabilities=probabilities[own],
    title=f"The first of {len(own)} labels that {data} came with",
)
plt.show()

# %%
# Without the reported labels
# ---------------------------
# ``cleanlab.classification.CleanLearning`` wraps all this into one classifier, which
# leaves out the reported images and fits the model to the rest.
