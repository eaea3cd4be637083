"""Promises of the filters: heaps that fit the machine, corrected names, and properties that need no restart."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from plugins.filter.kafka import jvm_heap_mb, misspelt_options, placed_properties
from tests.support.stock_market.broker import VERSION, distribution


@pytest.mark.parametrize(("memory", "broker", "zookeeper"), [(949, 256, 64), (1956, 480, 96), (7800, 1920, 480)])
def test_the_heaps_are_a_quarter_and_a_sixteenth_within_bounds(memory: int, broker: int, zookeeper: int) -> None:
    assert jvm_heap_mb(memory, "kafka") == broker
    assert jvm_heap_mb(memory, "zookeeper") == zookeeper
    assert jvm_heap_mb(memory, "kafka_controller") == max(zookeeper, 96)


def test_both_ways_of_keeping_the_metadata_say_the_same_things() -> None:
    zookeeper, kraft = (
        yaml.safe_load((VARS / f"{name}.yml").read_text(encoding="utf-8"))[f"__kafka_mode_{name}"]
        for name in ("zookeeper", "kraft")
    )
    assert list(zookeeper) == list(kraft)
    assert not [key for key in kraft["metadata"] if "zookeeper" in key]


def test_a_large_machine_keeps_its_memory_for_the_page_cache() -> None:
    assert jvm_heap_mb(128_000, "kafka") == 6144


def test_an_unknown_name_comes_with_what_looks_like_it() -> None:
    options = ["kafka_heap_mb", "kafka_version", "kafka_log_retention_hours"]
    assert misspelt_options(["kafka_heap_mb", "kafka_heap"], options) == ["kafka_heap (did you mean kafka_heap_mb?)"]
    assert misspelt_options(["kafka_qqq"], options) == ["kafka_qqq"]
    assert misspelt_options(options, options) == []


VARS = Path(__file__).resolve().parents[2] / "roles" / "kafka" / "vars" / "main"
ROLE: dict[str, Any] = yaml.safe_load((VARS / "main.yml").read_text(encoding="utf-8"))
LINES: dict[str, Any] = yaml.safe_load((VARS / "versions.yml").read_text(encoding="utf-8"))["__kafka_lines"]
LINE = LINES[VERSION[0]]
CLUSTER_WIDE = sorted(ROLE["__kafka_cluster_wide_always"] + LINE["cluster_wide"])
DEFAULTS = {"log.retention.ms": 1000, "log.segment.bytes": 5}


def place(*overrides: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Where the first broker's properties stand, in a cluster of brokers with these overrides."""
    return placed_properties(overrides[0], overrides, DEFAULTS, CLUSTER_WIDE)


def test_the_list_is_what_kafka_itself_says_can_change_while_brokers_run() -> None:
    command = ["java", "-XX:TieredStopAtLevel=1", "-cp", f"{distribution()}/libs/*", "kafka.server.KafkaConfig"]
    table = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    modes = {
        found[1]: found[2]
        for found in re.finditer(
            r'<h4><a id="([^"]+)">(?:(?!<h4>).)*?<th>Update Mode:</th><td>([a-z-]+)</td>', table, re.DOTALL
        )
    }
    assert len(modes) > 300
    assert sorted(name for name, mode in modes.items() if mode == "cluster-wide") == CLUSTER_WIDE


def test_all_lines_of_kafka_have_the_same_keys_and_templates_of_their_logging() -> None:
    assert LINES["3"].keys() == LINES["4"].keys()
    for line in LINES.values():
        for role in ("kafka", "kafka_controller"):
            assert (VARS.parents[2] / role / "templates" / f"{line['logging']['file']}.j2").is_file()


def test_only_two_cluster_wide_properties_of_the_role_are_in_the_file() -> None:
    assert set(ROLE["__kafka_cluster_properties"]) <= set(CLUSTER_WIDE)
    properties = [part for name, part in ROLE.items() if name.endswith("_properties") and isinstance(part, dict)]
    written = {name for part in properties if part is not ROLE["__kafka_cluster_properties"] for name in part}
    both = {"min.insync.replicas", "log.cleaner.dedupe.buffer.size"}
    assert written & set(CLUSTER_WIDE) - {"config.providers"} == both
    assert set(LINE["cluster_properties"]) <= both


def test_a_cluster_wide_override_is_set_for_the_cluster_and_any_other_for_the_broker() -> None:
    overrides = {"num.io.threads": 16, "log.segment.bytes": 7, "num.partitions": 3}
    assert place(overrides, overrides) == {
        "cluster": {"log.retention.ms": 1000, "log.segment.bytes": 7, "num.io.threads": 16},
        "broker": {"num.partitions": 3},
    }


def test_hours_and_minutes_become_milliseconds_and_the_finest_counts() -> None:
    assert place({"log.retention.hours": "2"})["cluster"]["log.retention.ms"] == 7200000
    assert place({"log.retention.minutes": 2, "log.retention.hours": 5})["cluster"]["log.retention.ms"] == 120000
    assert place({"log.retention.hours": 5, "log.retention.ms": 7})["cluster"]["log.retention.ms"] == 7
    assert place({"log.retention.hours": -1})["cluster"]["log.retention.ms"] == -1
    assert place({"log.retention.hours": "soon"})["cluster"]["log.retention.ms"] == "soon"
    assert place({"log.roll.hours": 1, "log.roll.jitter.hours": 1}) == {
        "cluster": {**DEFAULTS, "log.roll.ms": 3600000, "log.roll.jitter.ms": 3600000},
        "broker": {},
    }


def test_a_flush_interval_by_another_property_is_also_set_in_the_running_brokers() -> None:
    placed = place({"log.flush.scheduler.interval.ms": 9})
    assert placed["broker"] == {"log.flush.scheduler.interval.ms": 9}
    assert placed["cluster"]["log.flush.interval.ms"] == 9


def test_where_brokers_differ_each_keeps_its_own_and_the_others_the_roles() -> None:
    mine, other = {"log.segment.bytes": 7, "num.io.threads": 16}, {"num.io.threads": "16"}
    assert place(mine, other) == {
        "cluster": {"log.retention.ms": 1000, "num.io.threads": 16},
        "broker": {"log.segment.bytes": 7},
    }
    assert place(other, mine)["broker"] == {"log.segment.bytes": 5}


def test_null_leaves_a_property_to_kafka() -> None:
    assert place({"log.segment.bytes": None})["cluster"]["log.segment.bytes"] is None
    assert place({"log.segment.bytes": None}, {})["broker"] == {}
