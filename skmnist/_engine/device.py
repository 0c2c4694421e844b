"""Which device a fit is on, and how many threads it has."""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import re
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

import torch

Batch = TypeVar("Batch")


def resolve_device(
    device: str | torch.device, *, is_needed: bool = True
) -> torch.device:
    """Return the torch device to use.

    Parameters
    ----------
    device : str or torch.device
        What torch takes, or "auto": CUDA, MPS or the CPU. Worker processes of joblib's
        are spread over several GPUs.
    is_needed : bool, default=True
        Whether an unavailable device raises an error; otherwise the CPU is used.

    Returns
    -------
    device : torch.device
        A device that is there.

    Raises
    ------
    ValueError
        If the device is not there.
    """
    if isinstance(device, str) and device == "auto":
        if torch.cuda.is_available():
            number = _number_of_process() % torch.cuda.device_count()
            return torch.device("cuda", number)
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        torch.empty(0, device=device).cpu()
        return torch.device(device)
    # torch without CUDA raises AssertionError; for "meta", which holds no data, a kind
    # of RuntimeError; for a device of another package ImportError.
    except (RuntimeError, AssertionError, TypeError, ImportError) as error:
        if not is_needed:
            return torch.device("cpu")
        reason = str(error).partition("\n")[0].rstrip(".:!")
        raise ValueError(
            f"device={device!r} cannot be used here: {reason}. Give 'auto', 'cpu' or "
            "a device that torch supports."
        ) from error


def find_float_types(device: torch.device) -> list[str]:
    """Return the float types that a net can have on a device, the default first."""
    return ["float32"] if device.type == "mps" else ["float32", "float64"]


def _number_of_process():
    # joblib numbers its workers in their names, as in LokyProcess-2.
    number = re.search(r"-(\d+)$", multiprocessing.current_process().name)
    return 0 if number is None else int(number[1]) - 1


class FreeCores:
    """Watches a training, and tells how many threads there are free cores for.

    Threads meet after every operation. If another program runs on one of their cores,
    or the container may use fewer, they wait for each other for milliseconds, and a
    training step takes two to thirty times as long as with one thread. They spin as
    they wait: a process whose cores are free uses as many of them as it has threads.
    """

    # Seconds that are looked at together; processors count in milliseconds.
    WINDOW = 0.05
    # The share of a core that each thread but the first must get.
    NEEDED = 0.7
    # How many windows in a row it must lack, not to heed what is over at once.
    IN_A_ROW = 2
    # How many windows later all cores are tried again.
    HOLDS = 40

    def __init__(self):
        self.limit = math.inf
        self.n_lacking = 0
        self.seconds = self.used = self.held_until = 0.0
        settings = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"}
        self.do_threads_spin = sys.platform == "linux" and settings.isdisjoint(
            os.environ
        )

    def resume(self) -> None:
        """Begin to watch, or go on."""
        self.start = time.perf_counter()
        self.start_used = time.process_time()

    def pause(self) -> None:
        """Stop watching: threads have no part in what comes."""
        self.seconds += time.perf_counter() - self.start
        self.used += time.process_time() - self.start_used

    def look(self) -> bool:
        """Look after a training step whether to change the limit, and tell."""
        now = time.perf_counter()
        if self.seconds + now - self.start < self.WINDOW or not self.do_threads_spin:
            return False
        self.pause()
        before, n_threads = self.limit, torch.get_num_threads()
        n_used = self.used / self.seconds
        needed = 1 + self.NEEDED * (n_threads - 1)
        is_lacking = n_threads > 1 and n_used < needed
        self.n_lacking = self.n_lacking + 1 if is_lacking else 0
        if self.n_lacking == self.IN_A_ROW:
            self.n_lacking = 0
            self.limit = max(1, int(n_used))
            self.held_until = now + self.HOLDS * self.seconds
        elif now >= self.held_until:
            self.limit = math.inf
        self.seconds = self.used = 0.0
        self.resume()
        return self.limit != before


class TorchThreads:
    """Shares torch's threads among the fits that run at once in this process.

    A search with the threading backend, or on a dask worker with several threads, would
    otherwise start all of torch's threads for each of its fits. A fit that runs alone
    gets all of them, or as many as there are free cores.
    """

    def __init__(self):
        self.cores = FreeCores()
        self.lock = threading.Lock()
        self.n_fits = 0
        self.n_threads = 1

    @contextlib.contextmanager
    def shared(self) -> Iterator[None]:
        """Count a fit; restore the number of threads after it."""
        with self.lock:
            if self.n_fits == 0:
                self.n_threads = torch.get_num_threads()
            self.n_fits += 1
        try:
            yield
        finally:
            with self.lock:
                self.n_fits -= 1
                self._set(self.n_threads)

    def take_share(self) -> None:
        """Set the number of threads that is this fit's share now."""
        n_fits = max(1, self.n_fits)
        limit = self.cores.limit if n_fits == 1 else math.inf
        self._set(int(max(1, min(self.n_threads // n_fits, limit))))

    def watched(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Yield batches; after the step of each, see how many cores were free."""
        self.cores.resume()
        for batch in batches:
            yield batch
            if self.n_fits == 1 and self.cores.look():
                self.take_share()
        self.cores.pause()

    def _set(self, n_threads):
        # Of the calling thread and of those yet to start, not of the others.
        if torch.get_num_threads() != n_threads:
            torch.set_num_threads(n_threads)


torch_threads = TorchThreads()


def _use_one_thread():
    # OpenMP's threads do not survive a fork, and it would wait for them for ever. Nor
    # does it start new ones when asked, so the child keeps to its one thread.
    TorchThreads.__init__(torch_threads)
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_use_one_thread)
