"""Models' files as someone writes them who knows the format."""

import copy
import hashlib
import io
import json
import zipfile

import numpy as np

SCHEMA = "schema.json"


def members_of(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def seal(content):
    return content[:-64] + hashlib.sha256(content[:-64]).hexdigest().encode()


def forge(path, members, **options):
    """Write members as someone would who knows the format."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **options) as archive:
        for name, member in members:
            archive.writestr(name, member)
        archive.comment = b"0" * 64
    path.write_bytes(seal(buffer.getvalue()))
    return path


def edited(saved, tmp_path, change):
    """Write a copy of a model's file with another schema."""
    members = members_of(saved)
    schema = json.loads(members[SCHEMA])
    change(schema, members)
    members[SCHEMA] = json.dumps(schema).encode()
    return forge(tmp_path / "hostile.skmnist", members.items())


def with_parameter(saved, tmp_path, node, name="verbose"):
    def change(schema, members):
        attributes_of(schema)[name] = node

    return edited(saved, tmp_path, change)


def attributes_of(schema):
    return schema["content"]["content"]


def with_attributes(saved, tmp_path, **values):
    """Write a copy of an estimator's file with other attributes; ... leaves one out."""

    def change(schema, members):
        attributes = attributes_of(schema)
        for name, value in values.items():
            members.pop(attributes.pop(name, {}).get("file"), None)
            if isinstance(value, (np.ndarray, np.generic)):
                file = f"new-{name}.npy"
                members[file] = npy(value)
                type_name = f"numpy.{type(value).__name__}"
                array = node("NdArrayNode", type_name, type="numpy", file=file)
                attributes[name] = array
            elif value is not ...:
                attributes[name] = json_node(value)
        names = [node("TypeNode", "builtins.str") for _ in attributes]
        schema["content"]["key_types"]["content"] = names

    return edited(saved, tmp_path, change)


def json_node(value):
    return node("JsonNode", "builtins.str", content=json.dumps(value), is_json=True)


def node(loader, type_name, **content):
    module, _, name = type_name.rpartition(".")
    return {"__class__": name, "__module__": module, "__loader__": loader} | content


def items(loader, type_name, *parts):
    return node(loader, type_name, content=list(parts))


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def mutated(content, rng):
    """Return bytes with a few bits flipped, or a piece lost, doubled or replaced."""
    content = bytearray(content)
    start, stop = sorted(rng.integers(len(content) + 1, size=2))
    stop = min(stop, start + rng.integers(1, 200))
    kind = rng.integers(5)
    if kind <= 1:
        for position in rng.integers(len(content), size=rng.integers(1, 5)):
            content[position] ^= 1 << rng.integers(8)
    elif kind == 2:
        del content[start:stop]
    elif kind == 3:
        content[stop:stop] = content[start:stop]
    else:
        content[start:stop] = rng.bytes(stop - start)
    return bytes(content)


def mutate_file(content, rng):
    return mutated(content, rng)


def mutate_and_seal(content, rng):
    return seal(mutated(content, rng))


def mutate_member(content, rng):
    """Mutate what is in the archive, with all checksums right."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = SCHEMA if rng.random() < 0.7 else rng.choice(list(members))
    members[name] = (mutate_json if name == SCHEMA else mutated)(members[name], rng)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, member in members.items():
            archive.writestr(name, member)
        archive.comment = b"0" * 64
    return seal(buffer.getvalue())


def mutate_json(content, rng):
    """Replace a value somewhere in JSON by a hostile one or one from elsewhere."""
    root = json.loads(content)
    places = [(root, key) for key in root]
    for container, key in places:
        value = container[key]
        if isinstance(value, dict | list):
            keys = value if isinstance(value, dict) else range(len(value))
            places += [(value, key) for key in keys]
    (container, key), (other, other_key) = (
        places[rng.integers(len(places))] for _ in range(2)
    )
    values = [10**9, -1, "1000000000", "[1000000000]", None, [], {}, "NaN", "0.npy"]
    hostile = values[rng.integers(len(values))]
    value = hostile if rng.random() < 0.5 else other[other_key]
    container[key] = copy.deepcopy(value)
    return json.dumps(root).encode()
