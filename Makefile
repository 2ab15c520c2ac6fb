# Two commands do everything on a machine with only Python ≥ 3.11 and make:
#   make demo     see it (extra arguments: make demo ARGS="--display")
#   make test     everything a contributor must pass
PYTHON ?= python3
VENV ?= .venv
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
ARGS ?=
JOBS ?= 4
RERUNS ?= --reruns 2 --reruns-delay 1 -rR

.PHONY: demo test lint types check-proto proto options bench faults soak screenshots clean

demo: $(VENV)/.run
	$(BIN)/zlfeed demo $(ARGS)

# Tests mostly wait, so several run at a time; those that judge how quick something is run alone afterwards. A machine
# that has other work too may miss a deadline: such a test is tried again, and listed as RERUN. What fails thrice, fails.
test: lint types check-proto
ifeq ($(strip $(ARGS)),)
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(RERUNS) -m "not alone"
	$(BIN)/python -m pytest $(RERUNS) -m alone
else
	$(BIN)/python -m pytest $(ARGS)
endif

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

bench: $(VENV)/.bench
	$(BIN)/zlfeed bench $(ARGS)

# Kills, stops, blocks and fills whatever can be, and writes the figures into docs/reliability.md (a quarter of an hour).
faults: $(VENV)/.dev
	$(BIN)/python scripts/faults.py $(ARGS)

# The feed for an hour (make soak MINUTES=10 for less): memory, descriptors and latency, into the same page.
MINUTES ?= 60
soak: $(VENV)/.dev
	ZLFEED_SOAK_MINUTES=$(MINUTES) $(BIN)/python scripts/faults.py -k stay_where_they_are $(ARGS)

# The status protocol's Python code is generated, and committed so that users need no compiler.
proto: $(VENV)/.dev
	$(BIN)/python scripts/gen_proto.py

check-proto: $(VENV)/.dev
	$(BIN)/python scripts/gen_proto.py --check

# docs/options.md and the manual page come from the command line itself; a test compares them.
options: $(VENV)/.run
	$(BIN)/python scripts/gen_options.py

screenshots: $(VENV)/.run
	$(BIN)/python scripts/screenshots.py $(ARGS)

$(VENV)/bin/python $(VENV)/Scripts/python.exe:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "zlfeed needs Python 3.11 or newer; $(PYTHON) is `$(PYTHON) --version 2>&1`. Name another: make PYTHON=python3.12 …"; exit 2; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "Python could not make a virtual environment; on Debian: apt install python3-venv"; rm -rf $(VENV); exit 2; }
	@$(BIN)/python -m pip install --quiet --upgrade pip

ifeq ($(OS),Windows_NT)
VENV_PYTHON := $(VENV)/Scripts/python.exe
else
VENV_PYTHON := $(VENV)/bin/python
endif

$(VENV)/.run: pyproject.toml | $(VENV_PYTHON)
	@echo "installing zlfeed into $(VENV) (the first time takes a minute)"
	@$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.bench: pyproject.toml | $(VENV)/.run
	@$(BIN)/python -m pip install --quiet --editable '.[bench]'
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV_PYTHON)
	@echo "installing zlfeed with its test tools into $(VENV) (the first time takes a minute)"
	@$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@ $(VENV)/.run

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
