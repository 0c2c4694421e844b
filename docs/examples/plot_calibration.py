"""
Cross-validation with calibration
=================================

A network trained for many epochs without dropout is overconfident: its predicted
probabilities are higher than its accuracy. Cross-validation shows this, and
:class:`~sklearn.calibration.CalibratedClassifierCV` corrects it. The calibration by
temperature scaling needs scikit-learn 1.8 or newer; with earlier versions use
``method="sigmoid"``.
"""

# %%
# Use a subset of the training images, so that the example runs quickly:

# sphinx_gallery_parallel = False
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
X_train, y_train = X_train[:6000], y_train[:6000]
print(f"{data}: {len(X_train):,} images to train on, {len(X_test):,} to test on")

# %%
# Three models
# ------------
# The first model has no dropout. The second is the same one, calibrated by temperature
# scaling: all logits are divided by one number, which is learned on held-out folds. The
# third has dropout.

from sklearn.calibration import CalibratedClassifierCV
from sklearn.pipeline import make_pipeline

from skmnist import ImageScaler, MNISTMLPClassifier


def make_model(dropout):
    return make_pipeline(
        ImageScaler(max_intensity=X.max()),
        MNISTMLPClassifier(
            dropout=dropout, max_epochs=30, validation_split=None, random_state=0
        ),
    )


models = {
    "no dropout": make_model(dropout=0),
    "no dropout, calibrated": CalibratedClassifierCV(
        make_model(dropout=0), method="temperature", cv=3, ensemble=False
    ),
    "dropout": make_model(dropout=0.5),
}

# %%
# Cross-validation
# ----------------
# The log loss penalizes overconfidence; the accuracy does not.

import pandas as pd
from sklearn.model_selection import cross_validate

scores = {
    name: cross_validate(
        model,
        X_train,
        y_train,
        scoring={"accuracy": "accuracy", "log loss": "neg_log_loss"},
        cv=3,
        n_jobs=2,
    )
    for name, model in models.items()
}
pd.DataFrame(
    {
        name: {
            "accuracy": score["test_accuracy"].mean(),
            "log loss": -score["test_log loss"].mean(),
        }
        for name, score in scores.items()
    }
).T.round(4)

# %%
# Calibration curves
# ------------------
# The curves compare the probability of the predicted digit with the fraction of correct
# predictions on the test images. On the diagonal both are equal; below it a model is
# overconfident.

import matplotlib.pyplot as plt
from sklearn.calibration import CalibrationDisplay

fig, ax = plt.subplots(layout="constrained")
for marker, (name, model) in zip("os^", models.items(), strict=True):
    model.fit(X_train, y_train)
    probability = model.predict_proba(X_test).max(axis=1)
    is_right = model.predict(X_test) == y_test
    CalibrationDisplay.from_predictions(
        is_right,
        probability,
        n_bins=8,
        strategy="quantile",
        name=name,
        marker=marker,
        ax=ax,
    )
ax.set(xlabel="Probability of the predicted digit", ylabel="Fraction correct")
ax.set(xlim=(0.5, 1.02), ylim=(0.5, 1.02))
ax.set_title("Fraction correct against the predicted probability, for three models")
plt.show()
