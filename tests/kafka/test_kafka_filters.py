"""Promises of the filters: heaps that fit the machine, and names that are corrected."""

from __future__ import annotations

import pytest
from plugins.filter.kafka import jvm_heap_mb, misspelt_options


@pytest.mark.parametrize(("memory", "broker", "zookeeper"), [(949, 256, 64), (1956, 480, 96), (7800, 1920, 480)])
def test_the_heaps_are_a_quarter_and_a_sixteenth_within_bounds(memory: int, broker: int, zookeeper: int) -> None:
    assert jvm_heap_mb(memory, "kafka") == broker
    assert jvm_heap_mb(memory, "zookeeper") == zookeeper


def test_a_large_machine_keeps_its_memory_for_the_page_cache() -> None:
    assert jvm_heap_mb(128_000, "kafka") == 6144


def test_an_unknown_name_comes_with_what_looks_like_it() -> None:
    options = ["kafka_heap_mb", "kafka_version", "kafka_log_retention_hours"]
    assert misspelt_options(["kafka_heap_mb", "kafka_heap"], options) == ["kafka_heap (did you mean kafka_heap_mb?)"]
    assert misspelt_options(["kafka_qqq"], options) == ["kafka_qqq"]
    assert misspelt_options(options, options) == []
