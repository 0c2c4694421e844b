"""
Grid search on a cluster
========================

A search that is too large for one machine can run on a Dask cluster, inside one
``with`` statement. Every machine needs ``pip install 'skmnist[distributed]'``. This
example is not run when the documentation is built.
"""

from distributed import Client
from joblib import parallel_config
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skmnist import ImageScaler, MNISTMLPClassifier, fetch_mnist
from skmnist.distributed import DaskBackend

if __name__ == "__main__":  # worker processes import this file
    X, y = fetch_mnist(return_X_y=True)
    search = GridSearchCV(
        make_pipeline(
            ImageScaler(), MNISTMLPClassifier(validation_split=None, random_state=0)
        ),
        {
            "mnistmlpclassifier__hidden_layer_sizes": [256, 512, (512, 512)],
            "mnistmlpclassifier__dropout": [0.2, 0.5],
            "mnistmlpclassifier__learning_rate": [3e-4, 1e-3],
        },
        cv=3,
        verbose=1,
    )

    # Use Client("scheduler:8786") for an existing cluster. Without an address Dask
    # starts workers on this machine, here one process per core.
    with (
        Client(threads_per_worker=1) as client,
        parallel_config(DaskBackend(client)),
    ):
        search.fit(X, y)

    print(search.best_params_)
    print(f"cross-validated accuracy: {search.best_score_:.4f}")

# %%
# The scores are the same as without the cluster. If a worker dies, only its own work is
# lost, and another worker repeats it; with joblib's own ``parallel_config("dask")`` the
# whole search can be lost.
