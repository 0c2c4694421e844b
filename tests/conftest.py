"""Fixtures that many tests share, and which skips CI allows."""

import contextlib
import ctypes
import gc
import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

os.environ["MPLBACKEND"] = "agg"
# Small networks gain nothing from more, and on a busy machine threads wait for others.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
from sklearn.datasets import load_digits

from mirrors import DEAD, Mirror

# `make mutants` and `make test-friends` run them, and install what they need.
collect_ignore = ["mutants.py", "friends"]
ROOT = Path(__file__).parents[1]
CLEAR_REFS = Path("/proc/self/clear_refs")
# What a machine or a version cannot have. In CI a skip for any other reason, such as a
# data set or an extra that is missing, is a failure.
ALLOWED_SKIPS = (
    "unavailable here: ",
    "SCIPY_ARRAY_API is not set",  # `make test` runs those tests once more with it
)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    return fail_if_skipped((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    return fail_if_skipped((yield))


def fail_if_skipped(report):
    """Make a failure of a skip that CI does not allow."""
    is_skip = report.skipped and not hasattr(report, "wasxfail")
    if is_skip and os.environ.get("CI"):
        reason = report.longrepr[2].removeprefix("Skipped: ")
        if not reason.startswith(ALLOWED_SKIPS):
            report.outcome = "failed"
            report.longrepr = f"CI does not allow this skip: {reason}"
    return report


def pytest_collection_finish():
    """Spare full garbage collections what was imported, which takes them 0.3 s."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def digits():
    """The bundled digits as float32 in [0, 1], 500 of them."""
    X, y = load_digits(return_X_y=True)
    return (X[:500] / 16).astype(np.float32), y[:500]


@pytest.fixture(scope="session")
def data_home():
    """A data home with the real MNIST files, which are read and never changed."""
    candidates = [os.environ.get("SCIKIT_LEARN_DATA"), ROOT.parent / "shared"]
    for home in filter(None, candidates):
        if (Path(home) / "mnist" / "t10k-labels-idx1-ubyte.gz").exists():
            return Path(home)
    pytest.skip(
        "the real MNIST files are neither in SCIKIT_LEARN_DATA nor in ../shared"
    )


@pytest.fixture(scope="session")
def mnist(data_home):
    """All of MNIST: training images and labels, test images and labels."""
    from skmnist import fetch_mnist

    train = fetch_mnist(subset="train", data_home=data_home)
    test = fetch_mnist(subset="test", data_home=data_home)
    return train.data, train.target, test.data, test.target


@pytest.fixture
def replace_source(monkeypatch):
    """Replace facts about the files of every data set, such as `mirrors`."""
    from skmnist import datasets

    def replace_source(**facts):
        for name in ("MNIST", "FASHION_MNIST", "KMNIST"):
            source = getattr(datasets, name)._replace(**facts)
            monkeypatch.setattr(datasets, name, source)

    return replace_source


@pytest.fixture
def files(replace_source, monkeypatch):
    """Small files for each set, which no mirror has; no setting is in the way."""
    from small_mnist import describe, make_files

    files = make_files()
    replace_source(mirrors=(DEAD,), files=describe(files))
    for name in list(os.environ):
        if name == "SKMNIST_MIRROR" or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    return files


@pytest.fixture
def serve(files, replace_source):
    """Start a mirror for each answer, or take its address, and ask them in turn."""
    mirrors = []

    def serve(*answers):
        started = [Mirror(files, answer) for answer in answers if answer != DEAD]
        mirrors.extend(started)
        urls = iter([mirror.url for mirror in started])
        addresses = [DEAD if answer == DEAD else next(urls) for answer in answers]
        replace_source(mirrors=tuple(addresses))
        return started

    yield serve
    for mirror in mirrors:
        mirror.close()


@pytest.fixture
def two_threads():
    """Let torch use two threads here, as it does where a user has two cores."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def precision():
    """Return torch's own call that sets the precision, and undo it in the end."""
    import torch

    yield torch.set_float32_matmul_precision
    torch.set_float32_matmul_precision("highest")


@pytest.fixture
def with_ctrl_c():
    """Let the signal through, which a process in the background may ignore."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def peak_memory():
    """A context that knows the `megabytes` that its block took at most and at once."""
    if not CLEAR_REFS.exists():
        allowed = "" if sys.platform == "linux" else "unavailable here: "
        pytest.skip(f"{allowed}{CLEAR_REFS}, which Linux has")
    return measure_peak_memory


@contextlib.contextmanager
def measure_peak_memory():
    gc.collect()
    with contextlib.suppress(AttributeError):
        # Memory that was freed but kept would hide as much that the block takes.
        ctypes.CDLL(None).malloc_trim(0)
    CLEAR_REFS.write_text("5")  # resets the peak, which else never falls
    before, peak = read_peak_memory(), SimpleNamespace()
    yield peak
    peak.megabytes = read_peak_memory() - before


def read_peak_memory():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6
