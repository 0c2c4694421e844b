"""What a converter for sklearn-onnx adds nodes to.

sklearn-onnx hands each converter a scope, which has the names, an operator, which has
the estimator, its inputs and its outputs, and a container, which takes the nodes.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import onnx
from onnx.helper import np_dtype_to_tensor_dtype, tensor_dtype_to_np_dtype
from skl2onnx import get_model_alias
from skl2onnx.common.data_types import Int64TensorType, guess_proto_type
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline


class Graph:
    """What a converter adds to.

    Parameters
    ----------
    scope, container
        What sklearn-onnx hands to the converter.
    dtype : dtype
        The float type of constants.
    """

    def __init__(self, scope: Any, container: Any, dtype: np.dtype):
        self.scope = scope
        self.container = container
        self.dtype = dtype

    def add(self, kind: str, *inputs: Any, output: str = "", **attributes: Any) -> str:
        """Add a node, and return the name of its output.

        Parameters
        ----------
        kind : str
            The operator of ONNX.
        *inputs : str, number or array
            The names of what it takes, or constants.
        output : str, default=""
            The name of its output; by default a new one.
        **attributes
            The attributes of the operator.
        """
        names = [
            each if isinstance(each, str) else self._add_constant(each)
            for each in inputs
        ]
        output = output or self.scope.get_unique_variable_name(kind.lower())
        name = self.scope.get_unique_operator_name(kind)
        self.container.add_node(kind, names, output, name=name, **attributes)
        return output

    def _add_constant(self, values):
        name = self.scope.get_unique_variable_name("constant")
        array = np.asarray(values)
        if array.dtype.kind == "f":
            array = array.astype(self.dtype)
        if array.dtype.kind in "fi":
            tensor = onnx.numpy_helper.from_array(array)
            self.container.add_initializer(name, tensor.data_type, None, tensor)
        else:
            texts = [text.encode() for text in array]
            kind = onnx.TensorProto.STRING
            self.container.add_initializer(name, kind, array.shape, texts)
        return name

    def cast(self, values: str, dtype: np.dtype, output: str = "") -> str:
        """Add a cast, and return the name of its output."""
        return self.add(
            "Cast", values, to=np_dtype_to_tensor_dtype(dtype), output=output
        )

    def classify(
        self, estimator: Any, images: Any, is_raw: bool = False
    ) -> tuple[str, str]:
        """Add a classifier, and return the names of its labels and scores.

        Parameters
        ----------
        estimator : estimator
            The fitted classifier, with labels that are ints.
        images : skl2onnx.common._topology.Variable
            What it classifies.
        is_raw : bool, default=False
            Whether its scores are those of `decision_function`, of which there are two
            for two classes, instead of probabilities.
        """
        estimator = drop_wrappers(estimator)
        if is_raw:
            estimator = self._ask_for_raw_scores(estimator)
        operator = self.scope.declare_local_operator(
            get_model_alias(type(estimator)), estimator
        )
        label = self.scope.declare_local_variable("label", Int64TensorType())
        scores = self.scope.declare_local_variable("scores", type(images.type)())
        operator.inputs.append(images)
        operator.outputs.append(label)
        operator.outputs.append(scores)
        return label.full_name, scores.full_name

    def _ask_for_raw_scores(self, estimator):
        if isinstance(estimator, Pipeline):
            *steps, (name, last) = estimator.steps
            return Pipeline([*steps, (name, self._ask_for_raw_scores(last))])
        # A copy: options belong to an object, which may also be used without them.
        estimator = copy.copy(estimator)
        self.scope.add_options(id(estimator), {"raw_scores": True})
        self.container.add_options(id(estimator), {"raw_scores": True})
        return estimator

    def add_labels(self, codes: str, classes: np.ndarray, output: str) -> None:
        """Add the labels of codes, as integers or texts."""
        labels = np.array(classes.tolist())
        if labels.dtype.kind in "biuf":
            labels = labels.astype(np.int64)
        if not np.array_equal(labels, classes):
            raise ValueError(f"the labels {classes} are neither int64 nor text")
        self.add("Gather", labels, codes, output=output)

    def add_best_labels(self, scores: str, classes: np.ndarray, output: str) -> None:
        """Add the labels of the highest scores."""
        codes = self.add("ArgMax", scores, axis=1, keepdims=0)
        self.add_labels(codes, classes, output=output)


def find_float_type(variable: Any) -> np.dtype:
    """Return the float type of a variable of sklearn-onnx."""
    return tensor_dtype_to_np_dtype(guess_proto_type(variable.type))


def drop_wrappers(estimator: Any) -> Any:
    """Return an estimator without what has no part in its predictions.

    These are searches, of which the best estimator is left, FrozenEstimator, and steps
    that pass everything through.
    """
    if hasattr(estimator, "best_estimator_"):
        return drop_wrappers(estimator.best_estimator_)
    if isinstance(estimator, FrozenEstimator):
        return drop_wrappers(estimator.estimator)
    if type(estimator) is Pipeline:
        steps = [
            (name, drop_wrappers(step))
            for name, step in estimator.steps
            if step not in (None, "passthrough")
        ]
        return Pipeline(steps)
    return estimator
