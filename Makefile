# Each target makes the environment that it needs, from nothing but Python and make.
ifeq ($(OS),Windows_NT)
SHELL := bash
PYTHON ?= python
SCRIPTS := Scripts
else
PYTHON ?= python3
SCRIPTS := bin
endif
BIN := .venv/$(SCRIPTS)

# Modules are compiled when they are first imported: to compile all of them takes half of
# an installation. Without bytecode each process would compile them anew.
INSTALL := pip install --quiet --no-compile
unexport PYTHONDONTWRITEBYTECODE

# Tests run in two processes, with two threads each: waiting threads must not spin.
test test-oldest test-middle test-friends: export OMP_WAIT_POLICY = passive
PYTEST := python -m pytest -n 2 --dist worksteal

# The releases of scikit-learn between the oldest and the newest.
MIDDLE := 1.7.2 1.8.0

.DEFAULT_GOAL := help
.PHONY: help demo data test test-oldest test-middle $(MIDDLE:%=test-%) test-friends \
	dist test-wheel test-sdist lint docs benchmark coverage fuzz mutants format clean

help:  ## Show this help
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*##/ /' | awk '{printf "%-12s %s\n", $$1, substr($$0, index($$0, $$2))}'

demo: .venv/demo  ## Train, evaluate, save and plot the default network on MNIST
	$(BIN)/skmnist

data: .venv/demo  ## Download MNIST into scikit-learn's data home
	$(BIN)/python -c 'from skmnist import fetch_mnist; fetch_mnist(subset="all")'

test: .venv/test  ## Run the tests and the examples in the docstrings
	$(BIN)/$(PYTEST) --ignore tests/test_common.py
	SCIPY_ARRAY_API=1 $(BIN)/$(PYTEST) -q tests/test_common.py

test-oldest: .venv-oldest/test  ## Run the tests with the oldest versions (Python 3.11)
	.venv-oldest/$(SCRIPTS)/$(PYTEST)

test-middle: $(MIDDLE:%=test-%)  ## Run scikit-learn's checks with its middle versions

# They share an environment, in which only scikit-learn is replaced.
$(MIDDLE:%=test-%): test-%: .venv-middle/test
	.venv-middle/$(SCRIPTS)/$(INSTALL) scikit-learn==$*
	.venv-middle/$(SCRIPTS)/$(PYTEST) -q tests/test_common.py README.md

test-friends: .venv-friends/friends  ## Run the tests with other people's tools
	.venv-friends/$(SCRIPTS)/$(PYTEST) -q tests/friends

dist: .venv/dist  ## Build the sdist and the wheel into dist
	rm -rf dist
	$(BIN)/python -m build
	$(BIN)/twine check --strict dist/*

test-wheel: dist  ## Run the README's code with the wheel, outside the checkout
	$(BIN)/python tests/distribution.py wheel

test-sdist: dist  ## Run the tests of the sdist, outside the checkout
	$(BIN)/python tests/distribution.py sdist

lint: .venv/lint  ## Check style, spelling, types, imports, workflows and citation
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.citation-file-format CITATION.cff

docs: .venv/docs  ## Build the documentation into docs/_build/html, and test it
	$(BIN)/sphinx-build -W --keep-going -b html docs docs/_build/html
	$(BIN)/python -m pytest -q tests/test_docs.py tests/test_draw.py -k "not code_of_a_page"

benchmark: .venv/benchmark  ## Time the package against others (40 minutes on two cores)
	$(BIN)/python benchmarks/run.py

# Apart from the tests, which it makes a quarter slower.
coverage: .venv/test  ## Measure which lines the tests run
	$(BIN)/$(PYTEST) -q --cov

fuzz: .venv/test  ## Load 5,000 changed files of models, and use them
	$(BIN)/python tests/fuzz_models.py 5000

mutants: .venv/mutants  ## Count the random faults that the tests catch (hours)
	$(BIN)/python tests/mutants.py

format: .venv/lint  ## Format the code and fix what can be fixed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## Remove the environments and all that was made
	rm -rf .venv .venv-* .mypy_cache .pytest_cache .ruff_cache .coverage .hypothesis htmlcov \
		build dist skmnist-output docs/_build docs/auto_examples docs/generated

%/pip:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "skmnist needs Python 3.11 or newer; try: make PYTHON=python3.11")'
	$(PYTHON) -m venv $*
	touch $@

.venv/demo: .venv/pip pyproject.toml constraints.txt
	$(BIN)/$(INSTALL) --constraint constraints.txt --editable .
	touch $@

.venv/test: .venv/pip pyproject.toml constraints.txt
	$(BIN)/$(INSTALL) --constraint constraints.txt --editable '.[test]'
	touch $@

.venv/docs: .venv/pip pyproject.toml constraints.txt
	$(BIN)/$(INSTALL) --constraint constraints.txt --editable '.[docs,test]'
	touch $@

.venv/benchmark: .venv/pip pyproject.toml constraints.txt
	$(BIN)/$(INSTALL) --constraint constraints.txt --editable '.[benchmark]'
	touch $@

.venv/mutants: .venv/pip pyproject.toml constraints.txt
	$(BIN)/$(INSTALL) --constraint constraints.txt --editable '.[mutants]'
	touch $@

.venv/lint: .venv/pip pyproject.toml constraints.txt
	$(BIN)/$(INSTALL) --constraint constraints.txt --editable '.[lint]'
	touch $@

.venv/dist: .venv/pip constraints.txt
	$(BIN)/$(INSTALL) --constraint constraints.txt build twine
	touch $@

.venv-oldest/constraints.txt: constraints-oldest.txt .venv-oldest/pip
	cp $< $@

.venv-middle/constraints.txt: constraints.txt .venv-middle/pip
	{ grep -v '^scikit-learn==' $<; echo 'scikit-learn==$(firstword $(MIDDLE))'; } > $@

# MLflow takes no newer release of pyarrow.
.venv-friends/constraints.txt: constraints.txt .venv-friends/pip
	{ grep -v '^pyarrow==' $<; echo 'pyarrow==25.0.1'; } > $@

.venv-friends/friends: .venv-friends/constraints.txt pyproject.toml
	.venv-friends/$(SCRIPTS)/$(INSTALL) --constraint $< --editable '.[friends]'
	touch $@

.venv-oldest/test .venv-middle/test: %/test: %/constraints.txt pyproject.toml
	$*/$(SCRIPTS)/$(INSTALL) --constraint $< --editable '.[test]'
	touch $@
