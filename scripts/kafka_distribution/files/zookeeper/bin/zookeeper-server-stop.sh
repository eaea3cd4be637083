#!/bin/bash
# Asks every ZooKeeper server on this machine to stop, by the signal SIGNAL (default TERM), and returns at once.
set -eu

pids=$(pgrep -f '[ ]org[.]apache[.]zookeeper[.]server[.]quorum[.]QuorumPeerMain( |$)') || {
  echo "No zookeeper server to stop" >&2
  exit 1
}
# One number a word.
# shellcheck disable=SC2086
kill -s "${SIGNAL:-TERM}" $pids
