"""Dates and times as people write them; the order of day and month is decided for all of a column."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from typing import NamedTuple

_ISO = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T ]+(.+))?")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:[T ]?(\d{4}|\d{6}))?")
_EPOCH = re.compile(r"(\d{9,10}|\d{13}|\d{16})(?:\.0*)?")
_NUMERIC = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d{2})(?:[T ,]+(.+))?")
_DAY_MONTH = re.compile(r"(\d{1,2})[-/. ]([A-Za-z]{3,9})\.?[-/., ]+(\d{4}|\d{2})(?:[T ,]+(.+))?")
_MONTH_DAY = re.compile(r"(?:[A-Za-z]{3,9},? )?([A-Za-z]{3,9})\.? (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})(?:[T ,]+(.+))?")
_CLOCK = re.compile(
    r"(\d{1,2}):?(\d{2})(?::?(\d{2})(?:[.,](\d{1,9}))?)?\s*([AaPp][Mm])?\s*(Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?"
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_PIVOT = 69
"""Years of two digits: 69 to 99 are of the twentieth century, 00 to 68 of the twenty-first, as POSIX has it."""
_FIRST_YEAR, _LAST_YEAR = 1800, 2099
_DAY_END = "T23:59:59.999Z"

DAY_FIRST, MONTH_FIRST = "day_first", "month_first"


class Moment(NamedTuple):
    """A date, and the time of day where there is one beside it.

    Attributes:
        day: the date as written, in its own zone.
        clock: the time of day; None where none is written.
        zone: of the time; None where none is written.
        order: `day_first` or `month_first` where that mattered, else empty.
    """

    day: date
    clock: time | None
    zone: tzinfo | None
    order: str = ""


@dataclass(slots=True)
class Evidence:
    """What a column's dates say of their order.

    Attributes:
        day_first: an example, `line N: text`, of a date whose first number can only be the day.
        month_first: likewise of one whose second number can only be the day.
        either: likewise of one that is another date in the other order.
        timed: whether a row has a time of day other than midnight.
    """

    day_first: str = ""
    month_first: str = ""
    either: str = ""
    timed: bool = False
    seen: set[str] = field(default_factory=set)

    def look(self, text: str, where: str) -> None:
        """Takes a date's text; `where` says where it stands."""
        match = _NUMERIC.fullmatch(text)
        if match:
            first, second = int(match[1]), int(match[3])
            if first > 12 and 1 <= second <= 12:
                self.day_first = self.day_first or where
            elif second > 12 and 1 <= first <= 12:
                self.month_first = self.month_first or where
            elif first != second and first <= 12 and second <= 12:
                self.either = self.either or where
        if not self.timed:
            moment = parse(text, DAY_FIRST) or parse(text, MONTH_FIRST)
            self.timed = moment is not None and moment.clock not in (None, time())

    def order(self, said: str) -> tuple[str, str]:
        """The order of day and month, and what is wrong where the column does not tell.

        Args:
            said: the operator's word, `day_first` or `month_first`; `auto` where the column has to tell.
        """
        option = "say stock_producer_csv_dates: day_first or month_first"
        if said != "auto":
            return said, ""
        if self.day_first and self.month_first:
            return "", (
                f"some dates have the day first ({self.day_first}) and others the month ({self.month_first}): {option},"
                " and the others are skipped"
            )
        if self.either and not (self.day_first or self.month_first):
            return "", f"no date tells whether the day or the month stands first ({self.either}): {option}"
        return (MONTH_FIRST if self.month_first else DAY_FIRST), ""


def parse_clock(text: str) -> tuple[time, tzinfo | None] | None:
    """A time of day with its zone, if it has one; None where it is none."""
    match = _CLOCK.fullmatch(text.strip())
    if match is None:
        return None
    hour, minute, second = int(match[1]), int(match[2]), int(match[3] or 0)
    if match[5]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if match[5].lower() == "pm" else 0)
    try:
        clock = time(hour, minute, second, int((match[4] or "").ljust(6, "0")[:6]))
    except ValueError:
        return None
    zone = match[6]
    if zone is None:
        return clock, None
    if zone in ("Z", "UTC", "GMT"):
        return clock, UTC
    digits = zone[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return (clock, timezone(-offset if zone[0] == "-" else offset)) if offset < timedelta(days=1) else None


def _month(name: str) -> int:
    short = name[:3].lower()
    return _MONTHS.index(short) + 1 if short in _MONTHS else 0


def _year(text: str) -> int:
    year = int(text)
    return year if len(text) == 4 else year + (1900 if year >= _PIVOT else 2000)


def _parts(text: str, order: str) -> tuple[int, int, int, str, str] | None:
    """Year, month, day, what follows, and the order where it mattered."""
    if match := _ISO.fullmatch(text) or _COMPACT.fullmatch(text):
        return int(match[1]), int(match[2]), int(match[3]), match[4] or "", ""
    if match := _NUMERIC.fullmatch(text):
        day, month = (match[1], match[3]) if order == DAY_FIRST else (match[3], match[1])
        return _year(match[4]), int(month), int(day), match[5] or "", order
    if match := _DAY_MONTH.fullmatch(text):
        return _year(match[3]), _month(match[2]), int(match[1]), match[4] or "", ""
    if match := _MONTH_DAY.fullmatch(text):
        return _year(match[3]), _month(match[1]), int(match[2]), match[4] or "", ""
    return None


def parse(text: str, order: str) -> Moment | None:
    """Reads a date, with the time where there is one; None where it is none.

    Args:
        text: the text, without blanks around it.
        order: what stands first in dates like 1/2/2020: `day_first` or `month_first`.
    """
    found = _parts(text, order)
    if found is None:
        return _epoch(text)
    year, month, day, rest, mattered = found
    if not _FIRST_YEAR <= year <= _LAST_YEAR:
        return None
    try:
        when = date(year, month, day)
    except ValueError:
        return None
    if not rest:
        return Moment(when, None, None, mattered)
    clock = parse_clock(rest)
    return None if clock is None else Moment(when, clock[0], clock[1], mattered)


def _epoch(text: str) -> Moment | None:
    match = _EPOCH.fullmatch(text)
    if match is None:
        return None
    digits = match[1]
    scale = {13: 1_000, 16: 1_000_000}.get(len(digits), 1)
    moment = datetime.fromtimestamp(int(digits) // scale, UTC) + timedelta(
        microseconds=int(digits) % scale * (1_000_000 // scale)
    )
    return Moment(moment.date(), moment.time(), UTC)


def event_time(moment: Moment, zone: tzinfo, *, timed: bool) -> str:
    """A quote's event time: ISO 8601, UTC, milliseconds.

    Args:
        moment: the row's.
        zone: of times that name none.
        timed: whether the column has times; else a row stands for its whole day, which ends at its last millisecond.
    """
    if not timed or moment.clock is None:
        return f"{moment.day.isoformat()}{_DAY_END}"
    local = datetime.combine(moment.day, moment.clock, moment.zone or zone)
    utc = local.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"
