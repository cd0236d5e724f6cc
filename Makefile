# Two commands do everything: `make demo` and `make test`. Everything lands in .venv; `rm -rf .venv` undoes it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.PHONY: help demo test test-postgresql check servers bench constraints simulate

VENV := .venv
BIN := $(VENV)/bin
# Stamps, so that what is installed already is not installed again.
LOCKED := $(VENV)/.locked
INSTALLED := $(VENV)/.installed
PEERS := .venv-peers/.locked

help:
	@echo "make demo          install into .venv, then a red flood warning in an invented county (ONCE=1 ends by itself)"
	@echo "make test          install, then every check and every test"
	@echo "make test-postgresql   every test that has a store, on PostgreSQL; make test runs those nearest to it"
	@echo "make check         format, lint, types, floors; no tests"
	@echo "make bench         speed, as ratios to the bare loop (half an hour; best on a quiet machine)"
	@echo "make simulate      scenarios drawn from seeds, SEEDS=20000 of them (docs/simulation.md)"
	@echo "make constraints   renew constraints.txt from pyproject.toml (needs uv)"

demo: $(INSTALLED)
	@$(BIN)/warnd demo $(if $(ONCE),--once)

# Three at once, because most tests wait for a real server; a file stays whole, because its tests share one. Then what has a store, on PostgreSQL.
test: servers check
	$(BIN)/pytest -q -m "not bench and not cluster" -n 3 --dist loadfile
	$(BIN)/pytest -q -m "not bench and not cluster" -n 3 --dist loadfile --store postgresql --near-the-store

# Everything that has a store, on PostgreSQL.
test-postgresql: servers $(INSTALLED)
	$(BIN)/pytest -q -m "not bench and not cluster" -n 3 --dist loadfile --store postgresql

check: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

servers:
	@.ci/servers

# One table at the end. Queues that are measured beside ours live in an environment of their own. BENCH_SCALE=0.1 is a quick look.
bench: $(INSTALLED) $(PEERS)
	$(BIN)/pytest -q -m bench tests/bench tests/fleet

$(PEERS): tests/bench/peers.txt
	@.ci/environment .venv-peers
	@.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement $<
	@touch $@

simulate: $(INSTALLED)
	$(BIN)/python -m tests.simulation --seeds $(or $(SEEDS),1000) --from $(or $(FROM),1) --jobs $(or $(JOBS),2)

# Only the project's own editable install may be without a hash, so it comes alone and fetches nothing.
$(INSTALLED): $(LOCKED) pyproject.toml
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(LOCKED): constraints.txt | $(BIN)/python
	@echo "Installing the pinned packages into $(VENV) (once; some minutes on a slow line) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement constraints.txt
	@touch $@

$(BIN)/python:
	@.ci/environment $(VENV)

# The result must name no index, so that everybody's own applies.
constraints: $(LOCKED)
	@command -v uv >/dev/null || { echo "make constraints needs uv: pip install uv"; exit 1; }
	uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes --extra demo --extra dev --group readers \
	    --no-emit-index-url --no-emit-find-links --no-header --no-annotate --output-file constraints.txt $(if $(UPGRADE),--upgrade)
	@if grep -n '://' constraints.txt; then echo "constraints.txt names an address; remove it"; exit 1; fi
