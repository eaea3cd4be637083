"""Dates and times as people write them; the order of day and month is decided for all of a column."""

from __future__ import annotations

import calendar
import re
import zoneinfo
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from typing import NamedTuple

_ISO = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T ]+(.+))?")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(\d{4}|\d{6}|[T ].+)?")
_EPOCH = re.compile(r"(-?\d{1,19})(?:\.(\d{1,9})?)?")
_NUMERIC = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d{2})(?:[T ,]+(.+))?")
_DAY_MONTH = re.compile(r"(\d{1,2})[-/. ]([A-Za-z]{3,9})\.?[-/., ]+(\d{4}|\d{2})(?:[T ,]+(.+))?")
_MONTH_DAY = re.compile(r"([A-Za-z]{3,9})\.? (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})(?:[T ,]+(.+))?")
_WEEKDAY = re.compile(r"(?:mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6},?\s+", re.IGNORECASE)
# As C's ctime() and the program date write it, the day of the week left out.
_CTIME = re.compile(r"([A-Za-z]{3}) +(\d{1,2}) (\d{2}:\d{2}:\d{2})(?: ([A-Z]{2,5}))? (\d{4})")
_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d{2})(?::?(\d{2}))?")
_CLOCK = re.compile(
    r"(\d{1,2}):?(\d{2})(?::?(\d{2})(?:[.,](\d{1,9}))?)?\s*(?:([AaPp])\.?[Mm]\b\.?)?"
    # A zone: Z, an offset, a name; behind it the name once more in brackets, as Java and JavaScript write it.
    r"(?:\s*((?:UTC|GMT)?[+-]\d{2}(?::?\d{2})?|[A-Za-z]+(?:/[A-Za-z_+-]+)*)(?:\s*[\[(][^\])]*[\])])?)?"
)
_MONTHS = tuple(month.lower() for month in calendar.month_name)
_PIVOT = 69
"""Years of two digits: 69 to 99 are of the twentieth century, 00 to 68 of the twenty-first, as POSIX has it."""
_FIRST_YEAR, _LAST_YEAR = 1800, 2099
_DAY_END = "T23:59:59.999Z"

DAY_FIRST, MONTH_FIRST, YEAR_FIRST = "day_first", "month_first", "year_first"
Zone = tzinfo | str | None
"""Of a time: str for an abbreviation such as EST, which is used for several zones; None where none is written."""


class Moment(NamedTuple):
    """A date, and the time of day where there is one beside it.

    Attributes:
        day: the date as written, in its own zone.
        clock: the time of day; None where none is written.
        zone: of the time.
        order: `day_first`, `month_first` or `year_first` where that mattered, else empty.
    """

    day: date
    clock: time | None
    zone: Zone
    order: str = ""


