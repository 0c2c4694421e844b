"""The classifier: images in, labels out."""

import subprocess
import sys
import threading
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skmnist import ImageScaler, MNISTMLPClassifier, evaluate
from small_models import PIXELS, WORDS, small
from stand_in import run_scikit_learns_tests


@pytest.mark.parametrize("shape", [(-1, 64), (-1, 8, 8), (-1, 8, 8, 1)])
def test_images_of_any_shape_are_the_same_images(digits, shape):
    X, y = digits
    expected = small().fit(X, y)

    classifier = small().fit(X.reshape(shape), y)

    assert classifier.n_features_in_ == 64
    assert_array_equal(
        classifier.predict_proba(X.reshape(shape)), expected.predict_proba(X)
    )


@pytest.mark.parametrize(
    "convert",
    [
        np.asfortranarray,
        pd.DataFrame,
        lambda X: X.tolist(),
        lambda X: X[:, ::-1][:, ::-1],
    ],
    ids=["fortran", "frame", "list", "negative strides"],
)
def test_images_in_any_container_are_the_same_images(digits, convert):
    X, y = digits
    X = X.astype(np.float64)
    expected = small().fit(X, y).predict_proba(X)

    X = convert(X)

    assert_array_equal(small().fit(X, y).predict_proba(X), expected)


def test_a_read_only_memory_map_trains_without_a_warning(digits, tmp_path):
    X, y = digits
    joblib.dump(X, tmp_path / "X")
    mapped = joblib.load(tmp_path / "X", mmap_mode="r")

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        classifier = small().fit(mapped, y)

    assert_array_equal(classifier.predict(mapped), small().fit(X, y).predict(X))
    assert_array_equal(mapped, X)


@pytest.mark.parametrize(
    ("given", "trained"),
    [
        (np.float32, np.float32),
        (np.float64, np.float64),
        (np.float16, np.float32),
        (np.uint8, np.float32),
        (np.int64, np.float32),
        (bool, np.float32),
    ],
)
def test_the_network_trains_in_the_float_type_that_it_is_given(digits, given, trained):
    X, y = digits
    classifier = small().fit((X > 0.5).astype(given), y)

    assert classifier.predict_proba(X).dtype == trained
    assert next(classifier.module_.parameters()).detach().cpu().numpy().dtype == trained


def test_a_batch_may_be_larger_than_the_data():
    model = MNISTMLPClassifier(batch_size=10_000, max_epochs=2)

    assert model.fit(PIXELS, np.arange(20) % 2).n_iter_ == 2


def test_one_image_is_enough_where_nothing_is_held_out():
    model = MNISTMLPClassifier(validation_split=None, max_epochs=1)

    assert model.fit(PIXELS[:1], ["a"]).predict(PIXELS[:2]).tolist() == ["a", "a"]


def test_a_hundred_classes_are_learned():
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(100), 10)
    X = np.eye(100, dtype=np.float32)[y] + rng.normal(0, 0.1, (1000, 100))
    classifier = small(hidden_layer_sizes=(64,), max_epochs=30, learning_rate=0.01)

    assert classifier.fit(X, y).score(X, y) > 0.95
    assert classifier.decision_function(X).shape == (1000, 100)


def test_outputs_agree_with_each_other(digits):
    X, y = digits
    classifier = small().fit(X.astype(np.float64), y)

    probabilities = classifier.predict_proba(X)
    logits = classifier.decision_function(X)

    assert_allclose(probabilities.sum(axis=1), 1)
    assert_allclose(np.log(probabilities), classifier.predict_log_proba(X))
    assert_allclose(np.diff(np.log(probabilities)), np.diff(logits), atol=1e-10)
    assert_array_equal(
        classifier.classes_[logits.argmax(axis=1)], classifier.predict(X)
    )


def test_small_probabilities_have_finite_logarithms(digits):
    X, y = digits
    classifier = small().fit(X, y)

    assert np.isfinite(classifier.predict_log_proba(X * 1e4)).all()


@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function"])
def test_an_unfitted_classifier_says_so(digits, method):
    with pytest.raises(NotFittedError):
        getattr(MNISTMLPClassifier(), method)(digits[0])
    assert not hasattr(MNISTMLPClassifier(), "history_")


def test_predicting_does_not_ask_for_the_number_of_features(digits):
    X, y = digits
    classifier = small().fit(X, y)
    expected = classifier.predict(X)

    del classifier.n_features_in_

    assert_array_equal(classifier.predict(X), expected)


def test_partial_fit_is_one_pass_over_all_rows(digits):
    X, y = digits
    classifier = small(validation_split=0.2)

    classifier.partial_fit(X, y, classes=np.arange(10))
    expected = small(validation_split=None, max_epochs=1).fit(X, y)

    assert classifier.n_iter_ == 1
    assert_array_equal(classifier.predict_proba(X), expected.predict_proba(X))


