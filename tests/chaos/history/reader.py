"""Reads what the view shows, by the Parquet files and the raw lines themselves; nothing of it is the project's code."""

from __future__ import annotations

import base64
import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow.parquet as pq
from tests.chaos.history.catalog import Catalog
from tests.chaos.lake import Lake
from tests.support.stock_market.bucket import Bucket

_HISTORY = re.compile(r"FROM \"quotes_history\"\s+WHERE (.*?)\s+UNION ALL", re.DOTALL)
_BELOW = re.compile(r"WHERE dt <= '([^']*)' AND \(dt < '\1' OR hour < '([^']*)'\)")
_FROM = re.compile(r"WHERE dt >= '([^']*)' AND \(dt > '\1' OR hour >= '([^']*)'\)$")
_NAMED = re.compile(r"\(dt = '([^']+)' AND hour = '([^']+)' AND revision = '([^']+)'\)")
_NOT_THE_FIRST = re.compile(r"\(dt <> '([^']+)' OR hour <> '([^']+)'\)")
_ABSENT = re.compile(
    r"\((?:dt < '([^']+)' OR \(dt = '\1' AND hour < '([^']+)'\) OR )?"
    r"dt > '([^']+)' OR \(dt = '\3' AND hour > '([^']+)'\)\)"
)
_MOST = 5


@dataclass(frozen=True, slots=True)
class Shown:
    """What the view's text says: history below an hour, its revisions, and the runs of hours without any."""

    watermark: str
    revisions: dict[str, str]
    absent: list[tuple[str, str]]

    def revision(self, hour: str) -> str:
        """The revision that is read of an hour below the watermark; nothing where none is."""
        if hour in self.revisions:
            return self.revisions[hour]
        return "" if any(first <= hour <= last for first, last in self.absent) else "1"


def shown(view: Mapping[str, Any]) -> Shown:
    """Reads the view's text.

    Raises:
        ValueError: its two halves do not meet, or an hour is read from two revisions.
    """
    packed = view["ViewOriginalText"].removeprefix("/* Presto View: ").removesuffix(" */")
    sql = json.loads(base64.b64decode(packed))["originalSql"]
    history = _HISTORY.search(sql)
    below, begins = _BELOW.findall(sql), _FROM.findall(sql)
    if history is None or len(below) != 1 or begins != below:
        raise ValueError(f"the view does not read each hour from one side: {sql}")
    named = _NAMED.findall(history[1])
    if [one[:2] for one in named] != _NOT_THE_FIRST.findall(history[1]):
        raise ValueError(f"the view does not read each hour from one revision: {sql}")
    absent = _ABSENT.findall(history[1])
    return Shown(
        " ".join(below[0]).strip(),
        {f"{day} {hour}": name for day, hour, name in named},
        [(f"{first} {hour}".strip(), f"{last} {end}") for first, hour, last, end in absent],
    )


def _quotes(bucket: Bucket, prefix: str) -> Iterator[dict[str, Any]]:
    for key in bucket.keys(prefix):
        if not key.removeprefix(prefix).startswith(("_", ".")):
            body = bucket.client.get_object(Bucket=bucket.name, Key=key)["Body"].read()
            yield from pq.read_table(io.BytesIO(body)).to_pylist()


def _counted(quotes: Iterable[dict[str, Any]], into: dict[str, Counter[int]]) -> None:
    for quote in quotes:
        into.setdefault(quote["producer_id"], Counter())[quote["sequence"]] += 1


def compare(bucket: Bucket, catalog: Catalog, lake: Lake, stored: Mapping[str, Counter[int]]) -> list[str]:
    """Compares what the view shows with what has to be stored; returns one sentence for each difference.

    Args:
        bucket: the round's.
        catalog: of it.
        lake: its raw objects.
        stored: how often S3 has to hold each number of each producer.
    """
    view = shown(catalog.view())
    raw: dict[str, list[dict[str, Any]]] = {}
    for objects in lake.main.values():
        for one in objects:
            raw.setdefault(one.hour, []).extend(json.loads(line) for line in one.lines)
    problems = []
    found: dict[str, Counter[int]] = {}
    for hour, quotes in raw.items():
        if hour >= view.watermark:
            _counted(quotes, found)
    for (dt, number, revision), prefix in sorted(catalog.partitions().items()):
        hour = f"{dt} {number}"
        if hour >= view.watermark or view.revision(hour) != revision:
            continue
        quotes = list(_quotes(bucket, prefix.rstrip("/") + "/"))
        _counted(quotes, found)
        problems += _other_values(hour, quotes, raw.pop(hour, []))
    problems += [f"no partition is read of {hour}, which has {len(quotes)} quotes" for hour, quotes in raw.items()
                 if hour < view.watermark and quotes]  # fmt: skip
    problems += _differences("the files that the view names hold", found, stored)
    asked: dict[str, Counter[int]] = {}
    for producer_id, sequence, count in catalog.select(
        "SELECT producer_id, sequence, count(*) FROM quotes_all GROUP BY producer_id, sequence"
    ):
        asked.setdefault(producer_id, Counter())[int(sequence)] = int(count)
    return problems + _differences("Athena shows", asked, stored) + _other_sums(catalog, stored)


def _other_sums(catalog: Catalog, stored: Mapping[str, Counter[int]]) -> list[str]:
    """Whether the hours summed up have each producer's records and numbers."""
    numbers: dict[str, set[int]] = {}
    records: dict[str, Counter[str]] = {}
    sql = "SELECT producer_id, block, bits, records FROM quotes_hours WHERE records IS NOT NULL"
    for producer_id, block, bits, count in catalog.select(sql):
        records.setdefault(producer_id, Counter())["numbers" if block else "symbols"] += int(count)
        if block:
            held = {64 * int(block) + at for at in range(64) if int(bits) >> at & 1}
            numbers.setdefault(producer_id, set()).update(held)
    problems = []
    for name in sorted(numbers.keys() | stored.keys()):
        need = stored.get(name, Counter())
        if numbers.get(name, set()) != {*need.elements()}:
            other = sorted(numbers.get(name, set()) ^ {*need.elements()})
            problems.append(f"the hours summed up do not have the numbers of {name}: {other[:_MOST]}")
        if {*records.get(name, Counter(numbers=0)).values()} != {need.total()}:
            problems.append(f"the hours summed up have {records.get(name)} records of {name}, S3 {need.total()}")
    return problems


def _other_values(hour: str, history: list[dict[str, Any]], raw: list[dict[str, Any]]) -> list[str]:
    """Whether both hold the same records with the same values."""

    def key(quote: dict[str, Any]) -> tuple[str, int, str]:
        values = {name: float(value) if isinstance(value, int) else value for name, value in quote.items()}
        return quote["producer_id"], quote["sequence"], json.dumps(values, sort_keys=True)

    left, right = Counter(map(key, history)), Counter(map(key, raw))
    if left == right:
        return []
    only = [sorted((one - other).elements())[:_MOST] for one, other in ((left, right), (right, left))]
    return [f"the history of {hour} differs from its raw objects: only there {only[0]}, only here {only[1]}"]


def _differences(who: str, found: Mapping[str, Counter[int]], stored: Mapping[str, Counter[int]]) -> list[str]:
    problems = []
    for name in sorted(found.keys() | stored.keys()):
        have, need = found.get(name, Counter()), stored.get(name, Counter())
        more, less = have - need, need - have
        if more or less:
            words = f"{who} {sum(more.values())} records of {name} too often and {sum(less.values())} too seldom"
            problems.append(f"{words}: {sorted(more)[:_MOST]}, {sorted(less)[:_MOST]}")
    return problems
