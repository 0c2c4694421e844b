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
    monkeypatch.setattr(products, "is_intel", lambda: is_intel)

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


def test_a_second_factor_is_laid_out_by_rows_in_float64_alone():
    factor = torch.zeros(32, 16, dtype=torch.float64).T

    assert products.row_major(factor).is_contiguous()
    assert not products.row_major(factor.float()).is_contiguous()


@pytest.mark.parametrize(
    ("n_threads", "units", "expected"), [(1, 64, 1), (2, 64, 2), (2, 48, 1), (2, 7, 1)]
)
def test_each_thread_has_a_product_of_whole_tiles(
    monkeypatch, n_threads, units, expected
):
    n_products = []
    spied = torch.bmm
    monkeypatch.setattr(torch, "get_num_threads", lambda: n_threads)
    monkeypatch.setattr(
        torch,
        "bmm",
        lambda a, b, out: [n_products.append(len(a)), spied(a, b, out=out)],
    )

    multiply(torch.ones(units, 32), torch.ones(32, 100), out=torch.empty(units, 100))

    assert (n_products or [1]) == [expected]


@pytest.mark.parametrize(
    ("wish", "dtype", "is_fast", "expected"),
    [
        ("medium", torch.float32, True, torch.bfloat16),
        ("medium", torch.float32, False, torch.float32),
        ("medium", torch.float64, True, torch.float64),
        ("high", torch.float32, True, torch.float32),
        ("highest", torch.float32, True, torch.float32),
    ],
)
@pytest.mark.parametrize("is_intel", [True, False])
@pytest.mark.parametrize("is_new_torch", [True, False])
def test_products_are_of_bfloat16_where_it_is_asked_for_and_fast(
    monkeypatch, precision, wish, dtype, is_fast, expected, is_intel, is_new_torch
):
    fast, other = "_is_avx512_bf16_supported", "_is_amx_tile_supported"
    fast, other = (other, fast) if is_intel else (fast, other)
    # Both are new in torch 2.6.
    monkeypatch.setattr(torch.cpu, fast, lambda: is_fast, raising=False)
    monkeypatch.setattr(torch.cpu, other, lambda: not is_fast, raising=False)
    monkeypatch.setattr(products, "is_intel", lambda: is_intel)
    if not is_new_torch:
        monkeypatch.setattr(torch.backends.mkldnn, "matmul", None, raising=False)
    precision(wish)

    assert find_factor_dtype(torch.empty(1, dtype=dtype)) == expected
