# Thin wrappers: each target is one command that can be typed by hand with .venv active. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory

ENV ?= local
STOCK_MARKET_DEPLOYMENT ?= stock-market
FORMAT ?= table
HOST ?=
export STOCK_MARKET_DEPLOYMENT
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export PYTHONPATH := $(CURDIR)/scripts
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# The text as it was typed: a `$$path` in SQL is not make's to expand.
export STOCK_MARKET_SQL = $(value SQL)

BIN := .venv/bin
PLAYBOOK := $(BIN)/ansible-playbook -i inventory/$(ENV)
LOCKS := bootstrap services operator local_cloud

# What Debian has to provide: the operator's tools everywhere, the hosts and the build of Kafka's tarball only on this machine.
PACKAGES_aws := ca-certificates git openssh-client python3-venv
PACKAGES_local := $(PACKAGES_aws) iproute2 maven mmdebstrap nftables openjdk-17-jdk-headless podman procps runc uidmap
PACKAGES := $(PACKAGES_$(ENV))

.PHONY: help up down status query ssh test lint unit molecule bench lock system venv venv-test check-env

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' Makefile

up: system venv  ## the whole pipeline, and Athena's answer over what it streamed (ENV=aws: on your account)
	$(PLAYBOOK) playbooks/site.yml $(ARGS)

down: venv  ## removes it all again (CONFIRM=yes: asks nothing; PURGE=yes: the data bucket too)
	$(PLAYBOOK) playbooks/teardown.yml -e teardown_confirm=$(if $(filter yes,$(CONFIRM)),true,false) -e purge_data=$(if $(filter yes,$(PURGE)),true,false) $(ARGS)
	$(if $(filter local,$(ENV)),$(PLAYBOOK) playbooks/local_cloud_stop.yml)

status: venv  ## one screen; exit code 0 only where all is well
	@$(BIN)/python -m stock_market_ops.status $(if $(filter json,$(FORMAT)),--format json)

query: venv  ## SQL='select ...' in Athena, FORMAT=table|json|csv; without SQL the named analyses
	@$(BIN)/python -m stock_market_ops.query --format $(FORMAT) $(if $(value SQL),--sql "$$STOCK_MARKET_SQL") $(ANALYSIS)

ssh: venv  ## a shell on the instance (HOST=node-1; COMMAND='...' runs one command)
	@ssh -F .state/$(STOCK_MARKET_DEPLOYMENT)/ssh_config $(or $(HOST),default) $(COMMAND)

test: system venv-test lint unit molecule  ## lint, unit tests, every molecule scenario: what CI runs

lint: venv-test  ## ansible-lint, yamllint, ruff, mypy
	$(BIN)/ruff check scripts tests plugins molecule benchmarks
	$(BIN)/ruff format --check scripts tests plugins molecule benchmarks
	$(BIN)/mypy
	$(BIN)/yamllint --strict .
	$(BIN)/ansible-lint --offline

unit: venv-test  ## the unit tests
	$(BIN)/pytest --quiet

molecule: venv-test  ## every scenario, one after the other
	$(BIN)/molecule test --all

bench: system venv-test  ## the benchmarks: a table, and JSON under benchmarks/results/
	$(BIN)/python benchmarks/run.py $(ARGS)

lock: venv-test  ## writes requirements/*.txt anew from requirements/*.in
	cd requirements && ../$(BIN)/python lock.py

system: check-env
	@missing=$$(for package in $(PACKAGES); do dpkg-query -W -f '$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || echo $$package; done); \
	[ -z "$$missing" ] && exit 0; \
	[ "$$(id -u)" = 0 ] || { echo "These Debian packages are missing; install them as root: apt-get install" $$missing >&2; exit 2; }; \
	echo "Installing Debian packages:" $$missing; \
	apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends $$missing >/dev/null

check-env:
	@[ -d inventory/$(ENV) ] || { echo "ENV=$(ENV) is no inventory here; say ENV=local or ENV=aws." >&2; exit 2; }
	@[ $(ENV) != local ] || [ "$$(id -u)" = 0 ] || { echo "The local cloud runs hosts with podman and needs root: run make as root, or ENV=aws for a real account." >&2; exit 2; }

venv: .venv/locked
venv-test: .venv/locked-test

.venv/locked: $(LOCKS:%=requirements/%.txt)
	@[ -x $(BIN)/python ] || /usr/bin/python3 -m venv .venv
	@$(BIN)/pip install --quiet --require-hashes -r requirements/bootstrap.txt >&2
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes $(LOCKS:%=-r requirements/%.txt) >&2
	@touch $@

.venv/locked-test: .venv/locked requirements/test.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes $(LOCKS:%=-r requirements/%.txt) -r requirements/test.txt >&2
	@touch $@
