"""Public functions say what they take and what they return."""

import ast
from pathlib import Path

import pytest

import skmnist

PACKAGE = Path(skmnist.__file__).parent
MODULES = sorted([*PACKAGE.glob("*.py"), *PACKAGE.glob("plotting/*.py")])


def iterate_public(body, owner=None):
    """Yield public functions and methods, and constructors of public classes."""
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from iterate_public(node.body, owner=node.name)
        elif isinstance(node, ast.FunctionDef):
            is_constructor = node.name == "__init__" and not owner.startswith("_")
            if is_constructor or not node.name.startswith("_"):
                yield owner, node


def find_gaps(owner, function):
    """Return the names of the arguments without an annotation, and `return`."""
    group = function.args
    arguments = [*group.posonlyargs, *group.args, *group.kwonlyargs]
    arguments += [each for each in (group.vararg, group.kwarg) if each is not None]
    is_static = "staticmethod" in map(ast.unparse, function.decorator_list)
    if owner is not None and not is_static:
        del arguments[0]  # self or cls
    gaps = [each.arg for each in arguments if each.annotation is None]
    # A constructor returns nothing, which goes without saying.
    is_silent = function.returns is None and function.name != "__init__"
    return [*gaps, "return"] if is_silent else gaps


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_public_functions_are_annotated_fully(path):
    body = ast.parse(path.read_text(encoding="utf-8")).body
    gaps = {
        (owner, function.name): find_gaps(owner, function)
        for owner, function in iterate_public(body)
    }
    assert {name: missing for name, missing in gaps.items() if missing} == {}
