"""The classifier inside scikit-learn's tools, as any other classifier."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import sklearn
from numpy.testing import assert_array_equal
from packaging.version import Version
from sklearn.base import clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV, CalibrationDisplay
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.inspection import (
    DecisionBoundaryDisplay,
    PartialDependenceDisplay,
    permutation_importance,
)
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    ConfusionMatrixDisplay,
    PrecisionRecallDisplay,
    RocCurveDisplay,
    get_scorer,
    roc_auc_score,
)
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    LearningCurveDisplay,
    PredefinedSplit,
    RandomizedSearchCV,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_validate,
    learning_curve,
    validation_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.semi_supervised import SelfTrainingClassifier

from listeners import needs_callbacks
from skmnist import HistoryDisplay, ImageScaler, MNISTMLPClassifier
from small_models import WORDS

pytestmark = pytest.mark.filterwarnings(
    "ignore:X looks scaled already", "ignore:X has intensities up to"
)

SKLEARN_VERSION = Version(sklearn.__version__)


def make_mlp(**parameters):
    defaults = {
        "hidden_layer_sizes": (32,),
        "dropout": 0.0,
        "learning_rate": 0.02,
        "max_epochs": 8,
        "batch_size": 32,
        "validation_split": None,
        "random_state": 0,
    }
    return MNISTMLPClassifier(**{**defaults, **parameters})


def make_model(**parameters):
    return Pipeline([("scale", ImageScaler(1)), ("mlp", make_mlp(**parameters))])


@pytest.fixture
def words(digits):
    X, y = digits
    return X, WORDS[y]


@pytest.fixture
def threes_and_eights(digits):
    X, y = digits
    rows = np.isin(y, [3, 8])
    return X[rows], np.where(y[rows] == 3, "three", "eight")


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.fixture(autouse=True)
def no_figures_left():
    yield
    plt.close("all")


@pytest.mark.parametrize(
    "make_search",
    [
        lambda model: GridSearchCV(model, {"mlp__max_epochs": [1, 10]}, cv=3),
        lambda model: RandomizedSearchCV(
            model, {"mlp__max_epochs": [1, 10]}, n_iter=2, cv=3, random_state=0
        ),
        lambda model: HalvingRandomSearchCV(
            model,
            {"mlp__learning_rate": [1e-6, 0.01]},
            n_candidates=2,
            factor=2,
            min_resources=200,
            cv=3,
            random_state=0,
        ),
        lambda model: HalvingRandomSearchCV(
            model,
            {"mlp__learning_rate": [1e-6, 0.01]},
            resource="mlp__max_epochs",
            max_resources=8,
            n_candidates=2,
            factor=2,
            cv=3,
            random_state=0,
        ),
    ],
    ids=["grid", "randomized", "halving", "halving on epochs"],
)
def test_searches_find_the_better_candidate(words, make_search):
    search = make_search(make_model()).fit(*words)

    if "mlp__learning_rate" in search.best_params_:
        assert search.best_params_["mlp__learning_rate"] == 0.01
    else:
        assert search.best_params_["mlp__max_epochs"] == 10
    assert search.best_score_ > 0.7
    assert_array_equal(search.classes_, np.sort(WORDS))


def test_cross_validate_with_several_scores(words):
    scores = cross_validate(
        make_model(),
        *words,
        cv=3,
        scoring=["accuracy", "f1_macro", "neg_log_loss", "roc_auc_ovr"],
    )

    assert (scores["test_accuracy"] > 0.7).all()
    assert (scores["test_roc_auc_ovr"] > 0.95).all()
    assert np.isfinite(scores["test_neg_log_loss"]).all()


@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function"])
def test_cross_val_predict(words, method):
    X, y = words
    predicted = cross_val_predict(make_model(), X, y, cv=3, method=method)

    labels = predicted if method == "predict" else np.sort(WORDS)[predicted.argmax(1)]
    assert np.mean(labels == y) > 0.7


def test_a_label_that_a_fold_lacks(digits):
    X, y = digits
    rare = np.where(np.arange(len(y)) == 0, "rare", WORDS[y])
    folds = PredefinedSplit(np.arange(len(y)) % 2)

    with pytest.warns(RuntimeWarning, match="Number of classes in training fold"):
        probabilities = cross_val_predict(
            make_model(), X, rare, cv=folds, method="predict_proba"
        )

    assert probabilities.shape == (len(y), 11)


def test_learning_and_validation_curves(words):
    _, _, by_size = learning_curve(make_model(), *words, cv=3, train_sizes=[0.2, 1.0])
    _, by_epochs = validation_curve(
        make_model(), *words, cv=3, param_name="mlp__max_epochs", param_range=[1, 10]
    )

    assert by_size[1].mean() > by_size[0].mean()
    assert by_epochs[1].mean() > by_epochs[0].mean()


def test_two_jobs_give_the_scores_of_one(words):
    one, two = (
        cross_validate(make_model(), *words, cv=2, n_jobs=n_jobs)["test_score"]
        for n_jobs in (1, 2)
    )

    assert_array_equal(one, two)


@pytest.mark.parametrize(
    "method",
    [
        "sigmoid",
        "isotonic",
        pytest.param(
            "temperature",
            marks=pytest.mark.skipif(
                Version("1.8") > SKLEARN_VERSION,
                reason="unavailable here: temperature, new in scikit-learn 1.8",
            ),
        ),
    ],
)
def test_calibration(words, method):
    calibrated = CalibratedClassifierCV(make_model(), method=method, cv=2)

    assert calibrated.fit(*words).score(*words) > 0.8


@pytest.mark.parametrize(
    "make_threshold",
    [
        lambda model: TunedThresholdClassifierCV(
            model, cv=3, scoring="balanced_accuracy"
        ),
        lambda model: FixedThresholdClassifier(model, threshold=0.3, pos_label="eight"),
    ],
)
def test_thresholds(threes_and_eights, make_threshold):
    X, y = threes_and_eights

    assert make_threshold(make_model()).fit(X, y).score(X, y) > 0.9


@pytest.mark.parametrize(
    "make_ensemble",
    [
        lambda model: VotingClassifier(
            [("mlp", model), ("linear", LogisticRegression())], voting="soft"
        ),
        lambda model: StackingClassifier(
            [("mlp", model), ("linear", LogisticRegression())], cv=2
        ),
        lambda model: BaggingClassifier(model, n_estimators=2, random_state=0),
        lambda model: AdaBoostClassifier(model[-1], n_estimators=2, random_state=0),
        lambda model: OneVsRestClassifier(model),
    ],
    ids=["voting", "stacking", "bagging", "adaboost", "one against the rest"],
)
def test_ensembles(words, make_ensemble):
    X, y = words
    ensemble = make_ensemble(make_model()).fit(X, y)

    assert ensemble.score(X, y) > 0.8


def test_self_training_with_labels_left_out(words):
    X, y = words
    codes = np.unique(y, return_inverse=True)[1]
    some = np.where(np.arange(len(y)) % 3 == 0, codes, -1)

    model = SelfTrainingClassifier(make_model(), threshold=0.9).fit(X, some)

    assert np.mean(model.predict(X) == codes) > 0.7


def test_two_digits_have_a_roc_curve_of_two_classes(threes_and_eights):
    X, y = threes_and_eights
    model = make_model().fit(X, y)

    assert model.predict_proba(X).shape == (len(X), 2)
    assert roc_auc_score(y, model.predict_proba(X)[:, 1]) > 0.95
    assert roc_auc_score(y, model.decision_function(X)) > 0.95


def test_permutation_importance_finds_the_pixels_that_matter(words):
    X, y = words
    blank = np.flatnonzero(X.max(axis=0) == 0)
    importance = permutation_importance(
        make_model().fit(X, y), X, y, n_repeats=2, random_state=0
    )

    assert importance.importances_mean.max() > 0
    assert_array_equal(importance.importances_mean[blank], 0)


@pytest.mark.parametrize(
    "draw",
    [
        ConfusionMatrixDisplay.from_estimator,
        RocCurveDisplay.from_estimator,
        PrecisionRecallDisplay.from_estimator,
        CalibrationDisplay.from_estimator,
    ],
)
def test_displays_of_two_classes(threes_and_eights, draw):
    X, y = threes_and_eights

    display = draw(make_model().fit(X, y), X, y)

    assert display.ax_.has_data()


def test_displays_that_fit_or_probe(words):
    X, y = words
    model = make_model().fit(X, y)

    curve = LearningCurveDisplay.from_estimator(make_model(), X, y, cv=2)
    dependence = PartialDependenceDisplay.from_estimator(
        model, X, features=[20], target="one", grid_resolution=5
    )
    boundary = DecisionBoundaryDisplay.from_estimator(
        make_model().fit(X[:, 20:22], y), X[:, 20:22], grid_resolution=10
    )

    assert curve.ax_.lines
    assert dependence.axes_[0, 0].has_data()
    assert boundary.ax_.has_data()


def test_column_transformer_and_feature_union(words):
    X, y = words
    frame = pd.DataFrame(X).add_prefix("pixel_")
    halves = ColumnTransformer(
        [
            ("upper", ImageScaler(1), list(frame.columns[:32])),
            ("lower", ImageScaler(1), list(frame.columns[32:])),
        ]
    )
    twice = FeatureUnion([("one", ImageScaler(1)), ("other", ImageScaler(2))])

    assert make_pipeline(halves, make_mlp()).fit(frame, y).score(frame, y) > 0.8
    assert make_pipeline(twice, make_mlp()).fit(X, y)[-1].n_features_in_ == 128


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_set_output_hands_frames_on(words, container):
    pytest.importorskip(container)
    X, y = words
    frame = pd.DataFrame(X).add_prefix("pixel_")
    model = make_model().set_output(transform=container).fit(frame, y)

    # scikit-learn before 1.9 hands over the names of new polars frames to no step.
    assert list(model[:-1].transform(frame).columns) == list(frame.columns)
    assert_array_equal(model.predict(frame), make_model().fit(X, y).predict(X))


def test_other_feature_names_are_refused(words):
    X, y = words
    model = make_mlp().fit(pd.DataFrame(X).add_prefix("pixel_"), y)

    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(pd.DataFrame(X).add_prefix("column_"))


def test_a_pipeline_routes_weights_and_transforms_validation_data(digits, routing):
    X, y = digits
    X, X_val, y, y_val = X[:400] * 7, X[400:] * 7, y[:400], y[400:]
    weight = np.linspace(0, 2, 400)
    mlp = make_mlp().set_fit_request(sample_weight=True, X_val=True, y_val=True)
    model = Pipeline(
        [("scale", ImageScaler(7)), ("mlp", mlp)], transform_input=["X_val"]
    )

    model.fit(X, y, sample_weight=weight, X_val=X_val, y_val=y_val)
    expected = make_mlp().fit(
        X / np.float32(7), y, weight, X_val=X_val / np.float32(7), y_val=y_val
    )

    assert_array_equal(
        model.predict_proba(X), expected.predict_proba(X / np.float32(7))
    )
    columns = ["train_loss", "valid_loss"]
    assert_array_equal(model[-1].history_[columns], expected.history_[columns])


@pytest.mark.parametrize("tool", ["search", "cross_validate"])
def test_weights_reach_fit_and_score_in_a_search(digits, routing, tool):
    X, y = digits
    weight = (np.arange(len(y)) % 2).astype(float)
    poisoned = np.where(weight > 0, y, (y + 1) % 10)  # wrong where the weight is zero
    mlp = (
        make_mlp()
        .set_fit_request(sample_weight=True)
        .set_score_request(sample_weight=True)
    )
    model = make_pipeline(ImageScaler(1), mlp)
    # A pipeline's own score hears of no request before scikit-learn 1.8.
    scoring = get_scorer("accuracy").set_score_request(sample_weight=True)
    scoring = scoring if Version("1.8") > SKLEARN_VERSION else None

    if tool == "search":
        grid = {"mnistmlpclassifier__batch_size": [64]}
        search = GridSearchCV(model, grid, scoring=scoring, cv=3)
        score = search.fit(X, poisoned, sample_weight=weight).best_score_
    else:
        params = {"sample_weight": weight}
        scores = cross_validate(
            model, X, poisoned, scoring=scoring, cv=3, params=params
        )
        score = scores["test_score"].mean()

    assert score > 0.7


def test_score_counts_the_weights(digits):
    X, y = digits
    classifier = make_mlp(max_epochs=1).fit(X, y)
    is_right = classifier.predict(X) == y

    assert classifier.score(X, y, sample_weight=is_right) == 1.0
    assert classifier.score(X, y, sample_weight=~is_right) == 0.0


def test_parameters_are_cloned_shown_and_set():
    classifier = make_mlp(class_weight={"a": 1.0}, optimizer_params={"eps": 1e-6})
    names = classifier.get_params()

    assert is_classifier(classifier)
    assert clone(classifier).get_params() == names
    assert MNISTMLPClassifier().set_params(**names).get_params() == names
    assert "learning_rate=0.02" in repr(classifier)
    assert repr(MNISTMLPClassifier()) == "MNISTMLPClassifier()"


TOOLS = {
    "fit": lambda model, X, y: model.fit(X, y).score(X, y),
    "pipeline": lambda model, X, y: (
        make_pipeline(ImageScaler(1), model).fit(X, y).score(X, y)
    ),
    "cross_validate": lambda model, X, y: cross_validate(model, X, y, cv=2)[
        "test_score"
    ].mean(),
    "grid search": lambda model, X, y: (
        GridSearchCV(model, {"batch_size": [64]}, cv=2, refit=False)
        .fit(X, y)
        .cv_results_["mean_test_score"][0]
    ),
    "calibration": lambda model, X, y: (
        CalibratedClassifierCV(model, cv=2).fit(X, y).score(X, y)
    ),
    "voting": lambda model, X, y: (
        VotingClassifier([("a", model)]).fit(X, y).score(X, y)
    ),
    "bagging": lambda model, X, y: (
        BaggingClassifier(model, n_estimators=2).fit(X, y).score(X, y)
    ),
    "permutation": lambda model, X, y: (
        0.7
        + permutation_importance(
            model.fit(X, y), X, y, n_repeats=1
        ).importances_mean.max()
    ),
}


def as_memory_map(X, folder):
    mapped = np.memmap(folder / "X", dtype=X.dtype, mode="w+", shape=X.shape)
    mapped[:] = X
    mapped.flush()
    return np.memmap(folder / "X", dtype=X.dtype, mode="r", shape=X.shape)


KINDS = {
    "uint8 rows": lambda X, folder: (X * 16).astype(np.uint8),
    "uint8 images": lambda X, folder: (X * 16).astype(np.uint8).reshape(-1, 8, 8),
    "uint8 channel": lambda X, folder: (X * 16).astype(np.uint8).reshape(-1, 8, 8, 1),
    "float32": lambda X, folder: X,
    "float64": lambda X, folder: X.astype(np.float64),
    "frame": lambda X, folder: pd.DataFrame(X).add_prefix("pixel_"),
    "memory map": as_memory_map,
    "list": lambda X, folder: X.tolist(),
}

# scikit-learn's own limit: these two look at X before the classifier sees it.
TWO_DIMENSIONS_ONLY = {"bagging", "permutation"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tool", TOOLS)
def test_every_tool_takes_every_kind_of_input(digits, tmp_path, tool, kind):
    X, y = digits[0][:200], digits[1][:200] < 5
    X = KINDS[kind](X, tmp_path)
    model = make_mlp(max_epochs=15, learning_rate=0.005)

    if tool in TWO_DIMENSIONS_ONLY and getattr(X, "ndim", 2) > 2:
        with pytest.raises(ValueError, match=r"dim 3|dim 4|3 dim|4 dim|dimension"):
            TOOLS[tool](model, X, y)
    else:
        assert TOOLS[tool](model, X, y) > 0.7


def make_monitored_search(monitor, n_jobs, digits):
    mlp = make_mlp(max_epochs=3).set_callbacks(monitor)
    model = make_pipeline(ImageScaler(1.0), mlp)
    grid = {"mnistmlpclassifier__dropout": [0.0, 0.5]}
    return GridSearchCV(model, grid, cv=2, n_jobs=n_jobs).fit(*digits)


@needs_callbacks
def test_scikit_learns_monitor_scores_every_epoch_of_a_search(digits):
    from sklearn import callback

    monitor = callback.ScoringMonitor(scoring=["accuracy"])

    search = make_monitored_search(monitor, 2, digits)

    log = monitor.get_logs().data_as_pandas
    epochs = log[log["task_name"] == "epoch"]
    fits = epochs.groupby("parent_task_id_path")
    assert fits.size().tolist() == [3] * 5  # 2 candidates x 2 folds, and the refit
    refit = fits.get_group((0, 1, 1))
    assert refit["accuracy"].iloc[-1] == pytest.approx(search.score(*digits))


@needs_callbacks
def test_all_learning_curves_of_a_search_come_in_one_picture(digits):
    from sklearn import callback

    monitor = callback.ScoringMonitor(scoring=["accuracy", "neg_log_loss"])
    search = make_monitored_search(monitor, 1, digits)
    log = monitor.get_logs()

    display = HistoryDisplay.from_history(log, search=search)

    assert [ax.get_ylabel() for ax in display.ax_] == ["Accuracy", "Neg log loss"]
    best = f"dropout={search.best_params_['mnistmlpclassifier__dropout']:g}"
    folds = [f"dropout={rate}, fold {n}" for rate in ("0", "0.5") for n in (1, 2)]
    assert list(display.histories) == [*folds, f"{best}, refitted"]
    line = display.lines_["dropout=0.5, fold 2", "train_accuracy"]
    table = log.data_as_pandas
    rows = table[table["parent_task_id_path"] == (0, 0, 3, 1)]
    assert_array_equal(line.get_ydata(), rows["accuracy"])
    assert_array_equal(line.get_xdata(), [1, 2, 3])
    unnamed = HistoryDisplay.from_history(table)
    assert list(unnamed.histories) == [f"fit {n}" for n in range(1, 6)]


@needs_callbacks
def test_candidates_of_a_halving_search_have_a_name_each(digits):
    from sklearn import callback

    monitor = callback.ScoringMonitor(scoring="accuracy")
    mlp = make_mlp(max_epochs=1).set_callbacks(monitor)
    search = HalvingGridSearchCV(mlp, {"dropout": [0.0, 0.5]}, cv=2, factor=2)
    search.fit(*digits)

    display = HistoryDisplay.from_history(monitor.get_logs(), search=search)

    best = f"dropout={search.best_params_['dropout']:g}"
    names = ["dropout=0 (1)", "dropout=0.5 (2)", f"{best} (3)"]
    folds = [f"{name}, fold {n}" for name in names for n in (1, 2)]
    assert list(display.histories) == [*folds, f"{best}, refitted"]


@needs_callbacks
def test_a_monitor_of_several_fits_gives_a_curve_for_each(digits):
    from sklearn import callback

    monitor = callback.ScoringMonitor(scoring="accuracy")
    model = make_pipeline(ImageScaler(1.0), make_mlp().set_callbacks(monitor))
    cross_validate(model, *digits, cv=2)
    logs = monitor.get_logs(select="all")

    assert list(HistoryDisplay.from_history(logs[0]).histories) == [None]
    display = HistoryDisplay.from_history(logs)

    assert list(display.histories) == ["run 1", "run 2"]
    assert_array_equal(
        display.lines_["run 2", "train_accuracy"].get_ydata(),
        logs[1].data_as_pandas.query("task_name == 'epoch'")["accuracy"],
    )


@needs_callbacks
def test_the_log_of_another_search_is_refused(digits):
    from sklearn import callback

    monitor = callback.ScoringMonitor(scoring="accuracy")
    search = make_monitored_search(monitor, 1, digits)
    search.estimator.fit(*digits)

    with pytest.raises(ValueError, match=r"has 5 fits, but .* of 1 fits"):
        HistoryDisplay.from_history(monitor.get_logs(), search=search)


@needs_callbacks
def test_scikit_learns_progress_bar_shows_search_fold_and_epoch(digits, capsys):
    from sklearn import callback

    pytest.importorskip("rich")
    model = make_pipeline(ImageScaler(1.0), make_mlp(max_epochs=3))
    search = GridSearchCV(model, {"mnistmlpclassifier__dropout": [0.0]}, cv=2)

    search.set_callbacks(callback.ProgressBar(max_propagation_depth=None)).fit(*digits)

    printed = capsys.readouterr().out
    assert "MNISTMLPClassifier" in printed
    assert "GridSearchCV" in printed