def test_partial_fits_go_on_as_epochs_do(digits):
    X, y = digits
    classifier = small(validation_split=None, max_epochs=3)
    expected = clone(classifier).fit(X, y)

    for _ in range(3):
        classifier.partial_fit(X, y, classes=np.arange(10))

    assert_array_equal(classifier.predict_proba(X), expected.predict_proba(X))
    assert classifier.history_["epoch"].tolist() == [1, 2, 3]


def test_partial_fit_takes_classes_that_come_later(digits):
    X, y = digits
    classifier = small().partial_fit(X[y < 3], y[y < 3], classes=np.arange(10))

    classifier.partial_fit(X[y >= 3], y[y >= 3])

    assert classifier.predict_proba(X).shape == (len(X), 10)


def test_partial_fit_refuses_what_does_not_fit(digits):
    X, y = digits
    classifier = small()
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        classifier.partial_fit(X, y)
    classifier.partial_fit(X[y < 3], y[y < 3], classes=[0, 1, 2])

    with pytest.raises(ValueError, match=r"y has the labels \[3, 4, 5, 6, 7, 8, 9\]"):
        classifier.partial_fit(X, y)
    with pytest.raises(ValueError, match="are not those of the earlier fit"):
        classifier.partial_fit(X, y, classes=np.arange(10))
    with pytest.raises(ValueError, match="63 features"):
        classifier.partial_fit(X[:, 1:], y)


def test_fit_after_partial_fit_begins_anew(digits):
    X, y = digits
    classifier = small().partial_fit(X, y, classes=np.arange(10))

    classifier.fit(X, y)

    assert_array_equal(classifier.predict_proba(X), small().fit(X, y).predict_proba(X))
    assert classifier.n_iter_ == 2


def test_partial_fit_weighs_its_rows(digits):
    X, y = digits
    weight = (y < 5).astype(float)

    weighted = small().partial_fit(X, y, classes=np.arange(10), sample_weight=weight)
    dropped = small().partial_fit(X[y < 5], y[y < 5], classes=np.arange(10))

    assert_array_equal(weighted.predict_proba(X), dropped.predict_proba(X))


def test_chunks_of_a_memory_map_train_as_those_of_an_array(digits, tmp_path):
    X, y = digits
    np.save(tmp_path / "images.npy", X)
    on_disk = np.load(tmp_path / "images.npy", mmap_mode="r")

    by_disk, by_memory = (MNISTMLPClassifier((16,), random_state=0) for _ in range(2))
    for model, images in ((by_disk, on_disk), (by_memory, X)):
        for start in range(0, 500, 100):
            rows = slice(start, start + 100)
            model.partial_fit(images[rows], y[rows], classes=range(10))

    assert by_disk.n_iter_ == 5
    assert_array_equal(by_disk.predict_proba(X), by_memory.predict_proba(X))


def test_warm_start_goes_on_with_the_same_rows_held_out(digits):
    X, y = digits
    classifier = small(warm_start=True, max_epochs=2)
    expected = small(max_epochs=4).fit(X, y)

    classifier.fit(X, y).fit(X, y)

    assert_array_equal(classifier.predict_proba(X), expected.predict_proba(X))
    assert classifier.n_iter_ == 4


def test_warm_start_refuses_other_labels(digits):
    X, y = digits
    classifier = small(warm_start=True).fit(X, y)

    with pytest.raises(ValueError, match="are not those of the earlier fit"):
        classifier.fit(X, WORDS[y])


def test_the_same_random_state_is_the_same_to_the_bit(digits):
    X, y = digits
    one, other, third = (
        small(random_state=state).fit(X, y).predict_proba(X) for state in (7, 7, 8)
    )

    assert_array_equal(one, other)
    assert not np.array_equal(one, third)


def test_no_random_state_is_different_each_time(digits):
    X, y = digits
    one, other = (small(random_state=None).fit(X, y) for _ in range(2))

    assert not np.array_equal(one.predict_proba(X), other.predict_proba(X))


def test_a_random_state_instance_is_drawn_from(digits):
    X, y = digits
    rng = np.random.RandomState(0)
    one, other = (small(random_state=rng).fit(X, y).predict_proba(X) for _ in range(2))
    again = small(random_state=np.random.RandomState(0)).fit(X, y).predict_proba(X)

    assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_a_wrong_random_state_is_an_error(digits):
    with pytest.raises(ValueError, match="cannot be used to seed"):
        small(random_state="zero").fit(*digits)


@pytest.mark.parametrize("random_state", [0, None])
def test_a_fit_leaves_the_global_generators_alone(digits, random_state):
    before = torch.get_rng_state(), np.random.get_state()

    small(random_state=random_state).fit(*digits)

    assert torch.equal(before[0], torch.get_rng_state())
    assert_array_equal(before[1][1], np.random.get_state()[1])
    assert before[1][2] == np.random.get_state()[2]


