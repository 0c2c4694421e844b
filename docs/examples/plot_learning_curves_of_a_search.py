"""
All learning curves of a grid search
====================================

scikit-learn's own callbacks see every epoch of the classifier, also inside a pipeline,
inside a search, in worker processes. A :class:`~sklearn.callback.ScoringMonitor` makes
one table of them all. It is experimental and needs scikit-learn 1.9 or newer.
"""

# %%
# A part of the training images:

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
# A row for each epoch of each fit: three candidates on two folds, and the best one
# again on all images.

log = monitor.get_logs().data_as_pandas
log[["task_id_path", "task_name", "accuracy"]].tail()

# %%
# The picture
# -----------
# :class:`~skmnist.HistoryDisplay` draws the table: a curve for each fit. The accuracy
# is that on the images that the fit was given. In the name of a curve the third number
# counts the fits of the search, two folds for each candidate, in the order of the grid;
# the last curve is the best candidate on all images.

import matplotlib.pyplot as plt

from skmnist import HistoryDisplay

HistoryDisplay.from_history(log)
plt.show()
