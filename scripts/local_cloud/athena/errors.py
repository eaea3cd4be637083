"""Athena's errors: a query that fails says why in Athena's words."""

from __future__ import annotations


class QueryError(Exception):
    """Ends a query as FAILED; `code: message` is its StateChangeReason."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(f"{code}: {message}")


class UnsupportedError(QueryError):
    """Athena can do it and the local cloud can't: said plainly, never passed over."""

    def __init__(self, what: str) -> None:
        super().__init__("NOT_SUPPORTED", f"{what} is not supported by the local cloud")


class MalformedQueryError(Exception):
    """The text is no SQL: StartQueryExecution itself refuses it."""


class QueryCancelledError(Exception):
    """StopQueryExecution was called, or a limit of the workgroup was reached; the text is the StateChangeReason."""