def test_threads_do_not_disturb_each_other(digits):
    X, y = digits
    expected = small(max_epochs=5).fit(X, y).predict_proba(X)
    results = [None] * 4

    def fit(i):
        results[i] = small(max_epochs=5).fit(X, y).predict_proba(X)

    threads = [threading.Thread(target=fit, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    for result in results:
        assert_array_equal(result, expected)


IN_ANOTHER_PROCESS = """
import sys, joblib, numpy as np, torch
threads, data, saved, refitted, loaded = sys.argv[1:]
torch.set_num_threads(int(threads))
from skmnist import MNISTMLPClassifier
X, y = joblib.load(data)
np.random.seed(99); torch.manual_seed(99)
classifier = MNISTMLPClassifier((16,), max_epochs=2, random_state=0).fit(X, y)
np.save(refitted, classifier.predict_proba(X))
np.save(loaded, joblib.load(saved).predict_proba(X))
"""


@pytest.fixture(scope="module")
def another_process(digits, tmp_path_factory):
    """A model saved here, and what another process makes of it and of the data."""
    folder = tmp_path_factory.mktemp("process")
    X, y = digits
    model = make_pipeline(ImageScaler(1), small()).fit(X, WORDS[y])
    names = ("data", "saved.joblib", "refitted.npy", "loaded.npy")
    data, saved, refitted, loaded = (str(folder / name) for name in names)
    joblib.dump(digits, data)
    joblib.dump(model, saved)
    arguments = [str(torch.get_num_threads()), data, saved, refitted, loaded]
    subprocess.run([sys.executable, "-c", IN_ANOTHER_PROCESS, *arguments], check=True)
    return model, np.load(refitted), np.load(loaded)


def test_two_processes_give_the_same_numbers(digits, another_process):
    _, refitted, _ = another_process

    assert_array_equal(refitted, small().fit(*digits).predict_proba(digits[0]))


def test_a_saved_pipeline_is_the_same_in_a_fresh_process(digits, another_process):
    model, _, loaded = another_process

    assert_array_equal(loaded, model.predict_proba(digits[0]))


def test_grid_search_over_a_pipeline_with_string_labels(digits):
    X, y = digits
    model = make_pipeline(ImageScaler(1), small(max_epochs=20, dropout=0.0))
    grid = {"mnistmlpclassifier__learning_rate": [1e-5, 1e-2]}

    search = GridSearchCV(model, grid, cv=3).fit(X, WORDS[y])

    assert search.best_params_ == {"mnistmlpclassifier__learning_rate": 1e-2}
    assert search.best_score_ > 0.8
    assert set(search.predict(X)) == set(WORDS)


def test_the_defaults_on_mnist(mnist):
    X, y, X_test, y_test = mnist
    model = make_pipeline(
        ImageScaler(), MNISTMLPClassifier(max_epochs=3, random_state=0)
    )

    model.fit(X, y)

    classifier = model[-1]
    assert classifier.net_.history[-1, "train_batch_count"] == 375
    assert sum(p.numel() for p in classifier.module_.parameters()) == 203_530
    assert model.score(X_test, y_test) > 0.955


LECTURE = pd.DataFrame(
    [
        (0.9042, 0.7397, 0.4263, 0.8947),
        (0.4929, 0.8600, 0.3365, 0.9104),
        (0.4153, 0.8813, 0.2967, 0.9190),
        (0.3709, 0.8933, 0.2707, 0.9260),
        (0.3395, 0.9040, 0.2521, 0.9302),
        (0.3177, 0.9095, 0.2362, 0.9356),
        (0.2984, 0.9155, 0.2229, 0.9391),
        (0.2816, 0.9213, 0.2123, 0.9415),
        (0.2678, 0.9248, 0.2040, 0.9438),
        (0.2601, 0.9265, 0.1960, 0.9463),
    ],
    columns=["train_loss", "train_accuracy", "valid_loss", "valid_accuracy"],
)


def test_the_lecture_is_reproduced(mnist):
    X, y, X_test, y_test = mnist
    X = ImageScaler().fit_transform(X)
    classifier = MNISTMLPClassifier(
        optimizer="adagrad",
        learning_rate=0.01,
        optimizer_params={"initial_accumulator_value": 0.1, "eps": 1e-7},
        random_state=0,
    )

    classifier.fit(X[:48_000], y[:48_000], X_val=X[48_000:], y_val=y[48_000:])

    figures = evaluate(classifier, ImageScaler().fit_transform(X_test), y_test)
    assert figures["accuracy"] == pytest.approx(0.9453, abs=0.008)
    assert figures["loss"] == pytest.approx(0.1982, abs=0.015)
    difference = classifier.history_[LECTURE.columns] - LECTURE
    assert (np.sqrt((difference**2).mean()) < 0.02).all()


def test_meta_estimators_delegate_to_it(tmp_path):
    tests = ["sklearn.tests.test_metaestimators"]

    assert run_scikit_learns_tests(tests, tmp_path) > 20
