"""
Halving search with epochs as the resource
==========================================

Most candidates can be ruled out after a few epochs. A halving search trains all of them
for one epoch, keeps the best third, trains these three times as long, and so on.
"""

# %%
# A subset of the training images is enough for an example:

from sklearn.datasets import load_digits

from skmnist import fetch_mnist

try:
    X, y = fetch_mnist(return_X_y=True, download_if_missing=False)
    data = "MNIST"
except OSError:
    X, y = load_digits(return_X_y=True)
    data = "scikit-learn's digits"
X, y = X[:6000], y[:6000]
print(f"{data}: {len(X):,} images")

# %%
# The search
# ----------
# 27 candidates, of which the last one left is trained for 27 epochs.

from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingGridSearchCV
from sklearn.pipeline import make_pipeline

from skmnist import ImageScaler, MNISTMLPClassifier

search = HalvingGridSearchCV(
    make_pipeline(
        ImageScaler(max_intensity=X.max()),
        MNISTMLPClassifier(validation_split=None, random_state=0),
    ),
    {
        "mnistmlpclassifier__hidden_layer_sizes": [128, 256, 512],
        "mnistmlpclassifier__dropout": [0.2, 0.35, 0.5],
        "mnistmlpclassifier__learning_rate": [3e-4, 1e-3, 3e-3],
    },
    resource="mnistmlpclassifier__max_epochs",
    min_resources=1,
    max_resources=27,
    factor=3,
    cv=2,
)
search.fit(X, y)
search.best_params_

# %%
# The rounds
# ----------
# They take 27 + 9 * 3 + 3 * 9 + 27 = 108 epochs per fold. A grid search that trains all
# candidates for 27 epochs takes 729.

import pandas as pd

results = pd.DataFrame(search.cv_results_)
rounds = results.groupby("n_resources")["mean_test_score"]
rounds.agg(candidates="size", best="max", median="median").round(4)

# %%
# Each line is one candidate, from its first round to its last. What learns slowly is
# ruled out first, here the small learning rates, whether or not it would win in the
# end. If it could, begin with more epochs: ``min_resources=3``.

import matplotlib.pyplot as plt

names = ["learning_rate", "hidden_layer_sizes", "dropout"]
columns = [f"param_mnistmlpclassifier__{name}" for name in names]
colors = {3e-4: "C0", 1e-3: "C1", 3e-3: "C2"}
fig, ax = plt.subplots(layout="constrained")
for (rate, *_), candidate in results.groupby(columns):
    ax.semilogx(
        "n_resources", "mean_test_score", "o-", color=colors[rate], data=candidate
    )
ax.set(xlabel="Epochs", ylabel="Cross-validated accuracy", title="All candidates")
ax.set_xticks([1, 3, 9, 27], labels=["1", "3", "9", "27"])
ax.legend(
    [plt.Line2D([], [], color=color) for color in colors.values()],
    [f"{rate:g}" for rate in colors],
    title="learning rate",
)
plt.show()
