# Every verb makes what it needs: `make demo` and `make test` work in a fresh clone with Python 3.11+ and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo test test-genai test-frameworks test-otlp-json soak check format lint types contracts dashboards bench picture lock clean

help:  ## list the verbs
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Installing again only when a pin or the project's metadata changed keeps a second run off the network.
$(STAMP): requirements/dev.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "livemeter needs Python 3.11 or newer: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation -e .
	@touch $@

install: $(STAMP)  ## make .venv with the pinned, hashed requirements

demo: $(STAMP)  ## real google-genai sessions against the fake Live server, priced and explained
	@$(BIN)/livemeter demo

test: $(STAMP)  ## the tests
	$(BIN)/python -m pytest -q

FRAMEWORKS := adk adk-oldest livekit livekit-oldest pipecat pydantic-ai
VENV_FRAMEWORKS := .venv-frameworks
STAMPS_FRAMEWORKS := $(FRAMEWORKS:%=$(VENV_FRAMEWORKS)/%/.installed)

# The frameworks' pins conflict with each other: an environment for each. A lock is complete, and pip would not
# know google-cloud-aiplatform[agent-engines], which old ADKs want, by its pin: hence --no-deps.
$(VENV_FRAMEWORKS)/%/.installed: requirements/frameworks/%.txt
	@test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	@touch $@

test-frameworks: $(STAMP) $(STAMPS_FRAMEWORKS)  ## the frameworks, each as published, with the one import
	LIVEMETER_FRAMEWORKS=$(VENV_FRAMEWORKS) $(BIN)/python -m pytest -q -p no:cacheprovider tests/frameworks

GENAI := 1.30 1.62 2.34
VENV_GENAI := .venv-genai
STAMPS_GENAI := $(GENAI:%=$(VENV_GENAI)/%/.installed)

# Older clients and websockets 15 conflict with what the other tests run on: an environment for each.
$(VENV_GENAI)/%/.installed: requirements/genai-%.txt
	@test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

test-genai: $(STAMPS_GENAI)  ## the hooks on older google-genai with websockets 15
	for version in $(GENAI); do PYTHONPATH=$(CURDIR)/instrumentation $(VENV_GENAI)/$$version/bin/python -m pytest -q \
	  -p no:cacheprovider tests/hooks --ignore tests/hooks/test_instrumentor.py || exit 1; done
	PYTHONPATH=$(CURDIR)/instrumentation $(VENV_GENAI)/2.34/bin/python -m pytest -q -p no:cacheprovider \
	  tests/testing/test_real_client.py

VENV_OTLP_JSON := .venv-otlp-json
STAMP_OTLP_JSON := $(VENV_OTLP_JSON)/.installed

# OpenTelemetry's exporter of OTLP/JSON holds to an older release of what it shares with those in the lock.
$(STAMP_OTLP_JSON): requirements/otlp-json.txt
	@test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

test-otlp-json: $(STAMP_OTLP_JSON)  ## the collector's doors with OpenTelemetry's own exporter of OTLP/JSON
	PYTHONPATH=$(CURDIR)/instrumentation:$(CURDIR)/collector $(VENV_OTLP_JSON)/bin/python -m pytest -q \
	  -p no:cacheprovider tests/collector/test_otlp_clients.py

soak: $(STAMP)  ## what takes long: ten thousand sessions, and properties on new examples
	$(BIN)/python -m pytest -q -s tests/soak/soak_sessions.py
	$(BIN)/python -m pytest -q -s --timeout 600 tests/soak/soak_doors.py
	$(BIN)/python -m pytest -q -s --timeout 3600 tests/soak/soak_crash.py tests/soak/soak_exporters.py
	LIVEMETER_HYPOTHESIS=soak $(BIN)/python -m pytest -q --timeout 3600 tests/observer tests/app/test_transparency.py \
	  tests/collector/test_otlp_fuzz.py tests/accounting tests/collector/sql/test_upgrade.py

format: $(STAMP)  ## rewrite the code in the house style
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: $(STAMP)  ## formatting and lint, without changing anything
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/python -m livemeter_dashboards.generate --check
	$(BIN)/python -m livemeter_collector.prices.export --check

types: $(STAMP)  ## mypy strict and pyright strict
	$(BIN)/mypy
	$(BIN)/mypy tests
	$(BIN)/pyright

contracts: $(STAMP)  ## who may import whom
	$(BIN)/lint-imports

check: lint types contracts test  ## the whole gate

dashboards: $(STAMP)  ## the Grafana boards' JSON, made anew
	$(BIN)/python -m livemeter_dashboards.generate

bench: $(STAMP)  ## what observing costs google-genai's client, and taking telemetry the collector, as ratios
	$(BIN)/python benchmarks/instrumentation.py
	$(BIN)/python benchmarks/collector.py
	$(BIN)/python benchmarks/queries.py

picture: $(STAMP)  ## the README's picture of the demo, made anew
	$(BIN)/livemeter demo --svg docs/demo.svg >/dev/null

lock: $(STAMP)  ## pin every requirement with its hashes again
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	  --extra all pyproject.toml requirements/dev.in -o requirements/dev.txt
	for version in $(GENAI); do $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-annotate --no-header requirements/genai-$$version.in -o requirements/genai-$$version.txt || exit 1; done
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-annotate --no-header requirements/otlp-json.in -o requirements/otlp-json.txt
	for name in $(FRAMEWORKS); do $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-annotate --no-header requirements/frameworks/$$name.in -o requirements/frameworks/$$name.txt || exit 1; done

clean:  ## remove the environment and every cache
	rm -rf $(VENV) $(VENV_GENAI) $(VENV_FRAMEWORKS) $(VENV_OTLP_JSON) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
