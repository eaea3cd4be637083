#!/usr/bin/env bash
# The whole pipeline under Ansible's own strategy `linear`, with Mitogen uninstalled: creates a deployment from a copy of the checkout, runs
# again and expects that nothing changes, and removes it. `make test-linear` runs it, as root.
set -euo pipefail
cd "$(dirname "$0")/.."
export STOCK_MARKET_DEPLOYMENT=sm-linear
copy=$(mktemp --directory)
git ls-files -z | tar --create --null --files-from=- | tar --extract --directory "$copy"
cd "$copy"
exec </dev/null
sed -i 's/^strategy = .*/strategy = linear/' ansible.cfg
make venv
.venv/bin/uv pip uninstall --quiet --python .venv/bin/python mitogen
trap 'make down CONFIRM=yes PURGE=yes >down.log && rm -r "$copy" || echo "The deployment was not removed: $copy/down.log"' EXIT
make up
make up | tee again.log
grep -Eq '^node-1 .* changed=0 ' again.log
grep -Eq '^localhost .* changed=0 ' again.log
