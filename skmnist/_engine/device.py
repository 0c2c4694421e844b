"""Which device a fit is on, and how many threads it has."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import re
import threading
from collections.abc import Iterator

import torch


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
            "a device that torch sees."
        ) from error


def find_float_types(device: torch.device) -> list[str]:
    """Return the float types that a net can have on a device, the default first."""
    return ["float32"] if device.type == "mps" else ["float32", "float64"]


def _number_of_process():
    # joblib numbers its workers in their names, as in LokyProcess-2.
    number = re.search(r"-(\d+)$", multiprocessing.current_process().name)
    return 0 if number is None else int(number[1]) - 1


class TorchThreads:
    """Shares torch's threads among the fits that run at once in this process.

    A search with the threading backend, or on a dask worker with several threads, would
    otherwise start all of torch's threads for each of its fits. A fit that runs alone
    is left as it is.
    """

    def __init__(self):
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
        self._set(max(1, self.n_threads // max(1, self.n_fits)))

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
