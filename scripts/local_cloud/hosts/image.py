"""The hosts' root file systems: Debian as on its AMIs, one a release, built once a machine and kept."""

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

from local_cloud.errors import LocalCloudError
from local_cloud.hosts.commands import require, run

LOG = logging.getLogger(__name__)

REPOSITORY = "localhost/stock-market-host"
RELEASES = {"12": "bookworm", "13": "trixie"}
DEFAULT_RELEASE = "12"
BUILD_LIMIT_SECONDS = 900
_CA_DIRECTORY = Path("usr/local/share/ca-certificates")
# Whatever else this machine's apt trusts: what goes into a host has Debian's own signature above its checksum.
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

PACKAGES = (
    *("acl", "ca-certificates", "cloud-init", "curl", "dbus", "iproute2", "iputils-ping", "less", "libpam-systemd"),
    *("netcat-openbsd", "openssh-server", "procps", "python3", "python3-apt", "python3-venv", "sudo", "systemd"),
    *("systemd-sysv", "unattended-upgrades"),
)

# What differs from the AMI: the data source is a directory that the local cloud fills, and network, locale and apt's
# sources are the local cloud's work. The user is the AMI's.
_CLOUD_CONFIG = """\
datasource_list: [NoCloud]
network: {config: disabled}
locale: false
apt: {preserve_sources_list: true}
ssh_genkeytypes: [rsa, ecdsa, ed25519]
system_info:
  default_user:
    name: admin
    gecos: Debian
    groups: [adm, sudo]
    lock_passwd: true
    shell: /bin/bash
    sudo: ["ALL=(ALL) NOPASSWD:ALL"]
"""
# Where cloud-init finds what EC2's metadata tells of an instance.
SEED = Path("var/lib/cloud/seed/nocloud")

FILES = {
    "etc/cloud/cloud.cfg.d/95-local-cloud.cfg": _CLOUD_CONFIG,
    "etc/ssh/sshd_config.d/50-cloud-init.conf": "PasswordAuthentication no\n",
    "etc/default/locale": "LANG=C.UTF-8\n",
    # In a container under control groups of version 1 systemd does not learn that a scope has emptied: without this, a
    # power-off would now and then wait 90 s for a login that has long ended.
    "etc/systemd/system/session-.scope.d/50-stop.conf": "[Scope]\nTimeoutStopSec=1s\n",
    "etc/pip.conf": "[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n",
}

# Timers for disks, which a container does not have; and the users' own managers, whose end systemd can't see in a
# container under control groups of version 1, so that a power-off would wait 120 s for it.
_MASKED = ("e2scrub_all.timer", "fstrim.timer", "user@.service")

CUSTOMIZE = f"""\
set -eu
root="$1"
cp -a --no-preserve=ownership STAGING/. "$root"/
chroot "$root" update-ca-certificates >&2
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


def apt_sources(release: str) -> list[str]:
    """The release's apt sources, as lines of a sources.list, at the mirrors that this machine's own apt uses.

    A machine with another release of Debian has mirrors for that one, where the wanted release is too.
    """
    format_ = "$(REPO_URI) $(RELEASE) $(CODENAME) $(COMPONENT)"
    targets = run(["apt-get", "indextargets", "--format", format_, "Created-By: Packages"]).stdout
    listed = [target.split() for target in sorted(set(targets.splitlines()))]
    wanted = RELEASES[release]
    for name in [wanted, *(other for other in RELEASES.values() if other != wanted)]:
        suites = {name, f"{name}-updates", f"{name}-security"}
        lines = []
        for uri, suite, codename, component in listed:
            found = suite if suite in suites else codename
            if found in suites:
                lines.append(f"deb [signed-by={_KEYRING}] {uri} {found.replace(name, wanted, 1)} {component}")
        if any(f" {wanted} " in line for line in lines):
            return lines
    raise LocalCloudError(
        f"This machine's apt has no source for Debian {' or '.join(RELEASES)}, from which the hosts are built: add one."
    )


def trusted_certificates() -> dict[str, str]:
    """The certificates that this machine trusts beside Debian's own, by file name."""
    directory = Path("/") / _CA_DIRECTORY
    return {path.name: path.read_text() for path in sorted(directory.glob("*.crt"))}


