"""Children of a process that has used torch's threads fit and predict as it does.

By hand, with more of them: SKMNIST_N_FORKS=100 pytest tests/test_processes.py
"""

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import traceback
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import joblib
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.base import clone

from skmnist import ImageScaler, MNISTMLPClassifier

N_FORKS = int(os.environ.get("SKMNIST_N_FORKS", 4))
N_SECONDS = max(120, 3 * N_FORKS)


def check(model, X, y, of_one, of_all):
    """Predict and fit to the bit as the process before did."""
    assert_array_equal(model.predict_proba(X[:1]), of_one)
    assert_array_equal(model.predict_proba(X), of_all)
    assert_array_equal(clone(model).fit(X, y).predict_proba(X), of_all)


def run_forks(job):
    children = [start_fork(job) for _ in range(N_FORKS)]
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * N_FORKS


def start_fork(job):
    child = os.fork()
    if child == 0:
        try:
            job()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    return child


def run_process(method, job):
    process = multiprocessing.get_context(method).Process(target=job)
    process.start()
    process.join()
    assert process.exitcode == 0


def run_executor(job):
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(2, mp_context=context) as executor:
        for future in [executor.submit(job) for _ in range(4)]:
            future.result()


def run_joblib(backend, job):
    joblib.Parallel(n_jobs=2, backend=backend)(joblib.delayed(job)() for _ in range(4))


LOADED = "os.fork of a model that was loaded"
WAYS = {
    "os.fork": run_forks,
    LOADED: run_forks,
    "multiprocessing, fork": partial(run_process, "fork"),
    "multiprocessing, forkserver": partial(run_process, "forkserver"),
    "multiprocessing, spawn": partial(run_process, "spawn"),
    "concurrent.futures, fork": run_executor,
    "joblib, multiprocessing": partial(run_joblib, "multiprocessing"),
    "joblib, loky": partial(run_joblib, "loky"),
    "joblib, threading": partial(run_joblib, "threading"),
}


def main(path, *ways):
    """Be the parent: load, fit unless told not to, predict, have children check."""
    torch.set_num_threads(2)
    model, X, y = joblib.load(path)
    if LOADED not in ways:
        model = clone(model).fit(X, y)
    of_one, of_all = model.predict_proba(X[:1]), model.predict_proba(X)
    for way in ways:
        print(way, file=sys.stderr)
        WAYS[way](partial(check, model, X, y, of_one, of_all))


@pytest.fixture(scope="module")
def saved(mnist, tmp_path_factory):
    """The default classifier and the images that it was fitted on, as a file."""
    X, y = ImageScaler().fit_transform(mnist[0][:2000]), mnist[1][:2000]
    model = MNISTMLPClassifier(max_epochs=2, random_state=0).fit(X, y)
    path = tmp_path_factory.mktemp("saved") / "model.joblib"
    joblib.dump((model, X, y), path)
    return path


# In one process one after another: most of the time goes into its imports.
FORKS = [way for way in WAYS if "fork" in way and way != LOADED]
REST = [way for way in WAYS if "fork" not in way]


@pytest.mark.parametrize(
    "ways", [[LOADED], FORKS, REST], ids=["loaded", "fork", "rest"]
)
def test_a_child_fits_and_predicts_to_the_bit(saved, ways):
    if "fork" in ways[0] and not hasattr(os, "fork"):
        pytest.skip("unavailable here: os.fork, which Windows lacks")
    process = subprocess.Popen(
        [sys.executable, __file__, saved, *ways],
        env=os.environ | {"OMP_NUM_THREADS": "2"},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        _, errors = process.communicate(timeout=N_SECONDS)
    finally:
        kill_all(process)

    assert process.returncode == 0, errors


def kill_all(process):
    """Kill a process and its children, which can wait for each other for ever."""
    with contextlib.suppress(ProcessLookupError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.communicate()


if __name__ == "__main__":
    main(*sys.argv[1:])
