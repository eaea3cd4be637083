"""Structured logs: one event a line, as logfmt, on standard output, where journald adds the time."""

from __future__ import annotations

import logging
import re
import sys

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
        event = getattr(record, "event_fields", None)
        if event is None:
            fields |= {"event": "library", "logger": record.name, "message": record.getMessage()}
        else:
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


def setup() -> None:
    """Sends our own events from INFO on and the libraries' from WARNING on to standard output."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_Logfmt())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("stock_market").setLevel(logging.INFO)
