"""The two programs' command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import TypeVar

from stock_market import logs
from stock_market.errors import EXIT_FAILED, EXIT_OK, ServiceError, SettingsError
from stock_market.settings import Settings, load

_AnySettings = TypeVar("_AnySettings", bound=Settings)
_log = logs.Log("service")


def run(
    program: str,
    kind: type[_AnySettings],
    check: Callable[[_AnySettings], None],
    serve: Callable[[_AnySettings], int],
    argv: list[str] | None = None,
) -> int:
    """Reads the command line and the settings of a kind, then serves.

    `check` looks at what the settings name, and raises SettingsError; `serve` returns the exit code.

    Returns:
        the exit code: 0 done, 1 failed, 2 wrong settings, 3 Kafka and S3 contradict each other.
    """
    parser = argparse.ArgumentParser(prog=f"python -m stock_market.{program}")
    parser.add_argument("--config", required=True, metavar="FILE", help="the settings, as TOML")
    parser.add_argument("--check-config", action="store_true", help="only check the settings")
    arguments = parser.parse_args(argv)
    logs.setup()
    try:
        settings = load(arguments.config, kind)
        check(settings)
        return EXIT_OK if arguments.check_config else serve(settings)
    except SettingsError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return error.exit_code
    except ServiceError as error:
        _log.error("ended", program=program, reason=error, exit_code=error.exit_code)
        return error.exit_code
    except Exception:
        _log.exception("crashed", program=program)
        return EXIT_FAILED
