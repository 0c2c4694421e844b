"""Matrix products."""

import os

import pytest
import torch

from skmnist._engine import products
from skmnist._engine.products import find_factor_dtype, multiply


@pytest.mark.parametrize(
    ("is_intel", "wish", "expected"),
    [
        (True, None, "AUTO,STRICT"),
        (True, "COMPATIBLE", "COMPATIBLE"),
        (False, None, None),
    ],
)
def test_mkl_is_asked_for_the_same_bits_on_intels_alone(
    monkeypatch, is_intel, wish, expected
):
    monkeypatch.delenv("MKL_CBWR", raising=False)
    if wish is not None:
        monkeypatch.setenv("MKL_CBWR", wish)
    monkeypatch.setattr(products, "_is_intel", lambda: is_intel)

    products.ask_for_same_bits()

    assert os.environ.get("MKL_CBWR") == expected


@pytest.mark.parametrize("units", [64, 7, 10])
def test_products_are_the_same_on_two_threads(units, two_threads):
    generator = torch.Generator().manual_seed(0)
    gradient = torch.randn(units, 32, generator=generator)
    inputs = torch.randn(32, 100, generator=generator)
    ours, expected = torch.empty(2, units, 100)

    multiply(gradient, inputs, out=ours)
    torch.mm(gradient, inputs, out=expected)

    torch.testing.assert_close(ours, expected)


@pytest.mark.parametrize(
    ("wish", "has_bfloat16", "dtype", "expected"),
    [
        ("medium", True, torch.float32, torch.bfloat16),
        ("medium", False, torch.float32, torch.float32),
        ("medium", True, torch.float64, torch.float64),
        ("high", True, torch.float32, torch.float32),
        ("highest", True, torch.float32, torch.float32),
    ],
)
@pytest.mark.parametrize("is_new_torch", [True, False])
def test_products_are_of_bfloat16_where_it_is_asked_for_and_there(
    monkeypatch, precision, wish, has_bfloat16, dtype, expected, is_new_torch
):
    supported = "_is_avx512_bf16_supported"  # new in torch 2.6
    monkeypatch.setattr(torch.cpu, supported, lambda: has_bfloat16, raising=False)
    if not is_new_torch:
        monkeypatch.setattr(torch.backends.mkldnn, "matmul", None, raising=False)
    precision(wish)

    assert find_factor_dtype(torch.empty(1, dtype=dtype)) == expected
