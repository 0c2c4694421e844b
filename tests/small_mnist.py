"""A data set with few images in MNIST's place."""

import gzip
import hashlib
import struct

import numpy as np

from skmnist import fetch_mnist

FIRST = "train-images-idx3-ubyte.gz"


def make_idx(values):
    header = struct.pack(f">{values.ndim + 1}I", 2048 + values.ndim, *values.shape)
    return header + values.astype(np.uint8).tobytes()


def make_files():
    rng = np.random.default_rng(0)
    files = {}
    for part, n_samples in [("train", 300), ("t10k", 100)]:
        images = rng.integers(256, size=(n_samples, 28, 28))
        labels = rng.integers(10, size=n_samples)
        files[f"{part}-images-idx3-ubyte.gz"] = gzip.compress(make_idx(images))
        files[f"{part}-labels-idx1-ubyte.gz"] = gzip.compress(make_idx(labels))
    return files


def describe(files):
    """Return the size and the SHA-256 of each file."""
    return {
        name: (len(content), hashlib.sha256(content).hexdigest())
        for name, content in files.items()
    }


def fetch(home, **parameters):
    """Ask each mirror once."""
    return fetch_mnist(data_home=home, **{"n_retries": 0, **parameters})


def fill(home, files):
    (home / "mnist").mkdir(parents=True)
    for name in files:
        (home / "mnist" / name).write_bytes(files[name])
