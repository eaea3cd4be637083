#!/bin/bash
# Asks every broker on this machine to stop, by the signal SIGNAL (default TERM), and returns at once.
set -eu

pids=$(pgrep -f '[ ]kafka[.]Kafka( |$)') || {
  echo "No kafka server to stop" >&2
  exit 1
}
# One number a word.
# shellcheck disable=SC2086
kill -s "${SIGNAL:-TERM}" $pids
