import copy
import gzip
import io
import json
import os
import pickle
import signal
import subprocess
import sys
import time
import warnings
import zipfile
from functools import partial
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.feature_selection import SelectKBest, VarianceThreshold
from sklearn.impute import SimpleImputer
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler
from skorch.callbacks import LRScheduler

pytest.importorskip("skops")

import small_models
from forgery import (
    SCHEMA,
    edited,
    forge,
    items,
    json_node,
    members_of,
    mutate_and_seal,
    mutate_file,
    mutate_member,
    node,
    npy,
    seal,
    with_parameter,
)
from skmnist import ImageScaler, MNISTMLPClassifier
from skmnist.persistence import load_model, save_model

# By hand: SKMNIST_N_MUTATIONS=10000 SKMNIST_N_KILLS=50 pytest tests/test_persistence.py
N_MUTATIONS = int(os.environ.get("SKMNIST_N_MUTATIONS", 100))
N_KILLS = int(os.environ.get("SKMNIST_N_KILLS", 3))

small = partial(small_models.small, hidden_layer_sizes=(8,))


def reloaded(model, tmp_path):
    save_model(model, tmp_path / "model.skmnist")
    return load_model(tmp_path / "model.skmnist")


@pytest.fixture(scope="module")
def model(digits):
    return small().fit(*digits)


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "model.skmnist"
    save_model(model, path)
    return path


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
    "search": GridSearchCV(
        make_pipeline(ImageScaler(1), small()),
        {"mnistmlpclassifier__dropout": [0.0, 0.5]},
        cv=2,
    ),
}
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
        schema["content"]["content"]["_sklearn_version"] = json_node("0.1")

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


def test_an_optimizer_class_is_not_saved_and_named(digits, tmp_path):
    model = small(optimizer=torch.optim.NAdam).fit(*digits)
    save_and_fail(
        model, tmp_path, r"because of optimizer: .*torch\.optim\.nadam\.NAdam"
    )


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


def test_what_would_come_back_otherwise_is_not_saved(tmp_path):
    lists = np.empty((1, 2), dtype=object)  # of lists, which skops would unfold
    lists[0, 0], lists[0, 1] = [1], [2]
    save_and_fail(small(verbose=lists), tmp_path, "would not come back")


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


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