@dataclass(slots=True)
class Evidence:
    """What a column's dates say of their order.

    Attributes:
        day_first: an example, `line N: text`, of a date whose first number can only be the day.
        month_first: likewise of one whose second number can only be the day.
        either: likewise of one that is another date in the other order.
        year_first: likewise of one that can only begin with a year of two digits.
        year_last: likewise of one that can only end with its year.
        year_either: likewise of one like 20-01-13, of which the first number may be the day or the year.
        timed: whether a row has a time of day other than midnight.
        forms: how many texts of digits only are dates (key 0), or times since 1970 in units of 1/key seconds.
    """

    day_first: str = ""
    month_first: str = ""
    either: str = ""
    year_first: str = ""
    year_last: str = ""
    year_either: str = ""
    timed: bool = False
    forms: Counter[int] = field(default_factory=Counter)

    def look(self, text: str, where: str) -> None:
        """Takes a date's text; `where` says where it stands."""
        text = _WEEKDAY.sub("", text, count=1)
        match = _NUMERIC.fullmatch(text)
        if match:
            self._look_at_order(int(match[1]), int(match[3]), match[4], match[2], where)
        elif _EPOCH.fullmatch(text):
            form = 0 if _COMPACT.fullmatch(text) and _parts_day(text, DAY_FIRST) else _parts_of_second(text)
            if form is not None:
                self.forms[form] += 1
        if not self.timed:
            moment = parse(text, DAY_FIRST) or parse(text, MONTH_FIRST) or parse(text, YEAR_FIRST)
            self.timed = moment is not None and moment.clock not in (None, time())

    def _look_at_order(self, first: int, second: int, third: str, mark: str, where: str) -> None:
        if 12 < first <= 31 and 1 <= second <= 12:
            self.day_first = self.day_first or where
        elif second > 12 and 1 <= first <= 12:
            self.month_first = self.month_first or where
        elif first != second and first <= 12 and second <= 12:
            self.either = self.either or where
        begins = len(third) == 2 and 1 <= second <= 12 and 1 <= int(third) <= 31
        if begins and (first > 31 or first == 0):
            self.year_first = self.year_first or where
        elif not begins or _year(f"{first:02}") > datetime.now(UTC).year:
            self.year_last = self.year_last or where
        elif mark == "-":
            self.year_either = self.year_either or where

    def epoch(self) -> int | None:
        """Parts of a second of the column's numbers, where most are times since 1970; else None."""
        return max(self.forms, key=self.forms.__getitem__, default=0) or None

    def order(self, said: str) -> tuple[str, str]:
        """What stands first, and what is wrong where the column does not tell.

        Args:
            said: the operator's word; `auto` where the column has to tell.
        """
        option = "say stock_producer_csv_dates: day_first or month_first"
        if said != "auto":
            return said, ""
        if self.year_first and not self.year_last:
            return YEAR_FIRST, ""
        if self.year_either and not self.year_last:
            return (
                "",
                f"no date tells whether the day or the year stands first ({self.year_either}): {option}, or year_first",
            )
        if self.day_first and self.month_first:
            return "", (
                f"some dates have the day first ({self.day_first}) and others the month ({self.month_first}): {option},"
                " and the others are skipped"
            )
        if self.either and not (self.day_first or self.month_first):
            return "", f"no date tells whether the day or the month stands first ({self.either}): {option}"
        return (MONTH_FIRST if self.month_first else DAY_FIRST), ""


def parse_clock(text: str) -> tuple[time, Zone] | None:
    """A time of day with its zone, if it has one; None where it is none."""
    match = _CLOCK.fullmatch(text.strip())
    if match is None:
        return None
    hour, minute, second = int(match[1]), int(match[2]), int(match[3] or 0)
    if match[5]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if match[5].lower() == "p" else 0)
    try:
        clock = time(hour, minute, second, int((match[4] or "").ljust(6, "0")[:6]))
        return clock, _zone(match[6])
    except (ValueError, zoneinfo.ZoneInfoNotFoundError):
        return None


def _zone(text: str | None) -> Zone:
    """A zone by its offset or name.

    Raises:
        ValueError, ZoneInfoNotFoundError: it is none.
    """
    if text is None:
        return None
    if text.upper() in ("Z", "UT", "UTC", "GMT"):
        return UTC
    if match := _OFFSET.fullmatch(text):
        offset = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
        return timezone(-offset if match[1] == "-" else offset)
    return zoneinfo.ZoneInfo(text) if "/" in text else text.upper()


def _month(name: str) -> int:
    """A month by its English name, or three letters of it and more."""
    found = [number for number, month in enumerate(_MONTHS) if month and month.startswith(name.lower())]
    return found[0] if found else 9 if name.lower() == "sept" else 0


def _year(text: str) -> int:
    year = int(text)
    return year if len(text) == 4 else year + (1900 if year >= _PIVOT else 2000)


