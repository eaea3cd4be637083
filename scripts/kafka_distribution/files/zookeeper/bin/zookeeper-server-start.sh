#!/bin/bash
# Starts a ZooKeeper server: zookeeper-server-start.sh [-daemon] zookeeper.properties
set -eu

if [ $# -lt 1 ]; then
  echo "usage: $0 [-daemon] zookeeper.properties" >&2
  exit 1
fi
base_dir=$(dirname "$(dirname "$(readlink -f "$0")")")
export KAFKA_LOG4J_OPTS=${KAFKA_LOG4J_OPTS:--Dlog4j.configuration=file:$base_dir/config/log4j.properties}
export KAFKA_HEAP_OPTS=${KAFKA_HEAP_OPTS:--Xmx512M -Xms512M}
extra_args=${EXTRA_ARGS--name zookeeper -loggc}
if [ "$1" = -daemon ]; then
  extra_args="-daemon $extra_args"
  shift
fi
# shellcheck disable=SC2086
exec "$base_dir/bin/kafka-run-class.sh" $extra_args org.apache.zookeeper.server.quorum.QuorumPeerMain "$@"
