"""What a stop saves of the buckets."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from local_cloud.s3.export import relative_path, save_bucket


@dataclass
class Item:
    name: str
    value: bytes
    metadata: dict[str, str] = field(default_factory=dict)


def test_objects_become_plain_files_under_their_keys(tmp_path: Path) -> None:
    kept = save_bucket("data", [Item("quotes/dt=2026-01-01/a.gz", b"one"), Item("b", b"three")], tmp_path)
    assert (tmp_path / "data/quotes/dt=2026-01-01/a.gz").read_bytes() == b"one"
    assert (tmp_path / "data/b").read_bytes() == b"three"
    assert kept == f"Bucket data still held 2 objects (8 bytes): kept in {tmp_path / 'data'}"


def test_the_listing_contains_keys_and_metadata(tmp_path: Path) -> None:
    save_bucket("data", [Item("x//y", b"1", {"end-offset": "7"})], tmp_path)
    listing = json.loads((tmp_path / "data.json").read_text())
    assert listing == [{"key": "x//y", "file": "x/%/y", "size": 1, "metadata": {"end-offset": "7"}}]


def test_an_empty_bucket_leaves_nothing(tmp_path: Path) -> None:
    assert save_bucket("data", [], tmp_path) == ""
    assert list(tmp_path.iterdir()) == []


def test_what_an_earlier_stop_kept_stays(tmp_path: Path) -> None:
    save_bucket("data", [Item("a", b"old")], tmp_path)
    kept = save_bucket("data", [Item("a", b"new")], tmp_path)
    assert kept.endswith(f"kept in {tmp_path / 'data.2'}")
    assert (tmp_path / "data/a").read_bytes() == b"old"
    assert (tmp_path / "data.2/a").read_bytes() == b"new"


@pytest.mark.parametrize("names", [("a", "a/b"), ("a/b", "a"), ("a" * 300, "a" * 299), ("a/", "a")])
def test_keys_that_can_not_both_be_files_are_both_kept(tmp_path: Path, names: tuple[str, str]) -> None:
    save_bucket("data", [Item(names[0], b"first"), Item(names[1], b"second")], tmp_path)
    listing = json.loads((tmp_path / "data.json").read_text())
    contents = {entry["key"]: (tmp_path / "data" / entry["file"]).read_bytes() for entry in listing}
    assert contents == {names[0]: b"first", names[1]: b"second"}


@pytest.mark.parametrize("key", ["../../etc/passwd", "/etc/passwd", "a/../../b", "..", ".", "", "a\0b", "é" * 300])
def test_no_key_leads_out_of_the_buckets_directory(tmp_path: Path, key: str) -> None:
    path = (tmp_path / relative_path(key)).resolve()
    assert path.is_relative_to(tmp_path.resolve())
    assert path != tmp_path.resolve()
