"""
Saving and loading, safely
==========================

A fitted model can be saved in two ways. ``joblib.dump`` saves any model, but loading
its file runs all code that the author of the file has put into it.
:func:`~skmnist.save_model` only writes arrays and parameters, and
:func:`~skmnist.load_model` accepts nothing else.
"""

# %%
# A model to save
# ---------------

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

model = make_pipeline(
    ImageScaler(max_intensity=X.max()), MNISTMLPClassifier(max_epochs=3, random_state=0)
)
model.fit(X_train, y_train)
print(f"{data}, test accuracy {model.score(X_test, y_test):.4f}")

# %%
# For your own use: joblib
# ------------------------
# The whole pipeline is saved in one file: parameters, weights, training history, and
# the state of the optimizer, so that ``partial_fit`` can continue the training. The
# training images are not saved.

import tempfile
from pathlib import Path

import joblib

folder = Path(tempfile.mkdtemp())  # or any other folder
joblib.dump(model, folder / "digits.joblib")
loaded = joblib.load(folder / "digits.joblib")
is_same = (loaded.predict_proba(X_test) == model.predict_proba(X_test)).all()
print(f"The same probabilities: {is_same}")

# %%
# For sharing: save_model
# -----------------------
# This needs skops: ``pip install 'skmnist[skops]'``. The loaded model is bit for bit
# the same.

from skmnist import load_model, save_model

save_model(model, folder / "digits.skmnist")
loaded = load_model(folder / "digits.skmnist")
is_same = (loaded.predict_proba(X_test) == model.predict_proba(X_test)).all()
print(f"The same probabilities: {is_same}")

# %%
# A file that can contain code is rejected before any of it runs:

try:
    load_model(folder / "digits.joblib")
except ValueError as error:
    print(str(error).replace(str(folder), "folder"))

# %%
# ``save_model`` rejects a model that cannot be stored without code:

from sklearn.preprocessing import FunctionTransformer

inverted = make_pipeline(FunctionTransformer(lambda X: 255 - X), *model)
try:
    save_model(inverted, folder / "inverted.skmnist")
except ValueError as error:
    print(error)

# %%
# Both files are about as large as the weights and the state of the optimizer:

for path in sorted(folder.iterdir()):
    print(f"{path.name:16}{path.stat().st_size / 1e6:6.2f} MB")

# %%
# Saving only the history
# -----------------------
# The history is a DataFrame, so it can be saved as a CSV file. This is enough to plot
# the curves:

import matplotlib.pyplot as plt
import pandas as pd

from skmnist import HistoryDisplay

model[-1].history_.to_csv(folder / "history.csv", index=False)
display = HistoryDisplay.from_history(pd.read_csv(folder / "history.csv"))
display.figure_.suptitle("Loss and accuracy, read from a CSV file")
plt.show()
