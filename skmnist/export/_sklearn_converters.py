"""Converters for sklearn-onnx: of scikit-learn's estimators that hold others."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, VotingClassifier

from skmnist.export._graph import Graph, find_float_type


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
                "stack_method='predict' is not supported; use 'predict_proba'"
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
        raise ValueError(
            "a part of the calibrated classifier was fitted without some of the classes"
        )
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


# For our own conversions only: others may want those of sklearn-onnx.
CONVERTERS = {
    CalibratedClassifierCV: convert_calibrated,
    StackingClassifier: convert_stacking,
    VotingClassifier: convert_voting,
}
