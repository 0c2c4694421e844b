"""
Learning-rate schedules
=======================

The parameter ``callbacks`` accepts all skorch callbacks. skorch's
:class:`~skorch.callbacks.LRScheduler` provides PyTorch's learning-rate schedules, which
change the learning rate after each epoch or after each batch.
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
X, y = X[:12_000], y[:12_000]
print(f"{data}: {len(X):,} images")

# %%
# Four schedules
# --------------
# A schedule that changes the learning rate after each batch needs the total number of
# batches: the classifier is trained on four fifths of the images, in batches of 128,
# for 15 epochs.

import math

from skorch.callbacks import LRScheduler
from torch.optim.lr_scheduler import OneCycleLR

n_epochs, learning_rate = 15, 1e-2
steps_per_epoch = math.ceil(0.8 * len(X) / 128)

schedules = {
    "constant": None,
    "steps": LRScheduler("StepLR", step_size=5, gamma=0.3),
    "cosine": LRScheduler("CosineAnnealingLR", T_max=n_epochs),
    "one cycle": LRScheduler(
        OneCycleLR,
        max_lr=learning_rate,
        total_steps=n_epochs * steps_per_epoch,
        step_every="batch",
    ),
}

# %%
# A schedule can be computed before training:

import matplotlib.pyplot as plt
import numpy as np

colors = dict(zip(schedules, ["#0072B2", "#D55E00", "#009E73", "#CC79A7"], strict=True))
fig, ax = plt.subplots(figsize=(6.4, 3), layout="constrained")
rate_of_all = [learning_rate, learning_rate]
ax.plot([0, n_epochs], rate_of_all, label="constant", color=colors["constant"])
for name in ("steps", "cosine", "one cycle"):
    n_steps = n_epochs * (steps_per_epoch if name == "one cycle" else 1)
    rates = schedules[name].simulate(n_steps, initial_lr=learning_rate)
    edges = np.linspace(0, n_epochs, n_steps + 1)
    ax.stairs(
        rates, edges, baseline=None, linewidth=1.5, label=name, color=colors[name]
    )
ax.set(
    xlabel="Epoch", ylabel="Learning rate", title="The learning rate of each schedule"
)
ax.legend()
plt.show()

# %%
# The same network with each schedule
# -----------------------------------

from sklearn.pipeline import make_pipeline

from skmnist import ImageScaler, MNISTMLPClassifier

histories = {}
for name, schedule in schedules.items():
    model = make_pipeline(
        ImageScaler(max_intensity=X.max()),
        MNISTMLPClassifier(
            max_epochs=n_epochs,
            learning_rate=learning_rate,
            callbacks=None if schedule is None else [schedule],
            random_state=0,
        ),
    )
    histories[name] = model.fit(X, y)[-1].history_

# %%
# The effect on training
# ----------------------
# With this learning rate the loss falls quickly at first, but the rate is too large for
# the last epochs. On MNIST the constant learning rate ends with the highest loss; with
# the decreasing ones the weights converge.

from skmnist import HistoryDisplay

validation = ["epoch", "valid_loss", "valid_accuracy"]
display = HistoryDisplay.from_history(
    {name: history[validation] for name, history in histories.items()}
)
display.figure_.suptitle("Validation loss and accuracy with each schedule")
plt.show()

# %%

import pandas as pd

last = {name: history.iloc[-1] for name, history in histories.items()}
pd.DataFrame(last).T[["train_loss", "valid_loss", "valid_accuracy"]].round(4)
