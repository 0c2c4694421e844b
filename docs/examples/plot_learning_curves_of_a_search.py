"""
All learning curves of a grid search
====================================

scikit-learn's own callbacks see every epoch of the classifier, even inside a pipeline,
a search and worker processes. A :class:`~sklearn.callback.ScoringMonitor` records them
all in one table. It is experimental and needs scikit-learn 1.9 or newer.
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
# The monitor is set on the classifier; the search itself does not change.

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
search.best_params_

# %%
# The table
# ---------
# The table has one row per epoch of each fit: three candidates on two folds, and the
# best candidate refitted on all images.

log = monitor.get_logs().data_as_pandas
log[["task_id_path", "task_name", "accuracy"]].tail()

# %%
# The plot
# --------
# :class:`~skmnist.HistoryDisplay` plots the table, with one curve per fit. The accuracy
# is evaluated on the images that the fit was given. In the name of a curve the third
# number counts the fits of the search, two folds per candidate, in the order of the
# grid; the last curve is the best candidate refitted on all images.

import matplotlib.pyplot as plt

from skmnist import HistoryDisplay

HistoryDisplay.from_history(log)
plt.show()
