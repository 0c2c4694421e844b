"""A file for fitted models that is safe to load from an untrusted source."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import json
import math
import os
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from sklearn.base import BaseEstimator
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.metrics._scorer import _PassthroughScorer, _Scorer
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    RandomizedSearchCV,
    ShuffleSplit,
    StratifiedKFold,
    StratifiedShuffleSplit,
)
from sklearn.pipeline import Pipeline
from sklearn.utils import all_estimators
from sklearn.utils._metadata_requests import MetadataRequest, MethodMetadataRequest

from skmnist._files import whole_file
from skmnist._parameters import VALID_SPLIT
from skmnist.classifier import MNISTMLPClassifier
from skmnist.preprocessing import ImageScaler

__all__ = ["load_model", "save_model"]

SCHEMA = "schema.json"
# Python takes up to 20 times the memory of the JSON that it reads.
MAX_SCHEMA_SIZE = 16 * 2**20
DIGEST_SIZE = 64

# The classes that a file may hold beside those that skops itself trusts.
TRUSTED_CLASSES = (
    MNISTMLPClassifier,
    ImageScaler,
    KFold,
    StratifiedKFold,
    ShuffleSplit,
    StratifiedShuffleSplit,
    _PassthroughScorer,
    _Scorer,
    MetadataRequest,  # of a _PassthroughScorer before scikit-learn 1.8
    MethodMetadataRequest,
)
CONTAINERS = (dict, OrderedDict, list, tuple, np.random.RandomState)

# The kinds of node that a schema of skops may have, and what each has beside its class.
# The others can call, import or allocate more than their file shows.
NODE_KEYS: dict[str, list[set[str]]] = {
    "DictNode": [{"content", "key_types"}],
    "DTypeNode": [{"content"}],
    "FunctionNode": [set()],
    "JsonNode": [{"content", "is_json"}],
    "ListNode": [{"content"}],
    "MaskedArrayNode": [{"content"}],
    "NdArrayNode": [{"type", "file"}, {"type", "content", "shape"}],
    "ObjectNode": [{"content"}],
    "RandomStateNode": [{"content"}],
    "SliceNode": [{"content"}],
    "TupleNode": [{"content"}],
    "TypeNode": [set()],
}
CLASS_KEYS = {"__class__", "__module__", "__loader__"}
FILE_KEYS = {"protocol", "_skops_version"}


def save_model(estimator: BaseEstimator, path: str | os.PathLike[str]) -> None:
    """Write a model to a file that is safe to load from an untrusted source.

    The file holds arrays and parameters, no code. It can hold
    :class:`MNISTMLPClassifier`, :class:`ImageScaler`, scikit-learn's transformers, and
    the `Pipeline`, `GridSearchCV` and `RandomizedSearchCV` around them, with any metric
    of scikit-learn that `scoring` accepts by name. It needs skops:
    `pip install 'skmnist[skops]'`.

    The file is written next to `path` and moved there once it is complete: if the
    process dies, `path` is the old file or the new one.

    Parameters
    ----------
    estimator : estimator
        The model, fitted or not.
    path : str or path-like
        The file to write; an existing file is replaced.

    Raises
    ------
    ValueError
        If the model holds something that cannot be stored safely, such as callbacks or
        an optimizer class; nothing is written then.
    ImportError
        If skops is not installed.
    OSError
        If the file cannot be written.

    See Also
    --------
    load_model : Reads the file.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.pipeline import make_pipeline
    >>> from skmnist import ImageScaler, MNISTMLPClassifier, load_model, save_model
    >>> X, y = load_digits(return_X_y=True)
    >>> model = make_pipeline(ImageScaler(16), MNISTMLPClassifier(max_epochs=2))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(model.fit(X, y), f"{folder}/digits.skmnist")
    ...     loaded = load_model(f"{folder}/digits.skmnist")
    >>> bool((loaded.predict(X) == model.predict(X)).all())
    True
    """
    _require_skops()
    try:
        content = _pack(estimator)
        _audit(content)
        comes_back_equal = _pack(_construct(content)) == content
    except Warning:  # that a filter of the user's has made an error
        raise
    except Exception as error:
        raise ValueError(_why_not_stored(estimator, error)) from error
    if not comes_back_equal:
        raise ValueError(
            f"This {type(estimator).__name__} would not come back from a file "
            "unchanged; use joblib.dump."
        )
    _write(content, Path(os.path.realpath(path)))


def load_model(path: str | os.PathLike[str]) -> Any:
    """Read a model that :func:`save_model` wrote.

    It is safe for files from an untrusted source: no code in them runs, and types that
    are not trusted are rejected by name. A file made to waste memory or time may take
    more of both than its size suggests. It needs skops: `pip install 'skmnist[skops]'`.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    estimator : estimator
        The model, equal to the one that was saved.

    Raises
    ------
    ValueError
        If the file was not written by :func:`save_model`, is damaged, or holds types
        that are not trusted.
    FileNotFoundError
        If the file does not exist.
    OSError
        If the file cannot be read.
    ImportError
        If skops is not installed.

    Warns
    -----
    InconsistentVersionWarning
        If the file was written with another version of scikit-learn or skmnist.

    See Also
    --------
    save_model : Writes the file.

    Examples
    --------
    >>> import tempfile
    >>> from skmnist import MNISTMLPClassifier, load_model, save_model
    >>> model = MNISTMLPClassifier((16, 8), activation="tanh")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(model, f"{folder}/model.skmnist")
    ...     load_model(f"{folder}/model.skmnist")
    MNISTMLPClassifier(activation='tanh', hidden_layer_sizes=(16, 8))
    """
    _require_skops()
    content = _read(Path(path))
    try:
        _audit(content)
        return _construct(content)
    except Warning:  # that a filter of the user's has made an error
        raise
    # Broken or hostile content can end in any exception; ours are ValueErrors.
    except Exception as error:
        raise ValueError(f"{path} is not a valid model: {_reason(error)}") from error


def _read(path):
    with path.open("rb") as file:
        start = file.read(4)
        if start != b"PK\3\4":
            raise ValueError(
                f"{path} is not a file written by save_model. A pickle or joblib file "
                "needs joblib.load, which runs the code in it: use it only for files "
                "that you trust."
            )
        content = start + file.read()
    if not _is_sealed(content):
        raise ValueError(
            f"{path} is damaged or was not written by save_model: its SHA-256 does not "
            "match."
        )
    return content


def _audit(content):
    """Reject, before anything is built, what skops does not check or trusts too far.

    skops then checks the remaining types against its own list and ours.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        _check_members(archive.infolist(), len(content))
        schema = json.loads(archive.read(SCHEMA))
        nodes = list(_walk(schema))
        unsafe = {_type_name(node) for node in nodes if not _is_trusted_kind(node)}
        if unsafe:
            raise ValueError(_refusal(unsafe))
        _check_root(schema)
        for node in nodes:
            _check_node(node, extra=FILE_KEYS if node is schema else set())
        arrays = [node for node in nodes if "file" in node]
        members = [SCHEMA, *(node["file"] for node in arrays)]
        # Each once: an array that stands in many places would be read as many times.
        if sorted(members) != sorted(archive.namelist()):
            raise ValueError("its arrays are not those that its schema names.")
        for node in arrays:
            _check_array(node["__class__"], archive.read(node["file"]))


