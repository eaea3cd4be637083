# Thin wrappers: each target is one command that can be typed by hand with .venv active. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory

ENV ?= local
STOCK_MARKET_DEPLOYMENT ?= stock-market
FORMAT ?= table
PART ?= all
HOST ?=
export STOCK_MARKET_DEPLOYMENT
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export PYTHONPATH := $(CURDIR)/scripts
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# Python keeps the bytecode of what runs, even where the shell forbids it: without, each command starts seconds later.
unexport PYTHONDONTWRITEBYTECODE
# The text as it was typed: a `$$path` in SQL is not make's to expand, and what follows a `;` in COMMAND is for the instance.
export STOCK_MARKET_SQL = $(value SQL)
export STOCK_MARKET_COMMAND = $(value COMMAND)

BIN := .venv/bin
PLAYBOOK := $(BIN)/ansible-playbook -i inventory/$(ENV)
# A variable for a playbook, one value even with blanks in it.
said = -e '$(1)="$(2)"'
LOCKS := bootstrap services operator local_cloud

# What Debian has to provide: the operator's tools everywhere, the hosts and the build of Kafka's tarball only on this machine.
PACKAGES_aws := ca-certificates git openssh-client python3-venv
PACKAGES_local := $(PACKAGES_aws) iproute2 junit4 libmaven-dependency-plugin-java maven mmdebstrap nftables openjdk-17-jdk-headless podman procps runc uidmap
PACKAGES := $(PACKAGES_$(ENV))
# The fault trials compile a library that shifts clocks.
test chaos soak: PACKAGES += gcc libc6-dev

.PHONY: help plan up down status query verify replay-quarantine ssh client rotate restart upgrade scale replace topics logs backup restore test test-cluster lint lint-python lint-ansible unit molecule audit chaos soak bench lock system venv venv-test check-env

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' Makefile

plan: venv  ## what site.yml would make, what it costs, and what stands in its way (ENV=aws); creates nothing
	@$(BIN)/python -m stock_market_ops.plan --inventory $(ENV) $(if $(ARGS),-- $(ARGS))

up: system venv  ## the whole pipeline, and Athena's answer over what it streamed (ENV=aws: on your account)
	$(PLAYBOOK) playbooks/site.yml $(ARGS)

down: venv  ## removes it all again (CONFIRM=yes: asks nothing; PURGE=yes: the data bucket too)
	$(PLAYBOOK) playbooks/teardown.yml -e teardown_confirm=$(if $(filter yes,$(CONFIRM)),true,false) -e purge_data=$(if $(filter yes,$(PURGE)),true,false) $(ARGS)
	$(if $(filter local,$(ENV)),$(PLAYBOOK) playbooks/local_cloud_stop.yml)

status: venv  ## one screen; exit code 0 only where all is well
	@$(BIN)/python -m stock_market_ops.status $(if $(filter json,$(FORMAT)),--format json)

query: venv  ## SQL='select ...' in Athena, FORMAT=table|json|csv; without SQL the named analyses
	@$(BIN)/python -m stock_market_ops.query --format $(FORMAT) $(if $(value SQL),--sql "$$STOCK_MARKET_SQL") $(ANALYSIS)

verify: venv  ## from S3 alone: is every record there exactly once? FORMAT=table|json; ARGS='--at-rest' when nothing is written
	@$(BIN)/python -m stock_market_ops.verify --format $(FORMAT) $(ARGS)

replay-quarantine: venv  ## quarantined records become quotes, once, when their cause is mended; ARGS='--dry-run', '--filter COMMAND'
	@$(BIN)/python -m stock_market_ops.replay_quarantine --format $(FORMAT) $(ARGS)

ssh: venv  ## a shell on the instance (HOST=node-1; COMMAND='...' runs one command)
	@ssh -F .state/$(STOCK_MARKET_DEPLOYMENT)/ssh_config $(or $(HOST),default) $(if $(value COMMAND),"$$STOCK_MARKET_COMMAND")

client: venv  ## ready client files of a Kafka user, who is made if there is none: USER=alice, MAY=read|write|both|nothing
	@[ "$(origin USER)" = "command line" ] || { echo "Say whose: make client USER=alice" >&2; exit 2; }
	$(PLAYBOOK) playbooks/client.yml $(call said,client_user,$(USER)) $(call said,client_may,$(or $(MAY),read)) $(ARGS)

