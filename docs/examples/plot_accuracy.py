"""
Past 98.5% on MNIST
===================

The defaults are the lecture's small network, good for about 97.8% of MNIST's test
images. This is a recipe for a network of the same kind that gets about 98.8% right, in
a minute on two cores: two wide layers, weight decay, and a learning rate that rises,
falls and ends near zero.
"""

# %%

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
print(f"{data}: {len(X_train):,} images to train on, {len(X_test):,} to test on")

# %%
# The recipe
# ----------
# The settings were chosen on 10,000 of the training images, held out. With them chosen,
# all training images are trained on. The first line lets PyTorch multiply in bfloat16,
# which takes half the time where the processor can do it.

import math

import torch
from sklearn.pipeline import make_pipeline
from skorch.callbacks import LRScheduler
from torch.optim.lr_scheduler import OneCycleLR

from skmnist import ImageScaler, MNISTMLPClassifier

torch.set_float32_matmul_precision("medium")

n_epochs, batch_size = 20, 256
n_steps = n_epochs * math.ceil(len(X_train) / batch_size)
model = make_pipeline(
    ImageScaler(max_intensity=X.max()),
    MNISTMLPClassifier(
        hidden_layer_sizes=(1024, 1024),
        activation="gelu",
        dropout=0.3,
        optimizer="adamw",
        optimizer_params={"weight_decay": 0.1},
        batch_size=batch_size,
        max_epochs=n_epochs,
        validation_split=None,
        callbacks=[
            LRScheduler(
                OneCycleLR, max_lr=2e-3, total_steps=n_steps, step_every="batch"
            )
        ],
        random_state=0,
    ),
)
model.fit(X_train, y_train)

torch.set_float32_matmul_precision("highest")  # the default, for what comes after

# %%
# On the test images
# ------------------

from skmnist import evaluate

evaluate(model, X_test, y_test).round(4)

# %%
# What is left
# ------------

import matplotlib.pyplot as plt

from skmnist import ImageGridDisplay

ImageGridDisplay.from_misclassified(model, X_test, y_test, n_images=10)
plt.show()
