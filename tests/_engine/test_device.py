"""Which device a fit is on, and how many threads it has."""

import multiprocessing
import subprocess
import sys

import pytest
import torch

from skmnist._engine.device import resolve_device
from small_models import small


@pytest.mark.parametrize(
    ("process", "expected"),
    [("MainProcess", 0), ("LokyProcess-1", 0), ("LokyProcess-2", 1), ("Loky-3", 0)],
)
def test_processes_are_spread_over_gpus(monkeypatch, process, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(multiprocessing.current_process(), "name", process)

    assert resolve_device("auto") == torch.device("cuda", expected)


@pytest.mark.skipif(
    torch.cuda.is_available(), reason="unavailable here: a machine without CUDA"
)
def test_a_device_that_is_not_there_is_named(digits):
    with pytest.raises(ValueError, match=r"device='cuda' cannot be used here: .*Give"):
        small(device="cuda").fit(*digits)


@pytest.mark.parametrize("device", ["gpu", "meta", "hpu", 3.5, None])
def test_what_is_no_device_is_named(digits, device):
    with pytest.raises(ValueError, match=rf"device={device!r} cannot .*[^.:!]\. Give"):
        small(device=device).fit(*digits)


THREADS = """
import threading, joblib, numpy as np, torch
from skorch.callbacks import Callback
from skmnist import MNISTMLPClassifier

together = threading.Barrier(2)
seen = []

class Note(Callback):
    def on_epoch_end(self, net, **kwargs):
        together.wait(60)
        seen.append(torch.get_num_threads())

def fit(seed):
    X = np.random.default_rng(0).random((200, 16), dtype=np.float32)
    mlp = MNISTMLPClassifier(max_epochs=3, callbacks=[Note], random_state=seed)
    return mlp.fit(X, np.arange(200) % 2)

torch.set_num_threads(4)
joblib.Parallel(n_jobs=2, backend="threading")(joblib.delayed(fit)(s) for s in (0, 1))
print(seen[2:], torch.get_num_threads())
together = threading.Barrier(1)
seen.clear()
fit(0)
print(seen, torch.get_num_threads())
"""


def test_fits_in_threads_share_the_threads_of_torch():
    printed = subprocess.run(
        [sys.executable, "-c", THREADS], check=True, capture_output=True, text=True
    ).stdout

    assert printed.splitlines() == ["[2, 2, 2, 2] 4", "[4, 4, 4] 4"]
