"""/proc/meminfo as a machine of the instance type has it: podman limits memory but shows the whole machine's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

# What firmware and kernel keep for themselves: a t3.small of 2048 MiB shows about 1990 MiB.
_KERNEL_SHARE = 0.03
# In the kernel's order; what a host has none of is 0.
_NAMES = (
    *("MemTotal", "MemFree", "MemAvailable", "Buffers", "Cached", "SwapCached", "Active", "Inactive"),
    *("Active(anon)", "Inactive(anon)", "Active(file)", "Inactive(file)", "Unevictable", "Mlocked"),
    *("SwapTotal", "SwapFree", "Dirty", "Writeback", "AnonPages", "Mapped", "Shmem", "KReclaimable", "Slab"),
    *("SReclaimable", "SUnreclaim", "CommitLimit", "Committed_AS", "VmallocTotal", "VmallocUsed", "HugePages_Total"),
)


@dataclass(frozen=True)
class Usage:
    """What a host's control group says: bytes in use without and with the page cache."""

    used: int
    cache: int


def render(memory_mib: int, usage: Usage) -> str:
    """Return the text of /proc/meminfo for a machine of ``memory_mib`` MiB with that usage.

    Every number has a fixed width, so the text can be written over an earlier one in place.
    """
    total = int(memory_mib * 1024 * (1 - _KERNEL_SHARE))
    used = min(total, usage.used // 1024)
    cache = min(total - used, usage.cache // 1024)
    free = total - used - cache
    shown = {
        "MemTotal": total,
        "MemFree": free,
        "MemAvailable": free + cache,
        "Cached": cache,
        "Active": used,
        "Inactive": cache,
        "Active(anon)": used,
        "Inactive(file)": cache,
        "AnonPages": used,
        "CommitLimit": total,
        "Committed_AS": used,
        "VmallocTotal": 34359738367,
    }
    return "".join(f"{name + ':':<16}{shown.get(name, 0):>11} kB\n" for name in _NAMES)


def read_usage(pid: int) -> Usage:
    """Read a host's memory from the control group of its process ``pid``, of either version."""
    groups = [line.split(":", 2) for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines()]
    for _, controllers, path in groups:
        if "memory" in controllers.split(","):
            directory = Path("/sys/fs/cgroup/memory") / path.lstrip("/")
            return _usage(directory / "memory.usage_in_bytes", directory / "memory.stat", "total_cache")
    for _, controllers, path in groups:
        if not controllers:
            # systemd moves itself into <container>/init.scope; the limit stands one level higher.
            directory = Path("/sys/fs/cgroup") / path.lstrip("/").removesuffix("/init.scope")
            return _usage(directory / "memory.current", directory / "memory.stat", "file")
    return Usage(0, 0)


def _usage(current: Path, statistics: Path, cache_key: str) -> Usage:
    fields = dict(line.split(" ", 1) for line in statistics.read_text().splitlines())
    cache = int(fields.get(cache_key, 0))
    return Usage(max(0, int(current.read_text()) - cache), cache)


def write(path: Path, text: str) -> None:
    """Write over the file in place, since a host has this very file bound over its /proc/meminfo."""
    with path.open("r+" if path.exists() else "w") as stream:
        stream.write(text)
        stream.truncate()
