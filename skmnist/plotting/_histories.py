"""The histories in whatever holds some, each with a name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skmnist.inspection import unwrap

if TYPE_CHECKING:
    import pandas as pd

# Of the table of scikit-learn's ScoringMonitor; its other columns are scores.
MONITOR_COLUMNS = (
    "task_id_path",
    "parent_task_id_path",
    "estimator_name",
    "task_name",
    "task_id",
    "sequential_subtasks",
)


def find_histories(
    source: Any, search: BaseEstimator | None = None
) -> dict[str | None, pd.DataFrame]:
    """Return all histories in an object by their names.

    Parameters
    ----------
    source : object
        As for :meth:`HistoryDisplay.from_history`.
    search : estimator, default=None
        The fitted search that the log of a monitor is of.

    Returns
    -------
    histories : dict of str or None to DataFrame
        The histories. The name of a single one may be None.

    Raises
    ------
    NotFittedError
        If an estimator is not fitted.
    TypeError
        If an object holds no history.
    ValueError
        If a log is not that of the search.
    """
    if isinstance(source, Mapping):
        folds = source.get("estimator")  # of cross_validate
        if isinstance(folds, (list, tuple)):
            return _find_in(_number("fold", folds), search)
        return _find_in(source, search)
    if isinstance(source, (list, tuple)):
        return _find_in(_number("run", source), search)
    if hasattr(source, "get_params"):
        best = getattr(source, "best_params_", None)
        name = None if best is None else _format_parameters(best)
        return {name: read_history(unwrap(source)[1])}
    table = getattr(source, "data_as_pandas", source)
    if not hasattr(table, "columns"):
        raise TypeError(
            f"{type(source).__name__} has no history; give a history_, a fitted "
            "estimator, the result of cross_validate with return_estimator=True, the "
            "log of a ScoringMonitor, or a list or dict of these."
        )
    if "parent_task_id_path" in table:
        return _split_tasks(table, search)
    return {None: table}


def read_history(classifier: BaseEstimator) -> pd.DataFrame:
    """Return the history of a fitted classifier.

    Parameters
    ----------
    classifier : MNISTMLPClassifier or MLPClassifier
        The classifier.

    Raises
    ------
    NotFittedError
        If the classifier is not fitted.
    TypeError
        If the classifier has no history.
    """
    check_is_fitted(classifier)
    if hasattr(classifier, "history_"):
        return classifier.history_
    if not hasattr(classifier, "loss_curve_"):
        raise TypeError(
            f"{type(classifier).__name__} has no history of its training; give an "
            "MNISTMLPClassifier, an MLPClassifier with solver='adam' or 'sgd', or use "
            "from_history."
        )
    import pandas as pd

    history = pd.DataFrame({"train_loss": classifier.loss_curve_})
    history.insert(0, "epoch", np.arange(1, len(history) + 1))
    if classifier.early_stopping:
        history["valid_accuracy"] = classifier.validation_scores_
    return history


def _find_in(sources, search):
    return {
        name if inner is None else f"{name}, {inner}": history
        for name, source in sources.items()
        for inner, history in find_histories(source, search).items()
    }


def _number(word, sources):
    return {f"{word} {n}": source for n, source in enumerate(sources, start=1)}


def _split_tasks(log, search):
    # The table of scikit-learn's ScoringMonitor: a history for each fit.
    epochs = log[log["task_name"] == "epoch"]
    scores = [column for column in log if column not in MONITOR_COLUMNS]
    histories = [
        rows[scores].add_prefix("train_").assign(epoch=rows["task_id"] + 1)
        for _, rows in epochs.groupby("parent_task_id_path")
    ]
    if search is not None:
        names = _name_fits(search)
    elif len(histories) == 1:
        names = [None]
    else:
        names = list(_number("fit", histories))
    if len(names) != len(histories):
        raise ValueError(
            f"search={search!r} has {len(names)} fits, but the log has the scores of "
            f"{len(histories)} fits; give the search that wrote this log."
        )
    return dict(zip(names, histories, strict=True))


def _name_fits(search):
    # In the order of the tasks: candidates, their folds, the best once more.
    names = [_format_parameters(each) for each in search.cv_results_["params"]]
    if len(set(names)) < len(names):  # as those of a halving search
        names = [f"{name} ({n})" for n, name in enumerate(names, start=1)]
    folds = range(1, search.n_splits_ + 1)
    names = [f"{name}, fold {fold}" for name in names for fold in folds]
    if hasattr(search, "best_estimator_"):
        names.append(f"{_format_parameters(search.best_params_)}, refitted")
    return names


def _format_parameters(parameters):
    return ", ".join(
        f"{name.rpartition('__')[2]}="
        + (f"{value:.3g}" if isinstance(value, float) else str(value))
        for name, value in parameters.items()
    )
