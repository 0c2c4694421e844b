import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from skmnist import (
    ImageScaler,
    MNISTMLPClassifier,
    evaluate,
    misclassified,
    model_summary,
)
from skmnist.inspection import unwrap, weight_matrices

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class Oracle(DummyClassifier):
    """Predicts the probabilities that stand in X."""

    def predict_proba(self, X):
        return np.asarray(X)

    def predict(self, X):
        return self.classes_[np.argmax(X, axis=1)]


LABELS = np.array(["cat", "dog", "emu"])
PROBABILITIES = np.array(
    [[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.05, 0.9, 0.05], [0.4, 0.1, 0.5]]
)
TRUE = np.array(["cat", "cat", "emu", "cat"])


@pytest.fixture
def oracle():
    return Oracle().fit(np.zeros((3, 3)), LABELS)


@pytest.fixture(scope="module")
def fitted(digits):
    X, y = digits
    return MNISTMLPClassifier(max_epochs=3, random_state=0).fit(X, y)


def test_figures_are_those_of_the_probabilities(oracle):
    figures = evaluate(oracle, PROBABILITIES, TRUE)

    assert list(figures.index) == ["loss", "accuracy", "misclassification_error"]
    loss = -np.mean(np.log([0.7, 0.1, 0.05, 0.4]))
    np.testing.assert_allclose(figures, [loss, 0.25, 0.75], rtol=1e-12)


def test_weights_count(oracle):
    weighted = evaluate(oracle, PROBABILITIES, TRUE, sample_weight=[2, 0, 1, 0])
    repeated = evaluate(oracle, PROBABILITIES[[0, 0, 2]], TRUE[[0, 0, 2]])

    np.testing.assert_allclose(weighted, repeated)
    assert weighted["accuracy"] == pytest.approx(2 / 3)


def test_the_loss_is_that_of_float64_and_warns_of_nothing(fitted, digits, recwarn):
    X, y = digits
    loss = evaluate(fitted, X, y)["loss"]
    log_probabilities = fitted.predict_log_proba(X).astype(float)

    assert loss == pytest.approx(-log_probabilities[np.arange(len(y)), y].mean(), 1e-5)
    assert len(recwarn) == 0


def test_one_class_has_no_loss():
    X = np.zeros((4, 2))
    model = DummyClassifier().fit(X, ["a"] * 4)

    assert evaluate(model, X, ["a"] * 4).tolist() == [0, 1, 0]


def test_a_class_that_the_test_labels_lack_is_no_trouble(oracle):
    loss = evaluate(oracle, PROBABILITIES[:2], TRUE[:2])["loss"]

    assert loss == pytest.approx(log_loss(TRUE[:2], PROBABILITIES[:2], labels=LABELS))


@pytest.mark.parametrize("function", [evaluate, misclassified])
def test_labels_that_are_not_known_are_named(oracle, function):
    with pytest.raises(ValueError, match=r"y has the labels \['fox'\]"):
        function(oracle, PROBABILITIES, ["cat", "fox", "cat", "emu"])


@pytest.mark.parametrize("function", [evaluate, misclassified])
def test_text_is_not_taken_for_numbers(fitted, digits, function):
    X, y = digits

    with pytest.raises(ValueError, match="y has the labels \\['0'"):
        function(fitted, X, y.astype(str))


@pytest.mark.parametrize("function", [evaluate, misclassified])
def test_a_classifier_without_probabilities_is_refused(digits, function):
    X, y = digits
    model = LinearSVC().fit(X, y)

    with pytest.raises(TypeError, match="LinearSVC has no predict_proba"):
        function(model, X, y)


@pytest.mark.parametrize("function", [evaluate, misclassified])
def test_images_and_labels_of_different_lengths_are_refused(oracle, function):
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        function(oracle, PROBABILITIES, TRUE[:3])


@pytest.mark.parametrize("function", [evaluate, misclassified])
def test_a_model_that_is_not_fitted_says_so(digits, function):
    with pytest.raises(NotFittedError):
        function(MNISTMLPClassifier(), *digits)


def test_mistakes_come_most_confident_first(oracle):
    mistakes = misclassified(oracle, PROBABILITIES, TRUE)

    expected = pd.DataFrame(
        {
            "index": [2, 1, 3],
            "true": ["emu", "cat", "cat"],
            "predicted": ["dog", "dog", "emu"],
            "probability": [0.9, 0.6, 0.5],
            "margin": [0.85, 0.5, 0.1],
        }
    )
    pd.testing.assert_frame_equal(mistakes, expected, check_dtype=False)


def test_mistakes_can_be_chosen_by_label(oracle):
    cats = misclassified(oracle, PROBABILITIES, TRUE, true="cat")
    dogs = misclassified(oracle, PROBABILITIES, TRUE, predicted="dog")
    both = misclassified(oracle, PROBABILITIES, TRUE, true="cat", predicted="dog")

    assert cats["index"].tolist() == [1, 3]
    assert dogs["index"].tolist() == [2, 1]
    assert both["index"].tolist() == [1]


def test_no_mistakes_is_a_table_of_the_same_columns(oracle):
    some = misclassified(oracle, PROBABILITIES, TRUE)
    none = misclassified(oracle, PROBABILITIES[:1], TRUE[:1])

    assert len(none) == 0
    pd.testing.assert_series_equal(none.dtypes, some.dtypes)


