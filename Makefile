# make run is all it takes on a fresh machine. `make help` lists the rest.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TRACEFS := grep -q ' /sys/kernel/tracing tracefs ' /proc/mounts || mount -t tracefs nodev /sys/kernel/tracing
.DEFAULT_GOAL := help

.PHONY: help run demo deb man test test-all test-cluster bench page-bench sizing pictures lint unit native guests hotplug chart faults page watch otel herd \
  grafana ha charts beside image systemd package notify storms lock clean fuzz-short fuzz evasions

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

run: $(VENV)/run.stamp ## set up, then start the agent with the embedded collector (as root)
	@[ "$$(id -u)" != 0 ] || { $(TRACEFS); } || true
	@exec $(BIN)/kmsg-exporter run --collector.embedded --log.format=terminal $(FLAGS)

demo: $(VENV)/dev.stamp ## watch an OOM kill get lost and found again, in a booted Debian kernel
	@PYTHON=$(CURDIR)/$(BIN)/python tests/demo/run.sh

.PHONY: stranger
test-all: stranger
stranger: $(VENV)/dev.stamp tests/setup.stamp ## the commands of the pages, as somebody who has only the README runs them (as root)
	@$(TRACEFS)
	@tests/guest/setup.sh 6.1
	$(BIN)/python -m pytest -s -p no:randomly --confcutdir=tests tests/docs

deb: $(VENV)/dev.stamp ## the Debian package, in dist/
	@PYTHON=$(CURDIR)/$(BIN)/python deploy/debian/build.sh

man: $(VENV)/dev.stamp ## the manual page, and completion for bash, zsh and fish, in dist/
	@PYTHON=$(CURDIR)/$(BIN)/python deploy/shell/build.sh
	@echo "dist/kmsg-exporter.1: man -l dist/kmsg-exporter.1"

# what needs no kernel takes both cores, a part's output when it is over; the others have the kernel's log to themselves
test: $(VENV)/dev.stamp tests/setup.stamp ## everything within 25 minutes on two cores: code, files, real kernels
	@echo "lint, unit, chart: some minutes without a word"
	@$(MAKE) --no-print-directory -j2 --output-sync=target lint unit chart
	@$(MAKE) --no-print-directory grafana native guests fuzz-short
	@echo "all tests passed"

# what is heavier too: Helm 4, CPUs and clocks on more kernels, other tracers, storms, the image under runc, systemd as
# pid 1, the package, Prometheus with Alertmanager, Chromium, tmux, the real Collector and Kafka, a cluster; fuzzing for two hours
test-all: test ha demo charts hotplug beside storms image systemd package notify page watch otel herd test-cluster bench page-bench properties fuzz ## everything there is

bench: $(VENV)/dev.stamp tests/setup.stamp ## the benchmark's table, beside bpftrace and audit, in one run
	@$(TRACEFS)
	@tests/guest/setup.sh 6.12
	@tests/bench/peers.sh
	@$(BIN)/python tests/bench/run.py --write
	@tests/otel/setup.sh collector
	@$(BIN)/python tests/bench/collectors.py --write

lint: $(VENV)/dev.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	@for part in grafana/ deploy/systemd/ deploy/shell/ tests/unit/*/ tests/*/; do beside=; case $$part in tests/unit/) continue;; \
	  tests/grafana/) beside=grafana;; tests/page/) beside=tests/notify;; tests/package/) beside=tests/systemd;; \
	  tests/beside/) beside=tests/hotplug;; esac; \
	  MYPYPATH=tests/fakes:tests/guest:tests/kernel:tests/bench:docs:$$beside $(BIN)/mypy --no-error-summary $$part || exit 1; done
	$(BIN)/lint-imports --no-logo
	$(BIN)/codespell

unit: $(VENV)/dev.stamp tests/setup.stamp
	$(BIN)/python -m pytest
	$(BIN)/python -m pytest --confcutdir=tests tests/evasions/test_table.py
	$(BIN)/python -m pytest --confcutdir=tests tests/guest/test_lanes.py
	$(BIN)/python -m pytest -o pythonpath=tests/bench --confcutdir=tests tests/bench

evasions: $(VENV)/dev.stamp tests/setup.stamp ## every way to use the log unnamed, on all kernels (as root)
	@$(TRACEFS)
	PYTHON=$(CURDIR)/$(BIN)/python tests/evasions/run.sh

# a part of `unit`, with their table
faults: $(VENV)/dev.stamp tests/setup.stamp ## the faults of delivery, and their table
	$(BIN)/python -m pytest --confcutdir=tests tests/faults
	$(BIN)/python -m pytest --confcutdir=tests tests/collector
	@$(BIN)/python tests/faults/fault_table.py

herd: $(VENV)/dev.stamp ## 10,000 nodes and a collector away for an hour, on a virtual clock; hostile bodies and its memory
	$(BIN)/python -m pytest -s --confcutdir=tests tests/faults/hour.py
	$(BIN)/python -m pytest --confcutdir=tests tests/collector/memory.py

page: $(VENV)/dev.stamp tests/setup.stamp ## the collector's pages in Chromium
	tests/page/setup.sh
	$(BIN)/python -m pytest -c tests/page/pytest.ini --confcutdir=tests -p no:cacheprovider tests/page

page-bench: $(VENV)/dev.stamp ## how long the collector's pages take with 100,000 events, into the bench's page
	@PYTHONPATH=tests/bench $(BIN)/python tests/page/measure.py --write

