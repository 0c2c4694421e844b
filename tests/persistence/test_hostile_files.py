"""Files that somebody made who knows the format: refused, or harmless."""

import gzip
import io
import os
import pickle
import time
import zipfile
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.ensemble import VotingClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

pytest.importorskip("skops")

from forgery import (
    SCHEMA,
    attributes_of,
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
    with_attributes,
    with_parameter,
)
from skmnist import ImageScaler, RandomDistortion
from skmnist.persistence import load_model, save_model
from small_models import small

# By hand: SKMNIST_N_MUTATIONS=10000 pytest tests/persistence
N_MUTATIONS = int(os.environ.get("SKMNIST_N_MUTATIONS", 100))


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
    with pytest.raises(ValueError, match=r"not trusted: numpy\.add"):
        load_model(path)


@pytest.mark.parametrize("value", ["10", None, True, -1, float("nan"), 1e308, 10**39])
@pytest.mark.parametrize("name", RandomDistortion().get_params())
def test_an_absurd_distortion_is_refused(tmp_path, name, value):
    save_model(RandomDistortion(), tmp_path / "distortion.skmnist")
    path = with_attributes(tmp_path / "distortion.skmnist", tmp_path, **{name: value})
    with pytest.raises(
        ValueError, match=rf"RandomDistortion\.{name} that does not fit"
    ):
        load_model(path)


@pytest.mark.parametrize(
    "hostile",
    [json_node("flip"), node("FunctionNode", "numpy.negative")],
    ids=["text", "function"],
)
def test_an_augmentation_of_another_kind_is_refused(saved, tmp_path, hostile):
    path = with_parameter(saved, tmp_path, hostile, "augmentation")
    with pytest.raises(ValueError, match=r"\.augmentation that does not fit"):
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
        random_state = attributes_of(schema)["random_state"]["content"]
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
    with pytest.raises(ValueError, match="arrays do not match its schema"):
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
        r"array of type \|S0",
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
        attributes_of(schema)["verbose"] = scalar
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
        attributes_of(schema)["_built_with"]["content"][name] = json_node(value)

    path = edited(saved, tmp_path, change)
    with (
        peak_memory() as peak,
        pytest.raises(ValueError, match=r"hostile\.skmnist is not a valid model"),
    ):
        load_model(path)
    assert peak.megabytes < 50


@pytest.mark.parametrize("size", [3, 300])
@pytest.mark.parametrize("number", range(12))
def test_weights_and_optimizer_state_of_another_shape_are_refused(
    saved, tmp_path, number, size
):
    def change(schema, members):
        state = attributes_of(schema)["_net_state"]["content"]
        weights = list(state["weights"]["content"].values())
        optimizer = state["optimizer"]["content"]["state"]["content"]
        moments = [part for of in optimizer.values() for part in of["content"].values()]
        members[(weights + moments)[number]["file"]] = npy(np.zeros(size, np.float32))

    with pytest.raises(ValueError, match=r"(weights do|state does) not match"):
        load_model(edited(saved, tmp_path, change))


@pytest.mark.parametrize("dtype", ["float16", "float64", ">f4", "int32"])
def test_weights_of_another_type_are_refused(saved, tmp_path, dtype):
    def change(schema, members):
        state = attributes_of(schema)["_net_state"]["content"]
        for weight in state["weights"]["content"].values():
            array = np.load(io.BytesIO(members[weight["file"]]))
            members[weight["file"]] = npy(array.astype(dtype))

    with pytest.raises(ValueError, match="weights do not match"):
        load_model(edited(saved, tmp_path, change))


def test_a_model_of_a_type_that_does_not_train_is_refused(saved, tmp_path):
    def change(schema, members):
        state = attributes_of(schema)
        state["_dtype"] = json_node("float16")
        for weight in state["_net_state"]["content"]["weights"]["content"].values():
            array = np.load(io.BytesIO(members[weight["file"]]))
            members[weight["file"]] = npy(array.astype("float16"))

    with pytest.raises(ValueError, match="_dtype that does not fit"):
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


