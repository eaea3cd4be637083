"""Athena's SQL into DuckDB's: parsed in Athena's dialect, checked against the catalog, each table made a scan."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import sqlglot
from sqlglot import Token, TokenType, exp
from sqlglot.errors import OptimizeError, ParseError, SqlglotError, TokenError, UnsupportedError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify
from sqlglot.schema import MappingSchema

from local_cloud import athena_errors
from local_cloud.athena_catalog import CATALOG, HIDDEN_COLUMNS, Catalog, CatalogTable
from local_cloud.athena_errors import MalformedQueryError, QueryError, column_not_found
from local_cloud.athena_functions import check_time_zones, check_types, rewrite
from local_cloud.athena_types import duckdb_type

DIALECT = "athena"
# Other engines' syntax that sqlglot's parser lets pass.
_NOT_IN_ATHENA = frozenset({TokenType.DCOLON, TokenType.QUALIFY, TokenType.ILIKE})


@dataclass(slots=True)
class Scan:
    """One reading of a table: `name` stands in its place in the SQL, `pruning` are conditions on partition keys."""

    name: str
    table: CatalogTable
    pruning: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Compiled:
    """A query that DuckDB can run as soon as its scans exist as views."""

    sql: str
    names: list[str]
    scans: list[Scan]
    zones: dict[int, str]


def parse(text: str) -> exp.Expr:
    """One statement.

    Raises:
        MalformedQueryError: if it is none, or several.
    """
    try:
        tokens = tokenize(text)
        with _quiet():
            statements = [statement for statement in sqlglot.parse(text, read=DIALECT) if statement is not None]
    except ParseError as error:
        first = error.errors[0]
        raise MalformedQueryError(
            f"line {first.get('line', 1)}:{first.get('col', 1)}: mismatched input '{first.get('highlight', '')}'. "
            f"{first.get('description', '')}"
        ) from error
    except TokenError as error:
        raise MalformedQueryError(f"line 1:1: {error}") from error
    for token in tokens:
        if token.token_type in _NOT_IN_ATHENA:
            raise MalformedQueryError(f"line {token.line}:{token.col}: mismatched input '{token.text}'")
    if len(statements) != 1:
        raise MalformedQueryError("Only one sql statement is allowed. Got: " + (text.strip() or "nothing"))
    return statements[0]


def tokenize(text: str) -> list[Token]:
    """The words of a statement, with their places."""
    return sqlglot.tokenize(text, read=DIALECT)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    # sqlglot logs a warning for each statement that it keeps as plain text; athena_ddl reads those itself.
    logger = sqlglot.parser.logger
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


_QUOTED_OR_COMMENT = re.compile(r"('(?:[^']|'')*'|\"[^\"]*\"|`[^`]*`)|--[^\n]*|/\*.*?\*/", re.DOTALL)


def without_comments(text: str) -> str:
    """The statement without comments, and without the semicolon at its end."""
    return _QUOTED_OR_COMMENT.sub(lambda match: match[1] or " ", text).strip().removesuffix(";").strip()


def substitute(statement: exp.Expr, parameters: list[str]) -> exp.Expr:
    """Puts the execution parameters, which are SQL literals, in the places of the question marks.

    Raises:
        QueryError: if their numbers differ.
        MalformedQueryError: if a parameter is no literal.
    """
    places = list(statement.find_all(exp.Placeholder))
    if len(places) != len(parameters):
        raise QueryError(
            "INVALID_PARAMETER_USAGE",
            f"line 1:1: Incorrect number of parameters: expected {len(places)} but found {len(parameters)}",
        )
    for place, text in zip(sorted(places, key=_offset), parameters, strict=True):
        value = parse(f"SELECT {text}").expressions[0]
        if value.find(exp.Column, exp.Subquery, exp.Select):
            value = exp.Literal.string(text)
        place.replace(value)
    return statement


def _offset(node: exp.Expr) -> int:
    return int(node.meta.get("start", 0))


def compile_query(statement: exp.Query | exp.Values, catalog: Catalog, database: str) -> Compiled:
    """A SELECT for DuckDB.

    Raises:
        QueryError: as Athena's analyzer would.
    """
    if isinstance(statement, exp.Values):
        statement = _select_of(statement)
    original = statement.copy()
    tables = _resolve_tables(original, catalog, database)
    wanted_hidden = {
        identifier.name.lower()
        for identifier in original.find_all(exp.Identifier)
        if identifier.name.lower() in HIDDEN_COLUMNS
    }
    schema = MappingSchema(dialect=DIALECT)
    for (schema_name, table_name), table in tables.items():
        columns = table.schema | {name: HIDDEN_COLUMNS[name] for name in sorted(wanted_hidden)}
        types = {name: exp.DataType.build(duckdb_type(kind), dialect="duckdb") for name, kind in columns.items()}
        schema.add_table(exp.table_(table_name, db=schema_name), types, dialect=DIALECT, match_depth=False)
    names = output_names(original)
    tree = _qualified(original, schema, database)
    if wanted_hidden:
        _drop_hidden_from_stars(tree)
    if names is None:
        names = tree.named_selects
    annotate_types(tree, schema=schema, dialect=DIALECT)
    check_types(tree)
    zones = check_time_zones(tree)
    scans = _replace_tables(tree, tables, database)
    try:
        sql = rewrite(tree).sql(dialect="duckdb", unsupported_level=sqlglot.ErrorLevel.RAISE)
    except UnsupportedError as error:
        raise athena_errors.UnsupportedError(str(error)) from error
    return Compiled(sql, names, scans, zones)


def _select_of(values: exp.Values) -> exp.Select:
    """VALUES as a statement of its own, its columns named as Trino does."""
    width = len(values.expressions[0].expressions) if values.expressions else 0
    columns = [exp.to_identifier(f"_col{index}") for index in range(width)]
    source = values.copy()
    source.set("alias", exp.TableAlias(this=exp.to_identifier("t"), columns=columns))
    return exp.select("*").from_(source)


def output_names(statement: exp.Query) -> list[str] | None:
    """The result's column names as Trino gives them: alias, column's name, or `_col3`; None if there is a star."""
    selects = statement.selects
    if any(projection.is_star and not isinstance(projection.unalias(), exp.Count) for projection in selects):
        return None
    return [
        projection.alias
        or (projection.name.lower() if isinstance(projection, (exp.Column, exp.Dot)) else f"_col{index}")
        for index, projection in enumerate(selects)
    ]


def _cte_names(statement: exp.Expr) -> set[str]:
    return {cte.alias.lower() for cte in statement.find_all(exp.CTE)}


def _resolve_tables(statement: exp.Expr, catalog: Catalog, database: str) -> dict[tuple[str, str], CatalogTable]:
    ctes = _cte_names(statement)
    tables = {}
    for table in statement.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier):
            raise athena_errors.UnsupportedError("A table function", table)
        if not table.db and table.name.lower() in ctes:
            continue
        if table.catalog and table.catalog.lower() != CATALOG:
            raise QueryError("CATALOG_NOT_FOUND", f"Catalog '{table.catalog}' does not exist", table)
        schema_name = (table.db or database).lower()
        if not schema_name:
            raise QueryError("MISSING_SCHEMA_NAME", "Schema must be specified when session schema is not set", table)
        if schema_name == "information_schema" or "$" in table.name:
            raise athena_errors.UnsupportedError(f"The table {schema_name}.{table.name}", table)
        tables[schema_name, table.name.lower()] = catalog.table(schema_name, table.name.lower(), table)
    return tables


def _qualified(original: exp.Query, schema: MappingSchema, database: str) -> exp.Query:
    tree = original.copy()
    for table in tree.find_all(exp.Table):
        table.set("catalog", None)
    try:
        return qualify(
            tree,
            dialect=DIALECT,
            db=database or None,
            schema=schema,
            expand_alias_refs=False,
            quote_identifiers=False,
            identify=False,
        )
    except OptimizeError as error:
        text = str(error)
        match = re.search(r"(?:Column|Unknown column:?) '?([^']+?)'?(?: could not be resolved.*)?$", text)
        name = match[1] if match else ""
        qualifier = re.search(r"for table: '([^']+)'", text)
        if not name:
            raise QueryError("SYNTAX_ERROR", text) from error
        node = next((c for c in original.find_all(exp.Column) if c.name.lower() == name.lower()), None)
        if node is not None and not node.table and _owners(node, schema, database) > 1:
            raise QueryError("AMBIGUOUS_NAME", f"Column '{name}' is ambiguous", node) from error
        shown = f"{qualifier[1]}.{name}" if qualifier else node.sql(DIALECT) if node is not None else name
        raise column_not_found(shown, node) from error
    except SqlglotError as error:
        raise QueryError("SYNTAX_ERROR", str(error)) from error


def _owners(column: exp.Column, schema: MappingSchema, database: str) -> int:
    """How many of the tables around a column have one of its name."""
    select = column.find_ancestor(exp.Select)
    sources = [] if select is None else [select.args.get("from_"), *(select.args.get("joins") or [])]
    tables = [source.this for source in sources if source is not None and isinstance(source.this, exp.Table)]
    names = [exp.table_(table.name, db=table.db or database) for table in tables]
    return sum(column.name.lower() in schema.column_names(name, dialect=DIALECT) for name in names)


def _drop_hidden_from_stars(tree: exp.Expr) -> None:
    """Hidden columns are read where they are named (in double quotes) and are no part of a star."""
    for select in tree.find_all(exp.Select):
        kept = []
        for projection in select.expressions:
            column = projection.unalias()
            is_hidden = isinstance(column, exp.Column) and column.name.lower() in HIDDEN_COLUMNS
            if not is_hidden or column.this.args.get("quoted"):
                kept.append(projection)
        select.set("expressions", kept)


def _replace_tables(tree: exp.Expr, tables: dict[tuple[str, str], CatalogTable], database: str) -> list[Scan]:
    scans = []
    for index, node in enumerate(list(tree.find_all(exp.Table))):
        table = tables.get(((node.db or database).lower(), node.name.lower()))
        if table is None or not node.db:
            continue
        scan = Scan(f"scan_{index}", table, _pruning(node, table))
        node.set("this", exp.to_identifier(scan.name))
        node.set("db", None)
        scans.append(scan)
    return scans


def _pruning(node: exp.Table, table: CatalogTable) -> list[str]:
    """The conditions of the WHERE around a scan that speak of its partition keys alone."""
    select = node.find_ancestor(exp.Select)
    where = select.args.get("where") if select is not None else None
    if select is None or where is None or node.find_ancestor(exp.Join, exp.From) is None:
        return []
    if any(join.side for join in select.args.get("joins") or ()):
        return []
    keys = {key.name for key in table.partition_keys}
    conditions = []
    for condition in where.this.flatten() if isinstance(where.this, exp.And) else [where.this]:
        columns = list(condition.find_all(exp.Column))
        if not columns or condition.find(exp.Select, exp.AggFunc, exp.Window):
            continue
        if all(column.table == node.alias_or_name and column.name.lower() in keys for column in columns):
            alone = condition.copy()
            for column in alone.find_all(exp.Column):
                column.set("table", None)
            conditions.append(rewrite(alone).sql(dialect="duckdb"))
    return conditions
