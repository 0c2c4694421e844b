"""fairlearn: a reduction that trains with weights."""

import numpy as np
from fairlearn.metrics import demographic_parity_difference
from fairlearn.reductions import DemographicParity, ExponentiatedGradient


def test_a_reduction_brings_two_groups_closer(digits, model):
    X_train, X_test, y_train, y_test = digits
    groups = [np.isin(y, [0, 1, 2, 5]) for y in (y_train, y_test)]
    is_large = [(y >= 5).astype(int) for y in (y_train, y_test)]

    reduction = ExponentiatedGradient(
        model,
        DemographicParity(),
        max_iter=5,
        sample_weight_name="mnistmlpclassifier__sample_weight",
    ).fit(X_train, is_large[0], sensitive_features=groups[0])

    before = model.fit(X_train, is_large[0]).predict(X_test)
    after = reduction.predict(X_test, random_state=0)
    gaps = [
        demographic_parity_difference(is_large[1], each, sensitive_features=groups[1])
        for each in (before, after)
    ]
    assert gaps[1] < gaps[0] / 2
    assert np.mean(after == is_large[1]) > 0.75
