"""How Athena says that a statement about the catalog has failed: Hive's sentences.

The texts are those that people report from Athena; Hive's numbers of errors are in its class ErrorMsg.
"""

from __future__ import annotations

from local_cloud.athena.errors import QueryError

ICEBERG_UNSUPPORTED = "Query type not supported by Athena Iceberg at this time"


class DdlError(QueryError):
    """A failed statement whose reason is one sentence of its own, with no error's name before it."""

    def __init__(self, message: str) -> None:
        super().__init__("", message)
        self.args = (message,)


def execution_error(message: str) -> DdlError:
    """Hive's DDLTask has failed."""
    return DdlError(f"FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. {message}")


def semantic_error(message: str, number: int | None = None) -> DdlError:
    """Hive's analysis has refused the statement."""
    error = f" [Error {number}]:" if number else ""
    return DdlError(f"FAILED: SemanticException{error} {message}")


def table_not_found(database: str, table: str) -> DdlError:
    """There is no such table."""
    return semantic_error(f"Table not found {database}.{table}", 10001)


def database_not_found(database: str) -> DdlError:
    """There is no such database."""
    return semantic_error(f"Database does not exist: {database}", 10072)


def partition_not_found(values: dict[str, str]) -> DdlError:
    """There is no such partition."""
    spec = ", ".join(f"{name}={value}" for name, value in values.items())
    return semantic_error(f"Partition not found {{{spec}}}", 10006)
