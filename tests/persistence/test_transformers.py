"""scikit-learn's transformers in a file: to the bit, and no size that is not theirs."""

import numpy as np
import pytest
from sklearn import (
    cluster,
    cross_decomposition,
    decomposition,
    kernel_approximation,
    neural_network,
)
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.feature_selection import (
    RFE,
    RFECV,
    SelectFromModel,
    SequentialFeatureSelector,
)
from sklearn.impute import KNNImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, make_scorer
from sklearn.neighbors import NeighborhoodComponentsAnalysis
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    KernelCenterer,
    MultiLabelBinarizer,
    PolynomialFeatures,
)
from sklearn.random_projection import GaussianRandomProjection

pytest.importorskip("skops")

from forgery import attributes_of, edited, json_node, members_of, with_attributes
from skmnist import ImageCenterer
from skmnist.persistence import load_model, save_model
from small_models import small

LINEAR = LogisticRegression(max_iter=20)
TRANSFORMERS = [
    kernel_approximation.AdditiveChi2Sampler(),
    kernel_approximation.Nystroem(n_components=9, random_state=0),
    kernel_approximation.Nystroem("poly", degree=2, n_components=9, random_state=0),
    kernel_approximation.PolynomialCountSketch(n_components=99, random_state=0),
    kernel_approximation.PolynomialCountSketch(degree=3, coef0=1, random_state=0),
    kernel_approximation.RBFSampler(n_components=99, random_state=0),
    kernel_approximation.SkewedChi2Sampler(n_components=99, random_state=0),
    neural_network.BernoulliRBM(9, n_iter=2, random_state=0),
    GaussianRandomProjection(99, random_state=0),
    cluster.KMeans(5, random_state=0),
    cluster.MiniBatchKMeans(5, random_state=0),
    cross_decomposition.CCA(1),
    cross_decomposition.PLSCanonical(1),
    cross_decomposition.PLSRegression(3),
    cross_decomposition.PLSSVD(1),
    decomposition.DictionaryLearning(3, max_iter=3, random_state=0),
    decomposition.DictionaryLearning(
        20, max_iter=2, dict_init=np.eye(30, 16), split_sign=True, random_state=0
    ),
    decomposition.KernelPCA(5, kernel="rbf", fit_inverse_transform=True),
    decomposition.LatentDirichletAllocation(3, random_state=0),
    decomposition.MiniBatchDictionaryLearning(
        3, max_iter=3, transform_algorithm="lasso_cd", random_state=0
    ),
    decomposition.MiniBatchNMF(5, max_iter=20, random_state=0),
    decomposition.MiniBatchSparsePCA(3, max_iter=5, random_state=0),
    decomposition.NMF(5, max_iter=20, random_state=0),
    decomposition.NMF(5, solver="mu", max_iter=20, random_state=0),
    decomposition.SparseCoder(np.eye(16), transform_algorithm="threshold"),
    decomposition.SparsePCA(3, max_iter=5, random_state=0),
    KNNImputer(missing_values=0),
    KNNImputer(missing_values=0, weights="distance", add_indicator=True),
    LinearDiscriminantAnalysis(),
    LinearDiscriminantAnalysis(solver="eigen", shrinkage=0.1),
    NeighborhoodComponentsAnalysis(3, max_iter=3, random_state=0),
    PolynomialFeatures(),
    PolynomialFeatures((2, 2), interaction_only=True, include_bias=False),
    RFE(LINEAR, step=0.5),
    RFECV(LINEAR, step=0.5, cv=2),
    RFECV(LINEAR, step=8, cv=2, scoring=make_scorer(f1_score, average="macro")),
    SelectFromModel(LINEAR, threshold="1.25*mean"),
    SequentialFeatureSelector(LINEAR, n_features_to_select=1, cv=2),
    TfidfTransformer(),
]


@pytest.fixture(scope="module")
def images(digits):
    """Few images of 16 pixels that vary, and their labels."""
    X, y = digits
    return X[:150].reshape(-1, 8, 8)[:, 2:6, 2:6].reshape(-1, 16), y[:150]


