"""The views quotes_all and quotes_hours, which say what is read: history up to a watermark, and what is not from there.

Replacing a view is the one atomic step by which an hour becomes history. What it reads (`History`) stands in its SQL
and, for programs, in its table's parameters; both are written together and have to agree.

Athena's views are Presto's: the table's ViewOriginalText holds a JSON object in base64
(https://github.com/trinodb/trino/blob/476/plugin/trino-hive/src/main/java/io/trino/plugin/hive/ViewReaderUtil.java).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from stock_market.errors import ServiceError
from stock_market.history.naming import Hour, is_try
from stock_market.history.summary import HOURS
from stock_market.history.tables import QUOTES, RAW_KEYS, Layer

FIRST_REVISION = "1"
"""The partition of an hour that was written only once; other revisions have their try's id."""
_FORMER_FORMAT = "1"
"""A text of this format (`_former_sql`) is read, too, and replaced with the next hour. Now: the layer's version."""
_FORMAT_KEY, _WATERMARK_KEY = "history-format", "history-watermark"
_REVISIONS_KEY, _ABSENT_KEY = "history-revisions", "history-absent"
_PRESTO_VIEW = re.compile(r"/\* Presto View: (\S+) \*/")
_TYPES = {"string": "varchar"}


class Names(NamedTuple):
    """The names of the view, of the two tables that it reads, and of their database; and what they hold."""

    database: str
    raw: str = "quotes"
    history: str = "quotes_history"
    view: str = "quotes_all"
    layer: Layer = QUOTES

    @property
    def hours(self) -> Names:
        """Those of the view that sums up hours, quotes_hours: what its table lacks is summed up from this view."""
        return Names(self.database, self.view, f"{self.raw}_hours_history", f"{self.raw}_hours", HOURS)


class ViewError(ServiceError):
    """The view is not one of this program's, or was changed by somebody else."""


@dataclass(frozen=True)
class History:
    """What the view reads.

    Attributes:
        watermark: the first hour that is read raw, `YYYY-MM-DD HH`; empty before there is any history.
        revisions: the hours below it that are read from another revision than the first, by `YYYY-MM-DD HH`.
        absent: the runs of hours below it that had no objects, each by its first hour (empty: from the beginning) and
            its last; none of their partitions is read unless `revisions` names it.
    """

    watermark: str = ""
    revisions: Mapping[str, str] = field(default_factory=dict)
    absent: tuple[tuple[str, str], ...] = ()

    def has(self, hour: Hour) -> bool:
        """Whether the hour is read from the history, or not at all; else raw."""
        return hour.text < self.watermark

    def revision(self, hour: Hour) -> str | None:
        """The revision of an hour that is read; None where the hour is read raw, or was absent."""
        if not self.has(hour):
            return None
        named = self.revisions.get(hour.text)
        if named is None and any(first <= hour.text <= last for first, last in self.absent):
            return None
        return named or FIRST_REVISION

    def published(self, hour: Hour, revision: str) -> History:
        """With this revision of an hour; hours that are passed over become absent."""
        revisions = {**self.revisions}
        if revision == FIRST_REVISION:
            if self.has(hour):
                raise ValueError(f"the hour {hour.text} is history; only a named revision can follow")
            revisions.pop(hour.text, None)
        else:
            revisions[hour.text] = revision
        if self.has(hour):
            return replace(self, revisions=revisions)
        absent = self.absent
        if hour.text > self.watermark:
            absent = (*absent, (self.watermark, hour.before.text))
        return History(hour.next.text, revisions, absent)

    def parameters(self) -> dict[str, str]:
        """As the table's parameters tell it."""
        return {
            _WATERMARK_KEY: self.watermark,
            _REVISIONS_KEY: json.dumps(dict(sorted(self.revisions.items())), separators=(",", ":")),
            _ABSENT_KEY: json.dumps([list(run) for run in self.absent], separators=(",", ":")),
        }


def sql(names: Names, history: History) -> str:
    """The view's SELECT.

    Each half begins with a comparison of `dt` alone, by which Glue leaves out partitions, and compares `dt` and `hour`
    with constants only: an expression of both is made for each row, which took half of a query's time.
    """
    day, hour = history.watermark[:10], history.watermark[11:]
    return _both(
        names,
        f"dt <= '{day}' AND (dt < '{day}' OR hour < '{hour}') AND {_revision(history)}",
        f"dt >= '{day}' AND (dt > '{day}' OR hour >= '{hour}')",
    )


def _both(names: Names, of_history: str, of_raw: str) -> str:
    raw = names.layer.select.format(table=f'"{names.raw}"', condition=of_raw)
    return f'SELECT {names.layer.listed}\nFROM "{names.history}"\nWHERE {of_history}\nUNION ALL\n{raw}'


def _revision(history: History) -> str:
    outside = []
    for first, last in history.absent:
        before = f"{_beyond(first, '<')} OR " if first else ""
        outside.append(f"({before}{_beyond(last, '>')})")
    named = [(hour[:10], hour[11:], name) for hour, name in sorted(history.revisions.items())]
    outside += [f"(dt <> '{day}' OR hour <> '{hour}')" for day, hour, _ in named]
    found = " AND ".join((f"revision = '{FIRST_REVISION}'", *outside))
    others = [f"(dt = '{day}' AND hour = '{hour}' AND revision = '{name}')" for day, hour, name in named]
    return f"({' OR '.join((f'({found})', *others))})" if others else found


def _beyond(moment: str, direction: str) -> str:
    day, hour = moment[:10], moment[11:]
    return f"dt {direction} '{day}' OR (dt = '{day}' AND hour {direction} '{hour}')"


