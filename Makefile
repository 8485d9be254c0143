# Everything here works on a machine that has Python >= 3.11 and make, and nothing else.
# The first target that needs it makes `.venv` with the versions of constraints.txt.

VENV  := .venv
BIN   := $(VENV)/bin
READY := $(VENV)/.ready

# The first Python on the PATH that is new enough; `make PYTHON=/path/to/python` chooses another.
PYTHON = $(shell for python in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	command -v $$python >/dev/null 2>&1 \
	&& $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$python && break; done)

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# pip reads this one for the build backend, which -c does not reach.
export PIP_BUILD_CONSTRAINT := $(CURDIR)/constraints.txt
# MkDocs stays below version 2 here; the theme need not say so at each build.
export NO_MKDOCS_2_WARNING := 1

.DEFAULT_GOAL := help
.PHONY: help run test check format bench docs docs-serve pins clean

help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(READY): pyproject.toml constraints.txt
	@$(if $(PYTHON),,$(error Penstock needs Python 3.11 or newer; install it, or name it with make PYTHON=/path/to/python))
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet -c constraints.txt pip
	@$(BIN)/python -m pip install --quiet -c constraints.txt --group dev -e .
	@touch $@

run: $(READY) ## Run an example end to end, on the embedded store
	$(BIN)/penstock run examples/orders.yaml

test: $(READY) ## Run every test
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal

check: $(READY) ## Lint, types, import contracts, and the documentation's build
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/mkdocs build --strict --quiet

format: $(READY) ## Format the code and fix what can be fixed
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(READY) ## Measure, and compare with baselines of the same run
	$(BIN)/python -m benchmarks

docs: $(READY) ## Build the documentation into site/
	$(BIN)/mkdocs build --strict

docs-serve: $(READY) ## Serve the documentation while you write it
	$(BIN)/mkdocs serve

# A clean environment, so that constraints.txt names what pyproject.toml asks for and no more.
pins: ## Write constraints.txt anew, with the newest versions that fit
	rm -rf $(VENV)-pins
	$(PYTHON) -m venv $(VENV)-pins
	env -u PIP_BUILD_CONSTRAINT $(VENV)-pins/bin/python -m pip install --quiet --upgrade pip
	env -u PIP_BUILD_CONSTRAINT $(VENV)-pins/bin/python -m pip install --quiet hatchling --group dev -e .
	$(VENV)-pins/bin/python -m pip freeze --all --exclude-editable --exclude setuptools > constraints.txt
	rm -rf $(VENV)-pins

clean: ## Remove everything that was made here
	rm -rf $(VENV) $(VENV)-pins build dist site .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