def path_of(model, tmp_path):
    save_model(model, tmp_path / "model.skmnist")
    return tmp_path / "model.skmnist"


def as_array(result):
    return result.toarray() if hasattr(result, "toarray") else result


@pytest.mark.filterwarnings("ignore")  # some do not converge
@pytest.mark.parametrize("transformer", TRANSFORMERS, ids=str)
def test_a_loaded_transformer_transforms_to_the_bit(images, tmp_path, transformer):
    X, y = images
    model = transformer.fit(X, y)
    loaded = load_model(path_of(model, tmp_path))
    expected, result = as_array(model.transform(X)), as_array(loaded.transform(X))
    np.testing.assert_array_equal(result, expected, strict=True)
    if hasattr(model, "predict"):
        np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


@pytest.mark.parametrize("transformer", TRANSFORMERS, ids=str)
def test_an_unfitted_transformer_comes_back(tmp_path, transformer):
    loaded = load_model(path_of(clone(transformer), tmp_path))
    assert repr(loaded) == repr(transformer)


def test_a_loaded_pipeline_with_random_features_predicts_to_the_bit(images, tmp_path):
    X, y = images
    features = kernel_approximation.RBFSampler(n_components=99, random_state=0)
    model = make_pipeline(features, small()).fit(X, y)
    loaded = load_model(path_of(model, tmp_path))
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


def test_a_loaded_centerer_centers_to_the_bit(images, tmp_path):
    kernel = images[0][:20] @ images[0][:20].T
    model = KernelCenterer().fit(kernel)
    loaded = load_model(path_of(model, tmp_path))
    np.testing.assert_array_equal(loaded.transform(kernel), model.transform(kernel))


def test_a_loaded_binarizer_of_many_labels_comes_back_after_use(tmp_path):
    model = MultiLabelBinarizer().fit([(1, 2), (3,)])
    model.transform([(1,)])  # which keeps a dict of its columns
    loaded = load_model(path_of(model, tmp_path))
    np.testing.assert_array_equal(loaded.transform([(1, 3)]), [[1, 0, 1]])


