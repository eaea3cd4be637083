#!/usr/bin/env bash
# The operator's side on Debian 13 (Python 3.13): makes .venv from the locks in a container, checks the playbooks' syntax, and runs the
# unit tests of services and modules that need no container of their own. `make test-operator` runs it, as root, two minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
image=$(PYTHONPATH=scripts .venv/bin/python -m local_cloud image --debian-release 13)
files=$(ulimit -Hn)
git ls-files -z | tar --create --null --files-from=- | podman run --rm --interactive --runtime runc --network host \
  --ulimit "nofile=$files:$files" --ulimit nproc=4096:4096 --env-file <(env | grep -E '^(PIP_INDEX_URL|UV_DEFAULT_INDEX)=' || true) \
  --env SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt "$image" bash -euo pipefail -c '
    mkdir /tree && cd /tree && tar --extract
    exec </dev/null
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq update
    apt-get -qq install --yes --no-install-recommends git make openssh-client python3-venv >/dev/null
    make .venv/locked-test
    .venv/bin/python --version
    for playbook in playbooks/*.yml; do
      .venv/bin/ansible-playbook -i inventory/aws --syntax-check "$playbook" >/dev/null
    done
    echo "$(ls playbooks/*.yml | wc -l) playbooks pass the syntax check"
    .venv/bin/python -m pytest --quiet tests/stock_market_ops/test_market_data*.py tests/repository/test_locks.py tests/repository/test_roles.py \
      tests/stock_market/kafka/test_batch_unpacking.py tests/stock_market/kafka/test_raw_fetches.py \
      tests/stock_market/kafka/test_unreadable.py tests/stock_market/producer/test_market.py \
      tests/stock_market/producer/test_replay_file.py tests/stock_market/quotes/test_compact_quotes.py \
      tests/stock_market/quotes/test_large_numbers.py tests/stock_market/test_parts.py'
