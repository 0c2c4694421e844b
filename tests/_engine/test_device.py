"""Which device a fit is on, and how many threads it has."""

import math
import multiprocessing
import subprocess
import sys
import time

import pytest
import torch
from numpy.testing import assert_array_equal
from skorch.callbacks import Callback

from listeners import Listen, Wait
from skmnist import ImageScaler, MNISTMLPClassifier
from skmnist._engine import device, products
from skmnist._engine.device import FreeCores, TorchThreads, resolve_device
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


@pytest.mark.usefixtures("two_threads")
def test_a_fit_that_begins_later_leaves_all_threads_behind():
    threads = TorchThreads()
    with threads.shared(), threads.shared():
        threads.take_share()
        assert torch.get_num_threads() == 1
        with threads.shared():
            pass
    assert torch.get_num_threads() == 2


class Clock:
    """Time that passes only when a test says so, and the cores that were used."""

    def __init__(self):
        self.now = self.used = 0.0

    def perf_counter(self):
        return self.now

    def process_time(self):
        return self.used

    def let_pass(self, seconds, n_cores):
        self.now += seconds
        self.used += seconds * n_cores


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(device, "time", clock)
    return clock


@pytest.fixture
def cores(monkeypatch, clock):
    """Of a process that has eight threads."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    cores = FreeCores()
    cores.do_threads_spin = True
    cores.resume()
    return cores


def watch(cores, clock, *numbers, seconds=0.06):
    """Let the numbers of cores be used in turn, and return the limits after each."""
    limits = [cores.limit]
    for n_cores in numbers:
        clock.let_pass(seconds, n_cores)
        has_changed = cores.look()
        limits.append(cores.limit)
        assert has_changed is (limits[-1] != limits[-2])
    return limits[1:]


def test_threads_that_lack_cores_are_given_up(cores, clock):
    assert watch(cores, clock, 8, 5.7, 5.7) == [math.inf, math.inf, 5]


def test_free_cores_leave_the_threads_alone(cores, clock):
    assert watch(cores, clock, 6, 8, 7, 6) == [math.inf] * 4


def test_what_is_over_at_once_is_not_heeded(cores, clock):
    assert watch(cores, clock, 1, 8, 1, 8) == [math.inf] * 4


def test_there_is_always_one_thread(cores, clock):
    assert watch(cores, clock, 0.4, 0.4)[-1] == 1


def test_fewer_threads_that_lack_cores_are_given_up_as_slowly(
    cores, clock, monkeypatch
):
    assert watch(cores, clock, 5.7, 5.7)[-1] == 5
    monkeypatch.setattr(torch, "get_num_threads", lambda: 5)
    assert watch(cores, clock, 1, 1) == [5, 1]


def test_all_cores_are_tried_again(cores, clock, monkeypatch):
    assert watch(cores, clock, 1.5, 1.5)[-1] == 1
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    assert watch(cores, clock, *[1] * 40) == [1] * 39 + [math.inf]
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    assert watch(cores, clock, 1.5, 1.5)[-1] == 1


def test_short_steps_are_looked_at_together(cores, clock):
    limits = watch(cores, clock, *[1] * 8, seconds=1 / 64)
    assert limits == [math.inf] * 7 + [1]


def test_short_epochs_are_looked_at_together(cores, clock):
    for _ in range(4):
        watch(cores, clock, 1, seconds=1 / 32)
        cores.pause()
        clock.let_pass(60, 8)  # in a callback
        cores.resume()
    assert cores.limit == 1


@pytest.mark.skipif(sys.platform != "linux", reason="unavailable here: Linux")
@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, True),
        ({"OMP_WAIT_POLICY": "passive"}, False),
        ({"GOMP_SPINCOUNT": "9"}, False),
    ],
)
def test_threads_that_do_not_spin_are_not_watched(monkeypatch, environment, expected):
    monkeypatch.setattr(device.os, "environ", environment)
    assert FreeCores().do_threads_spin is expected


def test_what_is_not_watched_has_no_limit(cores, clock):
    cores.do_threads_spin = False
    assert watch(cores, clock, 1, 1, 1) == [math.inf] * 3


@pytest.fixture
def quiet_machine(monkeypatch):
    """A machine whose cores are free, whatever else runs on this one."""
    cores = FreeCores()
    cores.do_threads_spin = False
    monkeypatch.setattr(device.torch_threads, "cores", cores)
    return cores


@pytest.fixture
def busy_machine(quiet_machine, monkeypatch):
    """A machine that never has a core free, for all fits from now on."""
    quiet_machine.do_threads_spin = True
    quiet_machine.WINDOW, quiet_machine.HOLDS = 0, math.inf
    monkeypatch.setattr(time, "process_time", lambda: 0.0)
    return quiet_machine


@pytest.mark.usefixtures("two_threads", "quiet_machine")
def test_a_fit_without_free_cores_goes_on_with_one_thread(mnist, request):
    X, y = ImageScaler().fit_transform(mnist[0][:6000]), mnist[1][:6000]
    seen = []

    class Note(Callback):
        def on_epoch_end(self, net, **kwargs):
            seen.append(torch.get_num_threads())

    # Without validation, so that it is the training that is watched.
    model = MNISTMLPClassifier(
        max_epochs=2,
        validation_split=None,
        callbacks=[Note],
        device="cpu",
        random_state=0,
    )
    expected = model.fit(X, y).predict_proba(X)
    request.getfixturevalue("busy_machine")
    proba = model.fit(X, y).predict_proba(X)

    assert seen == [2, 2, 1, 1]
    assert torch.get_num_threads() == 2
    assert_array_equal(proba, expected)


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("callback", [Wait, Listen])
def test_some_trainings_are_not_watched(digits, busy_machine, callback):
    small(callbacks=[callback]).fit(*digits)

    assert busy_machine.limit == math.inf


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize(("is_intel", "limit"), [(True, math.inf), (False, 1)])
def test_training_in_bfloat16_with_amx_is_not_watched(
    monkeypatch, digits, precision, busy_machine, is_intel, limit
):
    monkeypatch.setattr(products, "has_amx", lambda: True)
    monkeypatch.setattr(products, "is_intel", lambda: is_intel)
    precision("medium")

    small(max_epochs=20, validation_split=None, device="cpu").fit(*digits)

    assert busy_machine.limit == limit
