"""Which tries of the history are read: by the view in Glue, or, from S3 alone, the newest whole try of each hour.

And which folders of the hours summed up, by the view in Glue only.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from botocore.exceptions import ClientError

from stock_market.history import view
from stock_market.history.manifest import Manifest, ManifestError, decode
from stock_market.history.naming import Hour, TryFolder, hours_prefix, parse_hour, parse_location, parse_try
from stock_market.history.tables import SOURCE
from stock_market_ops.common import aws
from stock_market_ops.verify.bucket import Entry, Place, VanishedError, patiently, take_listing

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_s3 import S3Client

GLUE, S3, NONE = "glue", "s3", "none"
_THREADS = 8


class Flaw(NamedTuple):
    """Something untrue of an hour, or of the view where there is no hour: its kind, and a sentence."""

    kind: str
    sentence: str
    hour: Hour | None = None


@dataclass(frozen=True, slots=True)
class Try:
    """A try that is read; `files` are those that a reader finds in its folder, by key."""

    folder: TryFolder
    manifest: Manifest
    files: dict[str, Entry]


@dataclass(frozen=True, slots=True)
class Summed:
    """The sums of an hour; `files` are those that a reader finds in their folder, by key."""

    folder: TryFolder
    files: dict[str, Entry]


@dataclass(slots=True)
class Published:
    """The history that is read.

    Attributes:
        source: `glue`, `s3` where only the bucket was asked, or `none` where there is no history.
        watermark: the first hour that is read raw, `YYYY-MM-DD HH`; empty where all is.
        tries: by hour, those with a manifest.
        orphans: folders of tries that are not read, and how many bytes they hold.
        flaws: what is untrue already.
        sums: by hour, what is read of the hours summed up, where it was made from the try that is read.
    """

    source: str = NONE
    watermark: str = ""
    tries: dict[Hour, Try] = field(default_factory=dict)
    orphans: dict[TryFolder, int] = field(default_factory=dict)
    flaws: list[Flaw] = field(default_factory=list)
    sums: dict[Hour, Summed] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Selection:
    """What is read, before a manifest was looked at.

    Attributes:
        source: `glue`, or `none` where no catalog was asked or it has no view.
        watermark: of the view.
        folders: the folder of each hour that is read from the history.
        flaws: what is untrue already.
        sources: of hours summed up, the try that each was made from.
    """

    source: str = NONE
    watermark: str = ""
    folders: dict[Hour, TryFolder] = field(default_factory=dict)
    flaws: tuple[Flaw, ...] = ()
    sources: dict[Hour, str] = field(default_factory=dict)


class Catalog:
    """What Glue says: the view, and the folder of each revision.

    Args:
        glue: the client.
        names: of the view and its tables.
        prefix: of the history's objects, with the slash at its end.
        kind: how the kinds of findings begin.
    """

    def __init__(self, glue: GlueClient, names: view.Names, prefix: str, kind: str = "history") -> None:
        self._glue = glue
        self._prefix = prefix
        self._names = names
        self._kind = kind

    @property
    def sums(self) -> Catalog:
        """What Glue says of the hours summed up."""
        return Catalog(self._glue, self._names.hours, hours_prefix(self._prefix), "sums")

    def select(self) -> Selection:
        """Asks what is read at this moment.

        Raises:
            botocore's errors.
        """
        try:
            found = self._glue.get_table(DatabaseName=self._names.database, Name=self._names.view)["Table"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "EntityNotFoundException":
                return Selection()
            raise
        try:
            history = view.read(found, self._names)
        except view.ViewError as error:
            return Selection(flaws=(Flaw(f"{self._kind}-view", str(error)),))
        if not history.watermark:
            return Selection(GLUE)
        partitions = self._partitions()
        folders: dict[Hour, TryFolder] = {}
        sources: dict[Hour, str] = {}
        flaws = []
        for hour in _hours(history, {hour for hour, _ in partitions}):
            revision = history.revision(hour)
            if revision is None:
                continue
            missing = f"{self._kind}-missing"
            if (hour, revision) not in partitions:
                flaws.append(Flaw(missing, _no_partition(self._names, hour, revision), hour))
                continue
            location, source = partitions[hour, revision]
            folder = parse_location(location, self._prefix)
            if folder is None or folder.hour != hour:
                flaws.append(Flaw(missing, f"{_no_partition(self._names, hour, revision)}: it lies in"
                                  f" {location}, which is no folder of that hour", hour))  # fmt: skip
                continue
            folders[hour], sources[hour] = folder, source
        return Selection(GLUE, history.watermark, folders, tuple(flaws), sources)

    def _partitions(self) -> dict[tuple[Hour, str], tuple[str, str]]:
        """The location of each hour and revision, and the try that it was made from."""
        found: dict[tuple[Hour, str], tuple[str, str]] = {}
        pages = self._glue.get_paginator("get_partitions").paginate(
            DatabaseName=self._names.database, TableName=self._names.history, ExcludeColumnSchema=True
        )
        for page in pages:
            for partition in page["Partitions"]:
                dt, hour, revision = partition["Values"]
                source = partition.get("Parameters", {}).get(SOURCE, "")
                found[Hour(dt, hour), revision] = partition["StorageDescriptor"]["Location"], source
        return found


def _no_partition(names: view.Names, hour: Hour, revision: str) -> str:
    return (
        f"the hour {hour.text} is read from revision {revision} of {names.history}, but no partition of that revision"
        " has its files"
    )


def _hours(history: view.History, known: set[Hour]) -> Iterator[Hour]:
    """The hours below the watermark, from the first that has a revision."""
    # The first run of absent hours is the time before the first hour of the history.
    first = [Hour.parse(last).next for start, last in history.absent if not start] or sorted(known)[:1]
    hour = min([*first, *(Hour.parse(text) for text in history.revisions), Hour.parse(history.watermark).before])
    while hour.text < history.watermark:
        yield hour
        hour = hour.next


def catalog_of(place: Place) -> Catalog | None:
    """The catalog of the place's deployment; None without a deployment."""
    if place.deployment is None:
        return None
    glue = aws.session(place.deployment).client("glue", config=aws.config())
    known = place.deployment
    names = view.Names(known.database, known.table, known.history_table, known.view)
    return Catalog(glue, names, place.history_prefix)


