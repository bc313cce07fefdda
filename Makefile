# `make` lists the targets. PYTHON=path/to/python chooses the interpreter of the environment.

SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?=
ARGS ?=

UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
ifneq ($(PYTHON),)
  export UV_PYTHON := $(PYTHON)
  export UV_PROJECT_ENVIRONMENT := .venv-$(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
else
  export UV_PROJECT_ENVIRONMENT := .venv
endif
export UV_PYTHON_DOWNLOADS := never

RUN := $(UV) run --locked --no-sync
READY := $(UV_PROJECT_ENVIRONMENT)/.ready

.PHONY: help demo test check format sync services clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY) ## crawl Python's documentation with jobs, on an embedded PostgreSQL (ARGS="--once")
	@$(RUN) staffa demo $(ARGS)

test: $(READY) ## run every test that this machine can run (ARGS="-k name")
	@$(RUN) pytest -n 2 --dist worksteal $(ARGS)

check: $(READY) ## lint, check types, check the layers
	@$(RUN) ruff format --check .
	@$(RUN) ruff check .
	@$(RUN) mypy
	@$(RUN) lint-imports --no-cache
	@$(RUN) python tools/write_sync.py --check

format: $(READY) ## format the code and mend what the linter can mend
	@$(RUN) ruff format .
	@$(RUN) ruff check --fix .

sync: $(READY) ## write src/staffa/sync.py anew, from the client's methods
	@$(RUN) python tools/write_sync.py

services: ## install the servers that some tests talk to (Debian, as root)
	apt-get install -y --no-install-recommends postgresql postgresql-client pgbouncer erlang-base

clean: ## remove environments, caches and the embedded databases
	@if [ -e $(READY) ]; then $(RUN) python -c "$$REMOVE_EMBEDDED"; fi
	rm -rf .venv .venv-* .uv .staffa .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist

define REMOVE_EMBEDDED
from pathlib import Path
from staffa.embedded import EmbeddedPostgres
for project in (Path.cwd(), Path.cwd() / ".staffa" / "tests"):
    if project.is_dir():
        EmbeddedPostgres(project).remove()
endef
export REMOVE_EMBEDDED

$(READY): pyproject.toml uv.lock | $(UV)
	@$(UV) sync --locked --quiet
	@touch $@

.uv/bin/uv:
	@echo "uv is missing: installing it into .uv"
	@python3 -m venv .uv
	@.uv/bin/pip install --quiet --disable-pip-version-check uv
