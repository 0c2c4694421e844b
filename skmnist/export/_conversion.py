"""From a model to ONNX, and the comparison of both."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx
from onnx.helper import np_dtype_to_tensor_dtype
from onnx.reference import ReferenceEvaluator
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType
from sklearn.base import is_classifier

from skmnist.export._graph import drop_wrappers
from skmnist.export._own_converters import register
from skmnist.export._sklearn_converters import CONVERTERS

register()  # once: what sklearn-onnx knows, it knows in the whole process


def convert(model: Any, dtype: np.dtype, shape: tuple[int, ...]) -> onnx.ModelProto:
    """Return a model in ONNX.

    Parameters
    ----------
    model : estimator
        The fitted model.
    dtype : dtype
        The type of the images.
    shape : tuple of int
        The shape of an image.

    Returns
    -------
    converted : onnx.ModelProto
        The model.
    """
    model = drop_wrappers(model)
    # sklearn-onnx gives the type that comes in to all that is computed.
    floats = DoubleTensorType if dtype == np.float64 else FloatTensorType
    converted = convert_sklearn(
        model,
        initial_types=[("X", floats([None, math.prod(shape)]))],
        options={id(model): {"zipmap": False}} if is_classifier(model) else None,
        custom_conversion_functions=CONVERTERS,
    )
    if dtype not in (np.float32, np.float64) or len(shape) > 1:
        take_images(converted.graph, dtype, shape)
    onnx.checker.check_model(converted, full_check=True)
    return converted


def take_images(graph: Any, dtype: np.dtype, shape: tuple[int, ...]) -> None:
    """Let a graph that takes rows of floats take images as they are.

    Parameters
    ----------
    graph : onnx.GraphProto
        The graph, with an input X; it is changed.
    dtype : dtype
        The type of the images.
    shape : tuple of int
        The shape of an image.
    """
    [rows] = graph.input
    for node in graph.node:
        node.input[:] = ["rows" if name == "X" else name for name in node.input]
    to_rows = [
        onnx.helper.make_node(
            "Cast", ["X"], ["floats"], to=rows.type.tensor_type.elem_type
        ),
        onnx.helper.make_node("Flatten", ["floats"], ["rows"]),
    ]
    nodes = [*to_rows, *graph.node]
    del graph.node[:], graph.input[:]
    graph.node.extend(nodes)
    kind = np_dtype_to_tensor_dtype(dtype)
    graph.input.append(onnx.helper.make_tensor_value_info("X", kind, [None, *shape]))


def check_outputs(
    converted: onnx.ModelProto, images: np.ndarray, expected: dict[str, Any]
) -> None:
    """Raise an error if a converted model predicts something else.

    Parameters
    ----------
    converted : onnx.ModelProto
        The converted model.
    images : ndarray
        Some images.
    expected : dict
        What each method of the model makes of them, in the order of the outputs.

    Raises
    ------
    ValueError
        If it does; sklearn-onnx ignores what it does not know of.
    """
    outputs = ReferenceEvaluator(converted).run(None, {"X": images})
    for (method, values), output in zip(expected.items(), outputs, strict=False):
        if method == "predict":
            is_same = np.array_equal(output, values)
        else:
            is_same = np.allclose(output, values, rtol=1e-3, atol=1e-3)
        if not is_same:
            raise ValueError(f"the results of {method} would differ")
