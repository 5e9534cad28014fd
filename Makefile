# make repro   set up .venv and run the pipeline       make test   lint, types, layering, tests
# make ui      the MLflow UI on 127.0.0.1              make gpu    set up .venv with CUDA libraries
# make lock    renew the lock files (needs uv)         make clean  remove .venv

VENV := .venv
STAMP := $(VENV)/.complete
PYTHON ?= $(firstword $(foreach name,python3.13 python3.12 python3.11 python3 python,$(shell command -v $(name) 2>/dev/null)))
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export PYTHONPATH := $(CURDIR)/src
export DVC_NO_ANALYTICS := 1

.PHONY: repro test test-fast ui gpu lock clean lint
.DEFAULT_GOAL := repro

repro: $(STAMP)
	dvc repro
	@python -m seqlab.cli summary

test: lint
	python -m pytest -n 2 --dist loadfile

lint: $(STAMP)
	ruff check src tests benchmarks
	ruff format --check src tests benchmarks
	mypy
	lint-imports --no-cache --no-logo

ui: $(STAMP)
	python -m seqlab.cli ui

$(STAMP): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "seqlab needs Python 3.11, 3.12 or 3.13: none was found. Install one, or: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { echo "seqlab needs Python 3.11, 3.12 or 3.13; $(PYTHON) is $$($(PYTHON) -V). Install one, or: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --require-hashes -r requirements.lock
	$(VENV)/bin/python -m pip install --no-deps --no-build-isolation --no-index -e .
	@touch $@

gpu: $(STAMP)
	$(VENV)/bin/python -m pip install --require-hashes -r requirements-gpu.lock

lock:
	uv pip compile pyproject.toml --extra dev --extra onnx $(LOCK_FLAGS) -o requirements.lock
	grep -E '^[a-z].*==' requirements.lock | sed 's/ \\$$//' > .lock-constraints
	uv pip compile pyproject.toml --extra dev --extra onnx --extra gpu -c .lock-constraints $(LOCK_FLAGS) -o requirements-gpu.lock
	rm .lock-constraints
LOCK_FLAGS := --universal --generate-hashes --python-version 3.11 --no-emit-index-url --no-annotate --custom-compile-command "make lock"

clean:
	rm -rf $(VENV)
