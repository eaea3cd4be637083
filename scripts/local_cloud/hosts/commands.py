"""Running the system's own programs: podman, ip, nft."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence

from local_cloud.errors import LocalCloudError

# Each program and the Debian package that brings it.
PACKAGES: Mapping[str, str] = {
    "podman": "podman",
    "runc": "runc",
    "mmdebstrap": "mmdebstrap",
    "nft": "nftables",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "sysctl": "procps",
}


def require() -> None:
    """Raise one sentence that names the packages of the programs that are missing."""
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    missing = sorted({package for name, package in PACKAGES.items() if shutil.which(name, path=path) is None})
    if missing:
        raise LocalCloudError(
            f"The local cloud needs programs that are not installed: run 'apt-get install {' '.join(missing)}'."
        )


def run(
    command: Sequence[str], *, stdin: str | None = None, check: bool = True, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end and return its result.

    Raises LocalCloudError with the program's last words if it fails (unless ``check`` is false) or takes longer than
    ``timeout`` seconds.
    """
    try:
        result = subprocess.run(
            list(command), input=stdin, capture_output=True, text=True, check=False, timeout=timeout
        )
    except FileNotFoundError as error:
        raise LocalCloudError(f"'{command[0]}' is not installed on this machine.") from error
    except subprocess.TimeoutExpired as error:
        raise LocalCloudError(f"'{' '.join(command)}' did not end within {timeout:g} s.") from error
    if check and result.returncode != 0:
        words = (result.stderr or result.stdout).strip() or "it said nothing"
        raise LocalCloudError(f"'{' '.join(command)}' failed with code {result.returncode}: {words}")
    return result
