"""Whether anybody listens at an address, asked of many at once and in bounded time."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

Address = tuple[str, int]

CONNECT_SECONDS = 3.0


def listening(address: Address, seconds: float = CONNECT_SECONDS) -> bool | None:
    """Return whether somebody listens there: False where the host refuses, None where nothing is heard of it."""
    try:
        with socket.create_connection(address, timeout=seconds):
            return True
    except ConnectionRefusedError:
        return False
    except OSError:
        return None


def all_listening(addresses: Iterable[Address], seconds: float = CONNECT_SECONDS) -> dict[Address, bool | None]:
    """Return for each address what `listening` says; no longer than `seconds` for all of them, names' look-up aside."""
    wanted = list(dict.fromkeys(addresses))
    if not wanted:
        return {}
    with ThreadPoolExecutor(len(wanted)) as pool:
        return dict(zip(wanted, pool.map(lambda address: listening(address, seconds), wanted), strict=True))
