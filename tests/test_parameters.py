"""What each parameter may be."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import KFold

from skmnist import _parameters
from skmnist._engine import activations, optimizer
from small_models import small


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("hidden_layer_sizes", (0,), "a positive int or a tuple"),
        ("hidden_layer_sizes", (16, -1), "a positive int or a tuple"),
        ("hidden_layer_sizes", (1.5,), "a positive int or a tuple"),
        ("hidden_layer_sizes", "256", "a positive int or a tuple"),
        ("activation", "rleu", "one of 'relu', 'tanh'"),
        ("dropout", 1.5, r"a number in \[0, 1\)"),
        ("dropout", 1.0, r"a number in \[0, 1\)"),
        ("dropout", -0.1, r"a number in \[0, 1\)"),
        ("dropout", np.nan, r"a number in \[0, 1\)"),
        ("dropout", "0.5", r"a number in \[0, 1\)"),
        ("optimizer", "adma", "one of 'adam', 'adamw'"),
        ("optimizer", dict, "subclass of torch.optim.Optimizer"),
        ("learning_rate", 0, "a positive number"),
        ("learning_rate", -0.1, "a positive number"),
        ("learning_rate", np.inf, "a positive number"),
        ("optimizer_params", {"lr": 1}, "for lr use learning_rate"),
        ("optimizer_params", [("eps", 1)], "None or a dict"),
        ("optimizer_params", {"param_groups": []}, "None or a dict"),
        ("batch_size", 0, "an int of at least 1"),
        ("batch_size", 12.0, "an int of at least 1"),
        ("max_epochs", 0, "an int of at least 1"),
        ("patience", True, "an int of at least 1"),
        ("validation_split", 1.0, r"a fraction in \(0, 1\)"),
        ("validation_split", 0.0, r"a fraction in \(0, 1\)"),
        ("validation_split", 1, r"an int of at least 2"),
        ("validation_split", "0.2", r"a fraction in \(0, 1\)"),
        ("validation_split", b"0.2", r"a fraction in \(0, 1\)"),
        ("validation_split", KFold, "a scikit-learn splitter"),
        ("early_stopping", 1, "True or False"),
        ("warm_start", "no", "True or False"),
        ("class_weight", "balance", "None, 'balanced', or a dict"),
        ("class_weight", {0: -1.0}, "weights of zero or more"),
        ("callbacks", "EarlyStopping", "a list of skorch callbacks"),
        ("callbacks", [print], "a list of skorch callbacks"),
        ("verbose", -1, "0, 1 or 2"),
    ],
)
def test_a_wrong_parameter_is_named_with_what_is_allowed(digits, name, value, allowed):
    classifier = small(**{name: value})

    with pytest.raises(
        ValueError, match=rf"(?s){name}=.* is not valid; give .*{allowed}"
    ):
        classifier.fit(*digits)

    assert not hasattr(classifier, "net_")


@pytest.mark.parametrize(
    "parameters",
    [
        {"hidden_layer_sizes": 8},
        {"hidden_layer_sizes": ()},
        {"hidden_layer_sizes": [8, 8]},
        {"hidden_layer_sizes": np.array([8])},
        {"activation": "gelu"},
        {"optimizer": torch.optim.NAdam},
        {"optimizer": torch.optim.LBFGS, "learning_rate": 0.1},
        {"optimizer": "sgd", "optimizer_params": {"momentum": 0.9, "nesterov": True}},
        {"batch_size": 100_000},
        {"batch_size": 1},
        {"device": torch.device("cpu")},
    ],
)
def test_each_kind_of_parameter_trains(digits, parameters):
    X, y = digits
    classifier = small(**{"max_epochs": 3, **parameters}).fit(X[:200], y[:200])

    assert np.isfinite(classifier.history_["train_loss"]).all()
    assert clone(classifier).get_params().keys() == classifier.get_params().keys()


def test_early_stopping_needs_validation(digits):
    with pytest.raises(
        ValueError, match="early_stopping=True needs data to validate on"
    ):
        small(early_stopping=True, validation_split=None).fit(*digits)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"X_val": [[0.0] * 64]}, "y_val=None; give X_val and y_val together"),
        ({"y_val": [0]}, "X_val=None; give X_val and y_val together"),
        ({"sample_weight_val": [1.0]}, "sample_weight_val is given, but X_val"),
        ({"X_val": [[0.0] * 64], "y_val": [77]}, r"y_val has the labels \[77\]"),
        ({"X_val": [[0.0] * 64], "y_val": ["1"]}, r"y_val has the labels \['1'\]"),
        ({"X_val": [[0.0] * 63], "y_val": [0]}, "63 features"),
    ],
)
def test_wrong_validation_data_are_an_error(digits, parameters, words):
    with pytest.raises(ValueError, match=words):
        small().fit(*digits, **parameters)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"hidden_layer_sizes": (8,)}, r"hidden_layer_sizes=\(8,\) is new"),
        ({"optimizer": "sgd"}, "optimizer='sgd' is new"),
        ({"dropout": 0.1}, "dropout=0.1 is new"),
    ],
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_training_on_refuses_another_network(digits, change, words, method):
    classifier = small(warm_start=True).fit(*digits)

    with pytest.raises(ValueError, match=words):
        getattr(classifier.set_params(**change), method)(*digits)


def test_warm_start_knows_a_network_by_its_sizes(digits):
    classifier = small(hidden_layer_sizes=16, warm_start=True).fit(*digits)

    classifier.set_params(hidden_layer_sizes=(16,), dropout=np.float64(0.5))

    assert classifier.fit(*digits).n_iter_ == 4


def test_the_names_are_those_that_the_engine_knows():
    assert tuple(activations.ACTIVATIONS) == _parameters.ACTIVATIONS
    assert tuple(optimizer.OPTIMIZERS) == _parameters.OPTIMIZERS


def test_reading_the_rules_loads_no_heavy_package():
    code = """
import sys
import skmnist._parameters
print(sorted({"torch", "skorch", "sklearn", "scipy", "pandas"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert done.stdout.strip() == "[]", done.stderr
