"""The dashboards: cluster, broker, pipeline, hosts."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards.panels import ONE_IS_GOOD, ZERO_IS_GOOD, board, graph, tile

_CHOSEN = 'instance=~"$instance"'
_OVER = "$__rate_interval"


def _rate(metric: str, by: str = "instance", chosen: str = "") -> str:
    return f"sum by ({by}) (rate({metric}{{{chosen}}}[{_OVER}]))"


def _quantile(share: str, histogram: str, chosen: str = "", by: str = "") -> str:
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({labels}) (rate({histogram}_bucket{{{chosen}}}[{_OVER}])))"


def cluster() -> Dashboard:
    """Whether the cluster is whole, and how much it carries."""
    controller, replicas = "kafka_controller_kafkacontroller_", "kafka_server_replicamanager_"
    topics = "kafka_server_brokertopicmetrics_"
    return board(
        "cluster",
        "Whether the Kafka cluster is whole, and how much it carries.",
        [
            (
                "Is it whole?",
                [
                    tile("Brokers that answer", "none", 'sum(up{job="kafka"})', steps=((None, "red"), (1.0, "green"))),
                    tile("Controllers", "none", f"sum({controller}activecontrollercount)", steps=ONE_IS_GOOD),
                    tile("Offline partitions", "none", f"max({controller}offlinepartitionscount)", steps=ZERO_IS_GOOD),
                    tile(
                        "Below min.insync.replicas",
                        "none",
                        f"sum({replicas}underminisrpartitioncount)",
                        steps=ZERO_IS_GOOD,
                    ),
                    tile("Under-replicated", "none", f"sum({replicas}underreplicatedpartitions)", steps=ZERO_IS_GOOD),
                    tile(
                        "Unclean elections, last day",
                        "none",
                        "sum(increase(kafka_controller_controllerstats_uncleanleaderelections_total[1d]))",
                        steps=ZERO_IS_GOOD,
                    ),
                ],
            ),
            (
                "How much does it carry?",
                [
                    graph("Records written", "cps", (_rate(topics + "messagesin_total"), "{{instance}}"), stacked=True),
                    graph(
                        "Bytes",
                        "Bps",
                        (f"sum(rate({topics}bytesin_total[{_OVER}]))", "written"),
                        (f"sum(rate({topics}bytesout_total[{_OVER}]))", "read"),
                        (f"sum(rate({topics}replicationbytesin_total[{_OVER}]))", "replicated"),
                    ),
                    graph(
                        "Partitions that a broker leads",
                        "none",
                        (f"sum by (instance) ({replicas}leadercount)", "{{instance}}"),
                    ),
                    graph(
                        "Replicas that fall out of sync and come back",
                        "cps",
                        (_rate(replicas + "isrshrinks_total"), "{{instance}} out"),
                        (_rate(replicas + "isrexpands_total"), "{{instance}} back"),
                    ),
                ],
            ),
            (
                "ZooKeeper",
                [
                    graph("Mean time of a request", "ms", ("zookeeper_avgrequestlatency", "{{instance}}")),
                    graph("Requests that wait", "none", ("zookeeper_outstandingrequests", "{{instance}}")),
                    graph("Connections", "none", ("zookeeper_numaliveconnections", "{{instance}}")),
                    graph(
                        "Sessions of brokers that ended or broke",
                        "cps",
                        (_rate("kafka_server_sessionexpirelistener_zookeeperexpires_total"), "{{instance}} ended"),
                        (_rate("kafka_server_sessionexpirelistener_zookeeperdisconnects_total"), "{{instance}} broke"),
                    ),
                ],
            ),
        ],
    )


def broker() -> Dashboard:
    """What a broker is busy with."""
    requests, topics = "kafka_network_requestmetrics_", "kafka_server_brokertopicmetrics_"
    sockets = "kafka_server_socketservermetrics_"
    slow = f'{requests}totaltimems{{{_CHOSEN},quantile="0.99",request="%s"}}'
    heap = f'{_CHOSEN},job="kafka",area="heap"'
    return board(
        "broker",
        "What a broker is busy with, and where it has no room left.",
        [
            (
                "Room",
                [
                    graph(
                        "Idle share of request handlers and network threads",
                        "percentunit",
                        (
                            f"kafka_server_kafkarequesthandlerpool_requesthandleravgidlepercent{{{_CHOSEN}}}",
                            "{{instance}} handlers",
                        ),
                        (
                            f"kafka_network_socketserver_networkprocessoravgidlepercent{{{_CHOSEN}}}",
                            "{{instance}} network",
                        ),
                        about="Below 0.2 the broker has no room left.",
                    ),
                    graph(
                        "Requests that wait",
                        "none",
                        (f"kafka_network_requestchannel_requestqueuesize{{{_CHOSEN}}}", "{{instance}} requests"),
                        (f"kafka_network_requestchannel_responsequeuesize{{{_CHOSEN}}}", "{{instance}} responses"),
                    ),
                    graph(
                        "Heap",
                        "percentunit",
                        (f"jvm_memory_used_bytes{{{heap}}} / jvm_memory_max_bytes{{{heap}}}", "{{instance}}"),
                    ),
                    graph(
                        "Share of time in garbage collection",
                        "percentunit",
                        (_rate("jvm_gc_collection_seconds_sum", chosen=f'{_CHOSEN},job="kafka"'), "{{instance}}"),
                    ),
                ],
            ),
            (
                "Requests",
                [
                    graph(
                        "Requests",
                        "reqps",
                        (_rate(requests + "requests_total", "instance, request", _CHOSEN), "{{instance}} {{request}}"),
                    ),
                    graph(
                        "Requests that failed",
                        "reqps",
                        (_rate(topics + "failedproducerequests_total", chosen=_CHOSEN), "{{instance}} produce"),
                        (_rate(topics + "failedfetchrequests_total", chosen=_CHOSEN), "{{instance}} fetch"),
                    ),
                    graph("Produce, slowest hundredth", "ms", (slow % "Produce", "{{instance}}")),
                    graph("Fetch of followers, slowest hundredth", "ms", (slow % "FetchFollower", "{{instance}}")),
                ],
            ),
            (
                "Connections and replicas",
                [
                    graph(
                        "Connections",
                        "none",
                        (
                            f"sum by (instance, listener) ({sockets}connectioncount{{{_CHOSEN}}})",
                            "{{instance}} {{listener}}",
                        ),
                    ),
                    graph(
                        "Logins that were refused",
                        "cps",
                        (
                            _rate(
                                sockets + "failedauthentication_total",
                                "instance, listener",
                                _CHOSEN,
                            ),
                            "{{instance}} {{listener}}",
                        ),
                    ),
                    graph(
                        "Records that the furthest replica is behind",
                        "none",
                        (f"kafka_server_replicafetchermanager_maxlag{{{_CHOSEN}}}", "{{instance}}"),
                    ),
                    graph(
                        "Log directories and replicas that are offline",
                        "none",
                        (f"kafka_log_logmanager_offlinelogdirectorycount{{{_CHOSEN}}}", "{{instance}} directories"),
                        (f"kafka_server_replicamanager_offlinereplicacount{{{_CHOSEN}}}", "{{instance}} replicas"),
                    ),
                ],
            ),
        ],
        choose="kafka_server_kafkaserver_brokerstate",
    )


def pipeline() -> Dashboard:
    """The way of the data from the producer to S3."""
    last = "stock_consumer_last_object_timestamp_seconds"
    age = "stock_consumer_record_to_object_seconds"
    return board(
        "pipeline",
        "The way of the data: producer, topic, consumer, objects in S3.",
        [
            (
                "Does it flow?",
                [
                    tile("Records acknowledged", "cps", f"sum(rate(stock_producer_records_total[{_OVER}]))"),
                    tile("Records stored", "cps", f"sum(rate({age}_count[{_OVER}]))"),
                    tile("Lag", "none", "sum(stock_consumer_lag_records)"),
                    tile("Since the newest object", "s", f"time() - max({last})"),
                    tile(
                        "Quarantined, last hour",
                        "none",
                        "sum(increase(stock_consumer_quarantined_records_total[1h]))",
                        steps=ZERO_IS_GOOD,
                    ),
                    tile(
                        "Credential failures, last hour",
                        "none",
                        "sum(increase(stock_consumer_credential_failures_total[1h]))",
                        steps=ZERO_IS_GOOD,
                    ),
                ],
            ),
            (
                "Producer",
                [
                    graph(
                        "Records",
                        "cps",
                        (_rate("stock_producer_records_total"), "{{instance}}"),
                        ("stock_producer_target_records_per_second", "{{instance}} asked for"),
                    ),
                    graph("Bytes before compression", "Bps", (_rate("stock_producer_bytes_total"), "{{instance}}")),
                    graph(
                        "From hand-over to acknowledgement",
                        "s",
                        (_quantile("0.5", "stock_producer_acknowledge_seconds"), "median"),
                        (_quantile("0.99", "stock_producer_acknowledge_seconds"), "slowest hundredth"),
                    ),
                    graph(
                        "Without acknowledgement, and errors",
                        "none",
                        ("stock_producer_buffered_records", "{{instance}} records"),
                        (
                            "sum by (reason) (increase(stock_producer_errors_total[1m])) > 0",
                            "{{reason}} errors a minute",
                        ),
                    ),
                ],
            ),
            (
                "Consumer",
                [
                    graph("Records read", "cps", (_rate("stock_consumer_records_total"), "{{instance}}")),
                    graph(
                        "Lag of the ten furthest partitions",
                        "none",
                        ("topk(10, stock_consumer_lag_records)", "{{topic}} {{partition}}"),
                    ),
                    graph("Held", "bytes", ("stock_consumer_held_bytes", "{{instance}} {{process}}")),
                    graph(
                        "Age of the oldest record that is held",
                        "s",
                        ("stock_consumer_held_oldest_seconds", "{{instance}} {{process}}"),
                        ("stock_consumer_flush_interval_seconds", "{{instance}} {{process}} flush interval"),
                    ),
                ],
            ),
            (
                "S3",
                [
                    graph(
                        "From a record's timestamp to its object",
                        "s",
                        (_quantile("0.5", age), "median"),
                        (_quantile("0.99", age), "oldest hundredth"),
                    ),
                    graph(
                        "Requests",
                        "reqps",
                        (
                            _rate("stock_consumer_s3_request_seconds_count", "operation, outcome") + " > 0",
                            "{{operation}} {{outcome}}",
                        ),
                    ),
                    graph(
                        "Slowest hundredth of requests that were answered",
                        "s",
                        (
                            _quantile("0.99", "stock_consumer_s3_request_seconds", 'outcome="answered"', "operation"),
                            "{{operation}}",
                        ),
                    ),
                    graph("Bytes of objects", "Bps", (_rate("stock_consumer_object_bytes_total"), "{{instance}}")),
                ],
            ),
        ],
    )


def hosts() -> Dashboard:
    """Processors, memory, disks and network of the hosts."""
    memory = "node_memory_"
    return board(
        "hosts",
        "Processors, memory, disks and network of the hosts, and the services' units.",
        [
            (
                "Processor and memory",
                [
                    graph(
                        "Busy share of the processors",
                        "percentunit",
                        (
                            f'1 - avg by (instance) (rate(node_cpu_seconds_total{{{_CHOSEN},mode="idle"}}[{_OVER}]))',
                            "{{instance}}",
                        ),
                    ),
                    graph("Load", "none", (f"node_load1{{{_CHOSEN}}}", "{{instance}}")),
                    graph(
                        "Memory in use",
                        "percentunit",
                        (
                            f"1 - {memory}MemAvailable_bytes{{{_CHOSEN}}} / {memory}MemTotal_bytes{{{_CHOSEN}}}",
                            "{{instance}}",
                        ),
                    ),
                    graph(
                        "Memory of producer and consumer",
                        "bytes",
                        (f'process_resident_memory_bytes{{{_CHOSEN},job=~"stock_.*"}}', "{{instance}} {{job}}"),
                    ),
                ],
            ),
            (
                "Disks and network",
                [
                    graph(
                        "Full share of file systems",
                        "percentunit",
                        (
                            f"1 - node_filesystem_avail_bytes{{{_CHOSEN}}} / node_filesystem_size_bytes{{{_CHOSEN}}}",
                            "{{instance}} {{mountpoint}}",
                        ),
                    ),
                    graph(
                        "Busy share of disks",
                        "percentunit",
                        (
                            _rate("node_disk_io_time_seconds_total", "instance, device", _CHOSEN),
                            "{{instance}} {{device}}",
                        ),
                    ),
                    graph(
                        "Disks",
                        "Bps",
                        (_rate("node_disk_read_bytes_total", chosen=_CHOSEN), "{{instance}} read"),
                        (_rate("node_disk_written_bytes_total", chosen=_CHOSEN), "{{instance}} written"),
                    ),
                    graph(
                        "Network",
                        "Bps",
                        (
                            _rate("node_network_receive_bytes_total", chosen=f'{_CHOSEN},device!="lo"'),
                            "{{instance}} received",
                        ),
                        (
                            _rate("node_network_transmit_bytes_total", chosen=f'{_CHOSEN},device!="lo"'),
                            "{{instance}} sent",
                        ),
                    ),
                ],
            ),
            (
                "Services",
                [
                    graph(
                        "Units that do not run",
                        "none",
                        (
                            f'sum by (instance, name) (node_systemd_unit_state{{{_CHOSEN},state="failed"}})',
                            "{{instance}} {{name}}",
                        ),
                    ),
                    graph(
                        "Starts of units by systemd after they ended",
                        "none",
                        (
                            f"sum by (instance, name) (increase(node_systemd_service_restart_total{{{_CHOSEN}}}[5m]))",
                            "{{instance}} {{name}}",
                        ),
                    ),
                    graph(
                        "Targets that do not answer",
                        "none",
                        (f"sum by (job, instance) (up{{{_CHOSEN}}} == bool 0)", "{{instance}} {{job}}"),
                    ),
                    graph("Time of a scrape", "s", (f"max by (job) (scrape_duration_seconds{{{_CHOSEN}}})", "{{job}}")),
                ],
            ),
        ],
        choose="node_load1",
    )


BOARDS = {"cluster": cluster, "broker": broker, "pipeline": pipeline, "hosts": hosts}