def _parts(text: str, order: str) -> tuple[int, int, int, str, str] | None:
    """Year, month, day, what follows, and the order where it mattered."""
    if match := _ISO.fullmatch(text) or _COMPACT.fullmatch(text):
        return int(match[1]), int(match[2]), int(match[3]), (match[4] or "").lstrip("T "), ""
    if match := _NUMERIC.fullmatch(text):
        if order == YEAR_FIRST:
            if len(match[4]) == 4:
                return None
            return _year(match[1].rjust(2, "0")), int(match[3]), int(match[4]), match[5] or "", order
        day, month = (match[1], match[3]) if order == DAY_FIRST else (match[3], match[1])
        return _year(match[4]), int(month), int(day), match[5] or "", order
    if match := _DAY_MONTH.fullmatch(text):
        return _year(match[3]), _month(match[2]), int(match[1]), match[4] or "", ""
    if match := _MONTH_DAY.fullmatch(text):
        return _year(match[3]), _month(match[1]), int(match[2]), match[4] or "", ""
    if match := _CTIME.fullmatch(text):
        return int(match[5]), _month(match[1]), int(match[2]), f"{match[3]} {match[4] or ''}".strip(), ""
    return None


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day) if _FIRST_YEAR <= year <= _LAST_YEAR else None
    except ValueError:
        return None


def _parts_day(text: str, order: str) -> date | None:
    found = _parts(text, order)
    return None if found is None else _day(*found[:3])


def parse(text: str, order: str, epoch: int | None = None) -> Moment | None:
    """Reads a date, with the time where there is one; None where it is none.

    Args:
        text: the text, without blanks around it.
        order: what stands first in dates like 1/2/20: `day_first`, `month_first` or `year_first`.
        epoch: what numbers count since 1970, in parts of a second: 1, 1000 and so on; None where most are no such.
    """
    text = _WEEKDAY.sub("", text, count=1)
    number = _EPOCH.fullmatch(text)
    if number and epoch is not None:
        return _since_1970(number, epoch)
    found = _parts(text, order)
    when = None if found is None else _day(*found[:3])
    if found is None or when is None:
        parts = _parts_of_second(text)
        return None if number is None or parts is None else _since_1970(number, parts)
    rest, mattered = found[3:]
    if not rest:
        return Moment(when, None, None, mattered)
    clock = parse_clock(rest)
    return None if clock is None else Moment(when, clock[0], clock[1], mattered)


def _parts_of_second(text: str) -> int | None:
    """What a number counts since 1970, in parts of a second, by how many digits it has; None where it is too short.

    Seconds have nine or ten digits from 1973 to 2286; all that is smaller has three more at each step.
    """
    digits = len(text.partition(".")[0].lstrip("-"))
    return None if not 9 <= digits <= 19 else 1000 ** ((digits - 8) // 3)


def _since_1970(number: re.Match[str], parts: int) -> Moment | None:
    whole, fraction = int(number[1]), int((number[2] or "").ljust(6, "0")[:6])
    microseconds = whole * 1_000_000 // parts
    if parts == 1:
        microseconds += -fraction if number[1].startswith("-") else fraction
    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    except OverflowError:
        return None
    return Moment(moment.date(), moment.time(), UTC) if _FIRST_YEAR <= moment.year <= _LAST_YEAR else None


def _with_zone(local: datetime, zone: Zone, default: tzinfo) -> datetime | None:
    """The time in its zone; an abbreviation has to be what the default zone is called at that time."""
    if not isinstance(zone, str):
        return local.replace(tzinfo=zone or default)
    both = (local.replace(tzinfo=default, fold=fold) for fold in (0, 1))
    return next((each for each in both if each.tzname() == zone), None)


def event_time(moment: Moment, zone: tzinfo, *, timed: bool) -> str | None:
    """A quote's event time: ISO 8601, UTC, milliseconds; None where its zone is not known.

    Args:
        moment: the row's.
        zone: of times that name none.
        timed: whether the column has times; else a row stands for its whole day, which ends at its last millisecond.
    """
    if not timed or moment.clock is None:
        return f"{moment.day.isoformat()}{_DAY_END}"
    local = _with_zone(datetime.combine(moment.day, moment.clock), moment.zone, zone)
    if local is None:
        return None
    utc = local.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"
