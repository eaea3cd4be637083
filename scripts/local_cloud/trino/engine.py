"""Trino as a process of the local cloud's, with the port on which it asks: restarted if it dies, ended with it."""

from __future__ import annotations

import base64
import logging
import secrets
import shutil
import subprocess
import threading
import time
from pathlib import Path

from local_cloud.errors import LocalCloudError
from local_cloud.trino import aot, distribution, files
from local_cloud.trino.api import EngineApi
from local_cloud.trino.client import Address, Failure, Session, Statement, UnavailableError
from local_cloud.trino.files import Place

LOG = logging.getLogger(__name__)

READY_LIMIT_SECONDS = 300.0
_STOP_SECONDS = 15.0
_RESTART_SECONDS = 2.0
_FETCH_AGAIN_SECONDS = 30.0
_POLL_SECONDS = 0.1


class TrinoEngine:
    """A Trino on a loopback address. `start` and `run` return at once; `address` waits until it answers.

    Attributes:
        accesses: who is told what a query may do.
        api_url: where Trino finds S3, Glue and STS.
    """

    def __init__(self, work_dir: Path, address: str = "127.0.0.1", port: int = 0) -> None:
        """Opens the port on which Trino asks.

        Args:
            work_dir: a directory of its own; whatever a killed process left there is removed.
            address: the loopback address on which it and what it asks listen.
            port: Trino's port; 0 takes a free one.
        """
        if work_dir.exists():
            shutil.rmtree(work_dir)
        work_dir.mkdir(parents=True)
        self._api = EngineApi(address, work_dir)
        self.accesses, self.api_url = self._api.accesses, self._api.url
        self._place = Place(
            directory=work_dir,
            url=f"http://{address}:{port or aot.free_port(address)}",
            api_url=self._api.url,
            access_url=self._api.access_url,
            access_key_id=self._api.keys.access_key_id,
            secret_key=self._api.keys.secret,
        )
        self._key = secrets.token_bytes(48)
        self._wanted = threading.Event()
        self._closing = threading.Event()
        self._ready = threading.Event()
        self._problem = ""
        self._process: subprocess.Popen[bytes] | None = None
        # The kernel ends a child with the thread that started it (PR_SET_PDEATHSIG): this one lives as long as Trino.
        self._thread = threading.Thread(target=self._keep, name="trino", daemon=True)

    def start(self) -> None:
        """Fetches Trino if this machine has none yet; it runs only after a call of `run` or `address`."""
        self._thread.start()

    def run(self) -> None:
        """Runs Trino as soon as it is there, unless it runs: somebody is about to ask it."""
        self._wanted.set()

    def address(self, limit: float = READY_LIMIT_SECONDS) -> Address:
        """Where Trino answers.

        Args:
            limit: how many seconds to wait for its start.

        Raises:
            UnavailableError: if it does not answer by then, or can't be had.
        """
        self.run()
        end = time.monotonic() + limit
        while not self._ready.wait(_POLL_SECONDS):
            if self._closing.is_set() or time.monotonic() > end or self._problem:
                raise UnavailableError(self._problem or f"Trino did not start within {limit:g} s.")
        return Address(self._place.url, self._key)

    @property
    def pid(self) -> int:
        """The process id of the Trino that answers; 0 while none does."""
        return self._process.pid if self._process is not None and self._ready.is_set() else 0

    def close(self) -> None:
        """Ends Trino and removes its files."""
        self._closing.set()
        self._wanted.set()
        self._ready.clear()
        process = self._process
        if process is not None:
            process.terminate()
        if self._thread.is_alive():
            self._thread.join(_STOP_SECONDS)
        process = self._process
        if process is not None and process.poll() is None:
            process.kill()
            process.wait()
        if self._place.directory.exists():
            shutil.rmtree(self._place.directory)
        self._api.close()

    def _keep(self) -> None:
        home = self._find()
        self._wanted.wait()
        while home is not None and not self._closing.is_set():
            self._prepare(home)
            log = self._place.directory / "trino.log"
            with log.open("wb") as output:
                self._process = subprocess.Popen(
                    ending_with_this_process(files.command(self._place, home)),
                    cwd=self._place.directory,
                    env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
            begin = time.monotonic()
            self._wait_until_ready(self._process)
            if self._ready.is_set():
                LOG.info("Trino answers at %s after %.1f s", self._place.url, time.monotonic() - begin)
            code = self._process.wait()
            self._ready.clear()
            if not self._closing.wait(_RESTART_SECONDS):
                LOG.error("Trino has ended with code %d and is started again; its log: %s", code, _tail(log))

    def _find(self) -> Path | None:
        """Where Trino lies, fetched if need be; again and again while it can't be had. None once this is closing."""
        while not self._closing.is_set():
            try:
                home = distribution.ensure(LOG.info)
            except LocalCloudError as error:
                LOG.warning("there is no Trino: %s", error)
                self._problem = str(error)
                self._closing.wait(_FETCH_AGAIN_SECONDS)
            else:
                self._problem = ""
                return home
        return None

    def _prepare(self, home: Path) -> None:
        directory = self._place.directory
        for name in ("etc", "plugin", "data", "tmp", "unload", "spill"):
            if (directory / name).exists():
                shutil.rmtree(directory / name)
        (directory / "tmp").mkdir(parents=True)
        (directory / "plugin").mkdir()
        for name in files.PLUGINS:
            (directory / "plugin" / name).symlink_to(home / "plugin" / name)
        files.write(self._place, base64.b64encode(self._key).decode())

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        address = Address(self._place.url, self._key)
        schema = f"{files.UNLOAD}.{files.UNLOAD_SCHEMA}"
        # Trino says that it has started some seconds before it finds itself among the nodes that can read a table.
        statements = (
            f"CREATE SCHEMA IF NOT EXISTS {schema}",
            f"CREATE TABLE IF NOT EXISTS {schema}.ready AS SELECT 1 AS one",
            f"SELECT one FROM {schema}.ready",
            f"DROP TABLE {schema}.ready",
        )
        session = Session("local-cloud", f"{files.ROLE_PREFIX}nobody", files.UNLOAD, "default")
        while process.poll() is None and not self._closing.wait(_POLL_SECONDS):
            if aot.has_started(self._place.url):
                try:
                    for sql in statements:
                        Statement(address, session, sql).run()
                except (Failure, UnavailableError):
                    continue
                self._ready.set()
                return


def ending_with_this_process(command: list[str]) -> list[str]:
    """The command in a form that the kernel kills with the thread that starts it (prctl(2), PR_SET_PDEATHSIG)."""
    return ["setpriv", "--pdeathsig", "KILL", *command]


def _tail(log: Path, lines: int = 5) -> str:
    return " / ".join(log.read_text(errors="replace").splitlines()[-lines:])
