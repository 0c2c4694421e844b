"""Converters for sklearn-onnx: of this package's estimators."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from skl2onnx import update_registered_converter
from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes

from skmnist._engine import state
from skmnist.classifier import MNISTMLPClassifier
from skmnist.export._graph import Graph, find_float_type
from skmnist.preprocessing import ImageCenterer, ImageScaler

OPTIONS = {
    "zipmap": [True, False, "columns"],
    "raw_scores": [True, False],
    # sklearn-onnx asks for these of every classifier.
    "output_class_labels": [False],
    "nocl": [False],
}


def register() -> None:
    """Tell sklearn-onnx of the converters."""
    update_registered_converter(
        ImageScaler, "SkmnistImageScaler", set_shape_of_scaled, convert_scaler
    )
    update_registered_converter(  # asked for the shape first, it goes no further
        ImageCenterer, "SkmnistImageCenterer", refuse_centerer, convert_scaler
    )
    update_registered_converter(
        MNISTMLPClassifier,
        "SkmnistMNISTMLPClassifier",
        calculate_linear_classifier_output_shapes,
        convert_classifier,
        options=OPTIONS,
    )


def set_shape_of_scaled(operator: Any) -> None:
    """Tell sklearn-onnx which shape scaled images have."""
    scaler = operator.raw_operator
    shape = scaler.output_shape or (scaler.n_features_in_,)
    operator.outputs[0].type.shape = [None, *shape]


def convert_scaler(scope: Any, operator: Any, container: Any) -> None:
    """Convert an :class:`ImageScaler`."""
    graph = Graph(scope, container, np.dtype(np.float32))
    scaler = operator.raw_operator
    [images], [output] = operator.inputs, operator.outputs
    scaled = graph.cast(images.full_name, graph.dtype)
    scaled = graph.add("Div", scaled, float(scaler.max_intensity))
    if scaler.output_shape is not None:
        scaled = graph.add("Reshape", scaled, [-1, *scaler.output_shape])
    graph.cast(scaled, find_float_type(output), output=output.full_name)


def convert_classifier(scope: Any, operator: Any, container: Any) -> None:
    """Convert an :class:`MNISTMLPClassifier`."""
    classifier = operator.raw_operator
    if not state.has_own_layers(classifier.net_):
        raise ValueError(
            "the layers of the module do not match the parameters; use "
            "torch.onnx.export(classifier.module_, ...)"
        )
    first, *others = state.plain_layers(classifier.net_)
    graph = Graph(scope, container, first[0].dtype)
    [images], [label, scores] = operator.inputs, operator.outputs
    rows = graph.cast(graph.add("Flatten", images.full_name), graph.dtype)
    logits = graph.add("Gemm", rows, *first, transB=1)
    for layer in others:
        outputs = add_activation(graph, logits, classifier.module_.activation)
        logits = graph.add("Gemm", outputs, *layer, transB=1)
    if classifier._is_multilabel:
        label.type.shape = [None, len(classifier.classes_)]
        is_label = graph.add("Greater", logits, 0.0)
        graph.cast(is_label, np.dtype(np.int64), output=label.full_name)
        values = graph.add("Sigmoid", logits)
        graph.cast(values, find_float_type(scores), output=scores.full_name)
        return
    graph.add_best_labels(logits, classifier.classes_, output=label.full_name)
    if not scope.get_options(classifier, {"raw_scores": False})["raw_scores"]:
        values = graph.add("Softmax", logits, axis=1)
    elif len(classifier.classes_) == 2:
        # By how much a logit exceeds the other.
        values = graph.add("MatMul", logits, [[1.0, -1.0], [-1.0, 1.0]])
    else:
        values = logits
    graph.cast(values, find_float_type(scores), output=scores.full_name)


def add_activation(graph: Graph, inputs: str, name: str) -> str:
    """Add an activation function, and return the name of its output."""
    if name == "identity":
        return inputs
    if name == "gelu":
        # onnxruntime has no error function of float64.
        quotient = graph.cast(
            graph.add("Div", inputs, math.sqrt(2)), np.dtype(np.float32)
        )
        share = graph.add(
            "Add", graph.cast(graph.add("Erf", quotient), graph.dtype), 1.0
        )
        return graph.add("Mul", graph.add("Mul", inputs, share), 0.5)
    kinds = {"relu": "Relu", "tanh": "Tanh", "logistic": "Sigmoid"}
    return graph.add(kinds[name], inputs)


def refuse_centerer(operator: Any) -> None:
    """Say why an :class:`ImageCenterer` stays in Python."""
    raise ValueError(
        "ImageCenterer accepts images of any size, which ONNX does not support; apply "
        "it in Python, and convert the steps that follow it"
    )
