"""The activation functions."""

import pytest
import torch

from skmnist._engine.activations import ACTIVATIONS
from skmnist._engine.network import MLP


@pytest.mark.parametrize(
    ("activation", "function"),
    [
        ("relu", torch.relu),
        ("tanh", torch.tanh),
        ("gelu", torch.nn.functional.gelu),
        ("logistic", torch.sigmoid),
        ("identity", lambda X: X),
    ],
)
def test_each_activation_is_the_function_of_its_name(activation, function):
    module = MLP(4, (6,), 3, activation, dropout=0.5).eval()
    X = torch.randn(5, 4)

    expected = module.output(function(module.hidden_1(X)))

    torch.testing.assert_close(module(X), expected)
    assert set(ACTIVATIONS) == {"relu", "tanh", "gelu", "logistic", "identity"}
