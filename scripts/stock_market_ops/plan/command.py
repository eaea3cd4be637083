"""`make plan`: what a deployment will be, what it costs, and what stands in its way, before anything is created.

Runs playbooks/plan.yml, which asks, and judges its answer. Exit codes: 0 site.yml could go on; 1 something stands in
the way, or the account could not be asked, with a sentence that says what to do; 2 the command line is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

import operator_aws
from stock_market_ops.common.deployment import ROOT
from stock_market_ops.plan import obstacles as judge
from stock_market_ops.plan import prices, screen
from stock_market_ops.plan.facts import Facts, Rights

EXIT_IN_THE_WAY = 1
_RIGHTS_TASK = "Ask what of them IAM denies"
_LIMIT_SECONDS = 300


class PlanError(Exception):
    """There is no answer; the message is the sentence that says why."""


def run(inventory: str, more: Sequence[str]) -> Facts:
    """Run the playbook on an inventory, with more of ansible-playbook's arguments, and return what it found.

    Raises:
        PlanError: it ended before its last task.
    """
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", f"inventory/{inventory}"]
    # What shows more, or in colours, would stand amid the JSON.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    quiet = {
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        "ANSIBLE_NOCOLOR": "1",
    }
    try:
        done = subprocess.run(
            [*command, "playbooks/plan.yml", *more],
            cwd=ROOT,
            env=kept | quiet,
            capture_output=True,
            text=True,
            check=False,
            timeout=_LIMIT_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise PlanError(f"playbooks/plan.yml had no answer after {error.timeout:.0f} s.") from error
    for line in done.stderr.splitlines():
        if line.startswith(operator_aws.SAYING):
            sys.stderr.write(f"{line}\n")
    return facts_of(done.stdout, done.stderr)


def facts_of(output: str, errors: str) -> Facts:
    """Return the playbook's answer, from Ansible's JSON of its run.

    Raises:
        PlanError: there is none; the message is the last failure's.
    """
    try:
        # Times of tasks stand before and after the JSON.
        document, _ = json.JSONDecoder().raw_decode(output, output.index("{\n"))
    except ValueError as error:
        said = [line for line in (errors or output).splitlines() if line.strip()]
        # A command line that is wrong is answered with all of the usage, and one line of what is wrong.
        wrong = [line for line in said if "error" in line.lower()] or said or ["it said nothing"]
        raise PlanError(f"playbooks/plan.yml could not be run: {' '.join(wrong[-1].split())}") from error
    if "plan" in document.get("global_custom_stats", {}):
        return msgspec.convert(document["global_custom_stats"]["plan"], Facts, strict=False)
    failure, lines = "playbooks/plan.yml ended early and did not say why", []
    for task in (task for play in document["plays"] for task in play["tasks"]):
        result: dict[str, Any] = task["hosts"].get("localhost", {})
        if task["task"]["name"] == _RIGHTS_TASK and result.get("denied"):
            rights = msgspec.convert(result, Rights)
            lines = [*screen.rights(rights), *judge.rights(rights)]
        if result.get("failed"):
            failure = str(result.get("msg", failure))
    raise PlanError("\n".join([*lines, failure]))


def _parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(
        prog="stock_market_ops.plan", description="Say what site.yml would meet, and what it costs."
    )
    result.add_argument("--inventory", default="local", choices=("local", "aws"), help="default: %(default)s")
    result.add_argument("more", nargs="*", help="for ansible-playbook, after --: -- -e instances_volume_size=40")
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        facts = run(options.inventory, options.more)
    except PlanError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_IN_THE_WAY
    in_the_way = judge.obstacles(facts)
    sys.stdout.write(screen.render(facts, prices.load(), in_the_way))
    return EXIT_IN_THE_WAY if in_the_way else 0