def look(client: S3Client, place: Place) -> Published:
    """What is read at this moment.

    Raises:
        botocore's errors.
    """
    catalog = catalog_of(place)
    selection = Selection() if catalog is None else catalog.select()
    return read_manifests(client, place, selection, take_listing(client, place.bucket, place.history_prefix).entries)


def read_manifests(client: S3Client, place: Place, selection: Selection, entries: Iterable[Entry]) -> Published:
    """Reads the manifest of each try that is read; without a catalog, of the newest whole try of each hour.

    `entries` is the listing of the history's prefix, taken after the selection.

    Raises:
        botocore's errors.
    """
    held: dict[TryFolder, list[Entry]] = {}
    for entry in entries:
        folder = parse_try(entry.key, place.history_prefix)
        if folder is not None:
            held.setdefault(folder, []).append(entry)
    wanted = {hour: [folder] for hour, folder in selection.folders.items()}
    result = Published(selection.source, selection.watermark, flaws=list(selection.flaws))
    if selection.source == NONE:
        wanted = _newest(held, place.history_prefix)
        if wanted:
            result.source, result.watermark = S3, max(wanted).next.text
    with ThreadPoolExecutor(_THREADS) as threads:
        hours = sorted(wanted)
        tries = threads.map(lambda hour: _first_whole(client, place, wanted[hour], held), hours)
        for hour, found in zip(hours, tries, strict=True):
            if isinstance(found, Try):
                result.tries[hour] = found
            else:
                result.flaws.append(found)
    read = {one.folder for one in result.tries.values()}
    kept = read | {wanted[hour][0] for hour in hours if hour not in result.tries}
    result.orphans = {
        folder: sum(entry.size for entry in files) for folder, files in held.items() if folder not in kept
    }
    return result


