"""Structured logs: one event a line, as logfmt, on standard output, where journald adds the time."""

from __future__ import annotations

import logging
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

_QUIET_SECONDS = 60.0
_MAX_KINDS = 500
_PLAIN = re.compile(r"[^\s\"=\\]+")


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    text = str(value)
    if _PLAIN.fullmatch(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'


class _Logfmt(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, object] = {"level": record.levelname.lower()}
        event: dict[str, object] = getattr(record, "event_fields", {})
        fields |= {"event": record.getMessage()} | event
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return " ".join(f"{name}={_value(value)}" for name, value in fields.items())


class Log:
    """Writes events: a short name and fields, `log.info("object_stored", partition=0, records=812)`."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(f"stock_market.{name}")

    def info(self, event: str, /, **fields: object) -> None:
        """What happens in the normal course."""
        self._logger.info("%s", event, extra={"event_fields": fields})

    def warning(self, event: str, /, **fields: object) -> None:
        """What the service gets over by itself."""
        self._logger.warning("%s", event, extra={"event_fields": fields})

    def error(self, event: str, /, **fields: object) -> None:
        """What a person should look at."""
        self._logger.error("%s", event, extra={"event_fields": fields})

    def exception(self, event: str, /, **fields: object) -> None:
        """An error that nobody foresaw, with its traceback on the same line."""
        self._logger.exception("%s", event, extra={"event_fields": fields})


class _Rarely(logging.Filter):
    """Lets a library say the same thing once a minute, and says how often it was said in between.

    kafka-python logs each of the attempts to reach a broker that is not there, several times a second, some of them
    with a traceback.
    """

    def __init__(self) -> None:
        super().__init__()
        self._next: dict[tuple[str, object], float] = {}
        self._left_out: dict[tuple[str, object], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if hasattr(record, "event_fields"):
            return True
        kind = (record.name, record.msg)
        if time.monotonic() < self._next.get(kind, 0.0):
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
            return False
        if len(self._next) >= _MAX_KINDS:
            self._next.clear()
        self._next[kind] = time.monotonic() + _QUIET_SECONDS
        left_out = self._left_out.pop(kind, 0)
        text = record.getMessage()
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and str(error) not in text:
            text += f": {type(error).__name__}: {error}"
        record.event_fields = {"logger": record.name, "message": text} | ({"repeated": left_out} if left_out else {})
        record.msg, record.args, record.exc_info = "library", (), None
        return True


@contextmanager
def library_hushed(name: str) -> Iterator[None]:
    """Keeps a library's logger silent while the caller, who tells what comes of it, waits for it."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)


def setup() -> None:
    """Sends our own events from INFO on and the libraries' from WARNING on to standard output."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_Logfmt())
    handler.addFilter(_Rarely())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("stock_market").setLevel(logging.INFO)
