import copy
import json
import os
import pickle
import signal
import subprocess
import sys
import time
import warnings
from functools import partial

import joblib
import numpy as np
import pytest
import torch
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import SelectKBest, VarianceThreshold
from sklearn.impute import SimpleImputer
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    StratifiedKFold,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
    TargetEncoder,
)
from skorch.callbacks import LRScheduler

pytest.importorskip("skops")

import skops.io

import small_models
from forgery import (
    attributes_of,
    edited,
    json_node,
    with_parameter,
)
from skmnist import (
    ImageCenterer,
    ImageScaler,
    MNISTMLPClassifier,
    RandomDistortion,
)
from skmnist.persistence import TRUSTED_TYPES, load_model, model_file, save_model

# By hand: SKMNIST_N_KILLS=50 pytest tests/persistence
N_KILLS = int(os.environ.get("SKMNIST_N_KILLS", 3))

small = partial(small_models.small, hidden_layer_sizes=(8,))


def reloaded(model, tmp_path):
    save_model(model, tmp_path / "model.skmnist")
    return load_model(tmp_path / "model.skmnist")


LABELS = {
    "strings": np.array([f"digit {digit}" for digit in range(10)]),
    "objects": np.array([f"digit {digit}" for digit in range(10)], dtype=object),
    "ints": np.arange(10) * 7 - 3,
    "bools": np.arange(10) > 4,
}


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_loaded_classifier_predicts_to_the_bit(digits, tmp_path, labels, dtype):
    X, y = digits[0].astype(dtype), labels[digits[1]]
    model = small().fit(X, y)
    loaded = reloaded(model, tmp_path)
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X), strict=True)
    np.testing.assert_array_equal(
        loaded.predict_proba(X), model.predict_proba(X), strict=True
    )


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "rmsprop", "adagrad"])
def test_partial_fit_goes_on_exactly(digits, tmp_path, optimizer):
    settings = {"momentum": 0.9} if optimizer in ("sgd", "rmsprop") else None
    model = small(optimizer=optimizer, optimizer_params=settings).fit(*digits)
    loaded = reloaded(model, tmp_path)
    loaded.partial_fit(*digits)
    model = copy.deepcopy(model).partial_fit(*digits)
    X = digits[0]
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


def test_the_history_comes_back(model, saved):
    loaded = load_model(saved)
    assert loaded.history_.equals(model.history_)
    assert loaded.n_iter_ == 2


def test_all_parameters_come_back(digits, tmp_path):
    model = small(
        validation_split=StratifiedKFold(3),
        optimizer_params={"betas": (0.8, 0.99)},
        random_state=np.random.RandomState(0),
        early_stopping=True,
    )
    loaded = reloaded(model.fit(*digits), tmp_path)
    assert repr(loaded.get_params()).startswith(repr(model.get_params())[:300])
    assert loaded.random_state.randint(99) == model.random_state.randint(99)
    assert loaded.best_epoch_ == model.best_epoch_


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_class_weights_come_back(digits, tmp_path, labels):
    weights = {
        label: 1.0 + position for position, label in enumerate(np.unique(labels))
    }
    model = small(class_weight=weights).fit(digits[0], labels[digits[1]])
    assert reloaded(model, tmp_path).class_weight == weights


PIPELINES = {
    "scaler": make_pipeline(ImageScaler(1), small()),
    "centerer": make_pipeline(ImageCenterer(12, box=8), small()),
    "standard": make_pipeline(StandardScaler(), PCA(20, random_state=0), small()),
    "imputer": make_pipeline(
        SimpleImputer(), VarianceThreshold(), SelectKBest(k=30), small()
    ),
    "columns": make_pipeline(
        make_column_transformer(
            (MinMaxScaler(), [3, 4, 5]), (FunctionTransformer(np.log1p), slice(9, 30))
        ),
        small(),
    ),
    "vote": VotingClassifier(
        [("a", small()), ("b", small(dropout=0.0))], voting="soft"
    ),
    "stack": StackingClassifier([("a", small()), ("b", small(dropout=0.0))], cv=2),
    "sigmoid": CalibratedClassifierCV(small(), cv=2),
    "isotonic": CalibratedClassifierCV(small(), cv=2, method="isotonic"),
    "halving": HalvingGridSearchCV(
        small(), {"dropout": [0.0, 0.5]}, cv=2, min_resources=200, random_state=0
    ),
    "search": GridSearchCV(
        make_pipeline(ImageScaler(1), small()),
        {"mnistmlpclassifier__dropout": [0.0, 0.5]},
        cv=2,
    ),
}


