"""What node_exporter and the Java agent tell of their own, as far as a dashboard or an alert uses it."""

from __future__ import annotations

from stock_market.metrics.definition import Definitions

_node = Definitions("node_")
_node.counter("cpu_seconds_total", "seconds", "Time of each processor in each mode.", cpu="a number", mode="idle, ...")
_node.gauge("load1", "processes", "Processes that ran or waited for a processor or a disk, mean of a minute.")
_node.gauge("memory_MemTotal_bytes", "bytes", "Memory of the host.")
_node.gauge("memory_MemAvailable_bytes", "bytes", "Memory that programs can still get without swapping.")
_node.gauge(
    "filesystem_size_bytes", "bytes", "Size of a file system.", device="a path", fstype="ext4, ...", mountpoint="a path"
)
_node.gauge(
    "filesystem_avail_bytes",
    "bytes",
    "What users can still write to it.",
    device="a path",
    fstype="ext4, ...",
    mountpoint="a path",
)
_node.counter("disk_read_bytes_total", "bytes", "Bytes that were read from a disk.", device="a disk")
_node.counter("disk_written_bytes_total", "bytes", "Bytes that were written to a disk.", device="a disk")
_node.counter("disk_io_time_seconds_total", "seconds", "Time in which a disk was busy.", device="a disk")
_node.counter("network_receive_bytes_total", "bytes", "Bytes that a network interface received.", device="an interface")
_node.counter("network_transmit_bytes_total", "bytes", "Bytes that a network interface sent.", device="an interface")
_node.gauge(
    "systemd_unit_state",
    "yes or no",
    "1 for the state in which a unit is.",
    name="a unit",
    state="active, ...",
    type="a unit's type",
)
_node.counter("systemd_service_restart_total", "starts", "How often systemd started a service again.", name="a unit")
_node.gauge(
    "systemd_timer_last_trigger_seconds", "seconds since 1970", "When a timer last started its service.", name="a unit"
)
_node.gauge("boot_time_seconds", "seconds since 1970", "When the host started.")
_written = Definitions("stock_market_")
_written.gauge(
    "certificate_expiry_timestamp_seconds",
    "seconds since 1970",
    "When a certificate of the host's servers ends.",
    certificate=("kafka", "zookeeper", "kafka-controller"),
)
HOSTS = (*_node.metrics, *_written.metrics)

_java = Definitions("jvm_")
_java.gauge("memory_used_bytes", "bytes", "Memory that the Java machine uses.", area=("heap", "nonheap"))
_java.gauge(
    "memory_max_bytes", "bytes", "Memory that it may use; -1 where nothing bounds it.", area=("heap", "nonheap")
)
_java.counter("gc_collection_seconds_sum", "seconds", "Time of garbage collections.", gc="a collector")
JAVA = tuple(_java.metrics)

_scrape = Definitions("")
_scrape.gauge(
    "up",
    "yes or no",
    "1 where Prometheus' last scrape got an answer, else 0.",
    instance="an instance",
    job="a job",
    service="a service",
)
_scrape.gauge(
    "scrape_duration_seconds",
    "seconds",
    "How long that scrape took.",
    instance="an instance",
    job="a job",
    service="a service",
)
PROMETHEUS = tuple(_scrape.metrics)