def _former_sql(names: Names, history: History) -> str:
    """The text of format 1, which compared the two keys as one text."""
    day, moment, key = history.watermark[:10], history.watermark, "concat(dt, ' ', hour)"
    found = f"'{FIRST_REVISION}'"
    if history.absent:
        runs = " ".join(f"WHEN {key} BETWEEN '{first}' AND '{last}' THEN ''" for first, last in history.absent)
        found = f"CASE {runs} ELSE {found} END"
    if history.revisions:
        named = " ".join(f"WHEN '{hour}' THEN '{name}'" for hour, name in sorted(history.revisions.items()))
        found = f"CASE {key} {named} ELSE {found} END"
    return _both(
        names,
        f"dt <= '{day}' AND {key} < '{moment}' AND revision = {found}",
        f"dt >= '{day}' AND {key} >= '{moment}'",
    )


def table_input(names: Names, history: History) -> dict[str, Any]:
    """Glue's TableInput of the view."""
    document = {
        "originalSql": sql(names, history),
        "catalog": "awsdatacatalog",
        "schema": names.database,
        "columns": [{"name": one["Name"], "type": _presto(one["Type"])} for one in names.layer.described(*RAW_KEYS)],
        # Athena reads with the caller's rights; Trino asks for an owner of a view that does not say so.
        "runAsInvoker": True,
    }
    text = base64.b64encode(json.dumps(document, separators=(",", ":")).encode()).decode()
    return {
        "Name": names.view,
        "TableType": "VIRTUAL_VIEW",
        "StorageDescriptor": {"Columns": names.layer.described(*RAW_KEYS), "Location": "", "SerdeInfo": {}},
        "PartitionKeys": [],
        "ViewOriginalText": f"/* Presto View: {text} */",
        "ViewExpandedText": "/* Presto View */",
        "Parameters": {
            "presto_view": "true",
            "comment": "Presto View",
            _FORMAT_KEY: names.layer.version,
            **history.parameters(),
        },
    }


def _presto(kind: str) -> str:
    """A type of Hive's, as Presto writes it: `array<struct<a:string>>` is `array(row(a varchar))`."""
    if kind.startswith("array<struct<"):
        fields = (field.split(":") for field in kind.removeprefix("array<struct<").removesuffix(">>").split(","))
        return f"array(row({', '.join(f'{name} {_presto(of)}' for name, of in fields)}))"
    return _TYPES.get(kind, kind)


def original_sql(table: Mapping[str, Any]) -> str:
    """The SELECT of a view, from Glue's description of it.

    Raises:
        ViewError: it is no view of Athena's.
    """
    name = table.get("Name", "")
    found = _PRESTO_VIEW.fullmatch((table.get("ViewOriginalText") or "").strip())
    try:
        text = json.loads(base64.b64decode(found[1], validate=True))["originalSql"] if found else None
    except (binascii.Error, ValueError, KeyError, TypeError):
        text = None
    if table.get("TableType") != "VIRTUAL_VIEW" or not isinstance(text, str):
        raise ViewError(f"{name} is no view of Athena's: drop it, and let the catalog's role declare it again")
    return text


def read(table: Mapping[str, Any], names: Names) -> History:
    """What the view reads, from Glue's description of it.

    A view of a former version of its layer counts as one that reads no history, as all of that is made again.

    Raises:
        ViewError: its text and its parameters do not agree, or one of them is not of this program's form.
    """
    text = original_sql(table)
    said = (table.get("Parameters") or {}).get(_FORMAT_KEY)
    if said in names.layer.former:
        return History()
    history = _of_parameters(table, names)
    former = said == _FORMER_FORMAT
    if text != (_former_sql if former else sql)(names, history):
        raise ViewError(
            f"the view {names.database}.{names.view} does not read what its parameters say (history up to"
            f" {history.watermark or 'nothing'!r}): somebody has replaced its text; nothing is published until both"
            " agree"
        )
    return history


def _of_parameters(table: Mapping[str, Any], names: Names) -> History:
    parameters = table.get("Parameters") or {}
    where = f"the view {names.database}.{names.view}"
    if parameters.get(_FORMAT_KEY) not in {names.layer.version, _FORMER_FORMAT}:
        raise ViewError(
            f"{where} has {_FORMAT_KEY} {parameters.get(_FORMAT_KEY)!r} among its parameters instead of"
            f" {names.layer.version!r}: it was declared by another version, or by hand"
        )
    try:
        history = History(
            parameters[_WATERMARK_KEY],
            json.loads(parameters[_REVISIONS_KEY]),
            tuple((first, last) for first, last in json.loads(parameters[_ABSENT_KEY])),
        )
        _check(history)
    except (KeyError, ValueError, AttributeError, TypeError) as error:
        raise ViewError(f"the parameters of {where} do not say what it reads: {error}") from error
    return history


def _check(history: History) -> None:
    hours = [hour for run in history.absent for hour in run if hour]
    if history.watermark:
        hours.append(history.watermark)
    for hour in (*hours, *history.revisions):
        Hour.parse(hour)
    if not all(is_try(revision) for revision in history.revisions.values()):
        raise ValueError("a revision is no try's id")
    if not all(hour < history.watermark for hour in history.revisions):
        raise ValueError(f"an hour with a revision is not before the watermark {history.watermark!r}")
    if not all(first <= last < history.watermark for first, last in history.absent):
        raise ValueError(f"a run of absent hours is not before the watermark {history.watermark!r}")