def recipe(release: str) -> tuple[str, dict[str, str], list[str]]:
    """Return the recipe's key, the files to lay over the root file system, and the apt sources."""
    if release not in RELEASES:
        raise LocalCloudError(f"There is no image of Debian {release}: the releases are {' and '.join(RELEASES)}.")
    sources = apt_sources(release)
    files = dict(FILES)
    files["etc/apt/sources.list"] = "\n".join(sources) + "\n"
    files |= {str(_CA_DIRECTORY / name): text for name, text in trusted_certificates().items()}
    parts = json.dumps([RELEASES[release], PACKAGES, CUSTOMIZE, sorted(files.items())])
    return hashlib.sha256(parts.encode()).hexdigest()[:16], files, sources


def packages_file(release: str) -> Path:
    """Where the packages of the release's image are listed, once it has been built on this machine.

    One package a line, its fields parted by tabs: name, version, architecture, source's name, source's version, and the
    SHA-256 of the .deb that apt checked it against, from Debian's signed index.
    """
    return cache_directory() / f"host-{release}-{recipe(release)[0]}.packages"


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
def locked(name: str) -> Iterator[None]:
    """One process at a time on this machine, by a lock of that name in the cache."""
    cache_directory().mkdir(parents=True, exist_ok=True)
    with (cache_directory() / name).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def ensure(release: str) -> str:
    """Return the name of the release's image in podman, built and imported if it is not there yet.

    Takes about 45 s the first time on a machine, and milliseconds from then on.
    """
    require()
    key, files, sources = recipe(release)
    tag = f"{release}-{key}"
    name = f"{REPOSITORY}:{tag}"
    if _exists(name):
        return name
    directory = cache_directory()
    with locked("host.lock"):
        if _exists(name):
            return name
        tarball = directory / f"host-{tag}.tar"
        if not tarball.exists():
            _build(tarball, release, files, sources)
        run(["podman", "import", "--change", 'CMD ["/sbin/init"]', str(tarball), name], timeout=300)
        _forget_others(release, tag, directory)
    return name


def built_on(release: str) -> str | None:
    """The day on which the release's image was made, as YYYYMMDD, for the AMI's name; None before it is built."""
    name = f"{REPOSITORY}:{release}-{recipe(release)[0]}"
    found = run(["podman", "image", "inspect", "--format", "{{.Created.Unix}}", name], check=False)
    return time.strftime("%Y%m%d", time.gmtime(int(found.stdout))) if found.returncode == 0 else None


def _exists(name: str) -> bool:
    return run(["podman", "image", "exists", name], check=False).returncode == 0


def _build(tarball: Path, release: str, files: dict[str, str], sources: list[str]) -> None:
    LOG.info("building the root file system of Debian %s; this happens once a machine and takes about 45 s", release)
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
        command += [f'--customize-hook=sh {script} "$1"', RELEASES[release], str(unfinished), "-"]
        run(command, stdin="\n".join(sources) + "\n", timeout=BUILD_LIMIT_SECONDS)
        listed = tarball.with_suffix(".packages")
        listed.write_text("".join(f"{line}\n" for line in package_lines(stanzas.read_text())))
        unfinished.rename(tarball)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _forget_others(release: str, tag: str, directory: Path) -> None:
    """Remove what earlier recipes of the release left; podman itself refuses an image that a host still uses."""
    for path in [*directory.glob(f"host-{release}-*.tar"), *directory.glob(f"host-{release}-*.packages")]:
        if path.stem != f"host-{tag}":
            path.unlink()
    listed = run(["podman", "images", "--format", "{{.Repository}}:{{.Tag}}", REPOSITORY], check=False).stdout
    for name in listed.split():
        if name.startswith(f"{REPOSITORY}:{release}-") and name != f"{REPOSITORY}:{tag}":
            run(["podman", "rmi", name], check=False)
