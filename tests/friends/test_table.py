"""The list of tools says what is tested."""

import ast
import textwrap
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.version import Version
from table import FRIENDS, read_versions

HERE = Path(__file__).parent
each_friend = pytest.mark.parametrize("friend", FRIENDS, ids=lambda each: each.tool)


def read_imports(code):
    """Return what a piece of code imports, as pairs of a module and a name."""
    nodes = list(ast.walk(ast.parse(code)))
    modules = [
        each for node in nodes if isinstance(node, ast.Import) for each in node.names
    ]
    names = [
        (node.module, each.name)
        for node in nodes
        if isinstance(node, ast.ImportFrom)
        for each in node.names
    ]
    return {*names, *((each.name, None) for each in modules)}


def test_each_tool_has_tests_and_all_tests_have_a_tool():
    files = {path.name for path in HERE.glob("test_*.py")} - {Path(__file__).name}

    assert sorted(friend.tests for friend in FRIENDS) == sorted(files)
    tools = [friend.tool.lower() for friend in FRIENDS]
    assert tools == sorted(tools)
    assert len(FRIENDS) >= 25


@each_friend
def test_the_version_that_is_named_is_installed(friend):
    named = Version(read_versions()[friend.distribution])

    assert Version(version(friend.distribution)).public == named.public


@each_friend
def test_the_lines_import_what_is_tested(friend):
    tests = (HERE / friend.tests).read_text(encoding="utf-8")

    assert read_imports(textwrap.dedent(friend.lines)) <= read_imports(tests)
