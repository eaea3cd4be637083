"""Promises about the manifest of an hour."""

from __future__ import annotations

import msgspec
import pytest

from stock_market.chain.naming import ObjectInfo, ObjectName, object_key
from stock_market.history import manifest
from stock_market.history.manifest import Manifest, ManifestError, Producer, Replay
from stock_market.kafka.identity import Identity

NOON_MS = 1_764_417_600_000
LOG = "AAAAAAAAAAAAAAAAAAAAAA"
REPLAY = f"quotes/dt=2025-11-29/hour=12/stock-quotes+{LOG}+0+{0:020}+replay-0.json.gz"


def info(start: int, end: int, quarantined: int = 0, partition: int = 0, log: str = LOG) -> ObjectInfo:
    """A main object."""
    return ObjectInfo(
        key=object_key("quotes/", ObjectName("stock-quotes", log, partition, start), NOON_MS),
        start=start,
        end=end,
        records=end - start - quarantined,
        quarantined=quarantined,
        first_timestamp=NOON_MS,
        last_timestamp=NOON_MS,
        sha256="00" * 32,
        identity=Identity("cluster", log),
    )


INFOS = [info(10, 15, 1), info(0, 10), info(20, 30), info(0, 4, partition=1)]


def made(**changes: object) -> Manifest:
    """A manifest of them."""
    return msgspec.structs.replace(
        Manifest(
            dt="2025-11-29",
            hour="12",
            attempt="20261129T124500Z-0123abcd",
            created="2026-11-29T12:45:30Z",
            rows=29,
            checksum="0" * 16,
            producers=[Producer(producer_id="p", records=29, min=0, max=28, sum="406")],
            files=[manifest.File(key="history/x", size=7)],
            ranges=manifest.ranges_of(INFOS),
            quarantined_objects=manifest.quarantined_of(INFOS),
            replays=[Replay(key=REPLAY, records=1, offsets="14")],
        ),
        **changes,
    )


def test_objects_that_follow_each_other_are_one_range() -> None:
    found = [(one.partition, one.start, one.end, one.objects, one.records) for one in manifest.ranges_of(INFOS)]
    assert found == [(0, 0, 15, 2, 14), (0, 20, 30, 1, 10), (1, 0, 4, 1, 4)]
    assert manifest.merged(manifest.ranges_of(INFOS[:2]), manifest.ranges_of(INFOS[2:])) == manifest.ranges_of(INFOS)


def test_objects_that_overlap_are_refused() -> None:
    with pytest.raises(ManifestError, match="before offset 10"):
        manifest.ranges_of([info(0, 10), info(9, 12)])


def test_a_manifest_comes_back_as_it_was_written() -> None:
    one = made()
    assert manifest.decode(manifest.encode(one), "key") == one
    assert b'"try":"20261129T124500Z-0123abcd"' in manifest.encode(one)


def test_it_knows_which_raw_objects_it_has_not() -> None:
    late = [info(15, 20).key, info(0, 3, log="B" * 22).key, info(4, 5, partition=1).key]
    replay = REPLAY.replace("replay-0", "replay-1")
    assert made().lacks([*(one.key for one in INFOS), *late, REPLAY, replay]) == [*late, replay]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"rows": 30}, "hold 29 records, its files 30"),
        ({"producers": []}, "producers' records"),
        ({"files": []}, "names no file that holds its 29 records"),
        ({"hour": "24"}, "no hour"),
        ({"attempt": "x"}, "no try's id"),
        ({"quarantined_objects": []}, "quarantined records"),
        ({"format": 2}, "format is 2"),
        ({"checksum": "xyz"}, "is none"),
        ({"replays": [Replay(key=REPLAY, records=1, offsets="")]}, "contradicts itself"),
    ],
)
def test_a_manifest_that_contradicts_itself_is_refused(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(ManifestError, match=sentence):
        manifest.decode(manifest.encode(made(**changes)), "key")


def test_a_manifest_with_an_unknown_field_is_refused() -> None:
    with pytest.raises(ManifestError, match="unknown field"):
        manifest.decode(manifest.encode(made()).replace(b'"rows"', b'"more":1,"rows"'), "key")