def _construct(content):
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    trusted = list(_trusted_names())
    try:
        return skops.io.loads(content, trusted=trusted)
    except UntrustedTypesFoundException:
        unsafe = set(skops.io.get_untrusted_types(data=content)) - set(trusted)
        raise ValueError(_refusal(unsafe)) from None


def _check_members(members, size):
    # Stored members can't grow, so that no file is larger inside than outside.
    if any(
        member.compress_type != zipfile.ZIP_STORED
        or member.file_size != member.compress_size
        for member in members
    ):
        raise ValueError("it has compressed parts, which save_model never writes.")
    if len({member.filename for member in members}) < len(members):
        raise ValueError("it has a part twice.")
    if sum(member.file_size for member in members) > size:
        raise ValueError("its parts claim to be larger than the file.")
    if any(
        member.filename == SCHEMA and member.file_size > MAX_SCHEMA_SIZE
        for member in members
    ):
        raise ValueError(
            f"its {SCHEMA} is larger than {MAX_SCHEMA_SIZE / 2**20:.0f} MiB."
        )


def _walk(node) -> Iterator[dict]:
    nodes = [node]
    while nodes:
        node = nodes.pop()
        yield node
        nodes.extend(reversed(list(_parts(node))))


def _parts(node):
    content = node.get("content")
    match node["__loader__"]:
        case "ListNode" | "TupleNode":
            return content
        case "ObjectNode" | "DTypeNode" | "RandomStateNode":
            return [content]
        case "DictNode":
            return [node["key_types"], *content.values()]
        case "MaskedArrayNode":
            return content.values()
        case "NdArrayNode" if node["type"] == "json":
            return [*content, node["shape"]]
    return []


