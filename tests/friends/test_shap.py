"""SHAP: attributions that add up to what is explained."""

import numpy as np
import pytest
import shap
import torch


@pytest.fixture
def images(digits):
    """Two digits to explain and 50 for the background, as tensors."""
    X_train, X_test, _, _ = digits
    parts = X_test[:2], X_train[:50]
    return [torch.as_tensor(part / 16, dtype=torch.float32) for part in parts]


def test_permutations_add_up_to_the_probabilities(digits, fitted):
    X_train, X_test, _, _ = digits
    explainer = shap.PermutationExplainer(fitted.predict_proba, X_train[:5], seed=0)

    values = explainer(X_test[:2])

    np.testing.assert_allclose(
        values.base_values + values.values.sum(axis=1),
        fitted.predict_proba(X_test[:2]),
        atol=1e-5,
    )


def test_deep_attributions_add_up_to_the_logits(images, module):
    few, background = images

    explainer = shap.DeepExplainer(module, background)
    values = explainer.shap_values(few)

    np.testing.assert_allclose(
        explainer.expected_value + values.sum(axis=1),
        module(few).detach().numpy(),
        atol=1e-3,
    )


def test_expected_gradients_add_up_about_to_the_logits(images, module):
    few, background = images

    explainer = shap.GradientExplainer(module, background)
    values = explainer.shap_values(few, nsamples=500, rseed=0)

    with torch.no_grad():
        differences = (module(few) - module(background).mean(dim=0)).numpy()
    np.testing.assert_allclose(values.sum(axis=1), differences, atol=1.0)
