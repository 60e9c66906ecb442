# Everything a developer of this project does; `make help` lists it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Tests run in as many processes as there are cores, a file in one of them.
WORKERS ?= auto
# The real sandboxes that `make contract` uses.
SANDBOX ?= local
SOURCES := emulator contract_tests fixtures
READY := $(VENV)/.ready
READY_DEV := $(VENV)/.ready-dev

.DEFAULT_GOAL := help
.PHONY: help run test check format generate bench contract evidence pictures assets dist clean

help: ## show this
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /\1\t/' | awk -F'\t' '{printf "  make %-10s %s\n", $$1, $$2}'

run: $(READY) ## start the emulator on http://localhost:8000
	@$(BIN)/chaser-emulator $(ARGS)

test: $(READY_DEV) ## run the tests (ARGS="-k name" selects some)
	$(BIN)/pytest --numprocesses $(WORKERS) --dist loadfile $(ARGS)

check: $(READY_DEV) ## format, lint, types, the document, generated files
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy $(SOURCES)
	$(BIN)/python emulator/generate.py --check

format: $(READY_DEV) ## put the sources in their form
	$(BIN)/ruff check --fix-only --quiet $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

generate: $(READY_DEV) ## write what follows from the document: shapes, assumptions, the table of the README
	$(BIN)/python emulator/generate.py

contract: $(READY_DEV) ## hold the emulator against its document: everything on scripted sandboxes, all promises but refusals on real ones
	$(BIN)/chaser-contract run --sandbox scripted --complete $(ARGS)
	$(BIN)/chaser-contract run --sandbox $(SANDBOX) --skip generated --skip refusals $(ARGS)

evidence: $(READY_DEV) ## note what a whole run sees of each operation, and show it in the README
	$(BIN)/chaser-contract run --sandbox scripted --complete --seed 1 --evidence contract_tests/chaser_contract/evidence.json $(ARGS)
	$(BIN)/python emulator/generate.py

bench: $(READY_DEV) ## measure, and print the rows
	$(BIN)/python emulator/bench.py $(ARGS)

pictures: $(READY_DEV) ## take the pictures of the console in its page of documentation anew
	$(BIN)/python emulator/picturing.py

assets: $(VENV)/bin/python ## bring in the parts of the console that only npm has, where there is npm
	@$(BIN)/python emulator/assets.py

dist: $(VENV)/bin/python ## build the sdist and the wheel, with all of the console
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt build
	CHASER_BUILD_ASSETS=require $(BIN)/python -m build --outdir dist .

clean: ## remove the environment and all caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info build dist emulator/chaser_emulator/console/vendor

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..."; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "python -m venv failed; on Debian: apt install python3-venv"; exit 2; }

$(READY): $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "Setting up $(VENV) ..."
	@$(BIN)/python emulator/assets.py
	@CHASER_BUILD_ASSETS=skip PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(READY_DEV): $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "Setting up $(VENV) for development ..."
	@$(BIN)/python emulator/assets.py
	@CHASER_BUILD_ASSETS=skip PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(READY) $@