SAMPLER = kernel_approximation.RBFSampler(n_components=99)
NYSTROEM = kernel_approximation.Nystroem(n_components=9)
KMEANS = cluster.KMeans(5)
NMF = decomposition.NMF(5, max_iter=20)
MINI_NMF = decomposition.MiniBatchNMF(5, max_iter=20)
SKETCH = kernel_approximation.PolynomialCountSketch(n_components=99)
ATOMS = decomposition.DictionaryLearning(3, max_iter=1)
IMPUTER = KNNImputer(missing_values=0)
TOPICS = decomposition.LatentDirichletAllocation(3, max_iter=2)
SELECTION = SelectFromModel(LINEAR)
POLYNOMIAL = PolynomialFeatures()
HOSTILE = {
    "more outputs than a file may have": (
        SAMPLER,
        {"random_weights_": np.zeros((16, 10_001), "i1")},
    ),
    "offsets of another size": (SAMPLER, {"random_offset_": np.zeros((200, 99))}),
    "gigabytes to fit": (SAMPLER, {"n_components": 10**9}),
    "a parameter that is an array": (SAMPLER, {"gamma": np.zeros(9)}),
    "a billion names": (SAMPLER, {"_n_features_out": 10**9}),
    "a billion threads": (KMEANS, {"_n_threads": 10**9}),
    "no threads": (KMEANS, {"_n_threads": 0}),
    "no clusters": (
        KMEANS,
        {"cluster_centers_": np.zeros((0, 16)), "_n_features_out": ...},
    ),
    "smaller clusters than images": (KMEANS, {"cluster_centers_": np.zeros((5, 3))}),
    "clusters that no image is compared with": (
        KMEANS,
        {"cluster_centers_": np.zeros((5, 3)), "n_features_in_": ...},
    ),
    "another normalization": (NYSTROEM, {"normalization_": np.zeros((900, 9))}),
    "a kernel that is a number": (NYSTROEM, {"kernel": 3}),
    "more components than pixels": (NMF, {"components_": np.zeros((17, 16))}),
    "iterations without end": (NMF, {"max_iter": 10**9}),
    "an iteration over powers": (
        NMF,
        {"beta_loss": "kullback-leibler", "solver": "mu"},
    ),
    "iterations of small batches": (MINI_NMF, {"_transform_max_iter": 10**9}),
    "powers of small batches": (MINI_NMF, {"_beta_loss": 1}),
    "atoms of other pixels": (ATOMS, {"components_": np.ones((3, 17))}),
    "least angles": (ATOMS, {"transform_algorithm": "lars"}),
    "least angles of a lasso": (ATOMS, {"transform_algorithm": "lasso_lars"}),
    "another metric": (IMPUTER, {"metric": "mahalanobis"}),
    "rows of other pixels": (IMPUTER, {"_fit_X": np.zeros((150, 17))}),
    "updates without end": (TOPICS, {"max_doc_update_iter": 10_000}),
    "topics of other pixels": (TOPICS, {"exp_dirichlet_component_": np.ones((3, 99))}),
    "topics of slow halves": (
        TOPICS,
        {"exp_dirichlet_component_": np.ones((3, 16), "f2")},
    ),
    "topics of slow bytes": (
        TOPICS,
        {"exp_dirichlet_component_": np.ones((3, 16), "i1")},
    ),
    "a sketch of a high degree": (SKETCH, {"degree": 10**6}),
    "a larger sketch": (SKETCH, {"n_components": 10_000}),
    "a sketch without end": (SKETCH, {"n_components": 10**9, "_n_features_out": ...}),
    "a sketch of more pixels": (SKETCH, {"indexHash_": np.zeros((2, 99), "i8")}),
    "a path to what is not fitted": (SELECTION, {"importance_getter": "__class__"}),
    "pixels again and again": (RFE(LINEAR), {"support_": np.zeros(16, "i8")}),
    "steps without end": (
        kernel_approximation.AdditiveChi2Sampler(),
        {"sample_steps": 10**6},
    ),
    "columns that are not filled": (POLYNOMIAL, {"_n_out_full": 9999}),
    "columns that are not counted": (POLYNOMIAL, {"_n_out_full": ...}),
    "a lower degree": (POLYNOMIAL, {"_max_degree": 1}),
    "a high degree": (POLYNOMIAL, {"_max_degree": 10**6}),
    "a high degree to fit": (POLYNOMIAL, {"degree": 10**6}),
    "long names to join": (
        POLYNOMIAL,
        {"feature_names_in_": np.array(["a" * 101] * 16)},
    ),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("model", "changes"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_size_is_refused(images, tmp_path, refused, model, changes):
    path = path_of(model.fit(*images), tmp_path)
    name = type(model).__name__
    refused(with_attributes(path, tmp_path, **changes), rf"{name}(\.| that do not fit)")


@pytest.mark.filterwarnings("ignore")
def test_iterations_over_many_components_are_refused(digits, tmp_path, refused):
    path = path_of(decomposition.NMF(30, max_iter=9).fit(digits[0][:99]), tmp_path)
    refused(with_attributes(path, tmp_path, max_iter=10_000), "take too long")


def coder(n_atoms, **settings):
    return decomposition.SparseCoder(np.ones((n_atoms, 2)), **settings).fit([[0, 0]])


@pytest.mark.parametrize(
    ("algorithm", "limit", "most"),
    [
        ("omp", "transform_n_nonzero_coefs", 111),
        ("lasso_cd", "transform_max_iter", 18),
    ],
)
def test_many_steps_over_atoms_are_refused(tmp_path, refused, algorithm, limit, most):
    model = coder(800, transform_algorithm=algorithm, **{limit: most})
    path = path_of(model, tmp_path)
    load_model(path)
    for number in (most + 1, np.int32(2**31 - 1)):  # whose products overflow
        refused(with_attributes(path, tmp_path, **{limit: number}), "take too long")


@pytest.mark.parametrize("name", ["size", "box"])
@pytest.mark.parametrize("side", [0, 101, np.int64(2**32), 20.5, "20", None])
def test_a_frame_of_hostile_size_is_refused(tmp_path, refused, name, side):
    path = path_of(ImageCenterer(), tmp_path)
    hostile = with_attributes(path, tmp_path, **{name: side})
    refused(hostile, f"a value of ImageCenterer.{name} ")


def test_many_frames_are_refused(tmp_path):
    load_model(path_of(make_pipeline(*[ImageCenterer()] * 13), tmp_path))
    with pytest.raises(ValueError, match="take too long"):
        path_of(make_pipeline(*[ImageCenterer()] * 14), tmp_path)


def sketch(n_columns):
    model = kernel_approximation.PolynomialCountSketch(degree=3, n_components=1)
    return model.fit(np.zeros((2, n_columns)))


def factors(n_components):
    """A factorization with many iterations, of one component or none."""
    model = decomposition.NMF(1, max_iter=10_000).fit(np.eye(2))
    model.components_ = model.components_[:n_components]
    model.n_components_ = model._n_components = n_components
    return model


def times(n, model):
    return FeatureUnion([(str(number), model) for number in range(n)])


TOPIC = decomposition.LatentDirichletAllocation(1, max_doc_update_iter=1000)
TOPIC.fit(np.eye(2))


@pytest.mark.parametrize(
    ("most", "more"),
    [
        (coder(1900), coder(2000)),
        (coder(1900), times(2, coder(1900))),
        (times(4, TOPIC), times(5, TOPIC)),
        (times(3, factors(1)), times(4, factors(1))),
        (times(3, factors(0)), times(4, factors(0))),
        (sketch(3000), sketch(3100)),
        (KNNImputer().fit(np.zeros((1, 2900))), KNNImputer().fit(np.zeros((1, 3100)))),
        (KNNImputer().fit(np.zeros((9990, 2))), KNNImputer().fit(np.zeros((10300, 2)))),
        (KNNImputer().fit(np.zeros((20000, 200))), coder(3000)),
    ],
    ids=[
        *("atoms", "dictionaries", "topics", "factors", "no factors", "hashes"),
        *("columns", "rows", "rows of many columns"),
    ],
)
def test_a_model_that_would_take_too_long_is_refused(tmp_path, most, more):
    load_model(path_of(most, tmp_path))
    with pytest.raises(ValueError, match=r"saved safely: .* take too long"):
        save_model(more, tmp_path / "model.skmnist")


def test_the_signs_of_a_dictionary_count_as_copies(tmp_path):
    atoms = [(str(n), coder(2, split_sign=n < 8)) for n in range(9)]
    load_model(path_of(FeatureUnion(atoms[1:]), tmp_path))
    with pytest.raises(ValueError, match="more than 16 copies"):
        save_model(FeatureUnion(atoms), tmp_path / "model.skmnist")


def test_labels_for_columns_that_are_not_there_are_refused(tmp_path, refused):
    model = MultiLabelBinarizer().fit([("a", "b")])
    model.transform([("a",)])

    def change(schema, members):
        columns = attributes_of(schema)["_cached_dict"]["content"]
        columns["a"] = json_node(10**6)

    path = edited(path_of(model, tmp_path), tmp_path, change)
    refused(path, "do not fit together")


def test_outputs_of_many_steps_are_counted_together(images, tmp_path):
    sampler = kernel_approximation.RBFSampler(n_components=9000)
    model = make_column_transformer(*[(sampler, [column]) for column in range(16)])
    doubled = FeatureUnion([("a", "passthrough"), ("b", "passthrough")])
    model.fit(images[0])
    assert len(members_of(path_of(model, tmp_path))) > 16
    with pytest.raises(ValueError, match="more than 160000 columns"):
        save_model(make_pipeline(model, doubled), tmp_path / "model.skmnist")
