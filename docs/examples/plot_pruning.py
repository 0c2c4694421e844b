"""
Pruning unpromising trials with optuna
======================================

Most trials of a search are clearly worse than others after a few epochs. `optuna
<https://optuna.org>`_ can stop these trials early. For this, a callback reports the
accuracy of each epoch to optuna. This example needs ``pip install optuna-integration``.
"""

# %%
# Training and validation images
# ------------------------------

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skmnist import ImageScaler, fetch_mnist

try:
    X, y = fetch_mnist(subset="all", return_X_y=True, download_if_missing=False)
    data = "MNIST"
except OSError:
    X, y = load_digits(return_X_y=True)
    data = "scikit-learn's digits"
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=1 / 7, shuffle=False
)
X_train, X_val, y_train, y_val = train_test_split(
    X_train[:12_000], y_train[:12_000], test_size=1 / 3, random_state=0
)
scaler = ImageScaler(max_intensity=X.max())
X_train, X_val = scaler.fit_transform(X_train), scaler.transform(X_val)
print(f"{data}: {len(X_train):,} images to train on, {len(X_val):,} to validate on")

# %%
# A trial
# -------
# The callback reports the validation accuracy to the trial after each epoch. To prune
# the trial, it raises an exception that stops the training.

from optuna_integration import SkorchPruningCallback

from skmnist import MNISTMLPClassifier

max_epochs = 15


def accuracy_of_trial(trial):
    classifier = MNISTMLPClassifier(
        trial.suggest_categorical("units", [64, 128, 256, 512]),
        dropout=trial.suggest_float("dropout", 0, 0.6),
        learning_rate=trial.suggest_float("learning_rate", 1e-4, 3e-2, log=True),
        batch_size=trial.suggest_categorical("batch_size", [64, 128, 256]),
        max_epochs=max_epochs,
        callbacks=[SkorchPruningCallback(trial, "valid_accuracy")],
        random_state=0,
    )
    classifier.fit(X_train, y_train, X_val=X_val, y_val=y_val)
    return classifier.history_["valid_accuracy"].iloc[-1]


# %%
# The study
# ---------
# The pruner stops a trial if its best accuracy so far is not among the best third of
# the accuracies that complete trials had at the same epoch. It never stops the first
# five trials, nor any trial in its first epoch.

import warnings

import optuna

warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # its plots
optuna.logging.set_verbosity(optuna.logging.WARNING)
study = optuna.create_study(
    direction="maximize",
    sampler=optuna.samplers.RandomSampler(seed=0),
    pruner=optuna.pruners.PercentilePruner(
        100 / 3, n_startup_trials=5, n_warmup_steps=1
    ),
)
study.optimize(accuracy_of_trial, n_trials=30)

print(f"validation accuracy {study.best_value:.4f}")
study.best_params

# %%
# The number of epochs
# --------------------

n_epochs = sum(len(trial.intermediate_values) for trial in study.trials)
n_pruned = sum(trial.state.name == "PRUNED" for trial in study.trials)
print(f"{n_pruned} of {len(study.trials)} trials pruned")
print(f"{n_epochs} epochs instead of {max_epochs * len(study.trials)}")

# %%
# The script ``benchmarks/pruning.py`` compares the time and the best trial of such a
# study with those of a study without a pruner.

# %%
# The plot shows the errors of the trials after each epoch. Gray trials were pruned.

import matplotlib.pyplot as plt

styles = {
    "complete": {"color": "C0"},
    "pruned": {"color": "gray", "marker": ".", "zorder": 1},
    "the best": {"color": "black", "linewidth": 2.5},
}
fig, ax = plt.subplots(layout="constrained")
for trial in study.trials:
    error = [1 - accuracy for accuracy in trial.intermediate_values.values()]
    kind = "the best" if trial == study.best_trial else trial.state.name.lower()
    ax.semilogy(range(1, len(error) + 1), error, label=kind, **styles[kind])
ax.set(xlabel="Epoch", ylabel="1 - validation accuracy")
ax.set_title("Errors of all trials, epoch by epoch")
handles, kinds = ax.get_legend_handles_labels()
by_kind = dict(zip(kinds, handles, strict=True))
ax.legend(by_kind.values(), by_kind)
plt.show()

# %%
# optuna's own plots can be used too. This one shows when each trial ran:

from optuna.visualization.matplotlib import plot_timeline

ax = plot_timeline(study)
ax.set_title("When each trial ran")
plt.show()

# %%
# The best network
# ----------------
# The study stores the parameters of the trials, not the classifiers. Fit a classifier
# with the best parameters again, without the callback and without a validation set:

best = MNISTMLPClassifier(
    study.best_params["units"],
    dropout=study.best_params["dropout"],
    learning_rate=study.best_params["learning_rate"],
    batch_size=study.best_params["batch_size"],
    max_epochs=max_epochs,
    validation_split=None,
    random_state=0,
)
best.fit(X_train, y_train)
print(f"test accuracy {best.score(scaler.transform(X_test), y_test):.4f}")
