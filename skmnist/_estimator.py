"""What the estimators share: images as input, scikit-learn's callbacks, links."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from skmnist import _sklearn
from skmnist._arrays import find_space
from skmnist._images import are_valid_rows, flatten_images


class ImageEstimator(_sklearn.CallbackSupportMixin, BaseEstimator):
    """An estimator that takes images: rows of pixels, sparse or not, or a stack."""

    # Where scikit-learn's HTML repr links to.
    _doc_link_module = "skmnist"
    _doc_link_template = (
        "https://skmnist.readthedocs.io/en/stable/generated/"
        "skmnist.{estimator_name}.html"
    )

    def set_params(self, **parameters: Any) -> Self:
        """Set parameters, with a clear error for parts of one that has no parts.

        Parameters
        ----------
        **parameters
            The parameters and their values.
        """
        values = self.get_params(deep=False) | parameters
        for name in parameters:
            outer, is_nested, inner = name.partition("__")
            value = values.get(outer, self)
            if is_nested and not hasattr(value, "set_params"):
                is_dict = outer.endswith("_params")
                example = f", such as [{{{inner!r}: {parameters[name]!r}}}, ...]"
                raise ValueError(
                    f"{name} cannot be set, since {outer}={value!r} has no parameters; "
                    f"set {outer} itself. In a grid, use a list of values"
                    f"{example if is_dict else ''}."
                )
        return super().set_params(**parameters)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.sparse = True
        tags.array_api_support = _sklearn.HAS_ARRAY_API
        return tags

    def __sklearn_array_api_convert__(self, converter):
        return copy.copy(self)  # which takes arrays of any library

    def __getstate__(self):
        attributes = dict(super().__getstate__())
        attributes.pop("_fitted_with", None)
        request = attributes.get("_metadata_request")
        if request is not None:
            name = type(self).__name__
            attributes["_metadata_request"] = _sklearn.name_owner(request, name)
        return attributes

    def _validate_images(
        self, X: Any, *, reset: bool, dtype: str = "numeric"
    ) -> np.ndarray:
        return self._validate_pairs(X, "no_validation", reset=reset, dtype=dtype)

    def _validate_pairs(
        self, X: Any, y: Any, *, reset: bool, dtype: Any, **options: Any
    ) -> Any:
        space = find_space(X)
        if space is not None:
            space.refuse_complex(X)
            dtype = space.find_types(dtype)
        X = flatten_images(X)
        if not reset:
            self._refuse_one_image(X)
        else:
            self.__dict__.pop("_fitted_with", None)
            if space is not None:
                self._fitted_with: str = space.name
        return validate_data(
            self,
            X,
            y,
            reset=reset,
            dtype=dtype,
            order="C",
            accept_sparse="csr",
            **options,
        )

    def _refuse_one_image(self, X: Any) -> None:
        n_features = getattr(self, "n_features_in_", None)
        shape: Any = getattr(X, "shape", ())
        if len(shape) == 2 and shape[1] != n_features == shape[0] * shape[1]:
            raise ValueError(
                f"X has {shape[1]} features, but {type(self).__name__} is expecting "
                f"{n_features} features as input. If this is one image, give a stack "
                "of one: X[i:i+1] instead of X[i]."
            )

    def _check_library(self, X: Any, method: str) -> None:
        # As in scikit-learn's estimators, though nothing here depends on the library.
        expected = vars(self).get("_fitted_with")
        if expected is None or not _sklearn.is_dispatching():
            return
        space = find_space(X)
        given = "numpy" if space is None else space.name
        if given != expected:
            raise ValueError(
                f"Inputs passed to {type(self).__name__}.{method}() must use the same "
                f"namespace as those passed to fit(), {expected}, but X is of {given}. "
                "Convert X, or the estimator with move_estimator_to of "
                "sklearn.utils._array_api."
            )

    def _validate_rows(self, X: Any, dtype: str) -> Any:
        # As `_validate_images` after a fit, but quick where there is nothing to change.
        X = flatten_images(X)
        # scikit-learn's validation does without the attribute too.
        n_features = getattr(self, "n_features_in_", None)
        has_names = hasattr(self, "feature_names_in_")
        if has_names or not are_valid_rows(X, dtype, n_features):
            X = self._validate_images(X, reset=False, dtype=dtype)
        return X

    def _tell_callbacks(self, X: Any, y: Any) -> None:
        # That a fit without tasks of its own began, and ended.
        context = _sklearn.begin_tasks(self)
        if context is not None:
            context.call_on_fit_task_begin(estimator=self, X=X, y=y)
            context.call_on_fit_task_end(
                estimator=self, X=X, y=y, reconstruction_attributes={}
            )


@contextlib.contextmanager
def unchanged_by_errors(estimator: BaseEstimator) -> Iterator[None]:
    """Restore the attributes of an estimator if an error is raised.

    A fit may have taken hours; a mistake in the next one must not cost it.
    """
    earlier = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(earlier)
        raise
