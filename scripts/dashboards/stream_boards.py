"""The dashboards of what surrounds Kafka: pipeline, hosts."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards.panels import ZERO_IS_GOOD, board, graph, tile
from dashboards.promql import CHOSEN, OVER, quantile, rate


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
                    tile("Records acknowledged", "cps", f"sum(rate(stock_producer_records_total[{OVER}]))"),
                    tile("Records stored", "cps", f"sum(rate({age}_count[{OVER}]))"),
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
                        (rate("stock_producer_records_total"), "{{instance}}"),
                        ("stock_producer_target_records_per_second", "{{instance}} asked for"),
                    ),
                    graph("Bytes before compression", "Bps", (rate("stock_producer_bytes_total"), "{{instance}}")),
                    graph(
                        "From hand-over to acknowledgement",
                        "s",
                        (quantile("0.5", "stock_producer_acknowledge_seconds"), "median"),
                        (quantile("0.99", "stock_producer_acknowledge_seconds"), "slowest hundredth"),
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
                    graph("Records read", "cps", (rate("stock_consumer_records_total"), "{{instance}}")),
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
                        (quantile("0.5", age), "median"),
                        (quantile("0.99", age), "oldest hundredth"),
                    ),
                    graph(
                        "Requests",
                        "reqps",
                        (
                            rate("stock_consumer_s3_request_seconds_count", "operation, outcome") + " > 0",
                            "{{operation}} {{outcome}}",
                        ),
                    ),
                    graph(
                        "Slowest hundredth of requests that were answered",
                        "s",
                        (
                            quantile("0.99", "stock_consumer_s3_request_seconds", 'outcome="answered"', "operation"),
                            "{{operation}}",
                        ),
                    ),
                    graph("Bytes of objects", "Bps", (rate("stock_consumer_object_bytes_total"), "{{instance}}")),
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
                            f'1 - avg by (instance) (rate(node_cpu_seconds_total{{{CHOSEN},mode="idle"}}[{OVER}]))',
                            "{{instance}}",
                        ),
                    ),
                    graph("Load", "none", (f"node_load1{{{CHOSEN}}}", "{{instance}}")),
                    graph(
                        "Memory in use",
                        "percentunit",
                        (
                            f"1 - {memory}MemAvailable_bytes{{{CHOSEN}}} / {memory}MemTotal_bytes{{{CHOSEN}}}",
                            "{{instance}}",
                        ),
                    ),
                    graph(
                        "Memory of producer and consumer",
                        "bytes",
                        (f'process_resident_memory_bytes{{{CHOSEN},job=~"stock_.*"}}', "{{instance}} {{job}}"),
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
                            f"1 - node_filesystem_avail_bytes{{{CHOSEN}}} / node_filesystem_size_bytes{{{CHOSEN}}}",
                            "{{instance}} {{mountpoint}}",
                        ),
                    ),
                    graph(
                        "Busy share of disks",
                        "percentunit",
                        (
                            rate("node_disk_io_time_seconds_total", "instance, device", CHOSEN),
                            "{{instance}} {{device}}",
                        ),
                    ),
                    graph(
                        "Disks",
                        "Bps",
                        (rate("node_disk_read_bytes_total", chosen=CHOSEN), "{{instance}} read"),
                        (rate("node_disk_written_bytes_total", chosen=CHOSEN), "{{instance}} written"),
                    ),
                    graph(
                        "Network",
                        "Bps",
                        (
                            rate("node_network_receive_bytes_total", chosen=f'{CHOSEN},device!="lo"'),
                            "{{instance}} received",
                        ),
                        (
                            rate("node_network_transmit_bytes_total", chosen=f'{CHOSEN},device!="lo"'),
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
                            f'sum by (instance, name) (node_systemd_unit_state{{{CHOSEN},state="failed"}})',
                            "{{instance}} {{name}}",
                        ),
                    ),
                    graph(
                        "Starts of units by systemd after they ended",
                        "none",
                        (
                            f"sum by (instance, name) (increase(node_systemd_service_restart_total{{{CHOSEN}}}[5m]))",
                            "{{instance}} {{name}}",
                        ),
                    ),
                    graph(
                        "Targets that do not answer",
                        "none",
                        (f"sum by (job, instance) (up{{{CHOSEN}}} == bool 0)", "{{instance}} {{job}}"),
                    ),
                    graph("Time of a scrape", "s", (f"max by (job) (scrape_duration_seconds{{{CHOSEN}}})", "{{job}}")),
                ],
            ),
        ],
        choose="node_load1",
    )
