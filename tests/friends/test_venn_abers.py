"""venn-abers: calibrated probabilities."""

import numpy as np
from sklearn.metrics import log_loss
from venn_abers import VennAbersCalibrator


def test_probabilities_of_an_overfitted_model_are_calibrated(digits, model):
    X_train, X_test, *labels = digits
    rng = np.random.default_rng(0)
    # A fifth of the labels is wrong, and the model learns them by heart.
    y_train, y_test = [
        ((y >= 5) ^ (rng.random(len(y)) < 0.2)).astype(int) for y in labels
    ]
    model.set_params(mnistmlpclassifier__dropout=0, mnistmlpclassifier__max_epochs=100)
    before = log_loss(y_test, model.fit(X_train, y_train).predict_proba(X_test))

    calibrator = VennAbersCalibrator(
        model, inductive=True, cal_size=0.3, random_state=0, shuffle=True
    )
    calibrator.fit(X_train, y_train)

    probabilities = calibrator.predict_proba(X_test)
    assert log_loss(y_test, probabilities) < 0.8 * before
