"""
The lecture, line by line
=========================

A well-known introductory lecture on neural networks fits a dense layer of 256 units
with dropout to MNIST, in R with Keras. This example performs each of its steps with
skmnist and compares the results. The comparison is only meaningful if the example was
run on MNIST.
"""

# %%
# The data
# --------
# The training images are used for training and validation, the test images only at the
# end. If MNIST is not in the data home, scikit-learn's small digits are used instead.

import numpy as np
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
print(f"{data}: {len(X_train):,} images to train on, {len(X_test):,} to test on,")
print(f"{X.shape[1]} pixels, intensities {X.min():g} to {X.max():g}")
print("labels:", *np.unique(y))

# %%
# The lecture plots digits in shades of gray:

import matplotlib.pyplot as plt

from skmnist import ImageGridDisplay

ImageGridDisplay.from_images(
    X_train, y_train, n_images=15, title="Training images and their labels"
)
plt.show()

# %%
# The lecture also has a parameter ``class_names`` for the names of the labels. They are
# useful for Fashion-MNIST, which is plotted here if it is in the data home; otherwise
# the digits are plotted again.

from skmnist import fetch_fashion_mnist

try:
    fashion = fetch_fashion_mnist(download_if_missing=False)
    images, labels, class_names = fashion.images, fashion.target, fashion.target_names
except OSError:
    images, labels = X_train, y_train
    class_names = [f"digit {digit}" for digit in range(10)]
ImageGridDisplay.from_images(
    images,
    labels,
    n_images=15,
    class_names=class_names,
    title="Training images and the names of their labels",
)
plt.show()

# %%
# Scaling
# -------
# The lecture divides by 255 and reshapes each image to (28, 28, 1). Here the classifier
# accepts images of all usual shapes, so only scaling is needed. Labels need no one-hot
# encoding.

from skmnist import ImageScaler

scaler = ImageScaler(max_intensity=X.max())
X_train_scaled = scaler.fit_transform(X_train)
X_test_scaled = scaler.transform(X_test)
print(f"{X_train_scaled.dtype}, {X_train_scaled.min()} to {X_train_scaled.max()}")

# %%
# The network
# -----------
# 256 units, ReLU and a dropout rate of 0.5 are the defaults. The lecture's optimizer is
# Keras's Adagrad, whose defaults differ from PyTorch's.

from skmnist import MNISTMLPClassifier, model_summary

classifier = MNISTMLPClassifier(
    hidden_layer_sizes=256,
    dropout=0.5,
    optimizer="adagrad",
    learning_rate=0.01,
    optimizer_params={"initial_accumulator_value": 0.1, "eps": 1e-7},
    batch_size=128,
    max_epochs=10,
    random_state=0,
    verbose=1,
)
model_summary(classifier, n_features=X.shape[1], n_classes=10)

# %%
# Training
# --------
# Keras's ``validation_split=0.2`` holds out the last fifth of the rows, 12,000 of
# MNIST's 60,000. Here specific rows are passed as ``X_val`` and ``y_val``.

n_train = len(X_train) * 4 // 5
classifier.fit(
    X_train_scaled[:n_train],
    y_train[:n_train],
    X_val=X_train_scaled[n_train:],
    y_val=y_train[n_train:],
)

# %%
# The curves
# ----------
# The training loss and accuracy are averages over an epoch. During the epoch dropout is
# active and the weights are still changing, so these averages are worse than the
# validation values, both here and in the lecture.

import pandas as pd

from skmnist import HistoryDisplay

lecture = pd.DataFrame(
    [
        (1, 0.9042, 0.7397, 0.4263, 0.8947),
        (2, 0.4929, 0.8600, 0.3365, 0.9104),
        (3, 0.4153, 0.8813, 0.2967, 0.9190),
        (4, 0.3709, 0.8933, 0.2707, 0.9260),
        (5, 0.3395, 0.9040, 0.2521, 0.9302),
        (6, 0.3177, 0.9095, 0.2362, 0.9356),
        (7, 0.2984, 0.9155, 0.2229, 0.9391),
        (8, 0.2816, 0.9213, 0.2123, 0.9415),
        (9, 0.2678, 0.9248, 0.2040, 0.9438),
        (10, 0.2601, 0.9265, 0.1960, 0.9463),
    ],
    columns=["epoch", "train_loss", "train_accuracy", "valid_loss", "valid_accuracy"],
)
display = HistoryDisplay.from_history({"here": classifier.history_, "lecture": lecture})
display.figure_.suptitle("Loss and accuracy, here and in the lecture")
plt.show()

# %%
# The results of the last epoch and on the test images:

from skmnist import evaluate

figures = pd.DataFrame(
    {"here": classifier.history_.iloc[-1], "lecture": lecture.iloc[-1]},
    index=lecture.columns[1:],
)
test = evaluate(classifier, X_test_scaled, y_test)
figures.loc["test_loss"] = [test["loss"], 0.1982]
figures.loc["test_accuracy"] = [test["accuracy"], 0.9453]
figures.round(4)

# %%
# The confusion matrix
# --------------------

from sklearn.metrics import ConfusionMatrixDisplay

confusion = ConfusionMatrixDisplay.from_estimator(
    classifier, X_test_scaled, y_test, colorbar=False, cmap="Blues"
)
confusion.ax_.set_title("Test images by true and predicted label")
plt.show()

# %%
# An 8 predicted as a 2
# ---------------------
# The lecture ends with one such image. These are all such test images here, the most
# confident predictions first:

ImageGridDisplay.from_misclassified(
    classifier, X_test_scaled, y_test, true=8, predicted=2, n_columns=3
)
plt.show()

# %%
# Saving
# ------
# The lecture saves the model and the history separately. Here the fitted classifier
# contains both; see :ref:`sphx_glr_auto_examples_plot_save_and_load.py`. The history is
# a DataFrame, so ``classifier.history_.to_csv("history.csv")`` saves it on its own.
