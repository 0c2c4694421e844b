"""scikit-optimize: a Bayesian search."""

from skopt import BayesSearchCV


def test_a_search_finds_a_good_learning_rate(digits, model):
    X_train, X_test, y_train, y_test = digits

    search = BayesSearchCV(
        model,
        {"mnistmlpclassifier__learning_rate": (1e-6, 0.1, "log-uniform")},
        n_iter=8,
        cv=2,
        random_state=0,
    ).fit(X_train, y_train)

    assert search.best_params_["mnistmlpclassifier__learning_rate"] > 1e-3
    assert search.score(X_test, y_test) > 0.9
