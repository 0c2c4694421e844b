"""What early stopping looks at."""

import gc
import weakref

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import balanced_accuracy_score, get_scorer
from skorch.callbacks import Checkpoint

from skmnist import MNISTMLPClassifier
from small_models import WORDS, small


def stopping(monitor, **parameters):
    defaults = {"early_stopping": True, "patience": 2, "max_epochs": 40}
    settings = {**defaults, "learning_rate": 0.02, **parameters}
    return small(monitor=monitor, **settings)


@pytest.mark.parametrize(
    ("monitor", "column"),
    [
        ("valid_accuracy", "valid_accuracy"),
        ("balanced_accuracy", "valid_balanced_accuracy"),
        ("neg_log_loss", "valid_neg_log_loss"),
        ("roc_auc_ovr", "valid_roc_auc_ovr"),
        ("accuracy", "valid_accuracy"),
    ],
)
def test_training_stops_by_the_monitor_and_keeps_its_best(digits, monitor, column):
    X, y = digits
    valid = {"X_val": X[:200], "y_val": WORDS[y[:200]]}

    classifier = stopping(monitor).fit(X[200:], WORDS[y[200:]], **valid)

    scores = classifier.history_[column]
    assert classifier.best_epoch_ == scores.idxmax() + 1
    assert classifier.n_iter_ == classifier.best_epoch_ + 2 < 40
    name = "accuracy" if monitor == "valid_accuracy" else monitor
    assert_allclose(
        get_scorer(name)(classifier, X[:200], WORDS[y[:200]]), scores.max(), rtol=1e-6
    )


def test_the_loss_is_the_default(digits):
    X, y = digits
    by_default = small(early_stopping=True).fit(X, y)
    by_loss = small(early_stopping=True, monitor="valid_loss").fit(X, y)

    assert MNISTMLPClassifier().monitor == "valid_loss"
    assert_array_equal(by_default.predict_proba(X), by_loss.predict_proba(X))
    assert list(by_default.history_) == list(by_loss.history_)


def test_a_monitor_weighs_images(digits):
    X, y = digits
    weight = np.arange(len(y)) % 3

    classifier = stopping("balanced_accuracy", max_epochs=2).fit(
        X, y, X_val=X, y_val=y, sample_weight_val=weight
    )

    assert (
        classifier.history_["valid_balanced_accuracy"].iloc[-1]
        == pytest.approx(
            balanced_accuracy_score(y, classifier.predict(X), sample_weight=weight)
        )
        or classifier.best_epoch_ == 1
    )


@pytest.mark.parametrize(
    "as_given",
    [
        pd.DataFrame,
        pl.DataFrame,
        scipy.sparse.csr_array,
        lambda X: pd.DataFrame.sparse.from_spmatrix(scipy.sparse.csr_matrix(X)),
    ],
    ids=["pandas", "polars", "sparse", "sparse pandas"],
)
def test_a_monitor_takes_tables_and_sparse_images(digits, as_given):
    X, y = digits
    expected = stopping("f1_macro").fit(X, y).history_["valid_f1_macro"]
    table = as_given(X)
    if hasattr(table, "columns"):
        table.columns = [f"pixel{number}" for number in range(64)]

    classifier = stopping("f1_macro").fit(table, y)

    assert_array_equal(classifier.history_["valid_f1_macro"], expected)


def test_a_monitor_takes_several_labels(digits):
    X, y = digits
    y = np.column_stack([y % 2, y > 4]).astype(int)

    classifier = stopping("f1_samples").fit(X, y)

    best = classifier.history_["valid_f1_samples"].idxmax() + 1
    assert classifier.best_epoch_ == best


@pytest.mark.parametrize("monitor", ["valid_f1", "loss", None, max])
def test_what_is_no_monitor_is_refused(digits, monitor):
    with pytest.raises(ValueError, match=r"monitor=.* is not valid; give one of 'val"):
        small(monitor=monitor).fit(*digits)


@pytest.mark.parametrize(
    ("monitor", "message"),
    [
        ("roc_auc", "cannot score the validation data: multi_class must be in"),
        ("f1", "cannot score the validation data: Target is multiclass"),
    ],
)
def test_a_monitor_that_cannot_score_is_refused_before_any_epoch(
    digits, monitor, message
):
    classifier = small().fit(*digits)
    before = classifier.predict_proba(digits[0])

    with pytest.raises(ValueError, match=f"monitor='{monitor}' {message}"):
        classifier.set_params(monitor=monitor, early_stopping=True).fit(*digits)

    assert_array_equal(classifier.predict_proba(digits[0]), before)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
def test_a_score_that_is_undefined_is_refused(digits):
    X, y = digits[0], digits[1] % 2
    only = {"X_val": X[:5], "y_val": np.ones(5, dtype=int)}

    with pytest.raises(ValueError, match="monitor='roc_auc' is nan on the validation"):
        stopping("roc_auc").fit(X, y, **only)


@pytest.mark.parametrize("monitor", ["neg_log_loss", "neg_brier_score"])
def test_scorers_of_shares_are_refused_for_several_labels(digits, monitor):
    X, y = digits
    y = np.column_stack([y % 2, y > 4]).astype(int)

    with pytest.raises(
        ValueError, match=f"monitor='{monitor}' does not support .* 'valid_loss'"
    ):
        stopping(monitor).fit(X, y)


def test_a_refused_monitor_leaves_a_net_that_continues_as_it_was(digits):
    settings = {"warm_start": True, "optimizer": "sgd", "learning_rate": 1e-3}
    classifier = small(**settings).fit(*digits)
    same = small(**settings).fit(*digits)
    refused = {"learning_rate": 0.5, "early_stopping": True, "monitor": "f1"}

    with pytest.raises(ValueError, match="monitor='f1' cannot score"):
        classifier.set_params(**refused).fit(*digits)
    classifier.set_params(learning_rate=1e-3, early_stopping=False)

    assert_array_equal(
        classifier.fit(*digits).predict_proba(digits[0]),
        same.fit(*digits).predict_proba(digits[0]),
    )


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
def test_a_training_that_diverges_has_no_score(digits):
    classifier = stopping("neg_log_loss", optimizer="sgd", learning_rate=1e30)

    with pytest.warns(ConvergenceWarning, match="The training loss became"):
        classifier.fit(*digits)

    assert classifier.history_["valid_neg_log_loss"].isna().all()


def test_class_weights_do_not_keep_a_scorer_from_scoring(digits):
    classifier = stopping("adjusted_rand_score", class_weight="balanced").fit(*digits)

    assert classifier.history_["valid_adjusted_rand_score"].notna().all()


def test_a_fitted_classifier_is_freed_without_the_collector(digits):
    classifier = stopping("f1_macro").fit(*digits)
    net = weakref.ref(classifier.net_)

    gc.disable()
    try:
        del classifier
        assert net() is None
    finally:
        gc.enable()


def test_skorchs_checkpoint_sees_which_score_is_best(digits, tmp_path):
    checkpoint = Checkpoint(monitor="valid_f1_macro_best", dirname=tmp_path)

    classifier = stopping("f1_macro", callbacks=[checkpoint]).fit(*digits)

    best = classifier.history_["event_cp"][::-1].idxmax() + 1
    assert best == classifier.best_epoch_
