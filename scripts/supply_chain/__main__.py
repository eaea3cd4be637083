"""`make audit`: the pinned versions of all kinds that have known vulnerabilities.

Exit codes: 0 every pinned version was looked up and nothing is known of any; 1 something is known of the versions
printed; 2 some or all versions could not be looked up, and standard error says which.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tabulate import tabulate

from local_cloud.errors import LocalCloudError
from local_cloud.hosts import image
from local_cloud.trino import distribution
from supply_chain.osv import URL, OsvError, vulnerabilities
from supply_chain.pins import Pin, PinsError, debian_pins, maven_pins, npm_pins, python_pins

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROOT: Final = Path(__file__).resolve().parents[2]
EXIT_CLEAN, EXIT_VULNERABLE, EXIT_UNKNOWN = 0, 1, 2


def sources() -> dict[str, Callable[[], set[Pin]]]:
    """Return every place that pins versions, and how its pins are read."""
    return {
        "Python packages, requirements/*.txt": lambda: python_pins(ROOT / "requirements"),
        "chart libraries of pages, web/package-lock.json": lambda: npm_pins(ROOT / "web" / "package-lock.json"),
        **{
            f"Java's jars, {path.parent.relative_to(ROOT)}": partial(maven_pins, path)
            for place in ("scripts/kafka_distribution", "benchmarks")
            for path in sorted(ROOT.glob(f"{place}/**/libs.sha512"))
        },
        "Trino, scripts/local_cloud/trino": lambda: maven_pins(distribution.PINS),
        **{
            f"packages of the local hosts, Debian {release}": partial(_host_packages, release)
            for release in _releases()
        },
    }


def _releases() -> list[str]:
    """The default release of the hosts, and each other one that has been built on this machine."""
    others = {path.name.split("-")[1] for path in image.cache_directory().glob("host-*-*.packages")}
    return sorted({image.DEFAULT_RELEASE} | others)


def _host_packages(release: str) -> set[Pin]:
    return debian_pins(image.packages_file(release), release)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the vulnerable pins as a table and a line of each source's numbers; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="supply_chain", description="List pinned versions with known vulnerabilities."
    )
    parser.add_argument("--osv", default=URL, metavar="URL", help="where OSV's API answers, default: %(default)s")
    options = parser.parse_args(arguments)

    unknown = False
    pinned: dict[str, set[Pin]] = {}
    for source, read in sources().items():
        try:
            pinned[source] = read()
        except (PinsError, LocalCloudError) as error:
            unknown = True
            print(error, file=sys.stderr)
    everything = sorted(set().union(*pinned.values()))
    try:
        known = vulnerabilities(everything, options.osv)
    except OsvError as error:
        print(f"{error} Nothing is known of {len(everything):,} pinned versions.", file=sys.stderr)
        return EXIT_UNKNOWN

    rows = [[pin.ecosystem, pin.name, pin.version, " ".join(ids)] for pin, ids in known.items() if ids]
    if rows:
        print(tabulate(rows, headers=["ecosystem", "name", "version", "known vulnerabilities (https://osv.dev/<id>)"]))
    for source, pins in pinned.items():
        print(f"{source}: {sum(bool(known[pin]) for pin in pins)} of {len(pins)} have known vulnerabilities")
    if unknown:
        return EXIT_UNKNOWN
    return EXIT_VULNERABLE if rows else EXIT_CLEAN


if __name__ == "__main__":
    sys.exit(main())
