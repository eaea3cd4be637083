"""Where the history lies: hours, the tries to write one, and the keys of both.

    history/dt=YYYY-MM-DD/hour=HH/<try>/<file of Athena's>
    history/dt=YYYY-MM-DD/hour=HH/<try>/_manifest.json
    history/by-hour/dt=YYYY-MM-DD/hour=HH/<try>/<file of Athena's, the hour summed up>

A try is one attempt to write an hour; its folder is new and never used again. Athena hides names that begin with `_`.
"""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

MANIFEST = "_manifest.json"
_HOUR = re.compile(r"(\d{4}-\d{2}-\d{2}) ([01]\d|2[0-3])")
_TRY = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")
_RAW_FOLDER = re.compile(r"dt=(?P<dt>\d{4}-\d{2}-\d{2})/hour=(?P<hour>\d\d)/")
_FOLDER = re.compile(rf"{_RAW_FOLDER.pattern}(?P<attempt>{_TRY.pattern})/")


class Hour(NamedTuple):
    """An hour of Kafka timestamps, a partition of the tables.

    Attributes:
        dt: the day, `YYYY-MM-DD`, UTC.
        hour: `00` to `23`.
    """

    dt: str
    hour: str

    @property
    def text(self) -> str:
        """`YYYY-MM-DD HH`; texts are in the order of the hours."""
        return f"{self.dt} {self.hour}"

    @classmethod
    def parse(cls, text: str) -> Hour:
        """Reads `YYYY-MM-DD HH`.

        Raises:
            ValueError: it is no hour.
        """
        found = _HOUR.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is no hour like 2026-11-29 12")
        hour = cls(found[1], found[2])
        _ = hour.start  # a day of the calendar
        return hour

    @classmethod
    def at(cls, moment: datetime) -> Hour:
        """The hour that a moment lies in."""
        moment = moment.astimezone(UTC)
        return cls(f"{moment:%Y-%m-%d}", f"{moment:%H}")

    @property
    def start(self) -> datetime:
        """Its first moment.

        Raises:
            ValueError: there is no such day.
        """
        return datetime.fromisoformat(f"{self.dt}T{self.hour}:00:00+00:00")

    @property
    def end(self) -> datetime:
        """The first moment after it."""
        return self.start + timedelta(hours=1)

    @property
    def end_ms(self) -> int:
        """The first moment after it, in milliseconds since 1970."""
        return int(self.end.timestamp()) * 1000

    @property
    def next(self) -> Hour:
        """The hour after it."""
        return Hour.at(self.end)

    @property
    def before(self) -> Hour:
        """The hour before it."""
        return Hour.at(self.start - timedelta(hours=1))

    def folder(self, prefix: str) -> str:
        """The folder of the hour under a prefix such as `quotes/` or `history/`, with the slash at its end."""
        return f"{prefix}dt={self.dt}/hour={self.hour}/"


def is_hour(text: str) -> bool:
    """Whether it is an hour, `YYYY-MM-DD HH`."""
    try:
        Hour.parse(text)
    except ValueError:
        return False
    return True


class TryFolder(NamedTuple):
    """The folder of a try: the hour that it holds, and the id of the try."""

    hour: Hour
    attempt: str

    def prefix(self, prefix: str) -> str:
        """Its keys' beginning, with the slash at its end."""
        return f"{self.hour.folder(prefix)}{self.attempt}/"

    def manifest_key(self, prefix: str) -> str:
        """The key of its manifest."""
        return self.prefix(prefix) + MANIFEST


def hours_prefix(history_prefix: str) -> str:
    """The prefix of the hours summed up; before `dt=` in order, so that a listing from an hour on does not meet it."""
    return f"{history_prefix}by-hour/"


def new_try(now: datetime | None = None) -> str:
    """The id of a new try: the time in UTC, so that a person sees its age, and 8 random hexadecimal digits."""
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    return f"{moment:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


def is_try(text: str) -> bool:
    """Whether it has the form of a try's id."""
    return _TRY.fullmatch(text) is not None


def try_time(text: str) -> datetime | None:
    """When a try with this id began; None where it is no try's id."""
    if not is_try(text):
        return None
    try:
        return datetime.strptime(text.partition("-")[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def parse_try(key: str, prefix: str) -> TryFolder | None:
    """The try that a key, or a folder with its slash, lies in; None where it lies in none."""
    found = _FOLDER.match(key.removeprefix(prefix)) if key.startswith(prefix) else None
    return TryFolder(Hour(found["dt"], found["hour"]), found["attempt"]) if found else None


def parse_location(location: str, prefix: str) -> TryFolder | None:
    """The try that a partition's location, `s3://bucket/history/...`, is the folder of; None where it is none's."""
    key = location.removeprefix("s3://").partition("/")[2].rstrip("/") + "/"
    found = parse_try(key, prefix)
    return found if found is not None and found.prefix(prefix) == key else None


def parse_hour(key: str, prefix: str) -> Hour | None:
    """The hour that a key under `quotes/` or `history/` lies in; None where it lies in none."""
    found = _RAW_FOLDER.match(key.removeprefix(prefix)) if key.startswith(prefix) else None
    return Hour(found["dt"], found["hour"]) if found else None
