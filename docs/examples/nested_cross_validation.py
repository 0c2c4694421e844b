"""
Nested cross-validation
=======================

The best score of a search is optimistic, since it is the best of many. Nested
cross-validation repeats the search in each outer fold and evaluates the best model on
images that the search has not seen. This example is not run when the documentation is
built.
"""

from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_validate
from sklearn.pipeline import make_pipeline

from skmnist import ImageScaler, MNISTMLPClassifier, fetch_mnist

X, y = fetch_mnist(return_X_y=True)
X, y = X[:12_000], y[:12_000]

search = GridSearchCV(
    make_pipeline(
        ImageScaler(), MNISTMLPClassifier(validation_split=None, random_state=0)
    ),
    {
        "mnistmlpclassifier__dropout": [0.2, 0.5],
        "mnistmlpclassifier__learning_rate": [3e-4, 1e-3, 3e-3],
    },
    cv=StratifiedKFold(3, shuffle=True, random_state=1),
)

# The outer folds run in parallel, each search in one process.
outer = cross_validate(
    search,
    X,
    y,
    cv=StratifiedKFold(5, shuffle=True, random_state=2),
    n_jobs=-1,
    return_estimator=True,
)

for fold, score in zip(outer["estimator"], outer["test_score"], strict=True):
    print(f"inner {fold.best_score_:.4f}  outer {score:.4f}  {fold.best_params_}")
print(f"accuracy {outer['test_score'].mean():.4f} +- {outer['test_score'].std():.4f}")
