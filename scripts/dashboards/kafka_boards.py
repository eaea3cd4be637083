"""The dashboards of Kafka: cluster, broker."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards.panels import ONE_IS_GOOD, ZERO_IS_GOOD, board, graph, tile
from dashboards.promql import CHOSEN, OVER, rate


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
                    graph("Records written", "cps", (rate(topics + "messagesin_total"), "{{instance}}"), stacked=True),
                    graph(
                        "Bytes",
                        "Bps",
                        (f"sum(rate({topics}bytesin_total[{OVER}]))", "written"),
                        (f"sum(rate({topics}bytesout_total[{OVER}]))", "read"),
                        (f"sum(rate({topics}replicationbytesin_total[{OVER}]))", "replicated"),
                    ),
                    graph(
                        "Partitions that a broker leads",
                        "none",
                        (f"sum by (instance) ({replicas}leadercount)", "{{instance}}"),
                    ),
                    graph(
                        "Replicas that fall out of sync and come back",
                        "cps",
                        (rate(replicas + "isrshrinks_total"), "{{instance}} out"),
                        (rate(replicas + "isrexpands_total"), "{{instance}} back"),
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
                        (rate("kafka_server_sessionexpirelistener_zookeeperexpires_total"), "{{instance}} ended"),
                        (rate("kafka_server_sessionexpirelistener_zookeeperdisconnects_total"), "{{instance}} broke"),
                    ),
                ],
            ),
        ],
    )


def broker() -> Dashboard:
    """What a broker is busy with."""
    requests, topics = "kafka_network_requestmetrics_", "kafka_server_brokertopicmetrics_"
    sockets = "kafka_server_socketservermetrics_"
    slow = f'{requests}totaltimems{{{CHOSEN},quantile="0.99",request="%s"}}'
    heap = f'{CHOSEN},job="kafka",area="heap"'
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
                            f"kafka_server_kafkarequesthandlerpool_requesthandleravgidlepercent{{{CHOSEN}}}",
                            "{{instance}} handlers",
                        ),
                        (
                            f"kafka_network_socketserver_networkprocessoravgidlepercent{{{CHOSEN}}}",
                            "{{instance}} network",
                        ),
                        about="Below 0.2 the broker has no room left.",
                    ),
                    graph(
                        "Requests that wait",
                        "none",
                        (f"kafka_network_requestchannel_requestqueuesize{{{CHOSEN}}}", "{{instance}} requests"),
                        (f"kafka_network_requestchannel_responsequeuesize{{{CHOSEN}}}", "{{instance}} responses"),
                    ),
                    graph(
                        "Heap",
                        "percentunit",
                        (f"jvm_memory_used_bytes{{{heap}}} / jvm_memory_max_bytes{{{heap}}}", "{{instance}}"),
                    ),
                    graph(
                        "Share of time in garbage collection",
                        "percentunit",
                        (rate("jvm_gc_collection_seconds_sum", chosen=f'{CHOSEN},job="kafka"'), "{{instance}}"),
                    ),
                ],
            ),
            (
                "Requests",
                [
                    graph(
                        "Requests",
                        "reqps",
                        (rate(requests + "requests_total", "instance, request", CHOSEN), "{{instance}} {{request}}"),
                    ),
                    graph(
                        "Requests that failed",
                        "reqps",
                        (rate(topics + "failedproducerequests_total", chosen=CHOSEN), "{{instance}} produce"),
                        (rate(topics + "failedfetchrequests_total", chosen=CHOSEN), "{{instance}} fetch"),
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
                            f"sum by (instance, listener) ({sockets}connectioncount{{{CHOSEN}}})",
                            "{{instance}} {{listener}}",
                        ),
                    ),
                    graph(
                        "Logins that were refused",
                        "cps",
                        (
                            rate(
                                sockets + "failedauthentication_total",
                                "instance, listener",
                                CHOSEN,
                            ),
                            "{{instance}} {{listener}}",
                        ),
                    ),
                    graph(
                        "Records that the furthest replica is behind",
                        "none",
                        (f"kafka_server_replicafetchermanager_maxlag{{{CHOSEN}}}", "{{instance}}"),
                    ),
                    graph(
                        "Log directories and replicas that are offline",
                        "none",
                        (f"kafka_log_logmanager_offlinelogdirectorycount{{{CHOSEN}}}", "{{instance}} directories"),
                        (f"kafka_server_replicamanager_offlinereplicacount{{{CHOSEN}}}", "{{instance}} replicas"),
                    ),
                ],
            ),
        ],
        choose="kafka_server_kafkaserver_brokerstate",
    )