@pytest.mark.parametrize("model", PIPELINES.values(), ids=PIPELINES)
def test_skops_and_its_users_need_the_types_that_are_named(digits, model):
    X, y = digits
    content = skops.io.dumps(model.fit(X, y))

    assert set(skops.io.get_untrusted_types(data=content)) <= set(TRUSTED_TYPES)
    loaded = skops.io.loads(content, trusted=TRUSTED_TYPES)
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("scoring", ["f1_macro", "neg_log_loss", "roc_auc_ovr"])
def test_the_types_of_a_score_are_named(digits, scoring):
    search = GridSearchCV(small(), {"dropout": [0.0]}, cv=2, scoring=scoring)
    content = skops.io.dumps(search.fit(*digits))

    assert set(skops.io.get_untrusted_types(data=content)) <= set(TRUSTED_TYPES)


ENCODERS = {
    "one hot": OneHotEncoder(),
    "all but the first": OneHotEncoder(drop="first"),
    "infrequent": OneHotEncoder(min_frequency=100),
    "infrequent dropped": OneHotEncoder(max_categories=3, drop="first"),
    "ordinal": OrdinalEncoder(min_frequency=100),
    "target": TargetEncoder(random_state=0),
    "bins": KBinsDiscretizer(3, encode="onehot"),
}


@pytest.mark.parametrize("encoder", ENCODERS.values(), ids=ENCODERS)
def test_a_loaded_encoder_encodes_to_the_bit(digits, tmp_path, encoder):
    X, y = (digits[0][:, 18:22] * 8).astype(int), digits[1]
    loaded = reloaded(encoder.fit(X, y), tmp_path)
    expected, encoded = (
        result.toarray() if hasattr(result, "toarray") else result
        for result in (encoder.transform(X), loaded.transform(X))
    )
    np.testing.assert_array_equal(encoded, expected)


def test_many_transformers_of_few_columns_each_are_saved(digits, tmp_path):
    scalers = [(StandardScaler(), [column]) for column in range(64)]
    model = make_column_transformer(*scalers).fit(digits[0])
    loaded = reloaded(model, tmp_path)
    np.testing.assert_array_equal(
        loaded.transform(digits[0]), model.transform(digits[0])
    )


SCORINGS = {
    "name": "f1_macro",
    "names": ["accuracy", "neg_log_loss", "roc_auc_ovr"],
    "scorer": make_scorer(f1_score, average="macro"),
}


@pytest.mark.parametrize("pipeline", PIPELINES.values(), ids=PIPELINES)
def test_a_loaded_pipeline_predicts_to_the_bit(digits, tmp_path, pipeline):
    X, y = digits
    loaded = reloaded(pipeline.fit(X, y), tmp_path)
    np.testing.assert_array_equal(loaded.predict_proba(X), pipeline.predict_proba(X))


@pytest.mark.parametrize("scoring", SCORINGS.values(), ids=SCORINGS)
def test_a_loaded_search_scores_as_before(digits, tmp_path, scoring):
    X, y = digits
    refit = "accuracy" if isinstance(scoring, list) else True
    search = GridSearchCV(
        small(), {"dropout": [0.0, 0.5]}, cv=2, scoring=scoring, refit=refit
    )
    loaded = reloaded(search.fit(X, y), tmp_path)
    assert loaded.score(X, y) == search.score(X, y)
    assert set(loaded.cv_results_) == set(search.cv_results_)


def test_a_score_of_the_users_own_is_not_saved(digits, tmp_path):
    search = GridSearchCV(
        small(), {"dropout": [0.0]}, cv=2, scoring=make_scorer(own_score)
    )
    save_and_fail(search.fit(*digits), tmp_path, "own_score")


def own_score(y_true, y_pred):
    return 0.0


def test_an_unfitted_estimator_comes_back_unfitted(tmp_path):
    loaded = reloaded(small(dropout=0.25), tmp_path)
    assert loaded.dropout == 0.25
    assert not hasattr(loaded, "classes_")


@pytest.mark.filterwarnings("error:The given NumPy array is not writable")
@pytest.mark.parametrize("mmap_mode", ["r+", "c", "r"])
def test_a_memory_mapped_model_trains_on_and_leaves_its_file_alone(
    model, digits, tmp_path, mmap_mode
):
    path = tmp_path / "model.joblib"
    joblib.dump(model, path)
    content = path.read_bytes()

    mapped = joblib.load(path, mmap_mode=mmap_mode).partial_fit(*digits)

    assert path.read_bytes() == content
    expected = copy.deepcopy(model).partial_fit(*digits).predict_proba(digits[0])
    np.testing.assert_array_equal(mapped.predict_proba(digits[0]), expected)


