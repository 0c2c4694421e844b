"""A data scientist types what the pages show, around a pipeline of their own."""

import joblib
import numpy as np
import pytest
from sklearn import config_context
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss, recall_score
from sklearn.model_selection import GridSearchCV, cross_validate, train_test_split
from sklearn.pipeline import Pipeline

from skmnist import (
    HistoryDisplay,
    ImageScaler,
    MNISTMLPClassifier,
    evaluate,
    load_model,
    misclassified,
    save_model,
)

NAMES = np.array(
    ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
)


@pytest.fixture
def frames():
    """Digits as DataFrames with names as labels: to train on and to test on."""
    X, y = load_digits(return_X_y=True, as_frame=True)
    return train_test_split(X, NAMES[y], stratify=y, random_state=0)


def make_model(**parameters):
    network = MNISTMLPClassifier(
        **{"learning_rate": 0.01, "random_state": 0, **parameters}
    )
    return Pipeline([("scale", ImageScaler(16)), ("network", network)])


def test_a_search_saved_and_its_mistakes(frames):
    X_train, X_test, y_train, y_test = frames
    grid = [
        {"network__optimizer": ["adam"], "network__hidden_layer_sizes": [32, (32, 32)]},
        {
            "network__optimizer": ["adamw"],
            "network__optimizer_params": [
                {"weight_decay": 0.01},
                {"weight_decay": 0.1},
            ],
        },
    ]
    search = GridSearchCV(make_model(validation_split=None, max_epochs=5), grid, cv=2)
    search.fit(X_train, y_train)
    assert len(search.cv_results_["params"]) == 4
    assert search.best_score_ > 0.9
    assert search.score(X_test, y_test) > 0.9

    results = evaluate(search, X_test, y_test)
    mistakes = misclassified(search, X_test, y_test)
    assert results["accuracy"] == search.score(X_test, y_test)
    assert len(mistakes) == round(results["misclassification_error"] * len(X_test))
    assert set(mistakes["true"]) <= set(NAMES)
    wrong = X_test.iloc[mistakes["index"]]
    assert (search.predict(wrong) == mistakes["predicted"]).all()

    joblib.dump(search, "search.joblib")
    save_model(search, "search.skmnist")
    expected = search.predict_proba(X_test)
    for loaded in (joblib.load("search.joblib"), load_model("search.skmnist")):
        assert (loaded.predict_proba(X_test) == expected).all()
        assert loaded.best_params_ == search.best_params_


def test_a_rare_class(frames):
    X_train, X_test, y_train, y_test = frames
    is_kept = (y_train != "eight") | (np.cumsum(y_train == "eight") <= 10)
    recalls = {}
    for class_weight in (None, "balanced"):
        model = make_model(class_weight=class_weight, learning_rate=1e-3)
        model.fit(X_train[is_kept], y_train[is_kept])
        recalls[class_weight] = recall_score(
            y_test, model.predict(X_test), labels=["eight"], average="macro"
        )
    assert recalls["balanced"] > recalls[None] + 0.2


def test_early_stopping_on_validation_images_of_ones_own(frames):
    X_train, X_test, y_train, y_test = frames
    X_train, X_val, y_train, y_val = train_test_split(
        X_train, y_train, stratify=y_train, random_state=0
    )
    model = make_model(
        early_stopping=True, monitor="balanced_accuracy", patience=3, max_epochs=50
    )
    with config_context(enable_metadata_routing=True):
        model.set_params(transform_input=["X_val"])
        model[-1].set_fit_request(X_val=True, y_val=True)
        model.fit(X_train, y_train, X_val=X_val, y_val=y_val)
    network = model[-1]
    scores = network.history_["valid_balanced_accuracy"]
    assert network.best_epoch_ == scores.idxmax() + 1
    assert network.n_iter_ == network.best_epoch_ + 3 < 50
    assert scores.max() > 0.9
    best = network.history_.iloc[network.best_epoch_ - 1]
    assert model.score(X_val, y_val) == pytest.approx(best["valid_accuracy"])
    assert model.score(X_test, y_test) > 0.9
    joblib.dump(model, "stopped.joblib")
    assert (
        joblib.load("stopped.joblib").predict(X_test) == model.predict(X_test)
    ).all()


def test_validation_images_of_ones_own_without_routing(frames):
    X_train, X_test, y_train, y_test = frames
    model = make_model(early_stopping=True, patience=3, max_epochs=50)
    X_val = model[0].fit(X_train).transform(X_test)
    model.fit(X_train, y_train, network__X_val=X_val, network__y_val=y_test)
    assert model[-1].history_["valid_loss"].iloc[-1] < 0.5
    save_model(model, "stopped.skmnist")
    assert (
        load_model("stopped.skmnist").predict(X_test) == model.predict(X_test)
    ).all()

    with pytest.warns(UserWarning, match="transform_input"):
        model.fit(X_train, y_train, network__X_val=X_test, network__y_val=y_test)


def test_calibration(frames):
    X_train, X_test, y_train, y_test = frames
    model = make_model(dropout=0, validation_split=None, max_epochs=15)
    calibrated = CalibratedClassifierCV(model, cv=3, ensemble=False)
    calibrated.fit(X_train, y_train)
    assert calibrated.score(X_test, y_test) > 0.9
    loss = log_loss(
        y_test, calibrated.predict_proba(X_test), labels=calibrated.classes_
    )
    assert evaluate(calibrated, X_test, y_test)["loss"] == pytest.approx(loss)
    save_model(calibrated, "calibrated.skmnist")
    loaded = load_model("calibrated.skmnist")
    assert (loaded.predict(X_test) == calibrated.predict(X_test)).all()


def test_the_curves_of_all_folds(frames):
    X_train, _, y_train, _ = frames
    results = cross_validate(
        make_model(max_epochs=4), X_train, y_train, cv=3, return_estimator=True
    )
    assert results["test_score"].min() > 0.85
    display = HistoryDisplay.from_history(results)
    assert list(display.histories) == ["fold 1", "fold 2", "fold 3"]
    for fold, model in zip(
        display.histories.values(), results["estimator"], strict=True
    ):
        assert fold["valid_loss"].tolist() == model[-1].history_["valid_loss"].tolist()
    names = [text.get_text() for text in display.figure_.axes[0].get_legend().texts]
    assert {"fold 1", "training", "validation"} <= set(names)

    others = cross_validate(
        make_model(max_epochs=4, dropout=0),
        X_train,
        y_train,
        cv=3,
        return_estimator=True,
    )
    display = HistoryDisplay.from_history({"dropout": results, "none": others})
    assert len(display.histories) == 6
    assert "dropout, fold 1" in display.histories


def test_several_labels():
    X, y = load_digits(return_X_y=True, as_frame=True)
    described = np.column_stack([y % 2 == 0, y > 4])
    X_train, X_test, y_train, y_test = train_test_split(X, described, random_state=0)
    model = make_model(max_epochs=5).fit(X_train, y_train)
    assert model.predict(X_test[:3]).shape == (3, 2)
    results = evaluate(model, X_test, y_test)
    assert results["accuracy"] == model.score(X_test, y_test) > 0.8
    with pytest.raises(ValueError, match="one label"):
        misclassified(model, X_test, y_test)
