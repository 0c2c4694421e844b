"""What differs between scikit-learn's versions, its callbacks and its warnings."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

from sklearn.exceptions import InconsistentVersionWarning

from skmnist._version import __version__

try:  # experimental in scikit-learn 1.9, absent before
    from sklearn.callback import CallbackSupportMixin
    from sklearn.callback import with_callbacks as _with_callbacks
except ImportError:
    # mypy knows the one that is imported.
    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing: this scikit-learn has no callbacks."""

    def _with_callbacks(method):
        return method


__all__ = [
    "CallbackSupportMixin",
    "OtherVersionWarning",
    "begin_tasks",
    "check_version",
    "warn",
    "with_callbacks",
]

# Packages whose frames lie between our code and the line that called it.
PACKAGES_BETWEEN = {"skmnist", "sklearn", "joblib", "pickle", "skops"}

Method = TypeVar("Method", bound=Callable[..., Any])


def with_callbacks(method: Method) -> Method:
    """Let scikit-learn's callbacks into a `fit`, where this scikit-learn has them."""
    return _with_callbacks(method)


def begin_tasks(estimator: Any, n_tasks: int = 0) -> Any:
    """Return the context in which callbacks are told of a fit, None without them.

    Parameters
    ----------
    estimator : estimator
        The estimator that is fitted.
    n_tasks : int, default=0
        The number of tasks that the fit consists of.
    """
    if not hasattr(estimator, "_skl_callbacks"):
        return None
    return estimator._init_callback_context(max_subtasks=n_tasks)


class OtherVersionWarning(InconsistentVersionWarning):
    """An estimator was saved with another version of this package.

    Parameters
    ----------
    estimator_name : str
        The class of the estimator.
    saved_with : str
        The version that it was saved with.
    """

    def __init__(self, estimator_name: str, saved_with: str):
        # By the names that scikit-learn's users read, whatever package it is.
        super().__init__(
            estimator_name=estimator_name,
            current_sklearn_version=__version__,
            original_sklearn_version=saved_with,
        )

    def __str__(self) -> str:
        return (
            f"This {self.estimator_name} was saved with skmnist "
            f"{self.original_sklearn_version} and "
            f"is loaded with {__version__}; its results may differ."
        )


def check_version(estimator: Any, saved_with: str) -> None:
    """Warn if an estimator was saved with another version of this package."""
    if saved_with != __version__:
        warn(OtherVersionWarning(type(estimator).__name__, saved_with))


def warn(message: str | Warning, category: type[Warning] = UserWarning) -> None:
    """Warn of what the caller of the package did, on the line where it was done.

    How many frames lie between differs between scikit-learn's versions and methods.

    Parameters
    ----------
    message : str or Warning
        The message.
    category : type of Warning, default=UserWarning
        Its category, where the message is a str.
    """
    frame, level = inspect.currentframe(), 1
    while frame is not None and _package(frame) in PACKAGES_BETWEEN:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def _package(frame):
    return frame.f_globals.get("__name__", "").partition(".")[0]