rotate: venv  ## replaces secrets while the stream goes on: WHAT=passwords|certificates|authority|all
	$(PLAYBOOK) playbooks/rotate.yml $(call said,rotate,$(WHAT)) $(ARGS)

logs: venv  ## one archive for whoever looks for a fault: configuration without secrets, journals, cluster, versions
	$(PLAYBOOK) playbooks/collect_logs.yml $(ARGS)

backup: venv  ## topics, ACLs, users' names, consumer offsets and the inventory, as one object in the data bucket
	$(PLAYBOOK) playbooks/backup.yml $(ARGS)

restore: venv  ## creates what a backup has and the cluster lacks: BACKUP=latest|20260131T120000Z; deletes nothing
	$(PLAYBOOK) playbooks/restore.yml $(call said,backup,$(BACKUP)) $(ARGS)

restart: venv  ## restarts what runs, one after the other, through a gate: WHAT=both|kafka|zookeeper
	$(PLAYBOOK) playbooks/restart.yml $(call said,restart,$(or $(WHAT),both)) $(ARGS)

upgrade: venv  ## another kafka_version: STEP=software, then STEP=protocol; between them STEP=rollback ARGS='-e kafka_version=3.8.1'
	$(PLAYBOOK) playbooks/upgrade.yml $(call said,upgrade,$(STEP)) $(ARGS)

scale: venv  ## adds the brokers that the inventory declares and moves partitions to them; REMOVE=kafka-4 drains one that it declares no more
	$(PLAYBOOK) playbooks/scale.yml $(call said,scale_remove,$(REMOVE)) $(ARGS)

replace: venv  ## a new instance in the place of one that is gone: INSTANCE=kafka-2
	$(PLAYBOOK) playbooks/replace.yml $(call said,instance,$(INSTANCE)) $(ARGS)

topics: venv  ## has the declared topics, and shows each difference
	$(PLAYBOOK) playbooks/topics.yml $(ARGS)

test: system venv-test lint unit molecule  ## lint, unit tests, molecule bad_input and default: what CI runs

lint: venv-test  ## ansible-lint, yamllint, ruff, mypy
	@$(MAKE) --jobs 2 --output-sync=target lint-python lint-ansible

lint-python: venv-test
	$(BIN)/ruff check scripts tests plugins molecule benchmarks
	$(BIN)/ruff format --check scripts tests plugins molecule benchmarks
	$(BIN)/mypy

lint-ansible: venv-test
	$(BIN)/yamllint --strict .
	$(BIN)/ansible-lint --offline

unit: venv-test  ## the unit tests
	$(BIN)/pytest --quiet --numprocesses 2 --dist loadfile --no-loadscope-reorder

molecule: venv-test  ## the scenarios bad_input and default, one after the other
	$(BIN)/molecule test -s bad_input
	$(BIN)/molecule test -s default

test-cluster: system venv-test  ## three brokers and a day in their life under load, half an hour: the scenario cluster
	$(BIN)/ansible-playbook playbooks/local_cloud_kafka.yml  # the version that the day's first event upgrades to
	$(BIN)/molecule test -s cluster

audit: venv  ## pinned versions with known vulnerabilities, by asking OSV; exit code 2 where they can't be looked up
	@$(BIN)/python -m supply_chain $(ARGS)

bench: system venv-test  ## the benchmarks: tables, and JSON under benchmarks/results/ (PART=deployment|stream|outage|profile)
	PYTHONPATH=$(CURDIR)/scripts:$(CURDIR) $(BIN)/python -m benchmarks.run --part $(PART) $(ARGS)

chaos: system venv-test  ## fault trials: SEED=123 repeats a schedule, FAULTS=500 is how many, ROUND=3 plays one round of it
	@PYTHONPATH=scripts:. $(BIN)/python -m tests.chaos --faults $(or $(FAULTS),500) $(if $(SEED),--seed $(SEED)) $(if $(ROUND),--round $(ROUND)) $(ARGS)

soak: system venv-test  ## a week around the end of a year on a fast clock: MINUTES=6 is how long it takes beside start and verdict
	@PYTHONPATH=scripts:. $(BIN)/python -m tests.soak --minutes $(or $(MINUTES),6) $(ARGS)

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