otel: $(VENV)/dev.stamp ## agents' senders, the real OpenTelemetry Collector and Kafka, and kills in between
	tests/otel/setup.sh
	$(BIN)/python -m pytest -c tests/otel/pytest.ini --confcutdir=tests -p no:cacheprovider tests/otel

watch: $(VENV)/dev.stamp tests/setup.stamp ## the live screen in a real terminal, with a real agent (as root)
	@$(TRACEFS)
	tests/watch/setup.sh
	$(BIN)/python -m pytest -c tests/watch/pytest.ini --confcutdir=tests -p no:cacheprovider tests/watch

# `make test` tries the same ones each time
.PHONY: properties
properties: $(VENV)/dev.stamp tests/setup.stamp ## the property tests, with ever other examples
	KMSG_EXAMPLES=1000 $(BIN)/python -m pytest -m hypothesis

fuzz-short: $(VENV)/fuzz.stamp
	$(BIN)/python -m pytest --confcutdir=tests tests/fuzz
	$(BIN)/python tests/fuzz/run.py --seconds 2 --jobs 2

fuzz: SECONDS ?= 600
fuzz: $(VENV)/fuzz.stamp ## each decoder for ten minutes; SECONDS=60 and TARGETS='page recorder' are for less
	$(BIN)/python tests/fuzz/run.py --seconds $(SECONDS) --jobs 2 --seed 0 $(TARGETS)

native: $(VENV)/dev.stamp tests/setup.stamp
	tests/kernel/native.sh

guests: $(VENV)/dev.stamp tests/setup.stamp
	tests/kernel/guests.sh

hotplug: $(VENV)/dev.stamp tests/setup.stamp
	tests/hotplug/boot.sh 6.1 5.10 6.12

beside: $(VENV)/dev.stamp tests/setup.stamp
	tests/beside/boot.sh kprobe function
	tests/beside/native.sh

chart: $(VENV)/dev.stamp tests/setup.stamp
	$(BIN)/python -m pytest tests/chart tests/rules
	$(BIN)/python -m pytest --confcutdir=tests tests/sizing
	$(BIN)/python -m pytest tests/systemd/test_environment.py

sizing: $(VENV)/dev.stamp ## the sizing figures of deploy/README.md (as root)
	@$(TRACEFS)
	@$(BIN)/python tests/sizing/measure.py --write

charts: $(VENV)/dev.stamp tests/setup.stamp
	tests/chart/all.sh

grafana: $(VENV)/dev.stamp tests/setup.stamp
	@$(TRACEFS)
	tests/grafana/setup.sh
	$(BIN)/python -m pytest -c tests/grafana/pytest.ini --confcutdir=tests -p no:cacheprovider tests/grafana

pictures: $(VENV)/dev.stamp ## draw the dashboards', the alert's and watch's pictures in docs/ anew
	tests/page/setup.sh
	PYTHONPATH=tests/fakes $(BIN)/python tests/watch/picture.py
	tests/grafana/setup.sh --pictures
	$(BIN)/python tests/grafana/pictures.py
	PICTURES=docs $(BIN)/python -m pytest --confcutdir=tests tests/notify

notify: $(VENV)/dev.stamp tests/setup.stamp ## from a node's first clear to a notification, in a booted guest
	$(BIN)/python -m pytest --confcutdir=tests tests/notify

storms: $(VENV)/dev.stamp tests/setup.stamp ## attribution, delivery and memory under load; its figures, in tests/storms/README.md
	tests/storms/all.sh

image: $(VENV)/dev.stamp tests/setup.stamp
	PYTHON=$(CURDIR)/$(BIN)/python tests/image/run.sh

test-cluster: $(VENV)/dev.stamp tests/setup.stamp ## the chart in KUBECONFIG's cluster, else in one started here
	PYTHON=$(CURDIR)/$(BIN)/python tests/cluster/run.sh

systemd: $(VENV)/dev.stamp tests/setup.stamp
	tests/systemd/boot.sh

package: $(VENV)/dev.stamp tests/setup.stamp
	tests/systemd/boot.sh tests/package/test_life.py
	$(BIN)/python -m pytest -o pythonpath=tests/package tests/package/test_artifacts.py

ha: $(VENV)/dev.stamp tests/setup.stamp
	@$(TRACEFS)
	$(BIN)/python -m pytest tests/prometheus

lock: $(VENV)/dev.stamp ## make the lock files anew
	$(BIN)/pip install -q --disable-pip-version-check uv
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --extra collector --extra config --extra watch --extra web pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --extra collector --extra config --extra watch --extra web --group dev pyproject.toml -o requirements-dev.lock
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --group pyproject.toml:fuzz -o requirements-fuzz.lock

clean: ## remove what make made
	rm -rf $(VENV) dist tests/setup.stamp

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: set PYTHON=" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { apt-get update -qq && apt-get install -y -qq python3-venv; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "installing the packages of requirements.lock into $(VENV): once, some 15 s"
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/dev.stamp: requirements-dev.lock $(VENV)/run.stamp
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

$(VENV)/fuzz.stamp: requirements-fuzz.lock $(VENV)/dev.stamp
	@$(BIN)/pip install -q --disable-pip-version-check --only-binary :all: --require-hashes -r requirements-fuzz.lock || \
	  { echo "atheris is there for CPython 3.11 to 3.14 on x86-64 only: set PYTHON= to one of these, and make clean" >&2; exit 1; }
	@touch $@

tests/setup.stamp: tests/setup.sh
	tests/setup.sh
	@touch $@