def _newest(held: dict[TryFolder, list[Entry]], prefix: str) -> dict[Hour, list[TryFolder]]:
    """The tries of each hour that have a manifest, the newest first."""
    found: dict[Hour, list[TryFolder]] = {}
    for folder in sorted(held, reverse=True):
        if folder.manifest_key(prefix) in {one.key for one in held[folder]}:
            found.setdefault(folder.hour, []).append(folder)
    return found


def _first_whole(
    client: S3Client, place: Place, folders: list[TryFolder], held: dict[TryFolder, list[Entry]]
) -> Try | Flaw:
    """The first of an hour's tries that has all its files: one that is being removed may have its manifest only.

    Where none is whole, it is the first of all, and what it lacks is found.
    """
    tries = (_try(client, place, folder, held.get(folder, [])) for folder in folders)
    first = next(tries)
    for found in itertools.chain([first], tries):
        if isinstance(found, Flaw) or found.manifest.is_whole({key: one.size for key, one in found.files.items()}):
            return found
    return first


def _try(client: S3Client, place: Place, folder: TryFolder, held: list[Entry]) -> Try | Flaw:
    key = folder.manifest_key(place.history_prefix)

    def load() -> bytes:
        return client.get_object(Bucket=place.bucket, Key=key)["Body"].read()

    try:
        data = patiently(load)
        manifest = decode(data, key)
    except VanishedError:
        words = f"{key} is not there: nothing says which records the hour {folder.hour.text} had"
        return Flaw("history-manifest", words, folder.hour)
    except ManifestError as error:
        return Flaw("history-manifest", str(error), folder.hour)
    if manifest.folder != folder:
        words = f"{key} is of the hour {manifest.folder.hour.text}, try {manifest.attempt}"
        return Flaw("history-manifest", words, folder.hour)
    return Try(folder, manifest, _read_by_athena(held, folder.prefix(place.history_prefix)))


def _read_by_athena(held: Iterable[Entry], prefix: str) -> dict[str, Entry]:
    """The files under a folder's prefix, by key, but for those that Athena hides: they begin with `_` or `.`."""
    return {one.key: one for one in held if not one.key.removeprefix(prefix).startswith(("_", "."))}


def add_sums(published: Published, place: Place, selection: Selection, entries: Iterable[Entry]) -> int:
    """Adds what is read of the hours summed up; returns of how many hours the view sums up the records when asked.

    `entries` is the listing of the history's prefix, taken after the selection. Sums of another try than that of the
    quotes are replaced soon, and left out.
    """
    prefix = hours_prefix(place.history_prefix)
    held: dict[TryFolder, list[Entry]] = {}
    for entry in entries:
        folder = parse_try(entry.key, prefix)
        if folder is not None:
            held.setdefault(folder, []).append(entry)
    published.flaws += selection.flaws
    named = {flaw.hour for flaw in selection.flaws}
    behind = 0
    for hour, one in sorted(published.tries.items()):
        folder = selection.folders.get(hour)
        if folder is not None and selection.sources[hour] == one.folder.attempt:
            published.sums[hour] = Summed(folder, _read_by_athena(held.get(folder, []), folder.prefix(prefix)))
        elif folder is not None or hour.text >= selection.watermark:
            behind += 1
        elif hour not in named and one.manifest.rows:
            words = f"the hour {hour.text} has no sums, and the view takes it for one without records"
            published.flaws.append(Flaw("sums-missing", words, hour))
    return behind


def files_beyond(published: Published, keys: Iterable[str], prefix: str) -> list[str]:
    """The files of the hours of which not all raw objects are among these keys: they may hold records that no raw
    object holds.
    """
    listed: Counter[Hour] = Counter()
    for key in keys:
        hour = parse_hour(key, prefix)
        found = None if hour is None else published.tries.get(hour)
        if hour is not None and found is not None and not found.manifest.lacks([key]):
            listed[hour] += 1
    return [
        key
        for hour, one in published.tries.items()
        if listed[hour] < sum(part.objects for part in one.manifest.ranges) + len(one.manifest.replays)
        for key in sorted(one.files)
    ]
