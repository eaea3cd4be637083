"""The hosts' root file system: Debian 12 as on its AMI, built once a machine and kept."""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local_cloud.commands import require, run
from local_cloud.errors import LocalCloudError

LOG = logging.getLogger(__name__)

REPOSITORY = "localhost/stock-market-host"
RELEASE = "bookworm"
BUILD_LIMIT_SECONDS = 900
_SUITES = (RELEASE, f"{RELEASE}-updates", f"{RELEASE}-security")
_CA_DIRECTORY = Path("usr/local/share/ca-certificates")
# Whatever else this machine's apt trusts: what goes into a host has Debian's own signature above its checksum.
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

PACKAGES = (
    *("acl", "ca-certificates", "curl", "dbus", "iproute2", "iputils-ping", "less", "libpam-systemd", "netcat-openbsd"),
    *("openssh-server", "procps", "python3", "python3-apt", "python3-venv", "sudo", "systemd", "systemd-sysv"),
)

# What Debian's AMI has by cloud-init: the user, sudo without a password, host keys of the instance's own.
FILES = {
    "etc/sudoers.d/90-cloud-init-users": "admin ALL=(ALL) NOPASSWD:ALL\n",
    "etc/ssh/sshd_config.d/50-cloud-init.conf": "PasswordAuthentication no\n",
    "etc/default/locale": "LANG=C.UTF-8\n",
    "etc/systemd/system/ssh-host-keys.service": (
        "[Unit]\nDescription=Generate this host's SSH keys at its first boot\nBefore=ssh.service\n"
        "ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key\n\n"
        "[Service]\nType=oneshot\nExecStart=/usr/bin/ssh-keygen -A\n\n"
        "[Install]\nWantedBy=multi-user.target\n"
    ),
    # In a container under control groups of version 1 systemd does not learn that a scope has emptied: without this, a
    # power-off would now and then wait 90 s for a login that has long ended.
    "etc/systemd/system/session-.scope.d/50-stop.conf": "[Scope]\nTimeoutStopSec=1s\n",
    "etc/pip.conf": "[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n",
}

# Timers that would take apt's lock, or this machine's time, while a playbook works; and the users' own managers, whose
# end systemd can't see in a container under control groups of version 1, so that a power-off would wait 120 s for it.
_MASKED = (
    *("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer"),
    "user@.service",
)

CUSTOMIZE = f"""\
set -eu
root="$1"
cp -a --no-preserve=ownership STAGING/. "$root"/
chmod 0440 "$root/etc/sudoers.d/90-cloud-init-users"
chroot "$root" update-ca-certificates >&2
chroot "$root" useradd --create-home --shell /bin/bash --groups sudo,adm admin
chroot "$root" systemctl enable ssh-host-keys.service
chroot "$root" systemctl mask {" ".join(_MASKED)}
mkdir -p "$root/usr/share/man/man1"
chroot "$root" sh -c 'apt-cache show $(dpkg-query --show --showformat "\\${{Package}}=\\${{Version}} ")' > STANZAS
rm -f "$root"/etc/ssh/ssh_host_* "$root/etc/hostname" "$root/etc/resolv.conf"
: > "$root/etc/machine-id"
"""


def cache_directory() -> Path:
    """The machine-wide build cache."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "stock-market"


def apt_sources() -> list[str]:
    """The Debian 12 sources that this machine's own apt uses, as lines of a sources.list."""
    format_ = "$(REPO_URI) $(RELEASE) $(CODENAME) $(COMPONENT)"
    targets = run(["apt-get", "indextargets", "--format", format_, "Created-By: Packages"]).stdout
    lines = []
    for target in sorted(set(targets.splitlines())):
        uri, release, codename, component = target.split()
        if release in _SUITES or codename in _SUITES:
            suite = release if release in _SUITES else codename
            lines.append(f"deb [signed-by={_KEYRING}] {uri} {suite} {component}")
    if not any(f" {RELEASE} " in line for line in lines):
        raise LocalCloudError(
            f"This machine's apt has no source for Debian 12 ({RELEASE}), from which the hosts are built: add one."
        )
    return lines


def trusted_certificates() -> dict[str, str]:
    """The certificates that this machine trusts beside Debian's own, by file name."""
    directory = Path("/") / _CA_DIRECTORY
    return {path.name: path.read_text() for path in sorted(directory.glob("*.crt"))}


