# Everything sets itself up in .venv. Needed: make, and Python 3.11 or newer with venv. PIP_* settings are honoured.
# Without make (Windows): docs/development.md has the lines to type.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
CHECKED := src tests bench examples

# The first interpreter that is new enough; PYTHON=... overrides.
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13 python3.14 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)

.PHONY: help serve test lint format bench matrix peers soak-orders lock clean

help:
	@echo "make serve    the server, on an empty home with a simulated market"
	@echo "make test     lint, then all tests"
	@echo "make lint     ruff, mypy, import-linter"
	@echo "make format   let ruff rewrite the code"
	@echo "make bench    measure; writes docs/performance.md"
	@echo "make soak-orders SEEDS=200  orders in bad weather for as many seeds (FROM=1000: other ones)"
	@echo "make matrix   every broker's conformance cases; writes docs/capabilities.md"
	@echo "make peers    the official clients' own environments (make test does it too)"
	@echo "make lock     pin the newest allowed dependencies (needs uv)"
	@echo "make clean    remove the environments and caches"

serve: $(VENV)/.serve
	@exec $(BIN)/sangam serve

test: lint peers
	@$(BIN)/python -m pytest -q -n auto --dist loadfile

lint: $(VENV)/.dev
	@$(BIN)/ruff check $(CHECKED)
	@$(BIN)/ruff format --check $(CHECKED)
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(VENV)/.dev
	@$(BIN)/ruff check --fix $(CHECKED)
	@$(BIN)/ruff format $(CHECKED)

bench: $(VENV)/.dev
	@$(BIN)/python -m bench

matrix: $(VENV)/.dev
	@$(BIN)/python -m tests.conformance

peers: $(VENV)/.dev
	@$(BIN)/python -m tests.peers.environments

SEEDS ?= 200
FROM ?= 1000
soak-orders: $(VENV)/.dev
	@SOAK_SEEDS=$(SEEDS) SOAK_FROM=$(FROM) $(BIN)/python -m pytest -q -n auto tests/faults/test_orders_storm.py

# The dev lock holds the runtime lock's versions, so both kinds of environment run the same code.
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock"
lock:
	echo 'setuptools>=77' | PATH="$$PATH:$(BIN)" $(LOCK) --upgrade pyproject.toml - -o requirements.lock
	echo 'setuptools>=77' | PATH="$$PATH:$(BIN)" $(LOCK) --upgrade pyproject.toml --group dev -c requirements.lock - -o requirements-dev.lock

clean:
	rm -rf $(VENV) .venv-peers .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Sangam needs Python 3.11 or newer; none found. Set PYTHON=/path/to/python." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.serve: requirements.lock pyproject.toml | $(BIN)/python
	@echo "Setting up Sangam in $(VENV) (once, about 20 seconds) ..."
	$(PIP) install --quiet --require-hashes -r requirements.lock
	$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.serve
	@echo "Setting up the tools for tests and lint ..."
	$(PIP) install --quiet --require-hashes -r requirements-dev.lock
	@touch $@
