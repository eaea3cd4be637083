"""Trino with what it asks of the local cloud, as one thing to start and to end."""

from __future__ import annotations

import shutil
from pathlib import Path

from local_cloud.trino import aot
from local_cloud.trino.access import Accesses
from local_cloud.trino.api import EngineApi
from local_cloud.trino.files import Place
from local_cloud.trino.process import TrinoProcess


class TrinoEngine(TrinoProcess):
    """A Trino of this process, on a loopback address, and the port on which it asks.

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
            port=port or aot.free_port(address),
            api_url=self._api.url,
            access_url=self._api.access_url,
            access_key_id=keys.access_key_id,
            secret_key=keys.secret,
        )
        super().__init__(place)

    @property
    def accesses(self) -> Accesses:
        """Who is told what a query may do."""
        return self._api.accesses

    @property
    def api_url(self) -> str:
        """Where Trino finds S3, Glue and STS."""
        return self._api.url

    def close(self) -> None:
        """Ends Trino and removes its files."""
        super().close()
        self._api.close()
