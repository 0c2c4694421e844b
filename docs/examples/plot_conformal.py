"""
Prediction sets with guaranteed coverage
========================================

For an ambiguous image, a classifier can predict a set of several labels. Split
conformal prediction, here from `MAPIE <https://mapie.readthedocs.io>`_, chooses the
sets so that they contain the true label with a given probability, whether or not the
probabilities of the network are calibrated. This example needs ``pip install mapie``.
"""

# %%
# An uncertain network
# --------------------
# The network is trained on few images, so that some of its predictions are uncertain.
# Other images are held out for calibration: the guarantee holds for images like these.

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from skmnist import ImageScaler, MNISTMLPClassifier, fetch_mnist

try:
    X, y = fetch_mnist(subset="all", return_X_y=True, download_if_missing=False)
    data = "MNIST"
except OSError:
    X, y = load_digits(return_X_y=True)
    data = "scikit-learn's digits"
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=1 / 7, shuffle=False
)
X_train, X_calibrate, y_train, y_calibrate = train_test_split(
    X_train[:25_000], y_train[:25_000], test_size=0.2, random_state=0
)

network = make_pipeline(
    ImageScaler(max_intensity=X.max()), MNISTMLPClassifier(random_state=0)
)
network.fit(X_train, y_train)
print(f"{data}: {len(X_train):,} images to train on, {len(X_calibrate):,} to calibrate")
print(f"test accuracy {network.score(X_test, y_test):.4f}")

# %%
# Prediction sets
# ---------------
# With the score "lac" a set contains all labels whose probability exceeds a threshold.
# MAPIE learns one threshold for each confidence level, from the calibration images.

from mapie.classification import SplitConformalClassifier

levels = [0.96, 0.97, 0.98, 0.99, 0.995]
conformal = SplitConformalClassifier(
    network, confidence_level=levels, conformity_score="lac", prefit=True
)
conformal.conformalize(X_calibrate, y_calibrate)
y_pred, sets = conformal.predict_set(X_test)
print("images, labels, levels:", sets.shape)

# %%
# Coverage and size
# -----------------
# The coverage is the fraction of test images whose set contains the true label. A
# higher coverage needs larger sets.

import math

import numpy as np
import pandas as pd

covers = sets[np.arange(len(y_test)), y_test]
sizes = sets.sum(axis=1)
table = pd.DataFrame(
    {
        "coverage": covers.mean(axis=0),
        "mean size": sizes.mean(axis=0),
        "one label": (sizes == 1).mean(axis=0),
        "largest": sizes.max(axis=0),
    },
    index=pd.Index(levels, name="confidence"),
)
table.round(3)

# %%

import matplotlib.pyplot as plt

fig, axes = plt.subplots(nrows=2, figsize=(6.4, 6.4), layout="constrained")
axes[0].plot(levels, levels, color="gray", linestyle=":", label="as asked for")
axes[0].plot(levels, table["coverage"], marker="o", label="on the test images")
axes[0].set(xlabel="Confidence", ylabel="Coverage", title="Coverage of the sets")
axes[0].legend()
names = [f"{level:g}" for level in levels]
colors = plt.get_cmap("Blues")(np.linspace(0.2, 1, 5))
above = np.zeros(len(levels))
for size, name in enumerate(["none", "1", "2", "3", "4 or more"]):
    share = (np.minimum(sizes, 4) == size).mean(axis=0)
    axes[1].bar(names, share, bottom=above, label=name, color=colors[size])
    above += share
axes[1].set(xlabel="Confidence", ylabel="Fraction of the images", ylim=(0, 1))
axes[1].set_title("Labels in a set")
axes[1].legend(title="labels", loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()

# %%
# The ambiguous images
# --------------------
# These are the first test images with a set of two labels, at a confidence of 0.99. The
# true label is in parentheses. If the set contains it, the title is blue.

# sphinx_gallery_thumbnail_number = 2
from skmnist import ImageGridDisplay

level = levels.index(0.99)
ambiguous = np.flatnonzero(sizes[:, level] == 2)[:20]
sides = math.isqrt(X.shape[1])
ImageGridDisplay(
    X_test[ambiguous].reshape(-1, sides, sides),
    titles=[
        "{} or {}".format(*np.flatnonzero(sets[index, :, level]))
        + f" ({y_test[index]})"
        for index in ambiguous
    ],
    is_correct=covers[ambiguous, level],
    title=f"Test images with two labels at a confidence of {levels[level]}",
).plot()
plt.show()

# %%
# The guarantee
# -------------
# The coverage is guaranteed on average over all images from the same distribution as
# the calibration images. It is not guaranteed for each digit separately:

is_missed = pd.Series(~covers[:, level])
(1 - is_missed.groupby(y_test).mean()).round(3)