def _is_trusted_kind(node):
    match node["__loader__"]:
        case "ObjectNode":
            return _type_name(node) in _trusted_objects()
        case "DictNode" | "ListNode" | "TupleNode" | "RandomStateNode":
            return _type_name(node) in _names(CONTAINERS)
        case kind:
            return kind in NODE_KEYS


@functools.cache
def _trusted_objects():
    # Fewer than skops trusts: its list has estimators whose C code believes any state.
    classes = [Pipeline, GridSearchCV, RandomizedSearchCV]
    classes += [cls for _, cls in all_estimators(type_filter="transformer")]
    return _names((*TRUSTED_CLASSES, *classes)) | {VALID_SPLIT}


@functools.cache
def _trusted_names():
    # Here, because it takes longer to import than all else in this package.
    from sklearn.feature_selection import chi2, f_classif, mutual_info_classif

    metrics = [get_scorer(name)._score_func for name in get_scorer_names()]
    # What is not a class is only named; loading calls none of it.
    values = (chi2, f_classif, mutual_info_classif, *metrics, np.dtype)
    return _names((*TRUSTED_CLASSES, *values)) | {VALID_SPLIT}


@functools.cache
def _names(items):
    return {f"{item.__module__}.{item.__name__}" for item in items}


def _type_name(node):
    return f"{node['__module__']}.{node['__class__']}"


def _check_root(schema):
    if schema["__loader__"] != "ObjectNode":
        raise ValueError("it contains no estimator.")


def _check_node(node, extra):
    # Nothing that skops might read and this audit does not. With `__id__` a node could
    # stand in many places, and skops' own audit would take exponential time.
    kind, keys = node["__loader__"], node.keys() - CLASS_KEYS - extra
    is_valid = keys in NODE_KEYS[kind] and _has_valid_content(kind, node)
    if not is_valid:
        raise ValueError(f"its {SCHEMA} has a malformed {kind} of {_type_name(node)}.")


def _has_valid_content(kind, node):
    match kind:
        case "DictNode":
            types = node["key_types"]
            return (
                types["__loader__"] == "ListNode"
                and all(part["__loader__"] == "TypeNode" for part in types["content"])
                and len(types["content"]) == len(node["content"])
            )
        case "DTypeNode":
            return node["content"].get("type") == "numpy"
        case "RandomStateNode":
            # NumPy would read memory at any position that it is given.
            whole = node["content"]
            state = whole["content"]["state"]
            position = state["content"]["pos"]
            kinds = [part["__loader__"] for part in (whole, state, position)]
            return kinds == ["DictNode", "DictNode", "JsonNode"] and (
                json.loads(position["content"]) in range(625)
            )
        case "MaskedArrayNode":
            return node["content"].keys() == {"data", "mask"}
    return True