def test_a_memory_mapped_model_can_be_saved(model, digits, tmp_path):
    joblib.dump(model, tmp_path / "model.joblib")
    mapped = joblib.load(tmp_path / "model.joblib", mmap_mode="r")
    loaded = reloaded(mapped, tmp_path)
    np.testing.assert_array_equal(loaded.predict(digits[0]), model.predict(digits[0]))


def test_equal_models_make_equal_files(saved, tmp_path):
    save_model(load_model(saved), tmp_path / "again.skmnist")
    assert (tmp_path / "again.skmnist").read_bytes() == saved.read_bytes()


def test_a_file_loads_in_a_fresh_process(model, saved, digits, tmp_path):
    np.save(tmp_path / "X.npy", digits[0])
    code = (
        "import sys, numpy as np; from skmnist.persistence import load_model;"
        "print(load_model(sys.argv[1]).predict(np.load(sys.argv[2])).tolist())"
    )
    command = [sys.executable, "-c", code, saved, tmp_path / "X.npy"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert json.loads(output) == model.predict(digits[0]).tolist()


def test_another_version_of_sklearn_warns(digits, tmp_path):
    path = tmp_path / "model.skmnist"
    save_model(make_pipeline(StandardScaler(), small()).fit(*digits), path)

    def change(schema, members):
        attributes_of(schema)["_sklearn_version"] = json_node("0.1")

    with pytest.warns(InconsistentVersionWarning, match=r"from version 0\.1"):
        load_model(edited(path, tmp_path, change))


def test_a_warning_that_is_made_an_error_is_raised_as_it_is(saved, tmp_path):
    path = with_parameter(saved, tmp_path, json_node("0.0.1"), "_skmnist_version")

    with warnings.catch_warnings():
        warnings.simplefilter("error", InconsistentVersionWarning)
        with pytest.raises(InconsistentVersionWarning, match=r"skmnist 0\.0\.1"):
            load_model(path)


def test_another_version_of_skmnist_warns(saved, tmp_path):
    path = with_parameter(saved, tmp_path, json_node("0.0.1"), "_skmnist_version")
    with pytest.warns(UserWarning, match=r"saved with skmnist 0\.0\.1"):
        load_model(path)


def save_and_fail(model, tmp_path, match):
    path = tmp_path / "model.skmnist"
    path.write_bytes(b"old")
    with pytest.raises(ValueError, match=match):
        save_model(model, path)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["model.skmnist"]  # noqa: PTH208


def test_callbacks_are_not_saved_and_named(digits, tmp_path):
    model = make_pipeline(ImageScaler(1), small(callbacks=[LRScheduler()]))
    match = r"because of mnistmlpclassifier__callbacks: .*lr_scheduler\.LRScheduler"
    save_and_fail(model.fit(*digits), tmp_path, match)


class Unpicklable:
    def __getstate__(self):
        raise pickle.PicklingError("no pickle")


def test_a_callback_that_cannot_be_pickled_is_named(digits, tmp_path):
    model = small(callbacks=[Unpicklable()])
    save_and_fail(model, tmp_path, "because of callbacks: .* callbacks=None")


def test_an_optimizer_class_is_not_saved_and_named(digits, tmp_path):
    model = small(optimizer=torch.optim.NAdam).fit(*digits)
    save_and_fail(
        model, tmp_path, r"because of optimizer: .*torch\.optim\.nadam\.NAdam"
    )


@pytest.mark.parametrize("augmentation", [lambda images: images, np.negative])
def test_a_callable_augmentation_is_not_saved_and_named(tmp_path, augmentation):
    model = make_pipeline(ImageScaler(1), small(augmentation=augmentation))
    match = r"cannot be saved safely.*augmentation.*augmentation=None, or use joblib"
    save_and_fail(model, tmp_path, match)


def test_a_distortion_comes_back(digits, tmp_path):
    model = small(augmentation=RandomDistortion(rotation=3, shift=np.float32(0.5)))
    loaded = reloaded(model.fit(*digits), tmp_path)

    assert repr(loaded) == repr(model)
    np.testing.assert_array_equal(
        loaded.partial_fit(*digits).predict_proba(digits[0]),
        model.partial_fit(*digits).predict_proba(digits[0]),
    )


def test_a_search_over_distortions_comes_back(digits, tmp_path):
    grid = [
        {"augmentation": [None]},
        {"augmentation": [RandomDistortion()], "augmentation__shift": [0, 0.5]},
    ]
    search = GridSearchCV(small(), grid, cv=2).fit(*digits)

    loaded = reloaded(search, tmp_path)

    assert repr(loaded.best_params_) == repr(search.best_params_)
    assert repr(loaded.cv_results_["params"]) == repr(search.cv_results_["params"])


def test_what_skops_cannot_dump_is_not_saved_and_named(tmp_path):
    save_and_fail(small(verbose=(i for i in "ab")), tmp_path, "because of verbose")


def test_a_subclass_is_not_saved(tmp_path):
    class Sub(MNISTMLPClassifier):
        __init__ = MNISTMLPClassifier.__init__

    save_and_fail(Sub(), tmp_path, "Sub")


def test_what_is_no_estimator_is_not_saved(tmp_path):
    save_and_fail(
        {"a": 1}, tmp_path, "This dict cannot be saved safely: .*no estimator"
    )


def test_keys_that_look_the_same_are_not_saved(tmp_path):
    model = small(class_weight={1: 0.5, "1": 2.0})
    save_and_fail(model, tmp_path, "because of class_weight: .*as 1 and '1'")


def test_a_table_of_objects_is_not_saved_and_named(tmp_path):
    lists = np.empty((1, 2), dtype=object)  # of lists, which skops would unfold
    lists[0, 0], lists[0, 1] = [1], [2]
    save_and_fail(small(verbose=lists), tmp_path, "because of verbose")


def test_what_would_come_back_otherwise_is_not_saved(tmp_path, monkeypatch):
    monkeypatch.setattr(model_file, "_unpack", lambda content: small(dropout=0.25))
    save_and_fail(small(), tmp_path, "cannot be loaded from a file unchanged")


def test_a_full_disk_leaves_the_old_file(model, saved, tmp_path, monkeypatch):
    path = tmp_path / "model.skmnist"
    path.write_bytes(b"old")

    def fail(descriptor):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        save_model(model, path)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"old"]


