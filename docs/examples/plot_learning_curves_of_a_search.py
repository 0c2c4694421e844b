"""
Learning curves of all fits of a grid search
============================================

scikit-learn's own callbacks are called for every epoch of the classifier, also in a
pipeline, in a search and in other processes. A
:class:`~sklearn.callback.ScoringMonitor` records a score for each epoch of all fits in
one table. It is experimental and needs scikit-learn 1.9 or newer.
"""

# %%
# Use a subset of the training images:

from sklearn.datasets import load_digits

from skmnist import fetch_mnist

try:
    X, y = fetch_mnist(return_X_y=True, download_if_missing=False)
    data = "MNIST"
except OSError:
    X, y = load_digits(return_X_y=True)
    data = "scikit-learn's digits"
X, y = X[:3000], y[:3000]
print(f"{data}: {len(X):,} images")

# %%
# A monitored search
# ------------------
# Set the monitor on the classifier; the search needs no change.

from sklearn.callback import ScoringMonitor
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skmnist import ImageScaler, MNISTMLPClassifier

monitor = ScoringMonitor(scoring="accuracy")
classifier = MNISTMLPClassifier(validation_split=None, max_epochs=8, random_state=0)
model = make_pipeline(
    ImageScaler(max_intensity=X.max()), classifier.set_callbacks(monitor)
)
search = GridSearchCV(
    model,
    {"mnistmlpclassifier__learning_rate": [1e-4, 1e-3, 1e-2]},
    cv=2,
    n_jobs=2,
)
search.fit(X, y)
print(f"Best: {search.best_params_}, with an accuracy of {search.best_score_:.4f}")

# %%
# The plot
# --------
# :class:`~skmnist.HistoryDisplay` plots the log of the monitor, with one curve per fit.
# If the search is passed too, each curve is named by the parameters and the fold. The
# accuracy is that on the training images of the fit. The last curve is that of the best
# candidate, refitted to all images.

import matplotlib.pyplot as plt

from skmnist import HistoryDisplay

display = HistoryDisplay.from_history(monitor.get_logs(), search=search)
display.figure_.suptitle("Accuracy of each fit of the search on its training images")
plt.show()

# %%
# The log is also available as a table with one row per epoch:

log = monitor.get_logs().data_as_pandas
log[["task_id_path", "task_name", "accuracy"]].tail()

# %%
# The folds of a cross-validation
# -------------------------------
# A monitor only records scores on training images. To plot validation curves too, use
# the validation split of the classifier, and keep the fitted models of a
# cross-validation. This works with every version of scikit-learn.

from sklearn.model_selection import cross_validate

best = search.best_estimator_.set_params(mnistmlpclassifier__validation_split=0.2)
results = cross_validate(best, X, y, cv=3, return_estimator=True)

display = HistoryDisplay.from_history(results)
display.figure_.suptitle("Loss and accuracy in each fold of a cross-validation")
plt.show()

# %%
# To compare settings, pass a dict of such results, or of fitted models, histories or
# logs: ``HistoryDisplay.from_history({"one": results, "other": others})``. The names
# of the curves then begin with the keys, as in "one, fold 1". A list is accepted too,
# such as the logs of several searches, which ``monitor.get_logs(select="all")``
# returns. Its curves are named "run 1, fit 1", "run 1, fit 2", and so on.
