"""Searches on more than one core, and on a cluster of dask workers."""

import os
import pickle
import signal
import sys
from types import SimpleNamespace

import joblib
import numpy as np
import pytest
import scipy.sparse
import torch
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline

from skmnist import ImageScaler, MNISTMLPClassifier

distributed = pytest.importorskip(
    "distributed", reason="the extra `distributed` is not installed"
)
from skmnist.distributed import DaskBackend  # noqa: E402


@pytest.fixture(scope="module")
def client():
    """A client of two worker processes."""
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def make_search(**parameters):
    mlp = MNISTMLPClassifier((16,), max_epochs=2, random_state=0)
    grid = {
        "mnistmlpclassifier__dropout": [0.0, 0.3],
        "imagescaler__max_intensity": [1],
    }
    return GridSearchCV(make_pipeline(ImageScaler(), mlp), grid, cv=3, **parameters)


class DieOnce:
    """A scorer whose worker is killed at the given one of all its calls."""

    def __init__(self, path, moment):
        self.path = path
        self.moment = moment

    def __call__(self, estimator, X, y):
        with open(self.path, "ab") as calls:  # noqa: PTH123
            calls.write(b".")
        if os.stat(self.path).st_size == self.moment:  # noqa: PTH116
            os.kill(os.getpid(), signal.SIGKILL)
        return estimator.score(X, y)


class FailTwice:
    """A scorer whose first two calls raise an error."""

    def __init__(self, path):
        self.path = path

    def __call__(self, estimator, X, y):
        with open(self.path, "ab") as calls:  # noqa: PTH123
            calls.write(b".")
        if os.stat(self.path).st_size <= 2:  # noqa: PTH116
            raise OSError("the disk is busy")
        return estimator.score(X, y)


def n_torch_threads(estimator, X, y):
    return {"threads": torch.get_num_threads(), "process": os.getpid()}


def assert_equal_searches(search, other):
    assert search.best_params_ == other.best_params_
    assert search.best_score_ == other.best_score_
    for name, scores in search.cv_results_.items():
        if name.endswith("test_score"):
            assert_array_equal(scores, other.cv_results_[name])


@pytest.mark.skipif(
    not torch.backends.mkl.is_available(),
    reason="unavailable here: MKL, which this torch is built without",
)
@pytest.mark.usefixtures("two_threads")
def test_scores_are_the_same_alone_in_processes_in_threads_and_on_dask(mnist, client):
    X, y = mnist[0][:12_000], mnist[1][:12_000]
    mlp = MNISTMLPClassifier(max_epochs=2, random_state=0)
    grid = {"mnistmlpclassifier__learning_rate": [1e-3, 3e-3]}
    search = GridSearchCV(make_pipeline(ImageScaler(), mlp), grid, cv=3)

    alone = clone(search).fit(X, y)
    together = clone(search).set_params(n_jobs=2).fit(X, y)
    with joblib.parallel_config("threading", n_jobs=2):
        in_threads = clone(search).fit(X, y)
    with joblib.parallel_config(DaskBackend(client)):
        on_dask = clone(search).fit(X, y)

    for other in (together, in_threads, on_dask):
        assert_equal_searches(alone, other)
        assert_array_equal(other.predict_proba(X), alone.predict_proba(X))


@pytest.mark.skipif(
    sys.platform == "win32", reason="unavailable here: SIGKILL, which Windows lacks"
)
@pytest.mark.parametrize("moment", [1, 3, 6])
def test_a_search_survives_the_death_of_a_worker(digits, client, tmp_path, moment):
    X = np.repeat(digits[0], 10, axis=0)  # large enough to be sent once
    y = np.repeat(digits[1], 10)
    calls = tmp_path / "calls"
    expected = make_search().fit(X, y)

    with joblib.parallel_config(DaskBackend(client)):
        search = make_search(scoring=DieOnce(str(calls), moment)).fit(X, y)

    assert_equal_searches(search, expected)
    assert calls.stat().st_size > 6  # 2 candidates x 3 folds, and what was lost


@pytest.mark.parametrize("kind", [np.asarray, scipy.sparse.csr_array])
def test_the_data_are_sent_to_the_cluster_once(digits, client, monkeypatch, kind):
    X = np.repeat(digits[0], 10, axis=0)
    sent, alone = [], []
    submit = client.submit

    def note(function, *args, **kwargs):
        sent.append(args)
        alone.extend([args] if function.__name__ == "_identity" else [])
        return submit(function, *args, **kwargs)

    monkeypatch.setattr(client, "submit", note)

    with joblib.parallel_config(DaskBackend(client)):
        make_search(refit=False).fit(kind(X), np.repeat(digits[1], 10))

    sizes = sorted(len(pickle.dumps(args)) for args in sent)
    assert sizes[-1] > 0.5 * X.nbytes
    assert sizes[-2] < 0.2 * X.nbytes
    assert len(alone) == 1


def test_an_error_on_the_cluster_is_raised_here(digits, client):
    with (
        joblib.parallel_config(DaskBackend(client, retries=0)),
        pytest.raises(ValueError, match=r"dropout=1\.5 is not valid"),
    ):
        cross_validate(MNISTMLPClassifier(dropout=1.5), *digits, error_score="raise")


def test_a_call_that_raised_an_error_is_tried_again(digits, client, tmp_path):
    scoring = FailTwice(str(tmp_path / "calls"))
    one_split = [(range(400), range(400, 500))]  # a single call, which fails twice
    mlp = MNISTMLPClassifier((8,), max_epochs=1, random_state=0)

    with joblib.parallel_config(DaskBackend(client, retries=2)):
        scores = cross_validate(
            mlp, *digits, cv=one_split, scoring=scoring, error_score="raise"
        )

    expected = cross_validate(mlp, *digits, cv=one_split)
    assert_array_equal(scores["test_score"], expected["test_score"])


@pytest.mark.parametrize(("cores", "expected"), [([1], 2), ([1, 1], 2), ([4, 3], 7)])
def test_a_cluster_has_as_many_jobs_as_cores_and_two_at_least(cores, expected):
    client = SimpleNamespace(ncores=lambda: dict(enumerate(cores)))

    assert DaskBackend(client).effective_n_jobs(-1) == expected


def test_all_of_a_cluster_is_used_unless_n_jobs_is_set():
    backend = DaskBackend(SimpleNamespace(ncores=lambda: {0: 4, 1: 3}))

    with joblib.parallel_config(backend):
        parallel = joblib.Parallel()

    assert backend.effective_n_jobs(parallel.n_jobs) == 7


def test_without_distributed_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)

    with pytest.raises(ImportError, match=r"pip install 'skmnist\[distributed\]'"):
        DaskBackend(client=None)


@pytest.mark.parametrize("backend", ["loky", "dask"])
def test_the_threads_of_all_workers_fit_on_the_cores(digits, client, backend):
    backend = DaskBackend(client) if backend == "dask" else backend
    with joblib.parallel_config(backend, n_jobs=2):
        scores = cross_validate(
            MNISTMLPClassifier(max_epochs=1), *digits, scoring=n_torch_threads
        )

    threads = dict(zip(scores["test_process"], scores["test_threads"], strict=True))
    assert sum(threads.values()) <= joblib.cpu_count()
