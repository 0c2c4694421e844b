"""A scikit-learn compatible PyTorch neural network for MNIST-like images."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING

from skmnist._version import __version__  # noqa: F401

if TYPE_CHECKING:
    from skmnist.augmentation import RandomDistortion
    from skmnist.classifier import MNISTMLPClassifier
    from skmnist.datasets import fetch_fashion_mnist, fetch_kmnist, fetch_mnist
    from skmnist.export import to_onnx
    from skmnist.inspection import evaluate, misclassified, model_summary
    from skmnist.persistence import load_model, save_model
    from skmnist.plotting import HistoryDisplay, ImageGridDisplay
    from skmnist.preprocessing import ImageCenterer, ImageScaler

__all__ = [
    "HistoryDisplay",
    "ImageCenterer",
    "ImageGridDisplay",
    "ImageScaler",
    "MNISTMLPClassifier",
    "RandomDistortion",
    "evaluate",
    "fetch_fashion_mnist",
    "fetch_kmnist",
    "fetch_mnist",
    "load_model",
    "misclassified",
    "model_summary",
    "save_model",
    "to_onnx",
]

_MODULES = {
    "HistoryDisplay": "plotting",
    "ImageCenterer": "preprocessing",
    "ImageGridDisplay": "plotting",
    "ImageScaler": "preprocessing",
    "MNISTMLPClassifier": "classifier",
    "RandomDistortion": "augmentation",
    "evaluate": "inspection",
    "fetch_fashion_mnist": "datasets",
    "fetch_kmnist": "datasets",
    "fetch_mnist": "datasets",
    "load_model": "persistence",
    "misclassified": "inspection",
    "model_summary": "inspection",
    "save_model": "persistence",
    "to_onnx": "export",
}


# A name is imported when it is first used: torch takes two seconds to load, and
# `skmnist --help` or a mistyped option should not wait for it. Type checkers do not see
# this function: with it they would take any name for one that is there.
if not TYPE_CHECKING:

    def __getattr__(name):
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        with _without_garbage_collection():
            return getattr(import_module(f"skmnist.{_MODULES[name]}"), name)


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    # It finds nothing while modules are imported, and takes a seventh of the time.
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
