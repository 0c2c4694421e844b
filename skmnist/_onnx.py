"""Converters for sklearn-onnx: of our estimators, and of what stands around them.

sklearn-onnx hands each converter a scope, which has the names, an operator, which has
the estimator, its inputs and its outputs, and a container, which takes the nodes.
"""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import onnx
from onnx.helper import np_dtype_to_tensor_dtype, tensor_dtype_to_np_dtype
from onnx.reference import ReferenceEvaluator
from skl2onnx import convert_sklearn, get_model_alias, update_registered_converter
from skl2onnx.common.data_types import (
    DoubleTensorType,
    FloatTensorType,
    Int64TensorType,
    guess_proto_type,
)
from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes
from sklearn.base import is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from skmnist._engine import state
from skmnist.classifier import MNISTMLPClassifier
from skmnist.preprocessing import ImageCenterer, ImageScaler

OPTIONS = {
    "zipmap": [True, False, "columns"],
    "raw_scores": [True, False],
    # sklearn-onnx asks for these of every classifier.
    "output_class_labels": [False],
    "nocl": [False],
}


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
            raise ValueError(f"it would not {method} the same")


def unwrap(estimator: Any) -> Any:
    """Return an estimator without what has no part in its predictions.

    These are searches, of which the best estimator is left, FrozenEstimator, and steps
    that pass everything through.
    """
    if hasattr(estimator, "best_estimator_"):
        return unwrap(estimator.best_estimator_)
    if isinstance(estimator, FrozenEstimator):
        return unwrap(estimator.estimator)
    if type(estimator) is Pipeline:
        steps = [
            (name, unwrap(step))
            for name, step in estimator.steps
            if step not in (None, "passthrough")
        ]
        return Pipeline(steps)
    return estimator


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
        estimator = unwrap(estimator)
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
            "the module has other layers than the parameters ask for; use "
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
        "ImageCenterer looks for ink in images of any size, which ONNX cannot; frame "
        "the images first, and convert the steps that follow it"
    )


def convert_voting(scope: Any, operator: Any, container: Any) -> None:
    """Convert a VotingClassifier.

    sklearn-onnx's own converter takes neither its default parameters nor a list of
    weights.
    """
    voting = operator.raw_operator
    [images], [label, probabilities] = operator.inputs, operator.outputs
    graph = Graph(scope, container, find_float_type(images))
    weights = find_weights(voting)
    votes = []
    for estimator, weight in zip(voting.estimators_, weights, strict=True):
        code, vote = graph.classify(estimator, images)
        if voting.voting == "hard":
            column = graph.add("Reshape", code, [-1, 1])
            is_voted = graph.add("Equal", column, np.arange(len(voting.classes_)))
            vote = graph.cast(is_voted, graph.dtype)
        votes.append(graph.add("Mul", vote, weight))
    total = graph.add("Sum", *votes)
    graph.add("Div", total, sum(weights), output=probabilities.full_name)
    graph.add_best_labels(total, voting.classes_, output=label.full_name)


def find_weights(voting: VotingClassifier) -> list[float]:
    """Return what each vote counts, without those that were dropped."""
    estimators = [estimator for _, estimator in voting.estimators]
    weights = [1] * len(estimators) if voting.weights is None else voting.weights
    return [
        float(weight)
        for weight, estimator in zip(weights, estimators, strict=True)
        if not isinstance(estimator, str)  # "drop"
    ]


def convert_stacking(scope: Any, operator: Any, container: Any) -> None:
    """Convert a StackingClassifier.

    sklearn-onnx's own converter takes no decision function of a pipeline, nor of two
    classes.
    """
    stacking = operator.raw_operator
    [images], [label, probabilities] = operator.inputs, operator.outputs
    graph = Graph(scope, container, find_float_type(images))
    features = []
    for estimator, method in zip(
        stacking.estimators_, stacking.stack_method_, strict=True
    ):
        if method == "predict":
            raise ValueError(
                "stack_method='predict' stacks labels; stack probabilities"
            )
        _, scores = graph.classify(estimator, images, method == "decision_function")
        if len(stacking.classes_) == 2:
            scores = graph.add("Gather", scores, [1], axis=1)
        features.append(scores)
    if stacking.passthrough:
        features.append(images.full_name)
    final = stacking.final_estimator_
    stacked = scope.declare_local_variable(
        "stacked", type(images.type)([None, final.n_features_in_])
    )
    graph.add("Concat", *features, output=stacked.full_name, axis=1)
    codes, scores = graph.classify(final, stacked)
    graph.add("Identity", scores, output=probabilities.full_name)
    graph.add_labels(codes, stacking.classes_, output=label.full_name)


