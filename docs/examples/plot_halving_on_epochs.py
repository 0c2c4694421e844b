"""
Halving search with epochs as the resource
==========================================

Most candidates of a search are clearly worse than others after a few epochs. A halving
search trains all candidates for one epoch, keeps the best third, trains these for three
epochs, keeps the best third again, and so on.
"""

# %%
# Use a subset of the training images, so that the example runs quickly:

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
# There are 27 candidates. The last one that remains is trained for 27 epochs.

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
# The search trains 27 + 9 * 3 + 3 * 9 + 27 = 108 epochs per fold. A grid search that
# trains all candidates for 27 epochs trains 27 * 27 = 729 epochs per fold.

import pandas as pd

results = pd.DataFrame(search.cv_results_)
rounds = results.groupby("n_resources")["mean_test_score"]
rounds.agg(candidates="size", best="max", median="median").round(4)

# %%
# Each line is one candidate, from its first round to its last. Candidates that learn
# slowly are removed first, here those with small learning rates, even if they would be
# the best after more epochs. To avoid this, start with more epochs:
# ``min_resources=3``.

import matplotlib.pyplot as plt

names = ["learning_rate", "hidden_layer_sizes", "dropout"]
columns = [f"param_mnistmlpclassifier__{name}" for name in names]
styles = {
    3e-4: {"color": "#0072B2", "marker": "o"},
    1e-3: {"color": "#D55E00", "marker": "s"},
    3e-3: {"color": "#009E73", "marker": "^"},
}
fig, ax = plt.subplots(layout="constrained")
for (rate, *_), candidate in results.groupby(columns):
    ax.semilogx("n_resources", "mean_test_score", data=candidate, **styles[rate])
ax.set(xlabel="Epochs", ylabel="Cross-validated accuracy")
ax.set_title("Accuracy of all candidates, round by round")
ax.set_xticks([1, 3, 9, 27], labels=["1", "3", "9", "27"])
ax.legend(
    [plt.Line2D([], [], **style) for style in styles.values()],
    [f"{rate:g}" for rate in styles],
    title="learning rate",
)
plt.show()
