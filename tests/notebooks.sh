#!/usr/bin/env bash
# The notebooks and JupyterLab in a deployment of their own: creates it, runs tests/running_notebooks.py, expects that the proof of the
# stream still holds, and removes it. `make test-notebooks` runs it, as root. With a deployment's name as its argument it uses that one, which
# `make up` has left running.
set -euo pipefail
cd "$(dirname "$0")/.."
exec </dev/null
if [ $# = 1 ]; then
  export STOCK_MARKET_DEPLOYMENT=$1
else
  export STOCK_MARKET_DEPLOYMENT=sm-notebooks
  trap 'make down CONFIRM=yes PURGE=yes' EXIT
  make up
fi
.venv/bin/pytest --quiet --numprocesses 0 tests/running_notebooks.py
make verify
