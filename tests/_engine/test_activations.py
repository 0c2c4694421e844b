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


@pytest.mark.usefixtures("two_threads")  # which restores what there was
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_have_the_same_bits_on_any_number_of_threads(name, dtype):
    generator = torch.Generator().manual_seed(0)
    X = torch.randn(2**17, dtype=dtype, generator=generator)
    results = []
    for n_threads in (1, 2, 3, 7):
        torch.set_num_threads(n_threads)
        results.append(ACTIVATIONS[name].module()(X.clone()))

    assert all(torch.equal(result, results[0]) for result in results)
