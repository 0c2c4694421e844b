import os

import pytest

from skmnist._engine import products


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
