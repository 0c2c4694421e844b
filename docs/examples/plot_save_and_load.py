"""
Saving and loading, safely
==========================

A fitted model can be saved in two ways. ``joblib.dump`` takes any model, but opening
such a file runs whatever code its author put into it. :func:`~skmnist.save_model`
writes arrays and parameters only, and :func:`~skmnist.load_model` takes nothing else.
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
# For yourself: joblib
# --------------------
# The whole pipeline goes into one file: parameters, weights, training history, and the
# state of the optimizer, so that ``partial_fit`` can continue. The training images are
# not in it.

import tempfile
from pathlib import Path

import joblib

folder = Path(tempfile.mkdtemp())  # or any other folder
joblib.dump(model, folder / "digits.joblib")
loaded = joblib.load(folder / "digits.joblib")
print((loaded.predict_proba(X_test) == model.predict_proba(X_test)).all())

# %%
# For others, and from others: save_model
# ---------------------------------------
# This needs skops: ``pip install 'skmnist[skops]'``. What comes back is the same to the
# bit.

from skmnist import load_model, save_model

save_model(model, folder / "digits.skmnist")
loaded = load_model(folder / "digits.skmnist")
print((loaded.predict_proba(X_test) == model.predict_proba(X_test)).all())

# %%
# A file that holds code is refused, before any of it runs:

try:
    load_model(folder / "digits.joblib")
except ValueError as error:
    print(error)

# %%
# So is a model that cannot be stored without code, when it is saved:

from sklearn.preprocessing import FunctionTransformer

inverted = make_pipeline(FunctionTransformer(lambda X: 255 - X), *model)
try:
    save_model(inverted, folder / "inverted.skmnist")
except ValueError as error:
    print(error)

# %%
# Both kinds of file are about as large as the weights and the optimizer's state:

for path in sorted(folder.iterdir()):
    print(f"{path.name:16}{path.stat().st_size / 1e6:6.2f} MB")

# %%
# The history on its own
# ----------------------

history = model[-1].history_
history.to_csv(folder / "history.csv", index=False)
history.round(4)
