# Everything a developer types. `make` alone lists it. Needs Python 3.10, 3.11 or 3.12, make and PyPI.
#
#   make test PYTHON=python3.12 VENV=.venv-3.12      another Python, side by side
#   make check PYTEST_ARGS='-k sweep' COVERAGE_ARGS= a part of the suite
#   make lock LOCK_ARGS=--upgrade                    newer packages, where pyproject.toml allows them

PYTHON ?= python3
VENV ?= .venv
# How many tests run at once: 0 is one after another, in one process.
WORKERS ?= 0
PYTEST_ARGS ?=
COVERAGE_ARGS ?= --cov
LOCK_ARGS ?=

BIN := $(VENV)/bin
# What the environment is made of. When one of these changes, it is brought up to date; otherwise it is taken as it is.
KEY := $(shell { echo '$(CURDIR) $(PYTHON)'; cat requirements/uv.txt requirements/dev.txt pyproject.toml; } | cksum | tr ' ' -)
READY := $(VENV)/.ready-$(KEY)

# Tools that are not on PyPI. They go to .cache/bin, and only with Go.
ACT := github.com/nektos/act@v0.2.87
ACTIONLINT := github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
export PATH := $(CURDIR)/.cache/bin:$(PATH)

# The machine's own settings must not leak into the private environment. Without byte-code an import takes three times as long.
unexport PYTHONDONTWRITEBYTECODE PYTHONPATH PYTHONHOME VIRTUAL_ENV

.PHONY: help setup demo test check bench lint format tools lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

setup: $(READY) ## the private environment, made or brought up to date
	@:

$(READY):
	@sh tools/setup.sh '$(PYTHON)' '$(VENV)' '$(READY)'

demo: setup ## the sample, from validation to its report, without network or keys
	@$(BIN)/llmops lifecycle flows/web_classification --offline

test: lint check ## everything: lint, types, import contracts, tests, coverage

check: setup ## the tests with coverage, without lint
	@echo '==> tests'
	@$(BIN)/python -m pytest -n $(WORKERS) $(COVERAGE_ARGS) $(PYTEST_ARGS)

bench: setup ## the benchmarks, side by side with prompt flow's own engine
	@$(BIN)/python -m benchmarks

lint: setup ## ruff, mypy, import contracts; workflows and actions
	@echo '==> ruff'
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet . || { echo 'Not formatted: run `make format`.'; exit 1; }
	@echo '==> mypy'
	@$(BIN)/mypy
	@echo '==> import contracts'
	@$(BIN)/lint-imports --no-logo
	@echo '==> tables of the actions'
	@$(BIN)/cog --check --verbosity=1 actions/README.md actions/*/README.md || { echo 'Out of date: run `make format`.'; exit 1; }
	@sh tools/lint_workflows.sh '$(BIN)'

format: setup ## what can be mended or written anew by itself
	@$(BIN)/ruff check --quiet --fix .
	@$(BIN)/ruff format --quiet .
	@$(BIN)/python -m llmops_actions.github.metadata
	@$(BIN)/cog -r --verbosity=1 actions/README.md actions/*/README.md

tools: .cache/bin/.$(notdir $(ACT)) .cache/bin/.$(notdir $(ACTIONLINT)) ## act and actionlint into .cache/bin (needs Go)

.cache/bin/.$(notdir $(ACT)):
	@sh tools/go_install.sh '$(ACT)' '$@'

.cache/bin/.$(notdir $(ACTIONLINT)):
	@sh tools/go_install.sh '$(ACTIONLINT)' '$@'

lock: setup ## requirements/*.txt anew from pyproject.toml and requirements/*.in
	@sh tools/lock.sh '$(BIN)/uv' $(LOCK_ARGS)

clean: ## away with everything that was made, environments included
	rm -rf .venv .venv-* .cache .coverage .coverage.* .hypothesis .import_linter_cache .llmops .mypy_cache .pytest_cache .ruff_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
