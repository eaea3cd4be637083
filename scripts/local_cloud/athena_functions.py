"""Trino's functions for DuckDB: what sqlglot's translation leaves out or gets wrong, corrected in the tree."""

from __future__ import annotations

from sqlglot import exp

from local_cloud.athena_errors import QueryError, UnsupportedError

_JODA = {
    "yyyy": "%Y", "yy": "%y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "M": "%-m", "dd": "%d", "d": "%-d",
    "HH": "%H", "H": "%-H", "hh": "%I", "h": "%-I", "mm": "%M", "m": "%-M", "ss": "%S", "s": "%-S", "SSS": "%g",
    "SSSSSS": "%f", "EEEE": "%A", "EEE": "%a", "EE": "%a", "E": "%a", "a": "%p", "DDD": "%j", "Z": "+0000",
    "ZZ": "+00:00", "z": "UTC",
}  # fmt: skip

# Trino's functions that DuckDB has under another name or not at all.
MACROS = (
    "CREATE OR REPLACE MACRO every(x) AS bool_and(x)",
    "CREATE OR REPLACE MACRO map_agg(k, v) AS map(list(k), list(v))",
    "CREATE OR REPLACE MACRO nan() AS CAST('nan' AS DOUBLE)",
    "CREATE OR REPLACE MACRO infinity() AS CAST('inf' AS DOUBLE)",
    "CREATE OR REPLACE MACRO e() AS exp(1.0::DOUBLE)",
    "CREATE OR REPLACE MACRO is_finite(x) AS isfinite(x)",
    "CREATE OR REPLACE MACRO is_infinite(x) AS isinf(x)",
    """CREATE OR REPLACE MACRO to_iso8601(x) AS CASE typeof(x)
       WHEN 'DATE' THEN strftime(x, '%Y-%m-%d')
       WHEN 'TIMESTAMP WITH TIME ZONE' THEN strftime(x, '%Y-%m-%dT%H:%M:%S.%gZ')
       ELSE strftime(x, '%Y-%m-%dT%H:%M:%S.%g') END""",
    "CREATE OR REPLACE MACRO to_milliseconds(x) AS CAST(epoch_ms(x) AS BIGINT)",
    """CREATE OR REPLACE MACRO width_bucket(x, lo, hi, n) AS CASE WHEN x < lo THEN 0 WHEN x >= hi THEN n + 1
       ELSE 1 + CAST(floor((x - lo) * n / (hi - lo)) AS BIGINT) END""",
    """CREATE OR REPLACE MACRO athena_regexp_extract(s, p, g) AS
       CASE WHEN regexp_matches(s, p) THEN regexp_extract(s, p, g) END""",
)

_INTEGERS = (*exp.DataType.INTEGER_TYPES,)
_TEXTS = (*exp.DataType.TEXT_TYPES,)
_ZONE_USERS = (
    *(exp.Extract, exp.Year, exp.Month, exp.Day, exp.Hour, exp.Minute, exp.Second, exp.DayOfWeek, exp.DayOfYear),
    *(
        exp.DayOfWeekIso,
        exp.DayOfMonth,
        exp.WeekOfYear,
        exp.Week,
        exp.Quarter,
        exp.TimeToStr,
        exp.Date,
        exp.TsOrDsToDate,
    ),
)
_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE)
_ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod)
_NAMES = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.Div: "/",
    exp.Mod: "%",
}


def check_types(tree: exp.Expr) -> None:
    """Refuses what Trino refuses and DuckDB would convert in silence: text compared or computed with numbers.

    Raises:
        QueryError: TYPE_MISMATCH.
    """
    for node in tree.find_all(*_COMPARISONS, *_ARITHMETIC):
        left, right = node.left.type, node.right.type
        if left is None or right is None:
            continue
        mixed = (left.is_type(*_TEXTS) and _is_number(right)) or (_is_number(left) and right.is_type(*_TEXTS))
        temporal = isinstance(node, _COMPARISONS) and (
            (left.is_type(*_TEXTS) and right.is_type(*exp.DataType.TEMPORAL_TYPES))
            or (left.is_type(*exp.DataType.TEMPORAL_TYPES) and right.is_type(*_TEXTS))
        )
        if mixed or temporal:
            raise QueryError(
                "TYPE_MISMATCH",
                f"Cannot apply operator: {type_name(left)} {_NAMES[type(node)]} {type_name(right)}",
                node,
            )


