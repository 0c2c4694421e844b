"""
Grid search over a pipeline
===========================

Hyperparameters are tuned as for any other scikit-learn classifier: they are parameters
of a step of a pipeline, and ``n_jobs`` distributes the fits over the cores. Each
process uses only a part of the threads, so there are never more threads than cores.
"""

# %%
# Search on a subset of the training images:

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
X_search, y_search = X_train[:6000], y_train[:6000]
print(f"{data}: {len(X_search):,} images to search with")

# %%
# The search
# ----------
# Cross-validation evaluates each candidate, so the classifier needs no validation split
# of its own.

from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skmnist import ImageScaler, MNISTMLPClassifier

model = make_pipeline(
    ImageScaler(max_intensity=X.max()),
    MNISTMLPClassifier(validation_split=None, random_state=0),
)
search = GridSearchCV(
    model,
    {
        "mnistmlpclassifier__hidden_layer_sizes": [64, 256, (256, 256)],
        "mnistmlpclassifier__dropout": [0.0, 0.25, 0.5],
    },
    cv=3,
    n_jobs=2,
)
search.fit(X_search, y_search)
print(f"{search.best_params_}, accuracy {search.best_score_:.4f}")

# %%
# The scores of all candidates:

import matplotlib.pyplot as plt
import pandas as pd

accuracies = pd.DataFrame(search.cv_results_["params"])
accuracies.columns = ["dropout", "layers"]
accuracies["accuracy"] = search.cv_results_["mean_test_score"]
accuracies["layers"] = accuracies["layers"].astype(str)
accuracies = accuracies.pivot_table("accuracy", index="dropout", columns="layers")
ax = accuracies.plot(xlabel="Dropout", ylabel="Cross-validated accuracy")
for line, marker in zip(ax.lines, "os^", strict=True):
    line.set_marker(marker)
ax.set_title("Accuracy by dropout and hidden layers")
ax.legend(title="layers")
plt.show()

# %%

accuracies.round(4)

# %%
# The best candidate, fitted to all training images
# -------------------------------------------------

best = search.best_estimator_.fit(X_train, y_train)
print(f"test accuracy: {best.score(X_test, y_test):.4f}")

# %%
# The effect of each parameter
# ----------------------------
# Here one parameter at a time is changed from its default. The networks are trained on
# fewer images and evaluated on other training images. The dashed line is the accuracy
# with all defaults.

import numpy as np

n_few = min(4000, len(X_train) // 2)
X_few, y_few = X_train[:n_few], y_train[:n_few]
X_others, y_others = X_train[n_few : n_few + 3000], y_train[n_few : n_few + 3000]
values = {
    "learning_rate": [1e-4, 1e-3, 3e-3, 1e-2, 3e-2],
    "hidden_layer_sizes": [32, 64, 128, 256, 512],
    "dropout": [0, 0.25, 0.5, 0.75],
    "max_epochs": [3, 10, 30],
    "batch_size": [32, 128, 512],
}


def score(**parameters):
    """Return the accuracy of the defaults with some parameters changed."""
    changed = make_pipeline(
        ImageScaler(max_intensity=X.max()),
        MNISTMLPClassifier(validation_split=None, random_state=0).set_params(
            **parameters
        ),
    )
    return changed.fit(X_few, y_few).score(X_others, y_others)


default = score()
figure, axes = plt.subplots(3, 2, sharey=True, figsize=(6.4, 7), layout="constrained")
for ax, (name, tried) in zip(axes.flat, values.items(), strict=False):
    scores = [score(**{name: value}) for value in tried]
    ax.plot(np.arange(len(tried)), scores, marker="o", color="#0072B2")
    ax.axhline(default, linestyle="--", color="0.5")
    ax.set_xticks(np.arange(len(tried)), [f"{value:g}" for value in tried])
    ax.set_xlabel(name)
figure.supylabel("Accuracy")
axes[2, 1].set_axis_off()
figure.suptitle("Accuracy with one parameter changed")
plt.show()
