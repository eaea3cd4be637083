#!/bin/bash
# Runs a Java class with all of libs/ on the class path: kafka-run-class.sh [-daemon] [-name NAME] [-loggc] CLASS [ARGUMENT...]
#
# Honours CLASSPATH, GC_LOG_ENABLED, JAVA_HOME, JMX_PORT, KAFKA_DEBUG, KAFKA_GC_LOG_OPTS, KAFKA_HEAP_OPTS, KAFKA_JMX_OPTS,
# KAFKA_JVM_PERFORMANCE_OPTS, KAFKA_LOG4J_OPTS, KAFKA_OPTS, LOG_DIR and CONSOLE_OUTPUT_FILE as the official script does.
set -eu

base_dir=$(dirname "$(dirname "$(readlink -f "$0")")")
name=${DAEMON_NAME:-kafkaServer}
daemon=false
log_gc=${GC_LOG_ENABLED:-false}

while [ $# -gt 0 ]; do
  case $1 in
    -name) name=$2; shift 2 ;;
    -loggc) [ -n "${KAFKA_GC_LOG_OPTS:-}" ] || log_gc=true; shift ;;
    -daemon) daemon=true; shift ;;
    *) break ;;
  esac
done
if [ $# -eq 0 ]; then
  echo "usage: $0 [-daemon] [-name NAME] [-loggc] CLASS [ARGUMENT...]" >&2
  exit 1
fi

class_path=${CLASSPATH:-}
class_path=${class_path:+$class_path:}$base_dir/libs/*
java=${JAVA_HOME:+$JAVA_HOME/bin/}java
log_dir=${LOG_DIR:-$base_dir/logs}
log4j_opts=${KAFKA_LOG4J_OPTS:--Dlog4j.configuration=file:$base_dir/config/tools-log4j.properties}
heap_opts=${KAFKA_HEAP_OPTS:--Xmx256M}
performance_opts=${KAFKA_JVM_PERFORMANCE_OPTS:--server -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:InitiatingHeapOccupancyPercent=35 \
-XX:+ExplicitGCInvokesConcurrent -XX:MaxInlineLevel=15 -Djava.awt.headless=true}
jmx_opts=${KAFKA_JMX_OPTS:--Dcom.sun.management.jmxremote -Dcom.sun.management.jmxremote.authenticate=false \
-Dcom.sun.management.jmxremote.ssl=false}
if [ -n "${JMX_PORT:-}" ]; then
  jmx_opts="$jmx_opts -Dcom.sun.management.jmxremote.port=$JMX_PORT"
  case $jmx_opts in
    *jmxremote.rmi.port=*) ;;
    *) jmx_opts="$jmx_opts -Dcom.sun.management.jmxremote.rmi.port=$JMX_PORT" ;;
  esac
fi
gc_opts=${KAFKA_GC_LOG_OPTS:-}
if [ "$log_gc" = true ]; then
  gc_opts="-Xlog:gc*:file=$log_dir/$name-gc.log:time,tags:filecount=10,filesize=100M"
fi
debug_opts=
if [ -n "${KAFKA_DEBUG:-}" ]; then
  debug_opts=${JAVA_DEBUG_OPTS:--agentlib:jdwp=transport=dt_socket,server=y,suspend=${DEBUG_SUSPEND_FLAG:-n},address=${JAVA_DEBUG_PORT:-5005}}
fi
# Only who writes logs needs the directory: a tool run by somebody without the right to make it goes on without.
if [ "$daemon" = true ] || [ "$log_gc" = true ] || [ -n "${KAFKA_LOG4J_OPTS:-}" ]; then
  mkdir -p "$log_dir"
fi

# The options are lists of words by contract, hence unquoted; the glob of the class path is Java's, hence quoted.
# shellcheck disable=SC2086
set -- "$java" $heap_opts $performance_opts $gc_opts $jmx_opts "-Dkafka.logs.dir=$log_dir" $log4j_opts $debug_opts \
  -cp "$class_path" ${KAFKA_OPTS:-} "$@"
if [ "$daemon" = true ]; then
  nohup "$@" >"${CONSOLE_OUTPUT_FILE:-$log_dir/$name.out}" 2>&1 </dev/null &
else
  exec "$@"
fi
