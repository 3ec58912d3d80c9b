# Two commands: `make run` and `make test`. Both set up what is missing and can be repeated.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.feedsway-set-up
# Most tests wait for a browser: four files at a time. A single test is quicker without.
AT_ONCE := -n 4 --dist loadfile --no-loadscope-reorder
# Drills keep two cores busy by themselves: more of them at once starve each other.
DRILLS_AT_ONCE := $(patsubst 4,3,$(AT_ONCE))

# Python keeps its bytecode: the tests start hundreds of processes.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup run test test-all lint quick browser bench bench-gpu calibrate soak kills faults fuzz mutants notebooks docs \
  lock sbom release clean

help: ## Show the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## Make the virtual environment, install the pinned packages and a browser

$(STAMP): pyproject.toml deploy/install.py $(wildcard deploy/locks/*.txt)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "feedsway needs Python 3.11 or newer. Type: make setup PYTHON=python3.11"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the locked packages (about 2 GB, minutes the first time) ..."
	@$(BIN)/python deploy/install.py dev --no-compile
	@$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --no-deps --no-build-isolation \
	  --editable .
	@$(BIN)/python -m pip check > /dev/null || { $(BIN)/python -m pip check; exit 1; }
	@$(BIN)/python -m agent doctor --install-browser
	@touch $@

browser: $(STAMP) ## Install a browser where none is found
	@$(BIN)/python -m agent doctor --install-browser

run: $(STAMP) ## Persona p12 watches 100 videos of the playground
	@$(BIN)/python -m agent run --persona p12

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: $(STAMP) ## Every check and every test
	@$(MAKE) --no-print-directory --jobs 2 lint quick

quick: $(STAMP)
	$(BIN)/pytest $(AT_ONCE)

test-all: test ## The same, then the long drills
	$(BIN)/pytest $(DRILLS_AT_ONCE) -m 'drill and not timing' --timeout 1800
	$(BIN)/pytest -m timing --timeout 1800

bench: $(STAMP) ## Measure where the time goes
	$(BIN)/python -m agent bench
	$(BIN)/python -m agent bench --picture --rounds 2
	$(BIN)/python -m agent bench --warm 4
	$(BIN)/python -m agent bench --questions 400
	$(BIN)/python -m analysis bench
	$(BIN)/python -m store bench --pictures agent/playground/data/stills

bench-gpu: $(STAMP) ## Measure what a GPU does in a second, where there is one
	$(BIN)/python -m agent bench --gpu

calibrate: $(STAMP) ## Check the estimates where the truth is planted (up to 40 minutes)
	$(BIN)/python -m agent calibrate

soak: $(STAMP) ## Have faults happen to a daemon for 20 minutes and count its videos
	$(BIN)/python -m tests.soak --minutes 20

kills: $(STAMP) ## The same with 200 random kill -9 in short runs
	$(BIN)/python -m tests.soak --kills 200

fuzz: $(STAMP) ## Give changed inputs to every door for an hour; a finding fails
	$(BIN)/python -m tests.fuzz --minutes 60

faults: $(STAMP) ## Have faults happen to every command that writes: 1,000 kills and more (hours)
	$(BIN)/python -m tests.faults --kills 1000

notebooks: $(STAMP) ## Run the notebooks on the made-up example, and keep their outputs
	$(BIN)/python -m tests.analysis.notebook_runs

docs: $(STAMP) ## Build the documentation site, offline; a dead link or anchor fails
	@$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --nitpicky \
	  --conf-dir docs --doctree-dir build/doctrees . build/docs
	@echo "Open build/docs/index.html"

mutants: $(STAMP) ## Break the code in 200 places and see whether the tests notice
	$(BIN)/python -m tests.mutants --sample 200 --seed 1

UV := build/uv/bin/uv
$(UV):
	@$(PYTHON) -m venv build/uv && build/uv/bin/pip install --quiet --disable-pip-version-check uv==0.13.9

lock: $(UV) ## Renew deploy/locks/ after a change of pyproject.toml (UPGRADE=1: newest versions; ALSO=WHEELS)
	@$(PYTHON) -m deploy.lock --uv $(UV) $(if $(UPGRADE),--upgrade) $(if $(ALSO),--also $(ALSO))

sbom: $(STAMP) ## List what is installed, with licences and texts: build/sbom.json, build/notices.txt
	@$(BIN)/python -m deploy.sbom build

release: $(STAMP) ## Check, build and list a release in build/release; publishes nothing (DRAFT=1)
	@$(BIN)/python -m deploy.release $(if $(DRAFT),--draft)

clean: ## Remove the virtual environment and caches; data/ stays
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache *.egg-info
