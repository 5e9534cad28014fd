# make repro   set up .venv and run the pipeline       make test   lint, types, layering, tests
# make ui      the MLflow UI (PORT=5000)               make gpu    set up .venv with CUDA libraries
# make lock    renew the lock files (needs uv)         make clean  remove .venv, .venv-peers and .venv-server
# make extras  add what sweeps, seqlab tag --ray, pretrained encoders and a shared server need (make gpu has it too)
# make peers   set up .venv-peers with PyTorch and spaCy, for the benchmarks
# make server  set up .venv-server for the shared MLflow server, which `sh server/start.sh SETTINGS` starts
# make test-browser   tests of the page of errors in chromium, which must be installed
# make test-server    tests of the shared server with PostgreSQL and an S3 endpoint; PostgreSQL must be installed

VENV := .venv
STAMP := $(VENV)/.complete
DEV := $(VENV)/.dev-complete
PORT := 5000
SUITS := import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11 python; do \
	"$$name" -c '$(SUITS)' 2>/dev/null && { command -v "$$name"; break; }; done)
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export PYTHONPATH := $(CURDIR)/src
export DVC_NO_ANALYTICS := 1

.PHONY: repro test test-browser test-server ui extras gpu server peers lock clean lint
.DEFAULT_GOAL := repro

repro: $(STAMP)
	dvc repro
	@python -m seqlab.cli summary

test: lint
	python -m pytest -n 2

test-browser: $(DEV)
	python -m pytest tests/browser

test-server: $(DEV) server
	python -m pytest tests/server

lint: $(DEV)
	ruff check src tests benchmarks docs examples server
	ruff format --check src tests benchmarks docs examples server
	mypy
	lint-imports --no-cache --no-logo

ui: $(STAMP)
	python -m seqlab.cli ui --port $(PORT)

$(STAMP): requirements.lock pyproject.toml
	@"$(PYTHON)" -c '$(SUITS)' 2>/dev/null || { echo "seqlab needs Python 3.11, 3.12 or 3.13 with its venv module; none was found$(if $(PYTHON), at $(PYTHON))." >&2; echo "Install one (Debian: apt install python3 python3-venv), or name it: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --require-hashes -r requirements.lock
	$(VENV)/bin/python -m pip install --no-deps --no-build-isolation --no-index -e .
	@touch $@

extras: $(STAMP)
	$(VENV)/bin/python -m pip install --require-hashes -r requirements-extras.lock

gpu: $(STAMP)
	$(VENV)/bin/python -m pip install --require-hashes -r requirements-gpu.lock

$(DEV): requirements-dev.lock $(STAMP)
	$(VENV)/bin/python -m pip install --require-hashes -r requirements-dev.lock
	@touch $@

server: $(VENV)-server/.complete

$(VENV)-server/.complete: server/requirements.lock
	$(PYTHON) -m venv $(VENV)-server
	$(VENV)-server/bin/python -m pip install --require-hashes -r $<
	@touch $@

peers: benchmarks/peers/requirements.lock
	$(PYTHON) -m venv $(VENV)-peers
	$(VENV)-peers/bin/python -m pip install --require-hashes -r $<

lock:
	uv pip compile pyproject.toml $(EXTRAS) --extra dev $(LOCK_FLAGS) -o requirements-dev.lock
	grep -E '^[a-z].*==' requirements-dev.lock | sed 's/ \\$$//' > .lock-constraints
	uv pip compile pyproject.toml -c .lock-constraints $(LOCK_FLAGS) -o requirements.lock
	uv pip compile pyproject.toml $(EXTRAS) -c .lock-constraints $(LOCK_FLAGS) -o requirements-extras.lock
	uv pip compile pyproject.toml $(EXTRAS) --extra gpu -c .lock-constraints $(LOCK_FLAGS) -o requirements-gpu.lock
	uv pip compile docker/serve.in -c .lock-constraints $(LOCK_FLAGS) -o docker/serve.lock
	uv pip compile server/requirements.in -c .lock-constraints $(LOCK_FLAGS) -o server/requirements.lock
	rm .lock-constraints
	uv pip compile benchmarks/peers/requirements.in $(LOCK_FLAGS) -o benchmarks/peers/requirements.lock
EXTRAS := --extra ray --extra hub --extra server
LOCK_FLAGS := --universal --generate-hashes --python-version 3.11 --no-emit-index-url --no-annotate --custom-compile-command "make lock"

clean:
	rm -rf $(VENV) $(VENV)-peers $(VENV)-server
