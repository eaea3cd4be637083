"""What one local cloud is called and where it listens."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from local_cloud.errors import LocalCloudError

HEALTH_PATH = "/_local_cloud/health"
API_PORT = 4566
METADATA_PORT = 1338
# Trino, on the machine's address only.
ENGINE_PORT = 8080
ACCOUNT_ID = "123456789012"
# Access key id and secret of the operator, who is this account's administrator.
ADMINISTRATOR = "local-cloud"
# The same administrator by temporary credentials (id, secret and token alike), which local_cloud.api.faults can expire.
ADMINISTRATOR_SESSION = "local-cloud-session"
# Somebody else: another account, which has nothing here but the buckets that its administrator makes.
NEIGHBOUR_ID = "210987654321"
NEIGHBOUR = "local-cloud-neighbour"
FIRST_PUBLIC, LAST_PUBLIC = 10, 250

_DEPLOYMENT = re.compile(r"[a-z][a-z0-9-]{1,22}[a-z0-9]")


@dataclass(frozen=True)
class FaultSettings:
    """What goes wrong, by counting, so that a run can be repeated; 0 is never. A client's third try passes.

    Attributes:
        throttle_every: one of this number of requests of each action is throttled.
        drop_every: one of this number of requests of each action loses its connection before anything is done.
        expire_after: the number of requests for which the administrator's session is valid.
    """

    throttle_every: int = 0
    drop_every: int = 0
    expire_after: int = 0


@dataclass(frozen=True)
class Settings:
    """One deployment's local cloud.

    ``block`` is the number X of its addresses: the API listens on 127.77.X.1 for this machine and on 198.18.X.1 for the
    hosts, whose public addresses are 198.18.X.10 to 198.18.X.250. ``state_dir`` is ``.state/<deployment>``.
    Without an ``engine`` there is no Trino, and Athena has no answers: for tests that ask nothing.
    """

    deployment: str
    block: int
    state_dir: Path
    faults: FaultSettings = FaultSettings()
    engine: bool = True

    def __post_init__(self) -> None:
        if not _DEPLOYMENT.fullmatch(self.deployment):
            raise LocalCloudError(
                f"'{self.deployment}' is no deployment name: use 3 to 24 lower-case letters, digits and hyphens, "
                "starting with a letter."
            )
        if not 1 <= self.block <= 254:
            raise LocalCloudError(f"Block {self.block} is out of range: local_cloud_block is a number from 1 to 254.")
        if self.state_dir.name != self.deployment:
            raise LocalCloudError(
                f"{self.state_dir} is not the state directory of '{self.deployment}': it must end with that name."
            )

    @property
    def machine_address(self) -> str:
        """Where this machine reaches the API."""
        return f"127.77.{self.block}.1"

    @property
    def gateway_address(self) -> str:
        """This machine as the hosts see it: their way out, their API and their instance metadata."""
        return f"198.18.{self.block}.1"

    @property
    def public_network(self) -> str:
        """The network of the hosts' public addresses."""
        return f"198.18.{self.block}.0/24"

    @property
    def endpoint_url(self) -> str:
        """The API's address for this machine's clients."""
        return f"http://{self.machine_address}:{API_PORT}"

    @property
    def bridge(self) -> str:
        """The bridge's name, which is also that of the nft table."""
        return f"sm{self.block}"

    @property
    def directory(self) -> Path:
        """The local cloud's own files: log, pid, lock and the hosts' small files."""
        return self.state_dir / "local_cloud"

    @property
    def kept_directory(self) -> Path:
        """Where a bucket's objects go when the local cloud ends."""
        return self.state_dir / "kept"

    @property
    def log_file(self) -> Path:
        """The server's log."""
        return self.directory / "log"

    @property
    def lifecycle_days_ahead(self) -> Path:
        """The number of days by which the clock of the buckets' lifecycle rules is ahead; for tests, usually absent."""
        return self.directory / "lifecycle_days_ahead"

    @property
    def pid_file(self) -> Path:
        """The server's process id, for people; the lock is what counts."""
        return self.directory / "pid"

    @property
    def lock_file(self) -> Path:
        """Locked by the server for as long as it lives."""
        return self.directory / "lock"

    @property
    def kept_report(self) -> Path:
        """What the last stop saved, one sentence a bucket."""
        return self.directory / "kept.txt"
