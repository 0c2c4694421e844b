"""
Nested cross-validation
=======================

The best score of a search is too optimistic, because it is the maximum of many scores.
Nested cross-validation repeats the search in each outer fold and evaluates the best
model on images that were not used in this search.
"""

# %%
# With few images, it depends more on chance which candidate is the best. Use 1,000
# images:

from sklearn.datasets import load_digits

from skmnist import fetch_mnist

try:
    X, y = fetch_mnist(return_X_y=True, download_if_missing=False)
    data = "MNIST"
except OSError:
    X, y = load_digits(return_X_y=True)
    data = "scikit-learn's digits"
X, y = X[:1000], y[:1000]
print(f"{data}: {len(X):,} images")

# %%
# A search
# --------
# The search has nine candidates and five folds:

from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline

from skmnist import ImageScaler, MNISTMLPClassifier

model = make_pipeline(
    ImageScaler(max_intensity=X.max()),
    MNISTMLPClassifier(validation_split=None, random_state=0),
)
grid = {
    "mnistmlpclassifier__dropout": [0.1, 0.3, 0.5],
    "mnistmlpclassifier__learning_rate": [2e-3, 4e-3, 8e-3],
}
outer_folds = StratifiedKFold(5, shuffle=True, random_state=0)
search = GridSearchCV(model, grid, cv=outer_folds).fit(X, y)
print(f"best score {search.best_score_:.4f}")

# %%
# The search in each fold
# -----------------------
# In scikit-learn a search is a classifier too, so ``cross_validate`` can fit and score
# it. For each outer fold the search gets the images of the other four folds only, and
# splits them again. With ``n_jobs=-1`` the outer folds run in parallel.

from sklearn.model_selection import cross_validate

inner_folds = StratifiedKFold(3, shuffle=True, random_state=1)
nested = cross_validate(
    GridSearchCV(model, grid, cv=inner_folds),
    X,
    y,
    cv=outer_folds,
    return_estimator=True,
)

# %%
# The parameters that each search has chosen, and the accuracy on its outer fold:

import pandas as pd

table = pd.DataFrame([each.best_params_ for each in nested["estimator"]])
table.columns = table.columns.str.removeprefix("mnistmlpclassifier__")
table["accuracy"] = nested["test_score"]
table

# %%
# The accuracy to report is the mean over the folds:

score = nested["test_score"]
print(f"accuracy {score.mean():.4f} +- {score.std():.4f}")

# %%
# All candidates and the chosen ones
# ----------------------------------
# Each point is the accuracy of one candidate on one outer fold. The first search chose
# the candidate whose mean over these points is the highest. The searches of the nested
# cross-validation did not use the outer fold, and often chose another candidate
# (circles).

import matplotlib.pyplot as plt
import numpy as np

fig, ax = plt.subplots(layout="constrained")
candidates = [search.cv_results_[f"split{fold}_test_score"] for fold in range(5)]
folds = np.repeat(range(5), len(candidates[0]))
ax.plot(folds, np.ravel(candidates), "C0o", markersize=4, label="candidates")
ax.plot(score, "C1o", markersize=11, fillstyle="none", label="chosen")
ax.axhline(search.best_score_, color="C0", label="best score of the search")
ax.axhline(score.mean(), color="C1", linestyle="--", label="nested cross-validation")
ax.set(xlabel="Outer fold", ylabel="Accuracy", xticks=range(5))
ax.set_title("Candidates by outer fold, and the chosen ones")
ax.legend()
plt.show()
