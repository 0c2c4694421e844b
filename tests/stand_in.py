"""scikit-learn's own tests, with our classifier in place of its linear ones."""

import os
import subprocess
import sys

PLUGIN = """
import sklearn.linear_model
import sklearn.svm
from skmnist import MNISTMLPClassifier

class LogisticRegression(MNISTMLPClassifier):
    def __init__(self, C=1.0, solver="lbfgs", max_iter=100, random_state=0):
        super().__init__(
            hidden_layer_sizes=32,
            dropout=0.0,
            learning_rate=0.05,
            max_epochs=10,
            validation_split=None,
            random_state=random_state,
        )
        self.C = C
        self.solver = solver
        self.max_iter = max_iter

class LinearSVC(LogisticRegression):
    def __init__(self, C=1.0, loss="squared_hinge", max_iter=1000, random_state=0):
        super().__init__(C=C, max_iter=max_iter, random_state=random_state)
        self.loss = loss

sklearn.linear_model.LogisticRegression = LogisticRegression
sklearn.svm.LinearSVC = LinearSVC
"""


def run_scikit_learns_tests(tests, folder):
    """Return how many of scikit-learn's tests pass; none may fail.

    Parameters
    ----------
    tests : list of str
        Names of modules, or of tests in them as pytest writes them.
    folder : Path
        A new folder.
    """
    (folder / "stand_in_plugin.py").write_text(PLUGIN)
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    command = ["-m", "pytest", "-p", "stand_in_plugin", "-q", "-rA", "--pyargs", *tests]
    done = subprocess.run(
        [sys.executable, *command],
        env=os.environ | {"PYTHONPATH": path},
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout.count("\nPASSED ")
