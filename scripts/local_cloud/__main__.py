"""``python -m local_cloud start|status|stop --deployment NAME --block X --state-dir .state/NAME``."""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import sys
from pathlib import Path

from local_cloud import supervisor
from local_cloud.errors import LocalCloudError
from local_cloud.hosts import image
from local_cloud.settings import FaultSettings, Settings
from local_cloud.trino import aot, distribution


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="local_cloud", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    host_image = commands.add_parser("image", help="build the hosts' image if it is not there, and print its name")
    engine = commands.add_parser(
        "engine", help="fetch Trino, which answers for Athena, if it is not there, and print its directory"
    )
    engine.add_argument("--train", action="store_true", help="make Java's ahead-of-time cache too, once a machine")
    engine.add_argument("--check", action="store_true", help="fetch nothing; exit code 1 if it is not there")
    start = commands.add_parser("start", help="start the local cloud; does nothing if it runs")
    for command in (host_image, start):
        command.add_argument("--debian-release", default=image.DEFAULT_RELEASE, help="default: %(default)s")
    others = [("status", "say whether it runs"), ("stop", "end it with all that it made")]
    for command in [start, *(commands.add_parser(name, help=help_) for name, help_ in others)]:
        command.add_argument("--deployment", required=True)
        command.add_argument("--block", type=int, required=True)
        command.add_argument("--state-dir", type=Path, required=True)
    _add_faults(start)
    return parser


def _add_faults(command: argparse.ArgumentParser) -> None:
    for name, help_ in (
        ("--throttle-every", "of each action, throttle every Nth request; 0 is none"),
        ("--drop-every", "of each action, drop the connection of every Nth request; 0 is none"),
        ("--expire-after", "end the key local-cloud-session after N requests; 0 is never"),
    ):
        command.add_argument(name, type=int, default=0, metavar="N", help=help_)


def _engine(*, check: bool, train: bool) -> int:
    if check and not distribution.is_whole(distribution.cached_directory()):
        return 1
    directory = distribution.ensure(functools.partial(print, file=sys.stderr, flush=True))
    if train:
        aot.train(directory)
    print(directory)
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Run one command; prints its report as JSON and returns the exit code, 2 for an error with a sentence."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "image":
            print(image.ensure(options.debian_release))
            return 0
        if options.command == "engine":
            return _engine(check=options.check, train=options.train)
        given = vars(options)
        faults = FaultSettings(**{field.name: given.get(field.name, 0) for field in dataclasses.fields(FaultSettings)})
        settings = Settings(options.deployment, options.block, options.state_dir.absolute(), faults)
        if options.command == "start":
            aot.prepare_beside()
            report = supervisor.start(settings, options.debian_release)
        else:
            report = {"status": supervisor.status, "stop": supervisor.stop}[options.command](settings)
    except LocalCloudError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(dataclasses.asdict(report)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
