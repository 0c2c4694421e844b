"""A data set with few images in the place of MNIST and its like."""

import gzip
import hashlib
import json
import struct
import subprocess
import sys

import numpy as np

from skmnist import datasets, fetch_mnist

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


def start_process(script, home, mirror):
    """Start a process that knows the small files, one mirror and the home."""
    setting = (
        "import json, os, sys\n"
        "from pathlib import Path\n"
        "from skmnist import datasets\n"
        "home, files, mirrors = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3:]\n"
        "for name in ('MNIST', 'FASHION_MNIST', 'KMNIST'):\n"
        "    source = getattr(datasets, name)._replace(files=files, mirrors=mirrors)\n"
        "    setattr(datasets, name, source)\n"
    )
    arguments = [str(home), json.dumps(datasets.MNIST.files), mirror.url]
    return subprocess.Popen(
        [sys.executable, "-c", setting + script, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