def type_name(kind: exp.DataType) -> str:
    """A type as Trino names it."""
    name = kind.sql("trino").lower()
    return {"int": "integer", "text": "varchar"}.get(name, name)


def _is_number(kind: exp.DataType) -> bool:
    return bool(kind.is_type(*exp.DataType.NUMERIC_TYPES))


def rewrite(tree: exp.Expr) -> exp.Expr:
    """Brings the annotated tree to what DuckDB must be asked so that Trino's answer comes out.

    From the leaves up, so that whoever looks at a child sees it rewritten, with the type that it had.
    """
    for node in reversed(list(tree.walk())):
        new = _rewrite_node(node)
        if new is node:
            continue
        if new.type is None:
            new.type = node.type
        if node is tree:
            tree = new
        else:
            node.replace(new)
    return tree


def _rewrite_node(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Div):
        return _division(node)
    if isinstance(node, (exp.ApproxQuantile, exp.Window, exp.Filter)):
        return _percentile(node)
    if (
        isinstance(node, (exp.DateTrunc, exp.TimestampTrunc))
        and node.this.type is not None
        and node.this.is_type("date")
    ):
        return exp.cast(node.copy(), exp.DataType.Type.DATE)
    if isinstance(node, exp.AtTimeZone):
        return _at_time_zone(node)
    if isinstance(node, exp.Format):
        return exp.Anonymous(this="printf", expressions=[node.this.copy(), *(e.copy() for e in node.expressions)])
    if isinstance(node, exp.Typeof):
        raise UnsupportedError("typeof", node)
    if isinstance(node, exp.DateDiff):
        # Trino counts whole units that have passed, DuckDB's date_diff the boundaries between them.
        unit = node.args.get("unit")
        name = unit.name.lower() if unit is not None else "day"
        return exp.Anonymous(
            this="date_sub",
            expressions=[exp.Literal.string(name), node.expression.copy(), node.this.copy()],
        )
    if isinstance(node, exp.RegexpExtract):
        group = node.args.get("group") or exp.Literal.number(0)
        return exp.Anonymous(
            this="athena_regexp_extract", expressions=[node.this.copy(), node.expression.copy(), group.copy()]
        )
    if isinstance(node, exp.DataType) and node.this in {
        exp.DataType.Type.TIMESTAMP,
        exp.DataType.Type.TIMESTAMPTZ,
        exp.DataType.Type.TIMESTAMPNTZ,
    }:
        return exp.DataType(this=node.this)  # a precision would cut the fraction off
    if isinstance(node, exp.Anonymous):
        return _anonymous(node)
    return node


def _percentile(node: exp.Expr) -> exp.Expr:
    """Of whole numbers Trino gives the rounded percentile, DuckDB one with a fraction."""
    function = node.this if isinstance(node, (exp.Window, exp.Filter)) else node
    function = function.this if isinstance(function, exp.Filter) else function
    is_inner = isinstance(node.parent, (exp.Window, exp.Filter)) and node.parent.this is node
    if is_inner or not isinstance(function, exp.ApproxQuantile):
        return node
    kind, quantile = function.this.type, function.args.get("quantile")
    if kind is None or not kind.is_type(*_INTEGERS) or isinstance(quantile, exp.Array):
        return node
    return exp.cast(exp.Round(this=node.copy()), kind)


def _at_time_zone(node: exp.AtTimeZone) -> exp.AtTimeZone:
    """DuckDB gives the wall clock in the zone; a value without a zone counts as UTC, Athena's session zone."""
    node.set("this", exp.cast(node.this, exp.DataType.Type.TIMESTAMPTZ))
    return node


def check_time_zones(tree: exp.Query) -> dict[int, str]:
    """The zones of the result's columns that are moments in another zone, by the columns' places.

    DuckDB has no value that carries its zone. So such a moment may only become text, a date or a number, or be a
    column of the result.

    Raises:
        UnsupportedError: where the zone would get lost in a comparison or a calculation.
    """
    zones = {}
    for node in tree.find_all(exp.AtTimeZone, exp.Anonymous):
        if isinstance(node, exp.Anonymous) and node.name.lower() != "at_timezone":
            continue
        zone = node.args.get("zone") if isinstance(node, exp.AtTimeZone) else node.expressions[1]
        ancestor = node.parent
        while isinstance(ancestor, (exp.Paren, exp.Alias, exp.TimestampTrunc, exp.DateTrunc)):
            ancestor = ancestor.parent
        if isinstance(ancestor, _ZONE_USERS) or (isinstance(ancestor, exp.Anonymous) and "format" in ancestor.name):
            continue
        if ancestor is not tree or zone is None or not zone.is_string:
            raise UnsupportedError("Comparing or computing with a time in a zone other than UTC", node)
        for index, projection in enumerate(tree.selects):
            if node is projection or node in projection.walk():
                zones[index] = zone.name
    return zones


