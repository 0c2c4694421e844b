"""A file for fitted models that is safe to load from an untrusted source."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from skmnist._files import whole_file
from skmnist._parameters import OtherLayersError
from skmnist.persistence._audit import check_model, is_allowed
from skmnist.persistence._rules import Saved
from skmnist.persistence._schema import SCHEMA, read_schema, walk

__all__ = ["load_model", "save_model"]

DIGEST_SIZE = 64


def save_model(estimator: BaseEstimator, path: str | os.PathLike[str]) -> None:
    """Write a model to a file that is safe to load from an untrusted source.

    The file contains arrays and parameters, but no code. The model may consist of
    :class:`MNISTMLPClassifier`, :class:`ImageScaler`, :class:`ImageCenterer`, most of
    scikit-learn's transformers, `LogisticRegression`, and the meta-estimators that
    combine them: pipelines, unions, voting, stacking, calibration and searches, with
    any metric of scikit-learn that `scoring` accepts by name. This function needs
    skops: `pip install 'skmnist[skops]'`.

    The file is written next to `path` and then moved to it. If the process dies,
    `path` contains either the old file or the complete new one.

    Parameters
    ----------
    estimator : estimator
        The model, fitted or not.
    path : str or path-like
        The file to write; an existing file is replaced.

    Raises
    ------
    ValueError
        If the model contains something that cannot be stored safely, such as
        callbacks, an optimizer class or an augmentation other than
        :class:`RandomDistortion`; nothing is written then.
    ImportError
        If skops is not installed.
    OSError
        If the file cannot be written.

    See Also
    --------
    load_model : Read the file.

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
        comes_back_equal = _pack(_unpack(content)) == content
    except Warning:  # that a filter of the user's has made an error
        raise
    except Exception as error:
        raise ValueError(_why_not_stored(estimator, error)) from error
    if not comes_back_equal:
        raise ValueError(
            f"This {type(estimator).__name__} cannot be loaded from a file unchanged; "
            "use joblib.dump."
        )
    _write(content, Path(os.path.realpath(path)))


def load_model(path: str | os.PathLike[str]) -> Any:
    """Read a model that :func:`save_model` wrote.

    This is safe for files from an untrusted source. No code in the file runs. Types
    that are not trusted are rejected with an error that names them, before anything is
    built. Each attribute is checked against the values that its class can write.
    Loading, displaying, cloning and predicting take time and memory in proportion to
    the file and the images. The cost of fitting depends on the parameters in the file.

    This function needs skops: `pip install 'skmnist[skops]'`.

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
        If the file was not written by :func:`save_model`, is damaged, or contains
        types that are not trusted.
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
    save_model : Write the file.

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
        return _unpack(content)
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


def _unpack(content):
    """Return the model in a file: read it, check it, then build it."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        model = read_schema(archive, len(content))
    check_model(model)
    return _build(model)


def _build(value):
    if type(value) is Saved:
        built: Any = object.__new__(value.cls)
        attributes = _build(value.attributes)
        if hasattr(built, "__setstate__"):
            built.__setstate__(attributes)
        else:
            vars(built).update(attributes)
        return built
    if isinstance(value, dict):
        built = type(value)()
        built.update((key, _build(part)) for key, part in value.items())
        return built
    if isinstance(value, (list, tuple)):
        return type(value)(map(_build, value))
    if isinstance(value, np.ndarray) and value.dtype == object:
        objects = np.asarray(value)
        for index, part in enumerate(objects):
            objects[index] = _build(part)
    return value


def _pack(estimator):
    """Return the content of the file: the same for equal models, whenever written.

    It is what skops dumps, without the identities of objects and with a SHA-256 at the
    end; still a file that skops itself can read.
    """
    import skops.io

    with zipfile.ZipFile(io.BytesIO(skops.io.dumps(estimator))) as archive:
        schema = json.loads(archive.read(SCHEMA))
        members: dict[str, bytes] = {}
        for node in walk(schema):
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
    if isinstance(error, OtherLayersError):
        return str(error)
    parameters = estimator.get_params() if hasattr(estimator, "get_params") else {}
    unsafe = [name for name, value in parameters.items() if not _is_storable(value)]
    # The deepest names: a pipeline is unsafe only for what is in it.
    depth = max((name.count("__") for name in unsafe), default=0)
    names = [name for name in unsafe if name.count("__") == depth]
    where = f" because of {', '.join(names)}" if names else ""
    return (
        f"This {type(estimator).__name__} cannot be saved safely{where}: "
        f"{_reason(error)} Remove what is not needed to predict, as with "
        "callbacks=None or augmentation=None, or use joblib.dump."
    )


def _is_storable(value):
    with contextlib.suppress(Exception):
        content = _pack(value)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return is_allowed(read_schema(archive, len(content)))
    return False


def _reason(error):
    known = isinstance(error, ValueError)
    reason = str(error) if known else f"{type(error).__name__}: {error}"
    return reason if reason.endswith(".") else f"{reason}."


def _require_skops():
    try:
        import skops.io  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "save_model and load_model need skops; pip install 'skmnist[skops]'."
        ) from error
