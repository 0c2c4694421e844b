"""What differs between scikit-learn's versions: its callbacks, array API, warnings."""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

from sklearn import get_config
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.utils import _array_api

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
    "HAS_ARRAY_API",
    "CallbackSupportMixin",
    "OtherVersionWarning",
    "begin_tasks",
    "check_version",
    "find_namespace",
    "is_dispatching",
    "move_to",
    "name_owner",
    "warn",
    "with_callbacks",
]

# Packages whose frames lie between our code and the line that called it.
PACKAGES_BETWEEN = {"skmnist", "sklearn", "skorch", "joblib", "pickle", "skops"}

# Before 1.9 scikit-learn's checks wanted `classes_` in the namespace of X, which has no
# strings.
HAS_ARRAY_API = hasattr(_array_api, "check_same_namespace")

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


def is_dispatching() -> bool:
    """Tell whether arrays of other libraries than NumPy stay what they are."""
    return HAS_ARRAY_API and get_config()["array_api_dispatch"]


def find_namespace(array: Any) -> tuple[Any, Any] | None:
    """Return the namespace and the device of an array.

    Parameters
    ----------
    array : array
        The array, of NumPy or another library.

    Returns
    -------
    namespace_and_device : tuple or None
        None for NumPy's arrays, and without array API dispatch.
    """
    if not is_dispatching():
        return None
    xp, _, device = _array_api.get_namespace_and_device(array)
    return None if _array_api._is_numpy_namespace(xp) else (xp, device)


def move_to(array: Any, xp: Any, device: Any) -> Any:
    """Return an array as one of another namespace and device.

    Parameters
    ----------
    array : array
        The array.
    xp : module
        The namespace.
    device : object
        The device.
    """
    return _array_api.move_to(array, xp=xp, device=device)


def name_owner(request: Any, name: str) -> Any:
    """Return a metadata request that names its estimator.

    From scikit-learn 1.8 on it refers to the estimator instead, which refers to it, and
    a file cannot hold such a circle.

    Parameters
    ----------
    request : MetadataRequest
        What `set_fit_request` and the like have set.
    name : str
        The class of the estimator.

    Returns
    -------
    request : MetadataRequest
        A copy.
    """
    named = copy.copy(request)
    for method, of_method in vars(request).items():
        if hasattr(of_method, "method"):
            of_method = copy.copy(of_method)
            of_method.owner = name
            setattr(named, method, of_method)
    named.owner = name
    return named


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
