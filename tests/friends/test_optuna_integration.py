"""optuna: a search with cross-validation, and a study that prunes."""

import optuna
from optuna.distributions import CategoricalDistribution
from optuna.trial import TrialState
from optuna_integration import OptunaSearchCV, SkorchPruningCallback
from sklearn.model_selection import ShuffleSplit, cross_val_score

optuna.logging.set_verbosity(optuna.logging.ERROR)


def test_a_search_finds_the_better_learning_rate(digits, model):
    X_train, X_test, y_train, y_test = digits
    rates = CategoricalDistribution([1e-6, 0.01])

    search = OptunaSearchCV(
        model,
        {"mnistmlpclassifier__learning_rate": rates},
        cv=2,
        n_trials=4,
        random_state=0,
    ).fit(X_train, y_train)

    assert search.best_params_ == {"mnistmlpclassifier__learning_rate": 0.01}
    assert search.score(X_test, y_test) > 0.9


def test_a_pruned_trial_ends_early_and_leaves_its_classifier_usable(
    digits, make_classifier
):
    X_train, X_test, y_train, y_test = digits
    classifiers = []

    def objective(trial):
        classifier = make_classifier(
            learning_rate=trial.suggest_float("learning_rate", 1e-6, 0.1, log=True),
            validation_split=0.2,
            callbacks=[SkorchPruningCallback(trial, "valid_accuracy")],
        )
        classifiers.append(classifier)
        classifier.fit(X_train / 16, y_train)
        return classifier.history_["valid_accuracy"].iloc[-1]

    study = optuna.create_study(
        direction="maximize", pruner=optuna.pruners.MedianPruner(n_startup_trials=1)
    )
    for learning_rate in [0.01, 1e-6]:
        study.enqueue_trial({"learning_rate": learning_rate})
    study.optimize(objective, n_trials=2)
    full, pruned = classifiers

    assert [t.state for t in study.trials] == [TrialState.COMPLETE, TrialState.PRUNED]
    assert full.score(X_test / 16, y_test) > 0.9
    assert pruned.n_iter_ < full.n_iter_
    assert set(pruned.predict(X_test / 16)) <= set(y_train)
    pruned.set_params(learning_rate=0.01, callbacks=None)
    pruned.partial_fit(X_train / 16, y_train)
    assert pruned.score(X_test / 16, y_test) > 0.5


def test_a_model_that_is_scored_on_a_fold_is_pruned(digits, model):
    X_train, _, y_train, _ = digits
    fold = ShuffleSplit(n_splits=1, test_size=0.2, random_state=0)

    def objective(trial):
        model.set_params(
            mnistmlpclassifier__learning_rate=trial.suggest_float("rate", 1e-6, 0.1),
            mnistmlpclassifier__validation_split=0.2,
            mnistmlpclassifier__callbacks=[
                SkorchPruningCallback(trial, "valid_accuracy")
            ],
        )
        scores = cross_val_score(model, X_train, y_train, cv=fold, error_score="raise")
        return scores.mean()

    study = optuna.create_study(
        direction="maximize", pruner=optuna.pruners.MedianPruner(n_startup_trials=1)
    )
    for rate in [0.01, 1e-6]:
        study.enqueue_trial({"rate": rate})
    study.optimize(objective, n_trials=2)

    assert study.best_value > 0.9
    assert [t.state for t in study.trials] == [TrialState.COMPLETE, TrialState.PRUNED]
