"""A way to a port of a host's loopback, through the deployment's SSH: a socket that only this user can open."""

from __future__ import annotations

import http.client
import socket
import subprocess
import threading
from pathlib import Path
from typing import Final

from stock_market.service import Backoff

_LONGEST_SENTENCE: Final = 200


class Tunnel(threading.Thread):
    """Keeps `ssh -L` running, and starts it again when it ends.

    A port of this machine's loopback would be open to its other users; a socket in a folder of ours is not. ssh runs
    `cat` over there, which ends, and ssh with it, when this process is gone, however it ended.

    The folder, for the socket, has a short path: Linux bounds a socket's path at 107 bytes (unix(7)).

    Attributes:
        path: of the socket.
        failure: why the newest connection ended; empty while it stands.
    """

    def __init__(self, ssh_config: str, host: str, port: int, folder: Path) -> None:
        super().__init__(name="tunnel", daemon=True)
        self.path = folder / "prometheus"
        self.failure = ""
        self._host = host
        self._command = [
            *("ssh", "-F", ssh_config, "-T"),
            *("-o", "BatchMode=yes", "-o", "ControlPath=none", "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=5"),
            *("-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=2"),
            *("-o", "ExitOnForwardFailure=yes", "-o", "StreamLocalBindUnlink=yes", "-o", "StreamLocalBindMask=0177"),
            *("-L", f"{self.path}:127.0.0.1:{port}", host, "cat"),
        ]
        self._stop_requested = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None

    def stop(self) -> None:
        """End ssh, and start it no more."""
        self._stop_requested.set()
        process = self._process
        if process is not None:
            process.terminate()

    def run(self) -> None:
        """Keep the connection until the end is asked for."""
        pauses = Backoff()
        while not self._stop_requested.is_set():
            # A session of its own: Ctrl-C is for this program, which ends ssh.
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
            self.failure = ""
            said = self._process.stderr.read() if self._process.stderr else b""
            self._process.wait()
            if self._process.stdin:
                self._process.stdin.close()
            lines = said.decode(errors="replace").split("\n")
            reason = next((line.strip() for line in reversed(lines) if line.strip()), "it ended without a word")
            self.failure = f"The SSH connection to {self._host} broke: {reason[:_LONGEST_SENTENCE]}."
            self._stop_requested.wait(pauses.pause())


class SocketConnection(http.client.HTTPConnection):
    """HTTP over a socket in the file system."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect, as HTTPConnection's does."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(self.timeout)
        connection.connect(str(self._path))
        self.sock = connection