# Files under a megabyte that took gigabytes, minutes or the process, or did harm later.


def list_of(*nodes):
    return items("ListNode", "builtins.list", *nodes)


def array_of(*nodes):
    shape = items("TupleNode", "builtins.tuple", json_node(len(nodes)))
    parts = {"content": list(nodes), "shape": shape}
    return node("NdArrayNode", "numpy.ndarray", type="json", **parts)


def dict_of(**nodes):
    names = [node("TypeNode", "builtins.str") for _ in nodes]
    return node("DictNode", "builtins.dict", content=nodes, key_types=list_of(*names))


def object_of(name, **attributes):
    return node("ObjectNode", name, content=dict_of(**attributes))


# One long text, and many short ones: as an array each is as wide as the long one.
TEXTS = {
    "one long": [json_node("a" * 100_000), *[json_node("b")] * 400],
    "all short": [json_node("a" * 900)] * 300,
}


@pytest.mark.parametrize("texts", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("as_container", [list_of, array_of])
def test_text_in_a_masked_array_is_refused(
    saved, tmp_path, refused, texts, as_container
):
    def change(schema, members):
        mask = node("NdArrayNode", "numpy.ndarray", type="numpy", file="mask.npy")
        members["mask.npy"] = npy(np.zeros(len(texts), bool))
        masked = {"data": as_container(*texts), "mask": mask}
        attributes_of(schema)["verbose"] = node(
            "MaskedArrayNode", "numpy.ma.MaskedArray", content=masked
        )

    refused(edited(saved, tmp_path, change), r"too long|malformed|verbose")


@pytest.mark.parametrize("texts", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("as_container", [list_of, array_of])
@pytest.mark.parametrize("part", ["weights", "optimizer"])
def test_text_for_weights_or_their_moments_is_refused(
    saved, tmp_path, refused, texts, as_container, part
):
    def change(schema, members):
        tensors = attributes_of(schema)["_net_state"]["content"][part]["content"]
        if part == "optimizer":
            tensors = tensors["state"]["content"]["0"]["content"]
        name = next(reversed(tensors))
        members.pop(tensors[name]["file"])
        tensors[name] = as_container(*texts)

    refused(edited(saved, tmp_path, change), "too long|_net_state")


@pytest.mark.parametrize("texts", TEXTS.values(), ids=TEXTS)
def test_text_for_the_thresholds_of_a_calibration_is_refused(
    saved, tmp_path, refused, texts
):
    thresholds = {"X_thresholds_": list_of(*texts), "y_thresholds_": list_of(*texts)}
    step = object_of("sklearn.isotonic.IsotonicRegression", **thresholds)
    refused(
        with_parameter(saved, tmp_path, step), "too long|IsotonicRegression|verbose"
    )


@pytest.mark.parametrize(
    "text",
    ["9" * 900_000, '"0x' + "f" * 900_000 + '"'],
    ids=["decimal", "hexadecimal"],
)
def test_a_number_of_a_million_digits_is_refused(saved, tmp_path, refused, text):
    number = node("JsonNode", "builtins.str", content=text, is_json=True)
    refused(with_parameter(saved, tmp_path, number, "_seed"), "too long")


def test_weights_that_only_look_like_arrays_are_refused(saved, tmp_path, refused):
    fake = object_of(
        "sklearn.preprocessing._data.StandardScaler",
        shape=items("TupleNode", "builtins.tuple", json_node(10**7)),
        dtype=json_node("float32"),
    )

    def change(schema, members):
        weights = attributes_of(schema)["_net_state"]["content"]["weights"]["content"]
        for name in weights:
            members.pop(weights[name]["file"])
            weights[name] = fake

    refused(edited(saved, tmp_path, change), "StandardScaler does not have|_net_state")


NAMES = [
    "_doc_link_template",
    "__doc_link_template",
    "__class__",
    "fit",
    "_net",
    "net_",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("step", [0, 1])
def test_an_attribute_that_the_class_does_not_write_is_refused(
    digits, tmp_path, refused, name, step
):
    path = tmp_path / "model.skmnist"
    save_model(make_pipeline(StandardScaler(), small()).fit(*digits), path)

    def change(schema, members):
        steps = attributes_of(schema)["steps"]["content"]
        content = steps[step]["content"][1]["content"]
        content["content"][name] = json_node("<script>alert(1)</script>")
        content["key_types"]["content"].append(node("TypeNode", "builtins.str"))

    refused(edited(path, tmp_path, change), rf"not trusted: '{name}'")


HOSTILE_PARAMETERS = {
    "memory": json_node("/tmp/elsewhere"),
    "steps": list_of(*[json_node("a")] * 3),
    "_sklearn_version": json_node("1.0\x1b[31m"),
    "n_features_in_": json_node(2**70),
}


@pytest.mark.parametrize("name", HOSTILE_PARAMETERS)
def test_a_hostile_value_in_a_pipeline_is_refused_and_named(
    digits, tmp_path, refused, name
):
    path = tmp_path / "model.skmnist"
    save_model(make_pipeline(StandardScaler(), small()).fit(*digits), path)

    def change(schema, members):
        content = schema["content"]
        is_new = name not in content["content"]
        content["content"][name] = HOSTILE_PARAMETERS[name]
        if is_new:
            content["key_types"]["content"].append(node("TypeNode", "builtins.str"))

    refused(edited(path, tmp_path, change), f"{name}|do not match its schema")


REFUSED_CLASSES = [
    "sklearn.feature_extraction.text.HashingVectorizer",
    "sklearn.feature_extraction._hash.FeatureHasher",
    "sklearn.cluster._birch.Birch",
    "sklearn.neighbors._unsupervised.NearestNeighbors",
    "sklearn.tree._classes.DecisionTreeClassifier",
]


@pytest.mark.parametrize("name", REFUSED_CLASSES)
def test_a_class_that_believes_any_state_is_refused(saved, tmp_path, refused, name):
    path = with_parameter(saved, tmp_path, object_of(name, input=json_node("filename")))
    refused(path, f"not trusted: {name}")


def test_a_history_with_a_column_for_each_epoch_is_refused(saved, tmp_path, refused):
    def change(schema, members):
        epochs = [dict_of(**{f"a{number}": json_node(1)}) for number in range(2500)]
        attributes_of(schema)["_net_state"]["content"]["history"] = list_of(*epochs)

    refused(edited(saved, tmp_path, change), "_net_state")


@pytest.mark.parametrize("device", ["hpu", "privateuseone", "meta", "nothing"])
def test_a_device_that_is_not_there_becomes_the_cpu(saved, digits, tmp_path, device):
    def change(schema, members):
        attributes_of(schema)["_built_with"]["content"]["device"] = json_node(device)
        attributes_of(schema)["device"] = json_node(device)

    loaded = load_model(edited(saved, tmp_path, change))
    assert len(loaded.predict(digits[0])) == len(digits[0])


BROADCAST = {"mean_": (10_000, 1, 1), "scale_": (3,), "var_": (64, 64)}


@pytest.mark.parametrize("name", BROADCAST)
def test_an_array_that_would_be_broadcast_is_refused(digits, tmp_path, refused, name):
    path = tmp_path / "model.skmnist"
    save_model(StandardScaler().fit(digits[0]), path)

    def change(schema, members):
        file = attributes_of(schema)[name]["file"]
        members[file] = npy(np.zeros(BROADCAST[name], np.float64))

    refused(edited(path, tmp_path, change), rf"StandardScaler\.{name}")


@pytest.mark.parametrize("n_outputs", [[1, 1, 1], [9, 9, 9], [2, 2]])
def test_an_encoder_with_other_outputs_than_categories_is_refused(
    tmp_path, refused, n_outputs
):
    path = tmp_path / "model.skmnist"
    save_model(OneHotEncoder().fit(np.eye(3, dtype=int)), path)

    def change(schema, members):
        outputs = list_of(*map(json_node, n_outputs))
        attributes_of(schema)["_n_features_outs"] = outputs

    refused(edited(path, tmp_path, change), "do not fit together")


HOSTILE_MAPPINGS = {
    "outside": [0, 1, 9],
    "negative": [0, 1, -1],
    "shorter": [0, 1],
    "empty": [],
}


@pytest.mark.parametrize("mapping", HOSTILE_MAPPINGS.values(), ids=HOSTILE_MAPPINGS)
def test_an_encoder_that_maps_categories_elsewhere_is_refused(
    tmp_path, refused, mapping
):
    path = tmp_path / "model.skmnist"
    X = np.array([[0]] * 5 + [[1]] * 5 + [[2]])
    save_model(OneHotEncoder(min_frequency=2).fit(X), path)

    def change(schema, members):
        node = attributes_of(schema)["_default_to_infrequent_mappings"]["content"][0]
        members[node["file"]] = npy(np.array(mapping, dtype=np.int64))

    refused(edited(path, tmp_path, change), "do not fit together")


@pytest.mark.parametrize("categories", [[3.0, 1.0, 2.0], [np.nan, 1.0, 2.0]])
def test_categories_that_are_not_in_order_are_refused(tmp_path, refused, categories):
    path = tmp_path / "model.skmnist"
    save_model(OneHotEncoder().fit([[1.0], [2.0], [3.0]]), path)

    def change(schema, members):
        node = attributes_of(schema)["categories_"]["content"][0]
        members[node["file"]] = npy(np.array(categories))

    refused(edited(path, tmp_path, change), r"OneHotEncoder\.categories_")


def test_steps_that_copy_the_images_again_and_again_are_refused(tmp_path, refused):
    doubled = FeatureUnion([("a", "passthrough"), ("b", "passthrough")])
    model = make_pipeline(*[doubled] * 30)
    with pytest.raises(ValueError, match="more than 16 copies of the images"):
        save_model(model, tmp_path / "model.skmnist")


def test_copies_within_a_vote_are_counted(tmp_path):
    doubled = FeatureUnion([("a", "passthrough"), ("b", "passthrough")])
    vote = VotingClassifier([("a", make_pipeline(*[doubled] * 8, small()))])
    with pytest.raises(ValueError, match="more than 16 copies of the images"):
        save_model(vote, tmp_path / "model.skmnist")


def test_columns_that_are_taken_again_and_again_are_refused(digits, tmp_path):
    columns = [(FunctionTransformer(), slice(0, 64)) for _ in range(17)]
    model = make_column_transformer(*columns).fit(digits[0])
    with pytest.raises(ValueError, match="more than 16 copies of the images"):
        save_model(model, tmp_path / "model.skmnist")


def test_estimators_within_each_other_without_end_are_refused(tmp_path):
    model = StandardScaler()
    for _ in range(20):
        model = make_pipeline(model)
    with pytest.raises(ValueError, match="more than 12 within each other"):
        save_model(model, tmp_path / "model.skmnist")


def test_more_jobs_or_a_formula_for_them_are_refused(tmp_path):
    for settings in ({"n_jobs": 10**6}, {"pre_dispatch": "9**9**9"}):
        search = GridSearchCV(small(), {}, **settings)
        with pytest.raises(ValueError, match=next(iter(settings))):
            save_model(search, tmp_path / "model.skmnist")


def test_what_a_strangers_model_does_when_it_is_used_is_harmless(
    saved, digits, tmp_path, monkeypatch
):
    """Nothing is written or read by what the documentation calls safe."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "model.skmnist"
    save_model(make_pipeline(ImageScaler(1), small()).fit(*digits), path)
    before = sorted(tmp_path.iterdir())

    loaded = load_model(path)
    repr(loaded), loaded._repr_html_(), clone(loaded), loaded.get_params()
    loaded.predict(digits[0])
    loaded.fit(*digits)

    assert sorted(tmp_path.iterdir()) == before
