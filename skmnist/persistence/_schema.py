"""A model's file to plain values: scalars, short text, arrays, and containers of them.

The file is an archive of arrays and of a schema, as skops writes it. It is read here
alone, by rules of its own, so that nothing else can understand it in another way.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.lib import format as npy
from sklearn.utils import Bunch

from skmnist.persistence._rules import Saved
from skmnist.persistence._trusted import CLASSES, FUNCTIONS, TYPES

SCHEMA = "schema.json"
# Python takes up to 20 times the memory of the JSON that it reads.
MAX_SCHEMA_SIZE = 16 * 2**20
# Characters of a text: an array of labels is as wide as its longest one.
MAX_TEXT = 1000
# Of a JSON number: an int of 128 bits has 39 digits. Longer ones take quadratic time.
MAX_DIGITS = 40
# Booleans, ints, floats, and text of fixed width.
ARRAY_KINDS = "biufSU"

DICTS = {f"{cls.__module__}.{cls.__name__}": cls for cls in (dict, OrderedDict, Bunch)}
LISTS = {"builtins.list": list, "builtins.tuple": tuple}
FILE_KEYS = {"protocol", "_skops_version"}
CLASS_KEYS = {"__class__", "__module__", "__loader__"}


def read_schema(archive: zipfile.ZipFile, size: int) -> Any:
    """Return the plain values that an archive holds.

    Parameters
    ----------
    archive : zipfile.ZipFile
        The archive.
    size : int
        Its size in bytes.

    Returns
    -------
    value : object
        What it holds, with :class:`Saved` for objects.

    Raises
    ------
    ValueError
        If it holds anything else, or more than it shows.
    """
    _check_members(archive.infolist(), size)
    schema = json.loads(archive.read(SCHEMA))
    schema = {key: schema[key] for key in schema if key not in FILE_KEYS}
    reader = _Reader(archive)
    value = reader.read(schema)
    if reader.unread:
        raise ValueError("its arrays do not match its schema.")
    return value


def walk(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Go through all nodes of a schema, in the order in which they are read."""
    nodes: list[Any] = [schema]
    while nodes:
        node = nodes.pop()
        if isinstance(node, dict):
            if isinstance(node.get("__loader__"), str):  # else a dict of nodes
                yield node
            nodes.extend(reversed(node.values()))
        elif isinstance(node, list):
            nodes.extend(reversed(node))


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