WRITERS = {
    "pickle": lambda bomb, path: path.write_bytes(pickle.dumps(bomb)),
    "joblib": joblib.dump,
    "joblib.gz": lambda bomb, path: joblib.dump(bomb, path, compress=3),
    "pickle.gz": lambda bomb, path: path.write_bytes(gzip.compress(pickle.dumps(bomb))),
    "torch": torch.save,
    "npz": lambda bomb, path: np.savez(path, np.array([bomb])),
}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_a_hostile_pickle_is_refused_and_not_run(tmp_path, write):
    path = tmp_path / "model.npz"
    write(Bomb(tmp_path / "ran"), path)
    with pytest.raises(ValueError, match=r"model\.npz is (not a file|damaged)"):
        load_model(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\3\4", b"text", bytes(1000)])
def test_what_is_no_model_is_refused(tmp_path, content):
    (tmp_path / "model.skmnist").write_bytes(content)
    with pytest.raises(ValueError, match=r"model\.skmnist is (not a file|damaged)"):
        load_model(tmp_path / "model.skmnist")


def test_a_truncated_file_is_refused_wherever_it_ends(saved, tmp_path):
    content, path = saved.read_bytes(), tmp_path / "model.skmnist"
    for n_bytes in range(0, len(content), 97):
        path.write_bytes(content[:n_bytes])
        with pytest.raises(ValueError, match=r"model\.skmnist is (not|damaged)"):
            load_model(path)


COMMAND = json_node("touch ran")
HOSTILE_NODES = {
    "posix.system": node("FunctionNode", "posix.system"),
    "builtins.eval": node("TypeNode", "builtins.eval"),
    "torch.load": node("FunctionNode", "torch.load"),
    "numpy.load": node("FunctionNode", "numpy.load"),
    "subprocess.Popen": node("ObjectNode", "subprocess.Popen", content=COMMAND),
    "sklearn.svm._classes.SVC": node(
        "ObjectNode", "sklearn.svm._classes.SVC", content=COMMAND
    ),
    "operator.methodcaller": node("OperatorFuncNode", "operator.methodcaller"),
    "functools.partial": node("PartialNode", "functools.partial"),
    "pathlib.Path": node("ConstructorFromReduceNode", "pathlib.Path"),
    "builtins.map": items("ListNode", "builtins.map", COMMAND),
    "skmnist.classifier.MNISTMLPClassifier": node(
        "PartialNode", "skmnist.classifier.MNISTMLPClassifier"
    ),
    "scipy.sparse.csr_matrix": node("SparseMatrixNode", "scipy.sparse.csr_matrix"),
    "skorch.history.History": items("ListNode", "skorch.history.History"),
}


@pytest.mark.parametrize("name", HOSTILE_NODES)
def test_a_hostile_type_is_refused_by_name(saved, tmp_path, name):
    path = with_parameter(saved, tmp_path, HOSTILE_NODES[name])
    with pytest.raises(ValueError, match=f"hostile.skmnist .* not trusted: {name}"):
        load_model(path)


def test_a_hostile_key_type_is_refused(saved, tmp_path):
    key_types = items("ListNode", "builtins.list", node("FunctionNode", "numpy.add"))
    keys = {"content": {"a": COMMAND}, "key_types": key_types}
    path = with_parameter(saved, tmp_path, node("DictNode", "builtins.dict", **keys))
    with pytest.raises(ValueError, match="malformed DictNode"):
        load_model(path)


def test_nodes_that_refer_to_others_are_refused_at_once(saved, tmp_path):
    tree = items("ListNode", "builtins.list", COMMAND)
    for identity in range(60):  # skops would look at 2**60 nodes
        again = {"__id__": identity}
        tree = items("ListNode", "builtins.list", {**tree, **again}, {**again})
    with pytest.raises(ValueError, match="is not a valid model"):
        load_model(with_parameter(saved, tmp_path, tree))


@pytest.mark.parametrize("position", [-1, 625, 10**6])
def test_a_random_state_at_a_hostile_position_is_refused(tmp_path, position):
    path = tmp_path / "model.skmnist"
    save_model(small(random_state=np.random.RandomState(0)), path)

    def change(schema, members):
        random_state = schema["content"]["content"]["random_state"]["content"]
        random_state["content"]["state"]["content"]["pos"] = json_node(position)

    with pytest.raises(ValueError, match="malformed RandomStateNode"):
        load_model(edited(path, tmp_path, change))


def test_a_compressed_bomb_is_refused(saved, tmp_path):
    members = members_of(saved) | {"0.npy": bytes(2 * 10**7)}
    options = {"compression": zipfile.ZIP_DEFLATED, "compresslevel": 1}
    path = forge(tmp_path / "bomb.skmnist", members.items(), **options)
    assert path.stat().st_size < 2 * 10**5
    with pytest.raises(ValueError, match="compressed parts"):
        load_model(path)


@pytest.mark.parametrize(
    "compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_a_compressed_part_that_claims_not_to_be_is_refused(
    saved, tmp_path, compression
):
    members = members_of(saved) | {"0.npy": bytes(10**6)}
    path = forge(tmp_path / "bomb", members.items(), compression=compression)
    content = bytearray(path.read_bytes())
    entry = -1
    while (entry := content.find(b"PK\1\2", entry + 1)) >= 0:  # in the directory
        content[entry + 24 : entry + 28] = content[entry + 20 : entry + 24]
    path.write_bytes(seal(bytes(content)))
    with pytest.raises(ValueError, match="compressed parts"):
        load_model(path)


def test_a_large_schema_is_refused(saved, tmp_path):
    path = with_parameter(saved, tmp_path, json_node("a" * 2**24))
    with pytest.raises(ValueError, match="larger than 16 MiB"):
        load_model(path)


def test_a_schema_nested_too_deep_is_refused(saved, tmp_path):
    members = members_of(saved) | {SCHEMA: b"[" * 10**6}
    with pytest.raises(ValueError, match="is not a valid model"):
        load_model(forge(tmp_path / "deep.skmnist", members.items()))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_part_that_stands_twice_is_refused(saved, tmp_path):
    members = [*members_of(saved).items(), ("0.npy", b"")]
    with pytest.raises(ValueError, match="it has a part twice"):
        load_model(forge(tmp_path / "twice.skmnist", members))


def test_an_array_that_is_named_twice_is_refused(saved, tmp_path):
    array = node("NdArrayNode", "numpy.ndarray", type="numpy", file="0.npy")
    with pytest.raises(ValueError, match="arrays are not those"):
        load_model(with_parameter(saved, tmp_path, array))


def test_a_part_that_claims_to_be_larger_is_refused(saved, tmp_path):
    content = saved.read_bytes()
    with zipfile.ZipFile(saved) as archive:
        size = archive.getinfo("0.npy").file_size.to_bytes(4, "little")
    position = content.index(b"PK\1\2") + 20  # both sizes, in the central directory
    assert content[position : position + 8] == size * 2
    content = content[:position] + b"\0\0\0\x10" * 2 + content[position + 8 :]
    (tmp_path / "large.skmnist").write_bytes(seal(content))
    with pytest.raises(ValueError, match="claim to be larger than the file"):
        load_model(tmp_path / "large.skmnist")


def test_a_part_that_claims_two_sizes_is_refused(saved, tmp_path):
    content = bytearray(saved.read_bytes())
    content[content.index(b"PK\1\2") + 24] ^= 1  # of the two, the size when read
    (tmp_path / "sizes.skmnist").write_bytes(seal(bytes(content)))
    with pytest.raises(ValueError, match="compressed parts"):
        load_model(tmp_path / "sizes.skmnist")


def test_a_wrong_checksum_of_a_part_is_refused(saved, tmp_path):
    content = saved.read_bytes()
    position = content.index(b"\x93NUMPY") + 130
    changed = bytes([content[position] ^ 1])
    content = content[:position] + changed + content[position + 1 :]
    (tmp_path / "crc.skmnist").write_bytes(seal(content))
    with pytest.raises(ValueError, match=r"crc\.skmnist .* BadZipFile: Bad CRC-32"):
        load_model(tmp_path / "crc.skmnist")


HEADERS = {
    "large": (
        npy(np.zeros(9, "u1")).replace(b"(9,), }  ", b"(9" + b"9" * 2 + b",), }"),
        r"shape \(999,\) in 9 bytes",
    ),
    "negative": (
        npy(np.zeros(9, "u1")).replace(b"(9,), } ", b"(-9,), }"),
        r"shape \(-9,\) in 9 bytes",
    ),
    "nothing": (
        npy(np.zeros(9, "S1")).replace(b"S1", b"S0"),
        r"shape \(9,\) in 9 bytes",
    ),
    "object": (
        npy(np.zeros(9, "i8")).replace(b"<i8", b"|O8"),
        "an array of type object",
    ),
    "record": (npy(np.zeros(9, [("a", "i4")])), r"an array of type \[\('a', '<i4'\)\]"),
    "another version": (
        npy(np.zeros(9)).replace(b"NUMPY\1", b"NUMPY\2"),
        "an unknown format",
    ),
    "no array": (b"PK\3\4", "magic string"),
    "a header that is no dict": (
        npy(np.zeros(9)).replace(b"{'descr'", b"{{{{{{{{"),
        "is not a valid model",
    ),
}


@pytest.mark.parametrize(("content", "reason"), HEADERS.values(), ids=HEADERS)
def test_a_hostile_array_is_refused(saved, tmp_path, content, reason):
    members = members_of(saved) | {"0.npy": content}
    with pytest.raises(ValueError, match=reason):
        load_model(forge(tmp_path / "array.skmnist", members.items()))


def test_a_scalar_that_would_allocate_is_refused(saved, tmp_path):
    def change(schema, members):
        scalar = node("NdArrayNode", "numpy.void", type="numpy", file="void.npy")
        schema["content"]["content"]["verbose"] = scalar
        members["void.npy"] = npy(np.array(10**9))

    with pytest.raises(ValueError, match=r"array of type numpy\.void"):
        load_model(edited(saved, tmp_path, change))


HOSTILE_SETTINGS = {
    "hidden_layer_sizes": [10**7, [10**9, 10**9], [1] * 10**5, [8.5], "8", [[8]], [-8]],
    "optimizer": ["lbfgs", 5],
    "activation": ["load", None],
    "dropout": [1.0, "0.5"],
    "learning_rate": [-1.0, "1"],
    "optimizer_params": [{"lr": 1}, 5],
}


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in HOSTILE_SETTINGS.items() for value in values],
)
def test_settings_that_do_not_fit_the_weights_are_refused(
    saved, tmp_path, peak_memory, name, value
):
    def change(schema, members):
        schema["content"]["content"]["_built_with"]["content"][name] = json_node(value)

    path = edited(saved, tmp_path, change)
    with (
        peak_memory() as peak,
        pytest.raises(ValueError, match=r"hostile\.skmnist is not a valid model"),
    ):
        load_model(path)
    assert peak.megabytes < 50


