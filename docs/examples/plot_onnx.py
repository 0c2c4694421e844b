"""
Prediction without Python, with ONNX
====================================

A web page, a phone or a server in another language cannot run scikit-learn, but it can
run an `ONNX runtime <https://onnxruntime.ai>`_. :func:`~skmnist.to_onnx` converts a
fitted model to the ONNX format, with all steps from the raw pixels to the label. This
example needs ``pip install 'skmnist[onnx]' onnxruntime``.
"""

# %%
# A fitted model
# --------------

# sphinx_gallery_parallel = False
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
    ImageScaler(max_intensity=X.max()), MNISTMLPClassifier(max_epochs=5, random_state=0)
)
model.fit(X_train, y_train)
print(f"{data}, test accuracy {model.score(X_test, y_test):.4f}")

# %%
# The file
# --------
# The images that are passed to ``to_onnx`` determine the type and the number of pixels
# of the input. The file contains the scaler, but not dropout, the optimizer and the
# history. So it is smaller than a file that can be used to continue the training.

import tempfile
from pathlib import Path

import joblib

from skmnist import to_onnx

folder = Path(tempfile.mkdtemp())  # or any other folder
onnx_model = to_onnx(model, X_train)
(folder / "digits.onnx").write_bytes(onnx_model.SerializeToString())
joblib.dump(model, folder / "digits.joblib")
for path in sorted(folder.iterdir(), reverse=True):
    print(f"{path.name:14}{path.stat().st_size / 1e6:6.2f} MB")

# %%
# The same predictions
# --------------------
# The runtime has bindings for C, C++, C#, Java, JavaScript and other languages. In
# Python it is used like this:

import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession(folder / "digits.onnx")
labels, probabilities = session.run(["label", "probabilities"], {"X": X_test})

n_equal = (labels == model.predict(X_test)).sum()
difference = np.abs(probabilities - model.predict_proba(X_test)).max()
print(f"equal labels: {n_equal:,} of {len(X_test):,}")
print(f"largest difference of a probability: {difference:.1e}")

# %%
# The speed
# ---------
# The shortest time of several runs, for one image and for all test images at once:

import timeit
from functools import partial

import pandas as pd

predict = {
    "model.predict": model.predict,
    "onnxruntime": lambda images: session.run(["label"], {"X": images}),
}
milliseconds = pd.DataFrame(index=pd.Index(["1", f"{len(X_test):,}"], name="images"))
for name, function in predict.items():
    milliseconds[name] = [
        1000 * min(timeit.repeat(partial(function, images), number=1, repeat=20))
        for images in (X_test[:1], X_test)
    ]
milliseconds.round(3)

# %%
# For a single image, ``model.predict`` spends most of its time on checking the input in
# Python.

import matplotlib.pyplot as plt

_, ax = plt.subplots(layout="constrained")
milliseconds.plot.bar(ax=ax, logy=True, rot=0, xlabel="Images", ylabel="Milliseconds")
ax.set_title("Time to predict")
ax.margins(y=0.1)
for bars in ax.containers:
    ax.bar_label(bars, fmt="%.2g")
plt.show()