def recipe() -> tuple[str, dict[str, str], list[str]]:
    """Return the recipe's key, the files to lay over the root file system, and the apt sources."""
    sources = apt_sources()
    files = dict(FILES)
    files["etc/apt/sources.list"] = "\n".join(sources) + "\n"
    files |= {str(_CA_DIRECTORY / name): text for name, text in trusted_certificates().items()}
    parts = json.dumps([RELEASE, PACKAGES, CUSTOMIZE, sorted(files.items())])
    return hashlib.sha256(parts.encode()).hexdigest()[:16], files, sources


def packages_file(key: str) -> Path:
    """Where the packages of the image of this key are listed, once it has been built on this machine.

    One package a line, its fields parted by tabs: name, version, architecture, source's name, source's version, and the
    SHA-256 of the .deb that apt checked it against, from Debian's signed index.
    """
    return cache_directory() / f"host-{key}.packages"


def package_lines(stanzas: str) -> list[str]:
    """The lines of `packages_file` from the stanzas that `apt-cache show` prints."""
    lines = set()
    for stanza in stanzas.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in stanza.splitlines() if ": " in line and line[0] != " ")
        name, version = fields["Package"], fields["Version"]
        # "name" or "name (version)", and absent where both are the package's own (Debian Policy, 5.6.1).
        source, _, source_version = fields.get("Source", name).partition(" ")
        source_version = source_version.strip("()") or version
        lines.add("\t".join([name, version, fields["Architecture"], source, source_version, fields["SHA256"]]))
    return sorted(lines)


@contextmanager
def _builders_lock(directory: Path) -> Iterator[None]:
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "host.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def ensure() -> str:
    """Return the name of the hosts' image in podman, built and imported if it is not there yet.

    Takes about 30 s the first time on a machine, and milliseconds from then on.
    """
    require()
    key, files, sources = recipe()
    name = f"{REPOSITORY}:{key}"
    if _exists(name):
        return name
    directory = cache_directory()
    with _builders_lock(directory):
        if _exists(name):
            return name
        tarball = directory / f"host-{key}.tar"
        if not tarball.exists():
            _build(tarball, files, sources)
        run(["podman", "import", "--change", 'CMD ["/sbin/init"]', str(tarball), name], timeout=300)
        _forget_others(key, directory)
    return name


def built_on(name: str) -> str:
    """The day on which the image was made, as YYYYMMDD, for the AMI's name."""
    created = run(["podman", "image", "inspect", "--format", "{{.Created.Unix}}", name]).stdout.strip()
    return time.strftime("%Y%m%d", time.gmtime(int(created)))


def _exists(name: str) -> bool:
    return run(["podman", "image", "exists", name], check=False).returncode == 0


def _build(tarball: Path, files: dict[str, str], sources: list[str]) -> None:
    LOG.info("building the hosts' root file system; this happens once a machine and takes about half a minute")
    work = Path(tempfile.mkdtemp(prefix=".building-", dir=tarball.parent))
    try:
        staging = work / "staging"
        for relative, text in files.items():
            path = staging / relative
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        script = work / "customize.sh"
        stanzas = work / "stanzas"
        script.write_text(CUSTOMIZE.replace("STAGING", str(staging)).replace("STANZAS", str(stanzas)))
        unfinished = work / "root.tar"
        command = ["mmdebstrap", "--variant=apt", "--mode=root", f"--include={','.join(PACKAGES)}"]
        # Package lists stay in the image, so that the first apt-get install on a host need not fetch them.
        command += ["--skip=cleanup/apt/lists"]
        command += [f'--customize-hook=sh {script} "$1"', RELEASE, str(unfinished), "-"]
        run(command, stdin="\n".join(sources) + "\n", timeout=BUILD_LIMIT_SECONDS)
        listed = tarball.with_suffix(".packages")
        listed.write_text("".join(f"{line}\n" for line in package_lines(stanzas.read_text())))
        unfinished.rename(tarball)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _forget_others(key: str, directory: Path) -> None:
    """Remove the images, tarballs and lists of earlier recipes; podman itself refuses one that a host still uses."""
    for path in [*directory.glob("host-*.tar"), *directory.glob("host-*.packages")]:
        if path.stem != f"host-{key}":
            path.unlink()
    listed = run(["podman", "images", "--format", "{{.Repository}}:{{.Tag}}", REPOSITORY], check=False).stdout
    for name in listed.split():
        if name != f"{REPOSITORY}:{key}":
            run(["podman", "rmi", name], check=False)
