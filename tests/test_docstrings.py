"""What a public function raises is named in its docstring."""

import ast
import inspect
import re
from pathlib import Path

import pytest

import skmnist

PACKAGE = Path(skmnist.__file__).parent


def is_public(path):
    parts = path.relative_to(PACKAGE).parts
    return not any(part.startswith("_") for part in parts)


def find_public(body, owner=None):
    """Yield each public function, method and constructor with its docstring."""
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from find_public(node.body, owner=node)
        elif isinstance(node, ast.FunctionDef):
            decorators = set(map(ast.unparse, node.decorator_list))
            if node.name == "__init__":
                yield node, ast.get_docstring(owner)
            elif not node.name.startswith("_") and not decorators & {
                "property",
                "overload",
            }:
                yield node, ast.get_docstring(node)


def find_calls(node):
    """Return the names of the functions and methods that are called within a node."""
    calls = [each.func for each in ast.walk(node) if isinstance(each, ast.Call)]
    return {getattr(call, "attr", getattr(call, "id", None)) for call in calls}


def find_raised(node, checkers):
    """Return the names of the exceptions that a function itself raises."""
    raised = [each.exc for each in ast.walk(node) if isinstance(each, ast.Raise)]
    names = {ast.unparse(exc.func) for exc in raised if isinstance(exc, ast.Call)}
    if find_calls(node) & checkers:
        names.add("NotFittedError")
    return {name for name in names if name[0].isupper()}


def read_raises(docstring):
    """Return the names of a Raises section."""
    section = re.search(r"^Raises\n-+\n((?:.+\n?)+)", docstring or "", re.MULTILINE)
    lines = re.findall(r"^\w.*", section[1], re.MULTILINE) if section else []
    return {name for line in lines for name in line.split(", ")}


def is_class(node):
    return isinstance(node, ast.ClassDef)


def find_checkers(tree):
    """Return the names of private functions that raise NotFittedError."""
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and node.name.startswith("_")
        and "check_is_fitted" in find_calls(node)
    }


def read_functions():
    """Yield each public function: its name, what it raises and what it says so of."""
    trees = {
        path: ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(PACKAGE.rglob("*.py"))
    }
    classes = [node for tree in trees.values() for node in tree.body if is_class(node)]
    inherited = set().union(*map(find_checkers, classes))
    for path in filter(is_public, trees):
        tree = trees[path]
        checkers = {"check_is_fitted"} | inherited | find_checkers(tree)
        for node, docstring in find_public(tree.body):
            yield (
                f"{path.stem}.{node.name}",
                find_raised(node, checkers),
                read_raises(docstring),
            )


FUNCTIONS = list(read_functions())


def test_the_functions_that_raise_are_found():
    raised = {name: exceptions for name, exceptions, _ in FUNCTIONS}

    assert raised["classifier.predict"] == {"NotFittedError"}
    assert raised["classifier.partial_fit"] == {"ValueError"}
    assert raised["distributed.__init__"] == {"ImportError"}


@pytest.mark.parametrize(
    ("raised", "named"),
    [(raised, named) for _, raised, named in FUNCTIONS],
    ids=[name for name, *_ in FUNCTIONS],
)
def test_what_a_public_function_raises_is_in_its_docstring(raised, named):
    assert raised <= named


def test_a_raises_section_is_read_to_its_end():
    def example():
        """Do something.

        Raises
        ------
        NotFittedError, ValueError
            If it cannot be done:
            TypeError is another matter.
        OSError
            On a full disk.

        Warns
        -----
        UserWarning
            Always.
        """

    docstring = inspect.getdoc(example)

    assert read_raises(docstring) == {"NotFittedError", "ValueError", "OSError"}