@pytest.mark.parametrize("number", range(12))
def test_weights_and_optimizer_state_of_another_shape_are_refused(
    saved, tmp_path, number
):
    def change(schema, members):
        state = schema["content"]["content"]["_net_state"]["content"]
        weights = list(state["weights"]["content"].values())
        optimizer = state["optimizer"]["content"]["state"]["content"]
        moments = [part for of in optimizer.values() for part in of["content"].values()]
        members[(weights + moments)[number]["file"]] = npy(np.zeros(3, np.float32))

    with pytest.raises(ValueError, match="do not fit"):
        load_model(edited(saved, tmp_path, change))


@pytest.mark.parametrize("dtype", ["float16", "float64", ">f4", "int32"])
def test_weights_of_another_type_are_refused(saved, tmp_path, dtype):
    def change(schema, members):
        state = schema["content"]["content"]["_net_state"]["content"]
        for weight in state["weights"]["content"].values():
            array = np.load(io.BytesIO(members[weight["file"]]))
            members[weight["file"]] = npy(array.astype(dtype))

    with pytest.raises(ValueError, match="do not fit"):
        load_model(edited(saved, tmp_path, change))


def test_a_model_of_a_type_that_does_not_train_is_refused(saved, tmp_path):
    def change(schema, members):
        state = schema["content"]["content"]
        state["_dtype"] = json_node("float16")
        for weight in state["_net_state"]["content"]["weights"]["content"].values():
            array = np.load(io.BytesIO(members[weight["file"]]))
            members[weight["file"]] = npy(array.astype("float16"))

    with pytest.raises(ValueError, match="do not fit"):
        load_model(edited(saved, tmp_path, change))


