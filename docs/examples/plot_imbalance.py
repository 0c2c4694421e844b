"""
Training with a rare class
==========================

If one class has few images, a network that never predicts it can still have a high
accuracy. ``class_weight="balanced"`` gives all classes the same total weight.
"""

# %%
# Only 20 of the training images show an 8:

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
X_train, y_train = X_train[:10_000], y_train[:10_000]
is_kept = (y_train != 8) | (np.cumsum(y_train == 8) <= 20)
X_train, y_train = X_train[is_kept], y_train[is_kept]
print(f"{data}: {len(X_train):,} images, {(y_train == 8).sum()} of them of an 8")

# %%
# Without and with weights
# ------------------------
# The recall of a class is the fraction of its images that are predicted as that class.
# The accuracy hardly shows a low recall of one class, since most images belong to other
# classes. The balanced accuracy is the mean of the recalls of all classes.

import pandas as pd
from sklearn.metrics import accuracy_score, balanced_accuracy_score, recall_score
from sklearn.pipeline import make_pipeline

from skmnist import ImageScaler, MNISTMLPClassifier

table, recalls = {}, {}
for class_weight in (None, "balanced"):
    model = make_pipeline(
        ImageScaler(max_intensity=X.max()),
        MNISTMLPClassifier(class_weight=class_weight, random_state=0),
    )
    predicted = model.fit(X_train, y_train).predict(X_test)
    recalls[f"{class_weight}"] = recall_score(y_test, predicted, average=None)
    table[f"{class_weight}"] = {
        "accuracy": accuracy_score(y_test, predicted),
        "balanced accuracy": balanced_accuracy_score(y_test, predicted),
        "recall of 8": recalls[f"{class_weight}"][8],
    }
pd.DataFrame(table).round(3)

# %%
# The recall of each digit
# ------------------------

import matplotlib.pyplot as plt

fig, ax = plt.subplots(layout="constrained")
pd.DataFrame(recalls).plot.bar(ax=ax, color=["#0072B2", "#D55E00"], rot=0, legend=False)
ax.set(
    xlabel="Digit", ylabel="Recall", title="Recall of each digit, of which 8 is rare"
)
fig.legend(title="class_weight", loc="outside lower center", ncols=2)
plt.show()

# %%
# More images of the rare class, or :class:`~skmnist.RandomDistortion`, help too. To
# compare models, use the balanced accuracy, ``scoring="balanced_accuracy"``, instead of
# the accuracy.
