"""/proc/meminfo of a host."""

from __future__ import annotations

from pathlib import Path

from local_cloud.hosts import meminfo
from local_cloud.hosts.meminfo import Usage

MIB = 1024 * 1024


def fields(text: str) -> dict[str, int]:
    return {line.split(":")[0]: int(line.split()[1]) for line in text.splitlines()}


def test_a_host_sees_the_memory_of_its_type() -> None:
    total = fields(meminfo.render(2048, Usage(0, 0)))["MemTotal"]
    assert 1900 * 1024 < total < 2048 * 1024


def test_what_is_used_is_not_free_and_cache_is_available() -> None:
    found = fields(meminfo.render(1024, Usage(used=300 * MIB, cache=200 * MIB)))
    assert found["MemTotal"] == found["MemFree"] + (300 + 200) * 1024
    assert found["MemAvailable"] == found["MemTotal"] - 300 * 1024
    assert found["Cached"] == 200 * 1024


def test_more_use_than_memory_never_shows_negative_numbers() -> None:
    found = fields(meminfo.render(1024, Usage(used=2048 * MIB, cache=2048 * MIB)))
    assert found["MemFree"] == 0
    assert min(found.values()) >= 0


def test_the_text_keeps_its_length_so_that_it_can_be_written_in_place() -> None:
    empty = meminfo.render(16384, Usage(0, 0))
    full = meminfo.render(16384, Usage(16384 * MIB, 0))
    assert len(empty) == len(full)


def test_a_bound_file_stays_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "meminfo"
    meminfo.write(path, meminfo.render(1024, Usage(0, 0)))
    before = path.stat().st_ino
    text = meminfo.render(1024, Usage(5 * MIB, 0))
    meminfo.write(path, text)
    assert path.stat().st_ino == before
    assert path.read_text() == text
