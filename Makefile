# Needs make and Python 3.11-3.13, nothing else: no root, Docker, database or keys.
# `make` without a target lists the targets.

VENV   := .venv
PY     := $(VENV)/bin/python
# Newer than pyproject.toml and constraints.txt when their requirements are installed.
STAMP  := $(VENV)/.installed
# The number of test processes; each has its own Postgres.
WORKERS ?= 2
# The checkout's own home, even if a folder above has one too; commands run in the checkout find it.
export LIGHTFAST_HOME := $(or $(LIGHTFAST_HOME),$(CURDIR)/.lightfast)

.DEFAULT_GOAL := help
.PHONY: help demo up setup notebook test test-deep check quality bench torture docs clean

help: ## List these targets
	@echo 'Lightfast Pipelines: usage: make TARGET'
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: setup ## Run everything with a sample story, until Ctrl-C (ONCE=1: exit when done)
	@$(VENV)/bin/lightfast demo $(if $(filter-out 0,$(ONCE)),--once)

up: setup ## Run database, receiver and Dagster, without sample data
	@$(VENV)/bin/lightfast up

setup: $(STAMP) ## Create .venv and install into it (PYTHON=... chooses the interpreter)
	@:

notebook: setup ## Run docs/notebook.ipynb on your data, or on the sample story if there is none
	@$(PY) -m lightfast_pipelines.read.notebook $(ARGS)

test: setup ## Run every test (ARGS=... goes to pytest)
	@$(PY) -m pytest -n $(WORKERS) $(ARGS)

test-deep: setup ## Run every test with many random examples and larger stories (an hour or more)
	@$(PY) -m pytest -n $(WORKERS) --hypothesis-profile=deep $(ARGS)

check: setup ## Check lint, format, types and import rules
	@$(VENV)/bin/ruff check --quiet .
	@$(VENV)/bin/ruff format --quiet --check .
	@$(VENV)/bin/mypy --no-error-summary
	@out=$$($(VENV)/bin/lint-imports --no-logo) || { echo "$$out"; exit 1; }
	@echo 'check: lint, format, types and imports are fine'

quality: setup ## Measure how good the memory is, against gold data and baselines (ARGS=...)
	@$(PY) -m bench.quality $(ARGS)

bench: setup ## Measure speed and cost on this machine (ARGS=--quick: in minutes; ARGS='imports': one)
	@$(PY) -m bench.run $(ARGS)

torture: setup ## Break a running `up` in every way a machine does, for minutes (SEED=7: the same again)
	@$(PY) -m bench.torture $(if $(SEED),--seed $(SEED)) $(ARGS)

docs: setup ## Write the generated pages and tables of docs/
	@$(PY) -m pytest -q -p tests.vocabulary --vocabulary=docs/vocabulary.json tests/providers
	@$(VENV)/bin/lightfast docs

clean: ## Remove .venv and caches; the data in .lightfast stays
	@rm -rf $(VENV) build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# uv if it is installed (seconds instead of a minute or two), else the interpreter's venv and pip.
# A candidate is tested by running it: a name on PATH may be a shim without an interpreter.
USABLE := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))

$(STAMP): pyproject.toml constraints.txt
	@set -e; \
	if $(PY) -c '$(USABLE)' 2>/dev/null; then :; \
	elif [ -z '$(PYTHON)' ] && command -v uv >/dev/null 2>&1; then \
	  uv venv --quiet --clear --python '>=3.11,<3.14' $(VENV); \
	else \
	  chosen=; no_venv=; \
	  for candidate in $(or $(PYTHON),python3.13 python3.12 python3.11 python3); do \
	    $$candidate -c '$(USABLE)' 2>/dev/null || continue; \
	    if $$candidate -c 'import venv, ensurepip' 2>/dev/null; \
	    then chosen=$$candidate; break; else no_venv=$$candidate; fi; \
	  done; \
	  if [ -n "$$chosen" ]; then "$$chosen" -m venv --clear $(VENV); \
	  elif [ -n "$$no_venv" ]; then \
	    echo "make: $$no_venv has no venv module; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; \
	  else \
	    echo 'make: no Python 3.11, 3.12 or 3.13 found ($(or $(PYTHON),python3.13 python3.12 python3.11 python3))' >&2; \
	    echo '      install one, or name it: make setup PYTHON=/path/to/python3' >&2; exit 1; \
	  fi; \
	fi; \
	echo 'Installing into $(VENV) (once; a minute or two with pip, seconds with uv)'; \
	if command -v uv >/dev/null 2>&1; then \
	  uv pip install --quiet --python $(PY) -e '.[dev]' -c constraints.txt; \
	else \
	  $(PY) -m pip --version >/dev/null 2>&1 || $(PY) -m ensurepip >/dev/null; \
	  (while sleep 5; do printf .; done) & dots=$$!; \
	  trap 'kill $$dots 2>/dev/null' EXIT; trap 'exit 130' INT TERM; \
	  code=0; $(PY) -m pip install -qq --disable-pip-version-check --no-input \
	    --root-user-action=ignore -e '.[dev]' -c constraints.txt || code=$$?; \
	  echo; exit $$code; \
	fi
	@touch $@; echo 'Installed.'