def convert_calibrated(scope: Any, operator: Any, container: Any) -> None:
    """Convert a CalibratedClassifierCV.

    sklearn-onnx's own converter takes no decision function of a pipeline, does not
    interpolate between thresholds, and does not know temperatures.
    """
    calibrated = operator.raw_operator
    [images], [label, probabilities] = operator.inputs, operator.outputs
    graph = Graph(scope, container, find_float_type(images))
    each = [
        add_calibrated(graph, part, images, len(calibrated.classes_))
        for part in calibrated.calibrated_classifiers_
    ]
    total = graph.add("Sum", *each)
    mean = graph.add("Div", total, float(len(each)), output=probabilities.full_name)
    graph.add_best_labels(mean, calibrated.classes_, output=label.full_name)


def add_calibrated(graph: Graph, part: Any, images: Any, n_classes: int) -> str:
    """Add a classifier and its calibrators, and return the name of its probabilities.

    Parameters
    ----------
    graph : Graph
        What to add it to.
    part : sklearn.calibration._CalibratedClassifier
        The classifier and its calibrators.
    images : skl2onnx.common._topology.Variable
        What it classifies.
    n_classes : int
        The number of classes.
    """
    if len(part.estimator.classes_) != n_classes:
        raise ValueError("a part of the calibrated classifier has not seen all classes")
    is_raw = hasattr(part.estimator, "decision_function")
    _, scores = graph.classify(part.estimator, images, is_raw)
    if part.method == "temperature":
        if not is_raw:
            smallest = float(np.finfo(graph.dtype).eps)
            scores = graph.add("Log", graph.add("Add", scores, smallest))
        [temperature] = part.calibrators
        logits = graph.add("Mul", scores, float(temperature.beta_))
        return graph.add("Softmax", logits, axis=1)
    add = {"sigmoid": add_sigmoid, "isotonic": add_isotonic}[part.method]
    # Of two classes only the second has a calibrator.
    columns = [
        add(graph, graph.add("Gather", scores, [code], axis=1), calibrator)
        for code, calibrator in enumerate(part.calibrators, start=n_classes == 2)
    ]
    if n_classes == 2:
        return graph.add("Concat", graph.add("Sub", 1.0, *columns), *columns, axis=1)
    joined = graph.add("Concat", *columns, axis=1)
    total = graph.add("ReduceSum", joined, [1], keepdims=1)
    shares = graph.add("Div", joined, total)
    return graph.add("Where", graph.add("Equal", total, 0.0), 1 / n_classes, shares)


def add_sigmoid(graph: Graph, scores: str, calibrator: Any) -> str:
    """Add Platt's sigmoid, and return the name of its output."""
    products = graph.add("Mul", scores, -float(calibrator.a_))
    return graph.add("Sigmoid", graph.add("Sub", products, float(calibrator.b_)))


def add_isotonic(graph: Graph, scores: str, calibrator: Any) -> str:
    """Add a function that is linear between thresholds; return its output's name."""
    X = calibrator.X_thresholds_.astype(np.float64)
    y = calibrator.y_thresholds_.astype(np.float64)
    slopes = np.diff(y) / np.diff(X) if len(X) > 1 else np.zeros(1)
    scores = graph.add("Clip", scores, X[0], X[-1])
    is_above = graph.add("GreaterOrEqual", scores, X[1:-1])
    counts = graph.cast(is_above, np.dtype(np.int64))
    part = graph.add("ReduceSum", counts, [1], keepdims=1)
    start, value, slope = (graph.add("Gather", each, part) for each in (X, y, slopes))
    rise = graph.add("Mul", graph.add("Sub", scores, start), slope)
    return graph.add("Add", rise, value)


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
# Of scikit-learn's classes, for our own conversions only.
CONVERTERS = {
    CalibratedClassifierCV: convert_calibrated,
    StackingClassifier: convert_stacking,
    VotingClassifier: convert_voting,
}
