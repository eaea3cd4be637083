"""From the operator's files to the one file that the producer replays, and the report on what was read."""

from __future__ import annotations

import hashlib
import tempfile
import zoneinfo
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from stock_market.producer.replay_file import Order
from stock_market_ops.market_data import columns, lines, reading
from stock_market_ops.market_data.canonical import RowFile
from stock_market_ops.market_data.report import MarketDataError, Report, Tally, as_json

_VERSION = 2
"""Part of the cached files' names: another version of this program reads everything again."""
_ENDINGS = (".csv", ".tsv", ".txt", ".csv.gz", ".txt.gz", ".csv.bz2", ".csv.xz", ".zip")


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the operator says: the options stock_producer_csv_* of the role stock_producer, which tells of each.

    Attributes:
        path: absolute path of a file or directory, or a pattern of such.
        columns: see `columns.choose`.
        symbol: of all rows; none when empty.
        usd_rate: see `columns.choose`.
        dates: order of day, month and year.
        numbers: what stands before the decimals.
        time_zone: of times that name none, as IANA calls it.
        order: in which the rows are replayed.
        seed: of the random order.
    """

    path: str
    columns: dict[str, Any] = {}
    symbol: str = ""
    usd_rate: Annotated[float, Meta(gt=0)] | dict[str, Annotated[float, Meta(gt=0)]] | None = None
    dates: Literal["auto", "day_first", "month_first", "year_first"] = "auto"
    numbers: Literal["auto", "point", "comma"] = "auto"
    time_zone: str = "UTC"
    order: Order = "random"
    seed: Annotated[int, Meta(ge=0)] = 1


def _files(text: str) -> list[Path]:
    path = Path(text)
    if path.is_file():
        return [path]
    if path.is_dir():
        found = sorted(each for each in path.iterdir() if each.is_file() and each.name.lower().endswith(_ENDINGS))
        if not found:
            raise MarketDataError(f"the directory {path} has no file that ends with {', '.join(_ENDINGS)}")
        return [each for each in found if not each.name.startswith(".")]
    if path.exists():
        raise MarketDataError(
            f"cannot read the CSV file {path}: it is neither a file nor a directory, but a pipe or a device"
        )
    pattern = Path(text.lstrip("/"))
    found = sorted(each for each in Path("/").glob(str(pattern)) if each.is_file()) if set(text) & set("*?[") else []
    if not found:
        raise MarketDataError(
            f"cannot read the CSV file {path}: there is no such file or directory (a path with a blank takes quotation"
            """ marks of its own: -e "stock_producer_csv_path='My Data/quotes.csv'")"""
        )
    return found


def _zone(name: str) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
        raise MarketDataError(
            f"stock_producer_csv_time_zone is {name!r}, which is no time zone: take a name such as Asia/Kolkata or UTC"
        ) from error


def _sources(options: Options) -> Iterator[tuple[lines.DataFile, columns.Mapping]]:
    def mapping(file: lines.DataFile) -> columns.Mapping:
        return columns.choose(file, options.columns, options.symbol, options.usd_rate)

    def is_header(file: lines.DataFile) -> bool:
        try:
            mapping(file)
        except MarketDataError:
            return False
        return True

    for path in _files(options.path):
        file = lines.inspect(path, is_header)
        yield file, mapping(file)


def convert(options: Options, sink: RowFile) -> Report:
    """Reads and judges everything, and hands the usable rows to `sink`.

    Raises:
        MarketDataError: a file can't be read, lacks columns or is ambiguous, or there is no usable row.
    """
    sources = list(_sources(options))
    zone = _zone(options.time_zone)
    found, ignored = reading.Survey(), Tally()
    for file, mapping in sources:
        reading.survey(file, mapping, found, ignored)
    order, unclear = found.dates.order(options.dates)
    mark, unclear_numbers = found.numbers.mark(options.numbers)
    for problem in (unclear, unclear_numbers):
        if problem:
            raise MarketDataError(f"the CSV file {options.path} is ambiguous: {problem}")
    tally = Tally()
    converter = reading.Converter(reading.Formats(order, mark, found.dates.timed, zone, found.dates.epoch()), tally)
    for file, mapping in sources:
        for row in converter.rows(file, mapping):
            sink.add(row)
    if not sink.rows:
        why = tally.first_skipped() or "it has no row below its first line"
        raise MarketDataError(f"the CSV file {options.path} has no usable row ({why})")
    return Report(
        files=[file.name for file, _ in sources],
        layout=sorted({mapping.name for _, mapping in sources}),
        rows=sink.rows,
        skipped=tally.skipped,
        mended=dict(tally.mended),
        symbols=dict(tally.symbols),
        first=sink.first,
        last=sink.last,
    )


def _fingerprint(options: Options) -> str:
    """Of the options and the files as they are, by size and time of change."""
    states = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in _files(options.path)]
    told = msgspec.json.encode([_VERSION, options, states])
    return hashlib.sha256(told).hexdigest()[:16]


def prepare(options: Options, directory: Path) -> bytes:
    """Makes the file below `directory`, unless it is there, and returns the report as JSON, with the file's path.

    Raises:
        MarketDataError: the data can't be replayed.
    """
    key = _fingerprint(options)
    told, made = directory / f"{key}.json", directory / f"{key}.jsonl.zst"
    if not (told.exists() and made.exists()):
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=directory) as scratch:
            sink = RowFile(Path(scratch))
            report = convert(options, sink)
            partial = sink.write(options.order, options.seed)
            for old in (*directory.glob("*.json"), *directory.glob("*.jsonl.zst")):
                old.unlink()
            partial.rename(made)
        told.write_bytes(as_json(report, path=str(made)))
    return told.read_bytes()