def _division(node: exp.Div) -> exp.Expr:
    left, right = node.left.type, node.right.type
    if left is not None and right is not None and left.is_type(*_INTEGERS) and right.is_type(*_INTEGERS):
        # DuckDB's // is an error for zero and exact for big numbers.
        return exp.Paren(this=exp.IntDiv(this=_operand(node.left), expression=_operand(node.right)))
    node.set("typed", False)
    scales = decimal_scale(node.left), decimal_scale(node.right)
    if scales[0] is None or scales[1] is None:
        return node
    # Of decimals Trino keeps the greater scale: 100.0 * 1 / 3 is 33.3.
    scale = max(scales[0], scales[1])
    rounded = exp.Round(this=node.copy(), decimals=exp.Literal.number(scale))
    return exp.cast(rounded, exp.DataType.build(f"DECIMAL(38, {scale})"))


def decimal_scale(node: exp.Expr) -> int | None:
    """The scale of a decimal or a whole number as Trino computes it; None for what is neither, as a double."""
    match node:
        case exp.Literal() if not node.is_string:
            text = node.name.lower()
            return None if "e" in text else len(text.partition(".")[2])
        case exp.Paren() | exp.Neg() if not isinstance(node.this, exp.IntDiv):
            return decimal_scale(node.this)
        case exp.Mul() | exp.Add() | exp.Sub():
            left, right = decimal_scale(node.left), decimal_scale(node.right)
            if left is None or right is None:
                return None
            return left + right if isinstance(node, exp.Mul) else max(left, right)
    kind = node.to if isinstance(node, exp.Cast) else node.type
    if kind is None:
        return None
    if kind.is_type("decimal"):
        parameters = kind.expressions
        return int(parameters[1].name) if len(parameters) > 1 else 0
    return 0 if kind.is_type(*_INTEGERS) else None


def _operand(node: exp.Expr) -> exp.Expr:
    return node if isinstance(node, (exp.Column, exp.Literal, exp.Func, exp.Paren)) else exp.Paren(this=node)


def _anonymous(node: exp.Anonymous) -> exp.Expr:
    name = node.name.lower()
    arguments = node.expressions
    if name in {"format_datetime", "parse_datetime"}:
        if len(arguments) != 2 or not arguments[1].is_string:
            raise UnsupportedError(f"{name} with a format that is no literal", node)
        strf = _from_joda(arguments[1].name, node)
        function = "strftime" if name == "format_datetime" else "strptime"
        return exp.Anonymous(this=function, expressions=[arguments[0].copy(), exp.Literal.string(strf)])
    if name == "format":
        return exp.Anonymous(this="printf", expressions=[argument.copy() for argument in arguments])
    if name == "at_timezone" and len(arguments) == 2:
        return _at_time_zone(exp.AtTimeZone(this=arguments[0].copy(), zone=arguments[1].copy()))
    return node


def _from_joda(pattern: str, node: exp.Expr) -> str:
    """A pattern of Joda-Time (`yyyy-MM-dd HH:mm:ss`) as one of strftime's.

    Raises:
        UnsupportedError: for a letter that has no counterpart.
    """
    out, index = "", 0
    while index < len(pattern):
        letter = pattern[index]
        if letter == "'":
            end = pattern.find("'", index + 1)
            end = len(pattern) if end < 0 else end
            out += pattern[index + 1 : end].replace("%", "%%") or "'"
            index = end + 1
            continue
        if not letter.isalpha():
            out += "%%" if letter == "%" else letter
            index += 1
            continue
        end = index
        while end < len(pattern) and pattern[end] == letter:
            end += 1
        token = pattern[index:end]
        if token not in _JODA:
            raise UnsupportedError(f"The date format letters '{token}'", node)
        out += _JODA[token]
        index = end
    return out
