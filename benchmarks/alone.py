"""Fit with one contestant in a process of its own: `alone.py NAME FOLDER EPOCHS`.

The whole process is timed from outside: the imports, the data from FOLDER, the fit with
whatever is compiled for it.
"""

import sys
from pathlib import Path

import numpy as np
from contestants import CONTESTANTS, Setting, scale


def main(name: str, folder: str, epochs: str) -> None:
    """Fit, and print the accuracy on the validation set after the last epoch."""
    contestant = CONTESTANTS[name]
    contestant.load()
    images, labels = (
        np.load(Path(folder, f"{part}.npy")) for part in ("images", "labels")
    )
    X = scale(images)
    n_rows = Setting().n_rows
    data = X[:n_rows], labels[:n_rows], X[n_rows:], labels[n_rows:]
    fitted = contestant.fit(*data, Setting(epochs=int(epochs)))
    print(fitted.valid_accuracies[-1])


if __name__ == "__main__":
    main(*sys.argv[1:])
