"""dask-ml: blocks of an array, and a search on threads."""

import dask.array as da
import pytest
from dask_ml.model_selection import GridSearchCV
from dask_ml.wrappers import Incremental, ParallelPostFit
from numpy.testing import assert_array_equal


@pytest.fixture
def blocks(digits):
    """Training images and labels in four blocks, the images scaled."""
    X_train, _, y_train, _ = digits
    return da.from_array(X_train / 16, chunks=(400, -1)), da.from_array(y_train, 400)


def test_blocks_are_trained_on_one_after_the_other(blocks, digits, make_classifier):
    _, X_test, _, y_test = digits

    incremental = Incremental(make_classifier(batch_size=16), random_state=0)
    incremental.fit(*blocks, classes=list(range(10)))

    assert incremental.estimator_.n_iter_ == 4
    assert incremental.score(X_test / 16, y_test) > 0.8


def test_a_search_finds_the_better_learning_rate(digits, model):
    X_train, X_test, y_train, y_test = digits

    search = GridSearchCV(
        model, {"mnistmlpclassifier__learning_rate": [1e-6, 0.01]}, cv=2
    ).fit(X_train, y_train)

    assert search.best_params_ == {"mnistmlpclassifier__learning_rate": 0.01}
    assert search.score(X_test, y_test) > 0.9


def test_blocks_are_predicted_as_the_whole(blocks, digits, model):
    X_train, _, y_train, _ = digits
    images = blocks[0] * 16

    wrapped = ParallelPostFit(model).fit(X_train, y_train)

    assert_array_equal(wrapped.predict(images).compute(), model.predict(X_train))