class _Reader:
    """Reads nodes: each of a kind that is listed here, with the keys that it has."""

    def __init__(self, archive):
        self.archive = archive
        self.unread = set(archive.namelist()) - {SCHEMA}
        self.readers = {
            "DictNode": (self._read_dict, {"content", "key_types"}),
            "DTypeNode": (self._read_dtype, {"content"}),
            "FunctionNode": (self._read_function, set()),
            "JsonNode": (self._read_scalar, {"content", "is_json"}),
            "ListNode": (self._read_list, {"content"}),
            "MaskedArrayNode": (self._read_masked_array, {"content"}),
            "NdArrayNode": (self._read_array, {"type", "file"}),
            "ObjectNode": (self._read_object, {"content"}),
            "RandomStateNode": (self._read_random_state, {"content"}),
            "SliceNode": (self._read_slice, {"content"}),
            "TupleNode": (self._read_list, {"content"}),
            "TypeNode": (self._read_type, set()),
        }

    def read(self, node):
        kind = node["__loader__"]
        if kind not in self.readers:
            raise _untrusted(node)
        read, keys = self.readers[kind]
        if kind == "NdArrayNode" and node.get("type") == "json":
            read, keys = self._read_objects, {"type", "content", "shape"}
        if node.keys() - CLASS_KEYS != keys:
            raise _malformed(node)
        return read(node)

    def _read_object(self, node):
        cls = _find(CLASSES, node)
        attributes = self.read(node["content"])
        if any(type(name) is not str for name in attributes):
            raise _malformed(node)
        return Saved(cls, attributes)

    def _read_dict(self, node):
        cls = _find(DICTS, node)
        types = node["key_types"]["content"]
        if len(types) != len(node["content"]):
            raise _malformed(node)
        parts = zip(types, node["content"].items(), strict=True)
        value = cls()
        value.update(
            (_read_key(key, key_type), self.read(part))
            for key_type, (key, part) in parts
        )
        return value

    def _read_list(self, node):
        return _find(LISTS, node)(map(self.read, node["content"]))

    def _read_scalar(self, node):
        text = node["content"]
        is_text = text.startswith('"')
        if len(text) > (6 * MAX_TEXT if is_text else MAX_DIGITS):
            raise ValueError(f"its {SCHEMA} has a text or a number that is too long.")
        value = json.loads(text)
        if isinstance(value, (dict, list)) or (is_text and len(value) > MAX_TEXT):
            raise _malformed(node)
        return value

    def _read_array(self, node):
        name = node["file"]
        if name not in self.unread:  # an array in many places would take more memory
            raise ValueError("its arrays do not match its schema.")
        self.unread.remove(name)
        array = _parse_array(self.archive.read(name))
        if node["__class__"] == "ndarray":
            return array
        # A scalar has the class of its type, with or without a "_" at the end.
        class_name = node["__class__"].strip("_")
        if array.ndim or array.dtype.type.__name__.strip("_") != class_name:
            raise ValueError(f"it has an array of type numpy.{class_name}.")
        return array[()]

    def _read_objects(self, node):
        shape = self.read(node["shape"])
        if shape != (len(node["content"]),):
            raise _malformed(node)
        array = np.empty(shape, dtype=object)
        for index, part in enumerate(node["content"]):
            array[index] = self.read(part)
        return array

    def _read_masked_array(self, node):
        data, mask = (self.read(node["content"][name]) for name in ("data", "mask"))
        is_array = type(data) is np.ndarray and type(mask) in (np.ndarray, np.bool_)
        if not is_array or mask.dtype.kind != "b" or mask.shape not in ((), data.shape):
            raise _malformed(node)
        return np.ma.MaskedArray(data, mask)

    def _read_dtype(self, node):
        array = self.read(node["content"])
        if type(array) is not np.ndarray:
            raise _malformed(node)
        return array.dtype

    def _read_random_state(self, node):
        state = self.read(node["content"])
        # NumPy would read memory at any position that it is given.
        position, kind = state["state"]["pos"], state["bit_generator"]
        if kind != "MT19937" or position not in range(625):
            raise _malformed(node)
        random_state = np.random.RandomState()
        random_state.set_state(state)
        return random_state

    def _read_slice(self, node):
        parts = [node["content"][name] for name in ("start", "stop", "step")]
        if not all(part is None or type(part) in (int, str) for part in parts):
            raise _malformed(node)
        return slice(*parts)

    def _read_function(self, node):
        return _find(FUNCTIONS, node)

    def _read_type(self, node):
        return _find(TYPES, node)


def _read_key(key, key_type):
    cls = _find(TYPES, key_type)
    if len(key) > MAX_TEXT or (cls is not str and len(key) > MAX_DIGITS):
        raise ValueError(f"its {SCHEMA} has a key that is too long.")
    if cls in (bool, np.bool_):
        return cls(key == "true")
    return cls(key)


def _parse_array(content):
    """Return an array, once its header fits its bytes: NumPy would allocate first."""
    file = io.BytesIO(content)
    if npy.read_magic(file) != (1, 0):
        raise ValueError("it has an array of an unknown format.")
    shape, _, dtype = npy.read_array_header_1_0(file)
    size = len(content) - file.tell()
    width = dtype.itemsize // (4 if dtype.kind == "U" else 1)
    if dtype.kind not in ARRAY_KINDS or not 0 < width <= MAX_TEXT:
        raise ValueError(f"it has an array of type {dtype}.")
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != size:
        raise ValueError(f"it has an array of shape {shape} in {size} bytes.")
    file.seek(0)
    return npy.read_array(file)


def _find(trusted, node):
    name = f"{node['__module__']}.{node['__class__']}"
    if name not in trusted:
        raise _untrusted(node)
    return trusted[name]


def _untrusted(node):
    name = f"{node['__module__']}.{node['__class__']}"
    return ValueError(f"it contains a type that is not trusted: {name[:MAX_TEXT]}.")


def _malformed(node):
    return ValueError(f"its {SCHEMA} has a malformed {node['__loader__']}.")