def outcome(path, original):
    try:
        loaded = load_model(path)
    except ValueError as error:
        return "refused" if str(path) in str(error) else f"unclear: {error}"
    try:
        save_model(loaded, path)
    except ValueError:
        return "different"
    return "equal" if path.read_bytes() == original else "different"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("mutate", "allowed"),
    [
        (mutate_file, {"equal", "refused"}),
        (mutate_and_seal, {"equal", "refused"}),
        (mutate_member, {"equal", "refused", "different"}),
    ],
)
def test_a_mutated_file_loads_equal_or_is_refused(
    saved, tmp_path, peak_memory, mutate, allowed
):
    original, path = saved.read_bytes(), tmp_path / "mutated.skmnist"
    slowest, outcomes = 0, {}
    with peak_memory() as peak:
        for seed in range(N_MUTATIONS):
            path.write_bytes(mutate(original, np.random.default_rng(seed)))
            start = time.perf_counter()
            result = outcome(path, original)
            slowest = max(slowest, time.perf_counter() - start)
            outcomes[result] = outcomes.get(result, 0) + 1
    print(mutate.__name__, outcomes, f"{slowest:.3f} s", f"{peak.megabytes:.0f} MB")
    assert outcomes.keys() <= allowed
    assert slowest < 1
    assert peak.megabytes < 50


def test_without_skops_the_extra_is_named(saved, monkeypatch):
    monkeypatch.setitem(sys.modules, "skops.io", None)
    with pytest.raises(ImportError, match=r"pip install 'skmnist\[skops\]'"):
        load_model(saved)
