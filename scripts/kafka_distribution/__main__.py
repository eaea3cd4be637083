"""`python -m kafka_distribution --output FILE [--jmx-exporter FILE]`; exit code 2 and a sentence where it fails."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from kafka_distribution.build import LATEST, BuildError, build, checksum, fetch_jmx_exporter


def main() -> int:
    """Build the distribution and print `built` or `unchanged`, the file and its SHA-512 on one line."""
    parser = argparse.ArgumentParser(
        prog="kafka_distribution", description="Builds Kafka's tarball for the local cloud."
    )
    parser.add_argument("--output", type=Path, required=True, help="the .tgz to make")
    parser.add_argument("--version", default=LATEST, help="Kafka's version, one of versions/ (default: %(default)s)")
    parser.add_argument("--sha512", help="what the result's SHA-512 must be; a file that has it already is left alone")
    parser.add_argument("--jmx-exporter", type=Path, help="where to put the JMX exporter's jar, too")
    arguments = parser.parse_args()
    try:
        built = build(arguments.output, arguments.sha512, arguments.version)
        fetched = arguments.jmx_exporter is not None and fetch_jmx_exporter(arguments.jmx_exporter)
    except BuildError as error:
        print(error, file=sys.stderr)
        return 2
    print("built" if built or fetched else "unchanged", arguments.output, checksum(arguments.output))
    return 0


if __name__ == "__main__":
    sys.exit(main())
