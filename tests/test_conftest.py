"""A skip is a failure in CI, unless the machine or a version cannot have the thing."""

from pathlib import Path

import pytest

pytest_plugins = "pytester"

SKIPS = """
import unittest

import pytest

def test_of_a_data_set(data_home):
    pass

def test_of_an_extra():
    pytest.importorskip("no_such_package")

@pytest.mark.skipif(True, reason="there is no browser")
def test_of_a_browser():
    pass

def test_of_scikit_learns():
    raise unittest.SkipTest("pandas is not installed")
"""
MODULE_OF_AN_EXTRA = """
import pytest

pytest.importorskip("no_such_package")
"""
ALLOWED = """
import unittest

import pytest

@pytest.mark.skipif(True, reason="unavailable here: os.fork, which Windows lacks")
def test_of_a_platform():
    pass

def test_of_array_api():
    raise unittest.SkipTest("SCIPY_ARRAY_API is not set: not checking")

def test_of_a_known_bug():
    pytest.xfail("known")
"""


@pytest.fixture
def outcomes(pytester, monkeypatch):
    """Run tests beside our own conftest.py and return how many had which outcome."""
    monkeypatch.delenv("SCIKIT_LEARN_DATA", raising=False)
    pytester.makeconftest(Path(__file__).with_name("conftest.py").read_text())

    def run(**files):
        pytester.makepyfile(**files)
        return pytester.runpytest("--continue-on-collection-errors").parseoutcomes()

    return run


@pytest.mark.parametrize(
    ("ci", "expected"),
    [("true", {"failed": 2, "errors": 3}), ("", {"skipped": 5})],
    ids=["in CI", "elsewhere"],
)
def test_what_is_missing_fails_in_ci_and_skips_elsewhere(
    outcomes, monkeypatch, ci, expected
):
    monkeypatch.setenv("CI", ci)

    assert outcomes(test_skips=SKIPS, test_of_an_extra=MODULE_OF_AN_EXTRA) == expected


def test_what_cannot_be_there_skips_in_ci_too(outcomes, monkeypatch):
    monkeypatch.setenv("CI", "true")

    assert outcomes(test_allowed=ALLOWED) == {"skipped": 2, "xfailed": 1}
