"""Trino with what it asks of the local cloud, as one thing to start and to end."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

from local_cloud.trino.access import Accesses
from local_cloud.trino.api import EngineApi
from local_cloud.trino.client import Address
from local_cloud.trino.files import Place
from local_cloud.trino.process import READY_LIMIT_SECONDS, TrinoProcess


class TrinoEngine:
    """A Trino of this process, on a loopback address.

    Args:
        work_dir: a directory of its own; whatever a killed process left there is removed.
        address: the loopback address on which it and what it asks listen.
        port: Trino's port; 0 takes a free one.
    """

    def __init__(self, work_dir: Path, address: str = "127.0.0.1", port: int = 0) -> None:
        if work_dir.exists():
            shutil.rmtree(work_dir)
        work_dir.mkdir(parents=True)
        self._api = EngineApi(address, work_dir)
        keys = self._api.keys
        place = Place(
            directory=work_dir,
            address=address,
            port=port or _free_port(address),
            api_url=self._api.url,
            access_url=self._api.access_url,
            access_key_id=keys.access_key_id,
            secret_key=keys.secret,
        )
        self._process = TrinoProcess(place)

    @property
    def accesses(self) -> Accesses:
        """Who is told what a query may do."""
        return self._api.accesses

    @property
    def api_url(self) -> str:
        """Where Trino finds S3, Glue and STS."""
        return self._api.url

    @property
    def pid(self) -> int:
        """The process id of the Trino that answers; 0 while none does."""
        return self._process.pid

    def start(self) -> None:
        """Begins to start Trino, and returns at once."""
        self._process.start()

    def address(self, limit: float = READY_LIMIT_SECONDS) -> Address:
        """Where Trino answers; waits for its start, at most `limit` seconds.

        Raises:
            UnavailableError: if it does not answer by then, or can't be had.
        """
        return self._process.address(limit)

    def close(self) -> None:
        """Ends Trino and removes its files."""
        self._process.close()
        self._api.close()


def _free_port(address: str) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port
