# Everything a developer runs. Needs Python 3.11 or newer, make and a package index; makes its own .venv.
#
#   make demo       a cluster on this machine, actors on it, and what they did
#   make check      style, types, architecture and house rules
#   make test       check, then the quick tests           make test-all   the slow and the timed ones too
#   make bench      what calls cost on this machine       make docs       the manual, into docs/_build
#   make clean      remove what the others made               make help       these lines
#
# `make PYTHON=/path/to/python3.12 ...` picks the interpreter; it counts when .venv is made, so `make clean` first.

.DEFAULT_GOAL := test
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: demo test test-all check bench docs clean help

# Probed by running: version-manager shims exist under names they cannot run.
PYTHON ?= $(firstword $(foreach name,python3.13 python3.12 python3.11 python3 python3.14 python,$(shell \
  $(name) -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $(name))))

VENV := .venv
BIN := $(VENV)/bin
CREATED := $(VENV)/.created
CORE := $(VENV)/.core-installed
DEV := $(VENV)/.dev-installed
DOCS := $(VENV)/.docs-installed

PYTEST := $(BIN)/python -m pytest
QUICK := -m "not slow and not perf"
# Two fifths of the time a worker waits for what its test has started: three keep two processors busy.
WORKERS := -n 3 --dist loadgroup
# The hundreds of processes that tests start would compile the package each by itself.
unexport PYTHONDONTWRITEBYTECODE

demo: $(CORE)
	$(BIN)/partisan demo

test: check
	$(PYTEST) $(WORKERS) $(QUICK) --ignore=tests/house

test-all: check
	$(PYTEST) $(WORKERS) -m "not perf" --ignore=tests/house
	@# Timed tests have the machine to themselves. Exit code 5 means that there are none yet.
	$(PYTEST) -m perf || test $$? -eq 5

check: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict partisan_actors
	$(BIN)/lint-imports
	$(PYTEST) -q tests/house

bench: $(CORE)
	$(BIN)/partisan bench

docs: $(DOCS)
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet -b html docs docs/_build/html
	@echo "The manual is docs/_build/html/index.html"

help:
	@sed -n 's/^#   //p' Makefile

clean:
	rm -rf $(VENV) docs/_build build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .schemathesis
	find partisan_actors tests examples -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# ------------------------------------------------------------------------------------------- the virtual environment

$(CREATED):
	@test -n "$(PYTHON)" || { echo "make: no Python 3.11 or newer with venv found; say make PYTHON=/path/to/it" >&2; exit 1; }
	@echo "Making $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(CORE): pyproject.toml | $(CREATED)
	@echo "Installing partisan_actors into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(DEV): pyproject.toml | $(CREATED)
	@echo "Installing partisan_actors and what its tests need into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(CORE) $@

$(DOCS): pyproject.toml | $(CREATED)
	@echo "Installing partisan_actors and what its manual needs into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	@touch $(CORE) $@
