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
# The tests start hundreds of processes: without compiled modules each would spend most of its time on compiling.
export PYTHONDONTWRITEBYTECODE :=

RUN := $(UV) run --locked --no-sync
READY := $(UV_PROJECT_ENVIRONMENT)/.ready
DOCS := UV_PROJECT_ENVIRONMENT=.venv-docs $(UV)

MINUTES ?= 2
SEED ?=

WHAT ?=
PEERS ?=

.PHONY: help demo example badges storybook video thumbnails warehouse licenses campaign test chaos bench check format sync docs docs-serve images services clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY) ## crawl Python's documentation with jobs, on an embedded PostgreSQL (ARGS="--once")
	@$(RUN) staffa demo $(ARGS)

example: $(READY) ## run the worked example: mails that are sent once, tried again, or given up
	@$(RUN) python examples/mail/try_it.py

badges: $(READY) ## run the example with an Elixir program: it asks for badges, which are printed
	@$(RUN) python examples/badges/print_badges.py

storybook: $(READY) ## run the example of a workflow of functions: a book with pictures
	@$(RUN) python examples/storybook/write_book.py

video: $(READY) ## run the example of a workflow around ffmpeg: a clip is taken in
	@$(RUN) python examples/video/ingest_clip.py

thumbnails: $(READY) ## run the example of a batch: thumbnails of a folder, then an archive and a mail
	@$(RUN) python examples/thumbnails/make_thumbnails.py

warehouse: $(READY) ## run the example of chunks: events are loaded ten thousand at once
	@$(RUN) python examples/warehouse/load_events.py

licenses: $(READY) ## run the example of workflows by webhooks: each once, however often it comes
	@$(RUN) python examples/licenses/receive_webhooks.py

campaign: $(READY) ## run the example of a workflow that waits for a human, and grows
	@$(RUN) python examples/campaign/run_campaign.py

test: $(READY) ## run every test that this machine can run (ARGS="-k name")
	@$(RUN) pytest -n 4 --dist worksteal $(ARGS)

chaos: $(READY) ## break everything for a while, and prove that no job was lost (MINUTES=30 SEED=7)
	@$(RUN) python -m tests.chaos --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) $(ARGS)

bench: $(READY) ## measure Staffa and its peers into bench/RESULTS.md (WHAT=process,bulk PEERS=staffa,oban)
	@$(RUN) python -m bench --what "$(WHAT)" --peers "$(PEERS)" $(ARGS)

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

docs: .venv-docs/.ready ## build the documentation's pages into site/, strictly
	@NO_MKDOCS_2_WARNING=1 $(DOCS) run --locked --no-sync mkdocs build --strict $(ARGS)
	@! grep -rlE '<(script|link|img)[^>]*(src|href)="(https?:)?//' site --include='*.html' # asks no other server
	@echo "built into site/; make docs-serve shows it, with the search"

docs-serve: .venv-docs/.ready ## show the documentation at http://127.0.0.1:8000, and build it anew after each change
	@NO_MKDOCS_2_WARNING=1 $(DOCS) run --locked --no-sync mkdocs serve --strict $(ARGS)

images: $(READY) ## record the pictures of the documentation anew, from the demo
	@$(RUN) python docs/images/record.py

services: ## install the servers that some tests talk to (Debian, as root)
	apt-get install -y --no-install-recommends postgresql postgresql-client pgbouncer erlang-base

clean: ## remove environments, caches and the embedded databases
	@if [ -e $(READY) ]; then $(RUN) python -c "$$REMOVE_EMBEDDED"; fi
	rm -rf .venv .venv-* .uv .staffa .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist site

define REMOVE_EMBEDDED
from pathlib import Path
from staffa.embedded import EmbeddedPostgres
for project in (Path.cwd(), Path.cwd() / ".staffa" / "tests", *Path.cwd().glob("examples/*")):
    if project.is_dir():
        EmbeddedPostgres(project).remove()
endef
export REMOVE_EMBEDDED

$(READY): pyproject.toml uv.lock | $(UV)
	@$(UV) sync --locked --quiet
	@touch $@

.venv-docs/.ready: pyproject.toml uv.lock | $(UV)
	@$(DOCS) sync --locked --quiet --no-default-groups --group docs
	@touch $@

.uv/bin/uv:
	@echo "uv is missing: installing it into .uv"
	@python3 -m venv .uv
	@.uv/bin/pip install --quiet --disable-pip-version-check uv
