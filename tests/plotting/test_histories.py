"""Where the curves of a HistoryDisplay come from, and their names."""

import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate

from skmnist import HistoryDisplay, MNISTMLPClassifier

HISTORY = pd.DataFrame({"epoch": [1, 2], "train_loss": [0.9, 0.5]})


def names_in(source):
    return list(HistoryDisplay.from_history(source).histories)


def test_a_cross_validation_has_a_curve_for_each_fold(model, digits):
    results = cross_validate(model, *digits, cv=2, return_estimator=True)

    display = HistoryDisplay.from_history(results)

    assert list(display.histories) == ["fold 1", "fold 2"]
    for column in ("train_loss", "valid_loss", "train_accuracy", "valid_accuracy"):
        assert_array_equal(
            display.lines_["fold 2", column].get_ydata(),
            results["estimator"][1][-1].history_[column],
        )
    assert names_in({"a": results, "b": model}) == ["a, fold 1", "a, fold 2", "b"]


def test_the_parameters_that_a_search_found_name_its_curve(model, digits):
    grid = {
        "mnistmlpclassifier__learning_rate": [0.0012345],
        "mnistmlpclassifier__hidden_layer_sizes": [(8, 8)],
    }
    search = GridSearchCV(model, grid, cv=2).fit(*digits)
    name = "hidden_layer_sizes=(8, 8), learning_rate=0.00123"

    assert names_in(search) == [name]
    assert names_in([search, model]) == [f"run 1, {name}", "run 2"]


def test_histories_in_a_list_are_numbered():
    assert names_in([HISTORY, HISTORY]) == ["run 1", "run 2"]
    assert names_in({"a": [HISTORY, HISTORY]}) == ["a, run 1", "a, run 2"]


def test_a_run_may_be_named_estimator():
    assert names_in({"estimator": HISTORY, "other": HISTORY}) == ["estimator", "other"]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (None, "NoneType has no history; give a history_"),
        ({"epoch": [1, 2]}, "int has no history; .* return_estimator=True"),
        ({"fit_time": [0.1]}, "float has no history"),
    ],
)
def test_what_holds_no_history_is_refused(source, words):
    with pytest.raises(TypeError, match=words):
        HistoryDisplay.from_history(source)


def test_estimators_without_a_history_are_refused(digits):
    fitted = LogisticRegression(max_iter=500).fit(*digits)
    with pytest.raises(TypeError, match="LogisticRegression has no history"):
        HistoryDisplay.from_history([fitted])
    with pytest.raises(NotFittedError):
        HistoryDisplay.from_history(MNISTMLPClassifier())
