"""Searches on a Dask cluster that continue if a worker dies."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import scipy.sparse
from joblib import parallel_config
from joblib.parallel import ParallelBackendBase

if TYPE_CHECKING:
    from distributed import Client, Future

__all__ = ["DaskBackend"]

# Bytes from which an argument is sent once, not with each call.
LARGE = 100_000


class DaskBackend(ParallelBackendBase):
    """A joblib backend for scikit-learn's searches on a Dask cluster.

    It differs from joblib's own `backend="dask"` in one point: the data are created by
    a task, which Dask can run again. If a worker dies, its work and its data are moved
    to another worker. With joblib's own backend a search fails if the only copy of the
    data was on the worker that died.

    Parameters
    ----------
    client : distributed.Client
        The client of the cluster.
    retries : int, default=2
        How many times a call that raised an error is retried.

    Raises
    ------
    ImportError
        If distributed is not installed.

    Examples
    --------
    >>> from distributed import Client  # doctest: +SKIP
    >>> from joblib import parallel_config
    >>> from skmnist.distributed import DaskBackend
    >>> with parallel_config(DaskBackend(Client("scheduler:8786"))):  # doctest: +SKIP
    ...     search.fit(X, y)
    """

    supports_retrieve_callback = True
    supports_return_generator = False

    def __init__(self, client: Client, retries: int = 2):
        try:
            import distributed  # noqa: F401
        except ImportError as error:
            raise ImportError(
                "DaskBackend needs distributed; pip install 'skmnist[distributed]'."
            ) from error
        super().__init__(nesting_level=0)
        self.client = client
        self.retries = retries
        self._data: dict[int, tuple[Any, Future]] = {}
        self._calls: set[Future] = set()

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """Return the number of calls that the cluster can run in parallel."""
        # Two at least: joblib runs what it takes for one job here, not on the cluster.
        return max(2, sum(self.client.ncores().values()))

    def submit(
        self, func: Any, callback: Callable[[Future], Any] | None = None
    ) -> Future:
        """Run a batch of calls on the cluster."""
        calls = [
            (
                function,
                [self._send_once(value) for value in args],
                {name: self._send_once(value) for name, value in kwargs.items()},
            )
            for function, args, kwargs in func.items
        ]
        future = self.client.submit(_run, calls, retries=self.retries, pure=False)
        self._calls.add(future)
        if callback is not None:
            future.add_done_callback(callback)
        return future

    apply_async = submit  # its name before joblib 1.5

    def retrieve_result_callback(self, out: Future) -> list[Any]:
        """Return the results of a batch."""
        self._calls.discard(out)
        return out.result()

    def stop_call(self) -> None:
        """Release the data."""
        self._data.clear()

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Cancel the calls that are not done."""
        self.client.cancel(list(self._calls))
        self._calls.clear()

    def _send_once(self, value):
        array = value.data if scipy.sparse.issparse(value) else value
        if getattr(array, "nbytes", 0) < LARGE and not hasattr(value, "memory_usage"):
            return value
        if id(value) not in self._data:
            with warnings.catch_warnings():
                # dask advises to scatter large data, but what is scattered is lost
                # with its worker.
                warnings.filterwarnings("ignore", "Sending large graph")
                future = self.client.submit(_identity, value, pure=False)
            # The value is kept, so that no other one gets its id.
            self._data[id(value)] = value, future
        return self._data[id(value)][1]


def _identity(value):
    return value


def _run(calls):
    with parallel_config("sequential"):
        return [function(*args, **kwargs) for function, args, kwargs in calls]
