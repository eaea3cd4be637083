"""The expressions of GetPartitions: SQL's conditions on partition keys of each type."""

from __future__ import annotations

import pytest
from moto.core.exceptions import JsonRESTError

from local_cloud.glue.expressions import compile_expression

_KEYS = [("dt", "string"), ("hour", "int"), ("day", "date"), ("at", "timestamp"), ("rate", "decimal(10,2)")]
ROWS = {
    "a": ["2026-11-23", "9", "2026-11-23", "2026-11-23 09:00:00", "1.5"],
    "b": ["2026-11-24", "10", "2026-12-01", "2026-11-23 09:00:00.5", "10.00"],
    "c": ["it's", "-1", "2025-01-31", "2025-01-31 23:59:59.999999999", "0.05"],
    "d": ["2026_11", "__HIVE_DEFAULT_PARTITION__", "2026-11-23", "2026-11-23 10:00:00", "2"],
}
KEYS = [{"Name": name, "Type": kind} for name, kind in _KEYS]


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("", "abcd"),
        (" ", "abcd"),
        ("dt = '2026-11-23'", "a"),
        ("(((dt = '2026-11-23')))", "a"),
        ("(dt) = ('2026-11-23')", "a"),
        ("DT='2026-11-23'", "a"),
        ("`dt` = '2026-11-23'", "a"),
        ("\"dt\" = '2026-11-23'", "a"),
        ("dt = 'it''s'", "c"),
        ("dt = 'it's'", "c"),
        ("dt = '2026-11-23'and hour = 9", "a"),
        ("((dt in ('2026-11-23', 'it's'))) AND (hour < 3)", "c"),
        ("dt <> '2026-11-23'", "bcd"),
        ("dt != '2026-11-23'", "bcd"),
        ("dt > '2026-11-23' AND dt < '2026-11-25'", "b"),
        ("dt >= '2026-11-23' and dt <= '2026-11-24'", "ab"),
        ("dt LIKE '2026-%'", "ab"),
        ("dt like '2026_11%'", "abd"),
        ("dt NOT LIKE '2026%'", "c"),
        ("dt in ('2026-11-23', 'it''s')", "ac"),
        ("dt not in ('2026-11-23', 'it''s')", "bd"),
        ("dt BETWEEN '2026-11-23' AND '2026-11-24'", "ab"),
        ("dt not between '2026-11-23' and '2026-11-24'", "cd"),
        ("NOT dt = '2026-11-23'", "bcd"),
        ("NOT (dt = '2026-11-23' OR dt = '2026-11-24')", "cd"),
        ("dt = '2026-11-23' OR dt = '2026-11-24' AND hour = 9", "a"),
        ("(dt = '2026-11-23' OR dt = '2026-11-24') AND hour = 10", "b"),
        ("hour = 9", "a"),
        ("hour = '09'", "a"),
        ("hour > 9", "b"),
        ("hour < 0", "c"),
        ("hour >= -1 and hour <= 9", "ac"),
        ("hour in (9, 10)", "ab"),
        ("hour between 9 and 10", "ab"),
        ("hour is null", "d"),
        ("hour IS NOT NULL", "abc"),
        ("hour <> 9", "bc"),
        ("not hour = 9", "bc"),
        ("hour = 9 or dt = '2026_11'", "ad"),
        ("hour = 9 and dt = '2026_11'", ""),
        ("day = '2026-11-23'", "ad"),
        ("day = date '2026-12-01'", "b"),
        ("day < '2026-11-23'", "c"),
        ("day >= '2026-11-24'", "b"),
        ("at = '2026-11-23 09:00:00'", "a"),
        ("at = timestamp '2026-11-23 09:00:00.500'", "b"),
        ("at > '2026-11-23 09:00:00.4'", "bd"),
        ("rate = 10", "b"),
        ("rate < 1.50", "c"),
        ("rate in (1.50, 0.050)", "ac"),
    ],
)
def test_an_expression_finds_the_partitions_that_meet_it(expression: str, found: str) -> None:
    meets = compile_expression(expression, KEYS)
    assert "".join(name for name, values in ROWS.items() if meets(values)) == found


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("dt = ", "Unsupported expression 'dt = '"),
        ("dt = '2026", "Unsupported expression"),
        ("dt = '2026-11-23' hour = 9", "Unsupported expression"),
        ("dt = 'a' dt = 'b'", "Unsupported expression"),
        ("(dt = 'a'", "Unsupported expression"),
        ("lower(dt) = 'a'", "Invalid partition expression!"),
        ("close > 1", "Invalid partition expression!"),
        ("hour = 'nine'", '"nine" is not an integer.'),
        ("hour = 1.5", '"1.5" is not an integer.'),
        ("hour like '9%'", "Integral data type doesn't support operation 'LIKE'"),
        ("day like '2026%'", "Date data type doesn't support operation 'LIKE'"),
        ("day = '2026-02-31'", "2026-02-31 is not a date."),
        ("at = '2026-11-23'", "2026-11-23 is not a timestamp."),
        ("rate = 'much'", "much is not a decimal."),
        ("(" * 1000 + "dt" + ")" * 1000 + " = 'a'", "Unsupported expression"),
    ],
)
def test_an_invalid_expression_is_refused(expression: str, text: str) -> None:
    with pytest.raises(JsonRESTError) as caught:
        compile_expression(expression, KEYS)
    assert caught.value.error_type == "InvalidInputException"
    assert text in caught.value.message


def test_a_key_of_a_type_that_glue_cannot_filter_is_refused() -> None:
    with pytest.raises(JsonRESTError, match="Unknown type : 'double'"):
        compile_expression("rate > 1", [{"Name": "rate", "Type": "double"}])
    assert compile_expression("", [{"Name": "rate", "Type": "double"}])(["1.5"])
