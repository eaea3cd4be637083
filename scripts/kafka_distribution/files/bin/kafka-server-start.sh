#!/bin/bash
# Starts a broker: kafka-server-start.sh [-daemon] server.properties [--override property=value]...
set -eu

if [ $# -lt 1 ]; then
  echo "usage: $0 [-daemon] server.properties [--override property=value]..." >&2
  exit 1
fi
base_dir=$(dirname "$(dirname "$(readlink -f "$0")")")
export KAFKA_LOG4J_OPTS=${KAFKA_LOG4J_OPTS:--Dlog4j.configuration=file:$base_dir/config/log4j.properties}
export KAFKA_HEAP_OPTS=${KAFKA_HEAP_OPTS:--Xmx1G -Xms1G}
extra_args=${EXTRA_ARGS--name kafkaServer -loggc}
if [ "$1" = -daemon ]; then
  extra_args="-daemon $extra_args"
  shift
fi
# shellcheck disable=SC2086
exec "$base_dir/bin/kafka-run-class.sh" $extra_args kafka.Kafka "$@"
