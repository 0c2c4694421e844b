"""The files around the package agree with each other."""

import ast
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import skmnist

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted(ROOT.glob(".github/workflows/*.yml"))
DOCS = ROOT / "docs"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]


def read_requirements(lines):
    requirements = map(Requirement, lines)
    return [each for each in requirements if each.name != "skmnist"]


def read_pins(name):
    lines = (ROOT / name).read_text().splitlines()
    pins = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {package: Version(version) for package, version in pins}


def get_floor(requirement):
    (floor,) = (each for each in requirement.specifier if each.operator == ">=")
    return Version(floor.version)


INSTALLED = read_requirements(
    [
        *PROJECT["dependencies"],
        *EXTRAS["skops"],
        *EXTRAS["distributed"],
        *EXTRAS["onnx"],
    ]
)
ALL = read_requirements(sum(EXTRAS.values(), PROJECT["dependencies"]))


def test_the_citation_is_of_this_version():
    lines = (ROOT / "CITATION.cff").read_text().splitlines()
    citation = dict(line.split(":", 1) for line in lines if re.match(r"[a-z-]+:", line))
    required = {"cff-version", "message", "title", "type", "authors", "license"}
    assert required <= set(citation)
    assert citation["version"].strip() == skmnist.__version__


@pytest.mark.parametrize("requirement", INSTALLED, ids=lambda each: each.name)
def test_the_oldest_versions_are_the_floors(requirement):
    pin = read_pins("constraints-oldest.txt")[requirement.name]
    if requirement.name == "torch":
        # Not every index keeps the CPU builds of its old releases.
        assert pin >= get_floor(requirement)
    else:
        assert pin == get_floor(requirement)


@pytest.mark.parametrize("requirement", ALL, ids=lambda each: each.name)
def test_the_newest_versions_are_in_the_ranges(requirement):
    pin = read_pins("constraints.txt")[requirement.name]
    assert requirement.specifier.contains(pin)


def test_make_lint_runs_the_tools_of_the_lint_extra():
    makefile = (ROOT / "Makefile").read_text()
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)[1]
    tools = set(re.findall(r"\$\(BIN\)/([\w-]+)", recipe))
    packages = {each.name for each in read_requirements(EXTRAS["lint"])}
    commands = {"import-linter": "lint-imports"}
    assert tools == {commands.get(package, package) for package in packages}


needs_docs = pytest.mark.skipif(
    not DOCS.exists(), reason="unavailable here: docs, which an sdist lacks"
)


def read_tree(page):
    """Return the paths of the files in the tree of a page, such as `skmnist/cli.py`."""
    folders, paths = {}, []
    for line in re.findall(r"^ +\w+(?:/|\.py)(?: .*)?$", page, re.MULTILINE):
        indent, name = len(line) - len(line.lstrip()), line.split()[0]
        above = [folders[each] for each in sorted(folders) if each < indent]
        if name.endswith("/"):
            folders = {k: v for k, v in folders.items() if k < indent} | {indent: name}
        else:
            paths.append("".join([*above, name]))
    return paths


@needs_docs
def test_the_design_names_every_file_and_no_other():
    page = (DOCS / "design.rst").read_text(encoding="utf-8")
    files = sorted(
        path.relative_to(ROOT).as_posix() for path in ROOT.glob("skmnist/**/*.py")
    )

    assert sorted(read_tree(page)) == files
    for mention in re.findall(r"``([\w/]+\.py)``", page):
        assert any(file.endswith(f"/{mention}") for file in files)


def read_test_names():
    """Return the names of all test functions."""
    modules = [
        ast.parse(path.read_text(encoding="utf-8"))
        for path in (ROOT / "tests").rglob("test_*.py")
    ]
    nodes = [node for module in modules for node in ast.walk(module)]
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef)}


@needs_docs
def test_every_promise_has_a_test_that_exists():
    page = (DOCS / "promises.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (?!promise |---)(.*) \|$", page, re.MULTILINE)
    named = {row: re.findall(r"`(test_\w+)`", row) for row in rows}

    assert len(rows) > 100
    assert [row for row, tests in named.items() if not tests] == []
    assert set(re.findall(r"`(test_\w+)`", page)) <= read_test_names()


@needs_docs
@pytest.mark.parametrize("page", ["README.md", "docs/install.rst"])
def test_the_pages_name_the_oldest_python(page):
    oldest = PROJECT["requires-python"].removeprefix(">=")

    assert f"Python {oldest} or newer" in (ROOT / page).read_text(encoding="utf-8")


@pytest.mark.skipif(
    not WORKFLOWS, reason="unavailable here: workflows, which an sdist lacks"
)
@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_the_workflows_call_targets_that_exist():
    text = "\n".join(path.read_text() for path in WORKFLOWS)
    # Either after make, or in the list that `make ${{ matrix.target }}` goes through.
    calls = re.findall(r"(?:run: make|target:) \[?([a-z].*)", text)
    targets = {target for call in calls for target in re.findall(r"[\w.-]+", call)}
    assert targets >= {"lint", "test", "docs"}
    subprocess.run(["make", "--dry-run", *targets], cwd=ROOT, check=True)
