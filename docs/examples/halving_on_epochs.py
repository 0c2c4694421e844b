"""
Halving search with epochs as the resource
==========================================

Most candidates can be ruled out after a few epochs. A halving search trains all of them
for one epoch, keeps the best third, trains these three times as long, and so on. This
example is not run when the documentation is built.
"""

import pandas as pd
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingGridSearchCV
from sklearn.pipeline import make_pipeline

from skmnist import ImageScaler, MNISTMLPClassifier, fetch_mnist

X, y = fetch_mnist(return_X_y=True)

search = HalvingGridSearchCV(
    make_pipeline(
        ImageScaler(), MNISTMLPClassifier(validation_split=None, random_state=0)
    ),
    {
        "mnistmlpclassifier__hidden_layer_sizes": [128, 256, 512],
        "mnistmlpclassifier__dropout": [0.2, 0.35, 0.5],
        "mnistmlpclassifier__learning_rate": [3e-4, 1e-3, 3e-3],
    },
    resource="mnistmlpclassifier__max_epochs",
    min_resources=1,
    max_resources=27,
    factor=3,
    cv=3,
    n_jobs=-1,
)
search.fit(X, y)

results = pd.DataFrame(search.cv_results_)
print(
    results.groupby("n_resources").agg(
        candidates=("mean_test_score", "size"), best=("mean_test_score", "max")
    )
)
print(search.best_params_)

# %%
# 27 candidates are trained for 1 epoch, 9 for 3, 3 for 9 and 1 for 27: 108 epochs per
# fold, compared with 729 for a grid search.
