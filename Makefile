# Jangada. `make test` sets up and runs all tests; `make check` runs what CI runs.
PYTHON ?= python3
VENV := .venv
EMULATOR := .venv-emulator
.DEFAULT_GOAL := help

.PHONY: help setup run smoke test lint check clean
help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/'

$(VENV)/.ready: requirements.txt requirements-relay.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; set PYTHON=")'
	@echo "Setting up $(VENV) (a minute, the first time)"
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

$(VENV)/bin/jangada: $(VENV)/.ready
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(EMULATOR)/.ready: requirements-emulator.txt
	@echo "Setting up $(EMULATOR)"
	@$(PYTHON) -m venv $(EMULATOR)
	@$(EMULATOR)/bin/pip install --quiet --disable-pip-version-check -r requirements-emulator.txt
	@touch $@

setup: $(VENV)/bin/jangada $(EMULATOR)/.ready ## Make both environments, with the `jangada` command in the first

test: setup ## Set up and run all tests
	@$(VENV)/bin/python -m pytest -q -n auto $(ARGS)

run: setup ## Run the whole gateway on this machine: http://localhost:8080 (PORT= for another port)
	@$(VENV)/bin/python -m local --port $(or $(PORT),8080)

smoke: setup ## Run it on free ports, send messages both ways, print what arrived
	@$(VENV)/bin/python -m local --smoke

lint: setup ## ruff, mypy --strict, import rules
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports

check: ## What CI runs
	@bash .ci/run

clean: ## Remove both environments and all caches
	@rm -rf $(VENV) $(EMULATOR) build .mypy_cache .ruff_cache .pytest_cache .hypothesis