def _check_array(class_name, content):
    """Reject an array whose header does not fit its bytes: NumPy would allocate first.

    A scalar has the class of its type: `numpy.void` would take a number for a size.
    """
    file = io.BytesIO(content)
    if npy.read_magic(file) != (1, 0):
        raise ValueError("it has an array of an unknown format.")
    shape, _, dtype = npy.read_array_header_1_0(file)
    if dtype.hasobject or dtype.names is not None:
        raise ValueError(f"it has an array of type {dtype}.")
    size = len(content) - file.tell()
    if (
        min(shape, default=0) < 0
        or dtype.itemsize == 0
        or math.prod(shape) * dtype.itemsize != size
    ):
        raise ValueError(f"it has an array of shape {shape} in {size} bytes.")
    is_scalar = shape == () and class_name == dtype.type.__name__
    if class_name != "ndarray" and not is_scalar:
        raise ValueError(f"it has an array of type numpy.{class_name}.")


def _pack(estimator):
    """Return the content of the file: the same for equal models, whenever written.

    It is what skops dumps, without the identities of objects and with a SHA-256 at the
    end; still a file that skops itself can read.
    """
    import skops.io

    with zipfile.ZipFile(io.BytesIO(skops.io.dumps(estimator))) as archive:
        schema = json.loads(archive.read(SCHEMA))
        members: dict[str, bytes] = {}
        for node in _walk(schema):
            _normalize(node)
            if "file" in node:
                array = archive.read(node["file"])
                node["file"] = f"{len(members)}.npy"
                members[node["file"]] = array
    members[SCHEMA] = json.dumps(schema, separators=(",", ":")).encode()
    return _seal(_archive(members))


def _normalize(node):
    node.pop("__id__", None)
    if node["__class__"] == "memmap":
        node["__class__"] = "ndarray"
    if node["__loader__"] == "DictNode":
        types = [key_type["__class__"] for key_type in node["key_types"]["content"]]
        if len(types) != len(node["content"]):
            raise ValueError(
                "it has a dict with two keys that look the same, such as 1 and '1'."
            )
        # skops reads a key back as bool("false"), which is True.
        node["content"] = {
            "" if key == "false" and name in ("bool", "bool_") else key: value
            for (key, value), name in zip(node["content"].items(), types, strict=True)
        }


def _archive(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, member in members.items():
            info = zipfile.ZipInfo(name)
            info.create_system = 3
            archive.writestr(info, member)
        archive.comment = b"0" * DIGEST_SIZE
    return buffer.getvalue()


def _seal(content):
    content = content[:-DIGEST_SIZE]
    return content + hashlib.sha256(content).hexdigest().encode()


def _is_sealed(content):
    return _seal(content) == content


def _write(content, path):
    with whole_file(path) as part, part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _why_not_stored(estimator, error):
    parameters = estimator.get_params() if hasattr(estimator, "get_params") else {}
    unsafe = [name for name, value in parameters.items() if not _is_storable(value)]
    # The deepest names: a pipeline is unsafe only for what is in it.
    depth = max((name.count("__") for name in unsafe), default=0)
    names = [name for name in unsafe if name.count("__") == depth]
    where = f" because of {', '.join(names)}" if names else ""
    return (
        f"This {type(estimator).__name__} cannot be saved safely{where}: "
        f"{_reason(error)} Remove what is not needed to predict, as with "
        "callbacks=None, or use joblib.dump."
    )


def _is_storable(value):
    with contextlib.suppress(Exception):
        # In an estimator, as a file holds nothing else.
        content = _pack(Pipeline([("value", value)]))
        _audit(content)
        _construct(content)
        return True
    return False


def _reason(error):
    known = isinstance(error, ValueError)
    reason = str(error) if known else f"{type(error).__name__}: {error}"
    return reason if reason.endswith(".") else f"{reason}."


def _refusal(names):
    return f"it contains types that are not trusted: {', '.join(sorted(names))}."


def _require_skops():
    try:
        import skops.io  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "save_model and load_model need skops; pip install 'skmnist[skops]'."
        ) from error