@pytest.mark.skipif(
    sys.platform == "win32",
    reason="unavailable here: links, which Windows leaves to administrators",
)
def test_a_link_stays_a_link(model, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "model.skmnist")
    save_model(model, tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert load_model(tmp_path / "model.skmnist").n_iter_ == 2


def save_in_turn(models, path):
    while True:
        for model in models:
            save_model(model, path)


@pytest.mark.skipif(
    not hasattr(os, "fork"), reason="unavailable here: os.fork, which Windows lacks"
)
@pytest.mark.parametrize("seed", range(N_KILLS))
def test_a_kill_leaves_the_old_file_or_the_new_one(digits, tmp_path, seed):
    # Below what torch takes more threads for, which a forked process does not have.
    models = [small(max_epochs=epochs).fit(*digits) for epochs in (1, 2)]
    path = tmp_path / "model.skmnist"
    save_model(models[0], path)
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        child = os.fork()
    if child == 0:
        save_in_turn(models, path)
    time.sleep(np.random.default_rng(seed).uniform(0.05, 0.3))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert load_model(path).n_iter_ in (1, 2)


def test_a_missing_file_is_a_file_not_found_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no\.skmnist"):
        load_model(tmp_path / "no.skmnist")


def test_a_folder_is_an_os_error(tmp_path):
    with pytest.raises(OSError, match=tmp_path.name):
        load_model(tmp_path)


def test_without_skops_the_extra_is_named(saved, monkeypatch):
    monkeypatch.setitem(sys.modules, "skops.io", None)
    with pytest.raises(ImportError, match=r"pip install 'skmnist\[skops\]'"):
        load_model(saved)


def test_requests_of_metadata_come_back(digits, tmp_path):
    X, y = digits
    with config_context(enable_metadata_routing=True):
        request = {"sample_weight": True, "X_val": True, "y_val": False}
        model = make_pipeline(ImageScaler(1), small().set_fit_request(**request))
        model.fit(X, y)
        for loaded in (reloaded(model, tmp_path), pickle.loads(pickle.dumps(model))):
            assert loaded[-1].get_metadata_routing().fit.requests == {
                **request,
                "sample_weight_val": None,
            }
            clone(loaded).fit(X, y, sample_weight=np.ones(len(y)))
            assert (loaded.predict_proba(X) == model.predict_proba(X)).all()
