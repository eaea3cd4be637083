"""Numbers as people write them; what the point and the comma mean is decided for all of a file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

NULLS = frozenset({"", "null", "nan", "none", "n/a", "#n/a", "na", "<na>", "nil", "-", "--", "\u2013", "\u2014", "?"})
_SCALES = {"k": 10**3, "m": 10**6, "b": 10**9, "t": 10**12} | {"mn": 10**6, "mln": 10**6, "bn": 10**9, "tn": 10**12}
_SCALES |= {"lakh": 10**5, "lac": 10**5, "cr": 10**7, "crore": 10**7}
_SUFFIX = re.compile(f"({'|'.join(sorted(_SCALES, key=len, reverse=True))})$", re.IGNORECASE)
_MARKS = re.compile("[\\s'\u2019_$\u20ac\u00a3\u00a5\u20b9%]")
# In groups of three; or as in India, where the last has three digits and those before it two: 12,34,567.
_GROUPED = re.compile(r"[-+]?(?:\d{1,3}([.,])\d{3}(?:\1\d{3})*|\d{1,2}(?:,\d{2})+,\d{3})")
_MINUS = "\u2212"

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
        text = _bare(text)[0]
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


def _bare(text: str) -> tuple[str, bool, int]:
    """A number's digits and marks, whether it is negative in another way than by a sign before it, and its scale."""
    text = _MARKS.sub("", text).replace(_MINUS, "-")
    inside = text.strip("()")
    negative = text.startswith("(") and text.endswith(")")
    if inside.endswith("-"):
        inside, negative = inside[:-1], True
    suffix = _SUFFIX.search(inside)
    if suffix is None:
        return inside, negative, 1
    return inside[: suffix.start()], negative, _SCALES[suffix[1].lower()]


def parse(text: str, mark: str) -> Decimal | None:
    """Reads a number; None where it is none, or not finite.

    Args:
        text: the text.
        mark: what stands before the decimals, `point` or `comma`.
    """
    text, negative, scale = _bare(text)
    decimal, thousands = (".", ",") if mark == POINT else (",", ".")
    if thousands in text:
        whole, _, _ = text.partition(decimal)
        if not _GROUPED.fullmatch(whole):
            return None
        text = text.replace(thousands, "")
    try:
        number = Decimal(text.replace(decimal, ".")) * scale
    except ArithmeticError:  # no number, or one beyond what Decimal holds
        return None
    if not number.is_finite() or abs(number) > Decimal(10) ** 300:
        return None
    return -number if negative else number
