"""
Grid search on a cluster
========================

A search that is too large for one machine can run on a Dask cluster. Only a ``with``
statement is added. In this example the cluster consists of two processes on one
machine. Every machine of a cluster needs ``pip install 'skmnist[distributed]'``.
"""

# %%
# Use a subset of the training images, so that the example runs quickly:

# sphinx_gallery_parallel = False
from sklearn.datasets import load_digits

from skmnist import fetch_mnist

try:
    X, y = fetch_mnist(return_X_y=True, download_if_missing=False)
    data = "MNIST"
except OSError:
    X, y = load_digits(return_X_y=True)
    data = "scikit-learn's digits"
X, y = X[:6000], y[:6000]
print(f"{data}: {len(X):,} images")

# %%
# The search
# ----------
# The search is the same as without a cluster.

from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skmnist import ImageScaler, MNISTMLPClassifier

search = GridSearchCV(
    make_pipeline(
        ImageScaler(max_intensity=X.max()),
        MNISTMLPClassifier(validation_split=None, random_state=0),
    ),
    {
        "mnistmlpclassifier__hidden_layer_sizes": [128, 512],
        "mnistmlpclassifier__dropout": [0.2, 0.5],
        "mnistmlpclassifier__learning_rate": [3e-4, 1e-3],
    },
    cv=2,
)

# %%
# The cluster
# -----------
# Start each worker process with one thread. To use a cluster that is already running,
# omit the ``LocalCluster`` and write ``Client("scheduler:8786")``. The task stream
# records the work of each worker, for the plot below.

from distributed import Client, LocalCluster, get_task_stream
from joblib import parallel_config

from skmnist.distributed import DaskBackend

if __name__ == "__main__":  # the worker processes of a LocalCluster import this file
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
        get_task_stream(client) as stream,
        parallel_config(DaskBackend(client)),
    ):
        search.fit(X, y)

    print(search.best_params_)
    print(f"cross-validated accuracy {search.best_score_:.4f}")

# %%
# The scores are the same as without a cluster. If a worker dies, another worker repeats
# its work. With joblib's own ``parallel_config("dask")`` the whole search can fail.

# %%
# The fits of each worker
# -----------------------
# Each bar is one fit. The fits of the larger network take longer. A worker can start
# later than the other one, since it imports PyTorch before its first fit. At the end
# the best candidate is refitted in this process.

import matplotlib.pyplot as plt

if __name__ == "__main__":
    fits = [
        (task["worker"], part["start"], part["stop"])
        for task in stream.data
        for part in task["startstops"]
        if part["action"] == "compute" and task["typename"] == "list"
    ]
    workers = sorted({worker for worker, _, _ in fits})
    first = min(start for _, start, _ in fits)
    fig, ax = plt.subplots(figsize=(6.4, 2.2), layout="constrained")
    for worker, start, stop in fits:
        row = workers.index(worker)
        ax.barh(row, stop - start, left=start - first, edgecolor="white", color="C0")
    ax.set(xlabel="Seconds since the first fit began", yticks=range(len(workers)))
    ax.set_title("Fits of both workers")
    ax.set_yticklabels([f"worker {row + 1}" for row in range(len(workers))])
    plt.show()
