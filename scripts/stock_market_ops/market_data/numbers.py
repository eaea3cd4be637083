"""Numbers as people write them; what the point and the comma mean is decided for all of a file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

NULLS = frozenset({"", "null", "nan", "none", "n/a", "#n/a", "na", "nil", "-", "--"})
_SUFFIXES = {"k": 1_000, "m": 1_000_000, "b": 1_000_000_000, "t": 1_000_000_000_000}
_MARKS = re.compile("[\\s'\u2019_$\u20ac\u00a3\u00a5\u20b9%]")
_GROUPED = re.compile(r"[-+]?\d{1,3}([.,])\d{3}(?:\1\d{3})*")

POINT, COMMA = "point", "comma"
LARGEST = 2**63 - 1


@dataclass(slots=True)
class Evidence:
    """What a file's numbers say of their decimal mark.

    Attributes:
        point: an example, `line N: text`, of a number that only reads with the point before its decimals.
        comma: likewise with the comma.
        either: likewise of a number with one comma, such as 1,234, that reads both ways.
    """

    point: str = ""
    comma: str = ""
    either: str = ""

    def look(self, text: str, where: str) -> None:
        """Takes a number's text; `where` says where it stands."""
        text = _MARKS.sub("", text).strip("()").rstrip("kKmMbBtT")
        commas, points = text.count(","), text.count(".")
        if commas and points:
            comma_last = text.rindex(",") > text.rindex(".")
            if comma_last and commas == 1:
                self.comma = self.comma or where
            elif not comma_last and points == 1:
                self.point = self.point or where
        elif commas > 1 and _GROUPED.fullmatch(text):
            self.point = self.point or where
        elif points > 1 and _GROUPED.fullmatch(text):
            self.comma = self.comma or where
        elif commas == 1:
            if _GROUPED.fullmatch(text) and not text.lstrip("+-").startswith("0"):
                self.either = self.either or where
            else:
                self.comma = self.comma or where
        elif points == 1 and not _GROUPED.fullmatch(text):
            self.point = self.point or where

    def mark(self, said: str) -> tuple[str, str]:
        """The decimal mark, `point` or `comma`, and what is wrong where the file does not tell.

        Args:
            said: the operator's word; `auto` where the file has to tell.
        """
        option = "say stock_producer_csv_numbers: point or comma, whichever stands before the decimals"
        if said != "auto":
            return said, ""
        if self.point and self.comma:
            return "", (
                f"some numbers have a point before their decimals ({self.point}) and others a comma ({self.comma}):"
                f" {option}, and rows with the others are skipped"
            )
        if self.either and not (self.point or self.comma):
            return "", f"no number tells whether the comma separates thousands or decimals ({self.either}): {option}"
        return (COMMA if self.comma else POINT), ""


def parse(text: str, mark: str) -> Decimal | None:
    """Reads a number; None where it is none, or not finite.

    Args:
        text: the text.
        mark: what stands before the decimals, `point` or `comma`.
    """
    text = _MARKS.sub("", text)
    negative = text.startswith("(") and text.endswith(")")
    text = text.strip("()")
    scale = _SUFFIXES.get(text[-1:].lower(), 1)
    if scale != 1:
        text = text[:-1]
    decimal, thousands = (".", ",") if mark == POINT else (",", ".")
    if thousands in text:
        whole, _, _ = text.partition(decimal)
        if not _GROUPED.fullmatch(whole):
            return None
        text = text.replace(thousands, "")
    try:
        number = Decimal(text.replace(decimal, ".")) * scale
    except InvalidOperation:
        return None
    if not number.is_finite() or abs(number) > Decimal(10) ** 300:
        return None
    return -number if negative else number
