"""LIME: the pixels that count for one prediction."""

from lime.lime_tabular import LimeTabularExplainer


def test_a_prediction_depends_on_the_pixels_that_are_named(digits, fitted):
    X_train, X_test, _, _ = digits
    explainer = LimeTabularExplainer(
        X_train, discretize_continuous=False, random_state=0
    )
    label = fitted.predict(X_test[:1])[0]

    explanation = explainer.explain_instance(
        X_test[0], fitted.predict_proba, labels=[label], num_features=8
    )

    pixels, weights = zip(*explanation.as_map()[label], strict=True)
    changed = X_test[:1].copy()
    changed[0, pixels] = [0 if weight > 0 else 16 for weight in weights]
    before, after = (fitted.predict_proba(X)[0, label] for X in (X_test[:1], changed))
    assert after < before - 0.5
