import pickle

import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_array_equal
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skmnist import ImageScaler
from small_models import small
from stand_in import run_scikit_learns_tests

FORMATS = ["bsr", "coo", "csc", "csr", "dok", "lil"]


def as_sparse(X, kind):
    return scipy.sparse.csr_array(X).asformat(kind)


@pytest.mark.parametrize("kind", FORMATS)
def test_sparse_images_are_the_same_images(digits, kind):
    X, y = digits
    sparse = as_sparse(X, kind)

    from_sparse = small().fit(sparse, y)
    from_dense = small().fit(X, y)

    assert_array_equal(from_sparse.predict_proba(sparse), from_dense.predict_proba(X))
    assert_array_equal(from_dense.predict(sparse), from_sparse.predict(X))


def test_weights_validation_data_and_parts_may_be_sparse(digits):
    X, y = digits
    sparse = scipy.sparse.csr_matrix(X)
    weight = np.arange(len(y)) % 3
    results = []

    for images in (X, sparse):
        classifier = small(early_stopping=True).fit(
            images[:300], y[:300], weight[:300], X_val=images[300:], y_val=y[300:]
        )
        classifier.partial_fit(images[:100], y[:100], sample_weight=weight[:100])
        results.append(classifier.decision_function(images))

    assert_array_equal(*results)


def test_wide_indices_are_taken(digits):
    X, y = digits
    wide = scipy.sparse.csr_array(X)
    wide.indices, wide.indptr = wide.indices.astype("i8"), wide.indptr.astype("i8")

    assert_array_equal(small().fit(wide, y).predict(wide), small().fit(X, y).predict(X))


def test_a_search_over_sparse_images(digits):
    X, y = digits
    model = make_pipeline(ImageScaler(1), small())
    grid = {"mnistmlpclassifier__dropout": [0.0, 0.5]}

    sparse, dense = (
        GridSearchCV(model, grid, cv=2).fit(images, y)
        for images in (scipy.sparse.csr_array(X), X)
    )

    assert_array_equal(
        sparse.cv_results_["mean_test_score"], dense.cv_results_["mean_test_score"]
    )


def test_a_classifier_of_sparse_images_comes_back_from_a_pickle(digits):
    X, y = digits
    sparse = scipy.sparse.csr_array(X)
    classifier = small().fit(sparse, y)

    loaded = pickle.loads(pickle.dumps(classifier))

    assert_array_equal(loaded.predict_proba(sparse), classifier.predict_proba(sparse))


@pytest.mark.parametrize("kind", FORMATS)
def test_the_scaler_keeps_sparse_images_sparse(kind):
    X = np.array([[0, 51, 0], [102, 255, 0]], dtype=np.uint8)
    sparse = as_sparse(X, kind)
    scaler = ImageScaler().fit(sparse)

    scaled = scaler.transform(sparse)

    assert scipy.sparse.issparse(scaled)
    assert scaled.dtype == np.float32
    assert_array_equal(scaled.toarray(), scaler.transform(X))
    assert_array_equal(scaler.inverse_transform(scaled).toarray(), X)
    assert_array_equal(sparse.toarray(), X)


def test_sparse_images_have_no_other_shape():
    X = np.ones((3, 4))
    scaler = ImageScaler(1, output_shape=(2, 2)).fit(X)

    with pytest.raises(ValueError, match=r"output_shape=\(2, 2\) needs dense images"):
        scaler.transform(scipy.sparse.csr_array(X))
    with pytest.raises(ValueError, match=r"output_shape=\(2, 2\) needs dense images"):
        scaler.fit(scipy.sparse.csr_array(X))


def test_sparse_images_that_are_not_finite_are_refused(digits):
    X, y = digits
    sparse = scipy.sparse.csr_array(X)
    sparse.data[0] = np.nan

    with pytest.raises(ValueError, match="contains NaN"):
        small().fit(sparse, y)


def test_a_batch_may_be_larger_than_sparse_data(digits):
    X, y = digits
    model = small(batch_size=10**9)

    expected = model.fit(X, y).predict_proba(X)

    sparse = scipy.sparse.csr_array(X)
    assert_array_equal(model.fit(sparse, y).predict_proba(X), expected)


def test_only_a_batch_at_a_time_becomes_dense(peak_memory):
    X = scipy.sparse.random(
        20_000, 5_000, density=0.001, random_state=0, format="csr", dtype=np.float32
    )
    y = np.arange(20_000) % 2
    classifier = small(max_epochs=1)

    with peak_memory() as peak:
        classifier.fit(X, y).predict(X)

    assert peak.megabytes < 250  # all images at once would take 400


def test_wide_rows_take_little_memory_beside_the_network(peak_memory):
    rng = np.random.default_rng(0)
    pixels = rng.integers(100_000, size=(1_200, 150)).astype(np.int32)
    rows = np.repeat(np.arange(1_200, dtype=np.int32), 150)
    values = np.ones(pixels.size, np.float32)
    X = scipy.sparse.csr_array((values, (rows, pixels.ravel())), (1_200, 100_000))
    sparse = (X.data.nbytes + X.indices.nbytes + X.indptr.nbytes) / 1e6
    classifier = small(hidden_layer_sizes=256, max_epochs=1, validation_split=0.5)

    with peak_memory() as peak:
        classifier.fit(X, np.arange(1_200) % 20)

    # Weights, gradients, and the two averages of Adam.
    network = 4 * sum(coef.nbytes for coef in classifier.coefs_) / 1e6
    assert peak.megabytes + sparse < 1.5 * (network + sparse)


def test_wide_rows_are_predicted_as_dense_ones_are():
    X = scipy.sparse.random(
        400, 60_000, density=0.001, random_state=0, format="csr", dtype=np.float32
    )
    y = np.arange(400) % 3
    classifier = small(hidden_layer_sizes=8, max_epochs=1, early_stopping=True)

    sparse = classifier.fit(X, y).predict_proba(X)

    dense = classifier.predict_proba(X.toarray())
    np.testing.assert_allclose(sparse, dense, rtol=1e-5)


def test_scikit_learns_tests_of_sparse_data_pass_with_it(tmp_path):
    stacking, pipeline, search, text = (
        "sklearn.ensemble.tests.test_stacking",
        "sklearn.tests.test_pipeline",
        "sklearn.model_selection.tests.test_search",
        "sklearn.feature_extraction.tests.test_text",
    )
    tests = [
        f"{stacking}::test_stacking_classifier_sparse_passthrough",
        f"{pipeline}::test_feature_names_count_vectorizer",
        f"{search}::test_grid_search_sparse[csr_array]",
        f"{search}::test_grid_search_sparse_scoring[csr_array]",
        f"{text}::test_count_vectorizer_pipeline_grid_selection",
        f"{text}::test_vectorizer_pipeline_cross_validation",
    ]

    assert run_scikit_learns_tests(tests, tmp_path) == 11
