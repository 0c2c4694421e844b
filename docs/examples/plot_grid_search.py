"""
Grid search over a pipeline
===========================

Hyperparameters are tuned as for any other scikit-learn classifier: they are parameters
of a pipeline step, and ``n_jobs`` distributes the fits over the cores. Each worker uses
its share of the threads, so that there are never more threads than cores.
"""

# %%
# A subset of the training images is enough for the search:

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
search.best_params_

# %%
# The scores of all candidates:

import matplotlib.pyplot as plt
import pandas as pd

accuracies = pd.DataFrame(search.cv_results_["params"])
accuracies.columns = ["dropout", "layers"]
accuracies["accuracy"] = search.cv_results_["mean_test_score"]
accuracies["layers"] = accuracies["layers"].astype(str)
accuracies = accuracies.pivot_table("accuracy", index="dropout", columns="layers")
accuracies.plot(marker="o", xlabel="Dropout", ylabel="Cross-validated accuracy")
plt.show()

# %%

accuracies.round(4)

# %%
# The best model, refitted on all training images
# -----------------------------------------------

best = search.best_estimator_.fit(X_train, y_train)
print(f"test accuracy: {best.score(X_test, y_test):.4f}")
