"""Compare a study of 30 trials that optuna prunes with one that it does not.

Run `make test-friends` once, which installs optuna, then
`.venv-friends/bin/python benchmarks/pruning.py SEED...`. It needs MNIST, and takes four
minutes for each seed. Both studies see the same trials: those of a random search.
"""

from __future__ import annotations

import argparse
import time

import optuna
from optuna.pruners import NopPruner, PercentilePruner
from optuna.samplers import RandomSampler
from optuna_integration import SkorchPruningCallback

from skmnist import ImageScaler, MNISTMLPClassifier, fetch_mnist

N_TRIALS = 30
N_EPOCHS = 15
N_TRAIN, N_VALID = 20_000, 10_000


def run_study(pruner, seed, images):
    """Return a study and the seconds that it took."""
    X, y, X_val, y_val = images

    def accuracy_of_trial(trial):
        classifier = MNISTMLPClassifier(
            trial.suggest_categorical("units", [64, 128, 256, 512]),
            dropout=trial.suggest_float("dropout", 0, 0.6),
            learning_rate=trial.suggest_float("learning_rate", 1e-4, 3e-2, log=True),
            batch_size=trial.suggest_categorical("batch_size", [64, 128, 256]),
            max_epochs=N_EPOCHS,
            callbacks=[SkorchPruningCallback(trial, "valid_accuracy")],
            random_state=0,
        )
        classifier.fit(X, y, X_val=X_val, y_val=y_val)
        return classifier.history_["valid_accuracy"].iloc[-1]

    study = optuna.create_study(
        direction="maximize", sampler=RandomSampler(seed=seed), pruner=pruner
    )
    begin = time.perf_counter()
    study.optimize(accuracy_of_trial, n_trials=N_TRIALS)
    return study, time.perf_counter() - begin


def main():
    """Print both studies of each seed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("seeds", type=int, nargs="+")
    seeds = parser.parse_args().seeds
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    X, y = fetch_mnist(return_X_y=True)
    X = ImageScaler().fit_transform(X)
    images = X[:N_TRAIN], y[:N_TRAIN], X[-N_VALID:], y[-N_VALID:]
    third = PercentilePruner(100 / 3, n_startup_trials=5, n_warmup_steps=1)
    for seed in seeds:
        full, full_seconds = run_study(NopPruner(), seed, images)
        pruned, seconds = run_study(third, seed, images)
        n_pruned = sum(trial.state.name == "PRUNED" for trial in pruned.trials)
        print(
            f"seed {seed}: {n_pruned} of {N_TRIALS} trials pruned, "
            f"{seconds:.0f} s instead of {full_seconds:.0f} s "
            f"({seconds / full_seconds:.2f}), best validation accuracy "
            f"{pruned.best_value:.4f} instead of {full.best_value:.4f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
