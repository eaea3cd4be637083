"""Column types in Hive's words: read from a statement, and put into Trino's words for Iceberg."""

from __future__ import annotations

from dataclasses import dataclass

from local_cloud.athena.ddl.errors import execution_error
from local_cloud.athena.errors import QueryError
from local_cloud.athena.hive.tokens import Cursor
from local_cloud.athena.lexer import quoted

# https://docs.aws.amazon.com/athena/latest/ug/data-types.html
_PRIMITIVES = frozenset(
    {
        *("boolean", "tinyint", "smallint", "int", "bigint", "float", "double", "decimal"),
        *("char", "varchar", "string", "binary", "date", "timestamp"),
    }
)
# https://docs.aws.amazon.com/athena/latest/ug/querying-iceberg-supported-data-types.html
_ICEBERG = {
    "boolean": "boolean",
    "int": "integer",
    "bigint": "bigint",
    "float": "real",
    "double": "double",
    "decimal": "decimal",
    "string": "varchar",
    "binary": "varbinary",
    "date": "date",
    "timestamp": "timestamp(6)",
}


@dataclass(frozen=True, slots=True)
class HiveType:
    """A type: `arguments` are a decimal's or a char's numbers, `items` the types inside, `fields` a struct's names."""

    name: str
    arguments: tuple[int, ...] = ()
    items: tuple[HiveType, ...] = ()
    fields: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.fields:
            inner = ",".join(f"{name}:{kind}" for name, kind in zip(self.fields, self.items, strict=True))
            return f"{self.name}<{inner}>"
        if self.items:
            return f"{self.name}<{','.join(map(str, self.items))}>"
        if self.arguments:
            return f"{self.name}({','.join(map(str, self.arguments))})"
        return "decimal(10,0)" if self.name == "decimal" else self.name

    def inside(self) -> dict[str, HiveType]:
        """The types inside, by the names that DESCRIBE has for them."""
        names = self.fields or {"array": ("$elem$",), "map": ("$key$", "$value$")}.get(self.name, ())
        return dict(zip(names, self.items, strict=True))

    def check(self) -> None:
        """Refuses a type that Hive does not know, as Hive does when it creates the table.

        Raises:
            QueryError: FAILED.
        """
        for item in self.items:
            item.check()
        if self.items:
            return
        if self.name in {"char", "varchar"} and len(self.arguments) != 1:
            raise execution_error(f"{self.name} type is specified without length: {self}")
        if self.name not in _PRIMITIVES:
            raise execution_error(f"Error: type expected at the position 0 of '{self}' but '{self.name}' is found.")

    def trino(self) -> str:
        """The type of an Iceberg column in Trino's words.

        Raises:
            QueryError: NOT_SUPPORTED if Iceberg has no such type.
        """
        if self.fields:
            pairs = zip(self.fields, self.items, strict=True)
            return f"row({', '.join(f'{quoted(name)} {kind.trino()}' for name, kind in pairs)})"
        if self.items:
            return f"{self.name}({', '.join(item.trino() for item in self.items)})"
        if self.name not in _ICEBERG:
            raise QueryError("NOT_SUPPORTED", f"Type not supported for Iceberg: {self}")
        if self.name == "decimal":
            precision, scale = (*self.arguments, 0)[:2] if self.arguments else (10, 0)
            return f"decimal({precision},{scale})"
        return _ICEBERG[self.name]


def parse_type(cursor: Cursor) -> HiveType:
    """A type as a statement writes it, in lower case.

    Raises:
        MalformedQueryError: if it is not well-formed; a name that is no type's is found by `HiveType.check`.
    """
    if cursor.accept("ARRAY", "<"):
        item = parse_type(cursor)
        cursor.expect(">")
        return HiveType("array", items=(item,))
    if cursor.accept("MAP", "<"):
        key = parse_type(cursor)
        cursor.expect(",")
        value = parse_type(cursor)
        cursor.expect(">")
        return HiveType("map", items=(key, value))
    if cursor.accept("STRUCT", "<"):
        return _struct(cursor)
    name = cursor.name()
    arguments = cursor.bracketed(cursor.integer) if cursor.at("(") else []
    if name == "decimal" and len(arguments) == 1:
        arguments.append(0)
    return HiveType("int" if name == "integer" else name, tuple(arguments))


def _struct(cursor: Cursor) -> HiveType:
    names: list[str] = []
    kinds: list[HiveType] = []
    while True:
        names.append(cursor.name())
        cursor.expect(":")
        kinds.append(parse_type(cursor))
        if cursor.accept("COMMENT"):
            cursor.string()
        if not cursor.accept(","):
            break
    cursor.expect(">")
    return HiveType("struct", items=tuple(kinds), fields=tuple(names))