@pytest.mark.parametrize("name", ["true", "predicted"])
def test_a_label_to_look_for_must_be_one_of_the_model(oracle, name):
    with pytest.raises(ValueError, match=f"{name}='fox' is not one of the labels"):
        misclassified(oracle, PROBABILITIES, TRUE, **{name: "fox"})


def test_mistakes_are_those_of_predict_not_of_the_largest_probability(digits):
    X, y = digits
    model = LogisticRegression(max_iter=1000).fit(X, y == 8)
    strict = FixedThresholdClassifier(model, threshold=0.99).fit(X, y == 8)

    mistakes = misclassified(strict, X, y == 8)

    assert mistakes["index"].sort_values().tolist() == (
        np.flatnonzero(strict.predict(X) != (y == 8)).tolist()
    )
    assert (mistakes["probability"] < 0.5).any()


def test_pipelines_and_searches_are_evaluated_whole(digits):
    X, y = digits
    model = make_pipeline(ImageScaler(1.0), MNISTMLPClassifier(max_epochs=1))
    search = GridSearchCV(model, {"mnistmlpclassifier__dropout": [0.5]}, cv=2)
    search.fit(X, y)

    accuracy = evaluate(search, X, y)["accuracy"]
    assert accuracy == pytest.approx(search.score(X, y))
    n_mistakes = len(misclassified(search, X, y))
    assert n_mistakes == round((1 - accuracy) * len(y))


def test_the_lectures_network_has_203530_parameters():
    summary = model_summary(MNISTMLPClassifier(), n_features=784, n_classes=10)

    assert summary["parameters"].tolist() == [200_960, 0, 0, 2_570, 203_530]
    assert summary["output_shape"].tolist() == [*["(n, 256)"] * 3, "(n, 10)", ""]
    assert summary["layer"].tolist() == [
        *("hidden_1 (Linear)", "activation_1 (ReLU)", "dropout_1 (Dropout)"),
        *("output (Linear)", "total"),
    ]


@pytest.mark.parametrize("sizes", [(), 7, (5, 4)])
def test_the_summary_is_the_same_before_and_after_the_fit(digits, sizes):
    model = MNISTMLPClassifier(sizes, max_epochs=1, dropout=0)
    before = model_summary(model, n_features=64, n_classes=10)
    after = model_summary(model.fit(*digits))

    pd.testing.assert_frame_equal(before, after)
    n_parameters = sum(p.numel() for p in model.module_.parameters())
    assert after["parameters"].iloc[-1] == n_parameters


@pytest.mark.parametrize("known", [{}, {"n_features": 64}, {"n_classes": 10}])
def test_a_summary_before_the_fit_needs_the_sizes(known):
    with pytest.raises(NotFittedError, match="give n_features and n_classes"):
        model_summary(make_pipeline(ImageScaler(), MNISTMLPClassifier()), **known)


def test_the_summary_reads_scikit_learns_own_models_too(digits):
    X, y = digits
    perceptron = MLPClassifier((5, 4), max_iter=1).fit(X, y)
    linear = LogisticRegression(max_iter=1).fit(X, y)

    summary = model_summary(perceptron)
    assert summary["layer"].tolist() == ["hidden_1", "hidden_2", "output", "total"]
    assert summary["parameters"].tolist() == [325, 24, 50, 399]
    assert model_summary(linear)["parameters"].tolist() == [650, 650]


def test_the_summary_counts_the_biases_that_there_are(digits):
    model = LogisticRegression(fit_intercept=False, max_iter=50).fit(*digits)

    assert model_summary(model)["parameters"].iloc[-1] == 640
    assert model_summary(model.sparsify())["parameters"].iloc[-1] == 640


def test_a_summary_of_a_wrong_parameter_names_it():
    with pytest.raises(ValueError, match="activation='x' is not valid"):
        model_summary(MNISTMLPClassifier(activation="x"), n_features=4, n_classes=2)


def test_a_model_without_weights_is_refused(digits):
    model = DummyClassifier().fit(*digits)

    with pytest.raises(TypeError, match="DummyClassifier has no weights"):
        model_summary(model)


def test_weights_stand_in_the_order_of_the_layers(fitted, digits):
    X, _ = digits
    first, last = weight_matrices(fitted)
    first_bias, last_bias = (
        b.cpu() for n, b in fitted.module_.state_dict().items() if "bias" in n
    )

    hidden = np.maximum(X @ first.T + first_bias.numpy(), 0)
    logits = hidden @ last.T + last_bias.numpy()

    np.testing.assert_allclose(logits, fitted.decision_function(X), atol=1e-4)


def test_unwrap_finds_the_classifier_in_pipelines_and_searches(digits):
    scaler, model = ImageScaler(1.0), MNISTMLPClassifier(max_epochs=1)
    inner = make_pipeline("passthrough", scaler, model)
    search = GridSearchCV(inner, {"mnistmlpclassifier__dropout": [0.5]}, cv=2)

    transformers, classifier = unwrap(search.fit(*digits))

    assert unwrap(model) == ([], model)
    assert unwrap(inner) == ([scaler], model)
    assert [type(step) for step in transformers] == [ImageScaler]
    assert classifier is search.best_estimator_[-1]
