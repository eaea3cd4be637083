"""Asks the bundle's own verifier, which knows S3 alone, about the bucket of a round."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.stock_market.bucket import Bucket

_SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Awaited:
    """What it has to find; nothing where the broker lost nothing.

    Attributes:
        cuts: partition, start and end of each range of which S3 holds what the broker lost.
        numbers: how often S3 has each number of each producer.
        given_up: keys of main objects whose quarantine object may be missing.
    """

    cuts: Collection[tuple[int, int, int]] = ()
    numbers: Mapping[str, Counter[int]] = field(default_factory=dict)
    given_up: Collection[str] = ()


def complaints(bucket: Bucket, unfinished: Collection[str], awaited: Awaited) -> list[str]:
    """What it says about a bucket at rest that is not so, or does not say although it is so.

    Args:
        bucket: the bucket.
        unfinished: the ids of the producers that did not end well.
        awaited: what it has to find.
    """
    command = [sys.executable, "-m", "stock_market_ops.verify", "--bucket", bucket.name, "--at-rest", "--jobs", "1"]
    command += ["--endpoint-url", bucket.endpoint, "--format", "json", "--most", str(_MAX)]
    for producer_id in unfinished:
        command += ["--unfinished", producer_id]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    environment["PYTHONPATH"] = str(_SCRIPTS)
    answer = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=300)
    if answer.returncode not in {0, 1}:
        lines = [line for line in (answer.stdout + answer.stderr).splitlines() if line.strip()]
        return [f"the verifier ended with code {answer.returncode}: {' | '.join(lines)[-1500:]}"]
    document = json.loads(answer.stdout)
    problems = [*_findings(document["findings"], awaited), *_counts(document["producers"], unfinished, awaited)]
    if (answer.returncode == 1) != bool(document["findings"]):
        problems.append(f"{len(document['findings'])} findings")
    words = f"the verifier ended with code {answer.returncode} and"
    return [f"{words} {problem}" for problem in problems]


def _findings(findings: Iterable[dict[str, Any]], awaited: Awaited) -> Iterable[str]:
    told = set()
    for finding in findings:
        kind = finding["kind"]
        if kind == "cut":
            told.add((finding["log"]["partition"], finding["start"], finding["end"]))
        elif kind == "quarantine-missing" and any(key in finding["sentence"] for key in awaited.given_up):
            continue
        elif kind not in {"missing", "double"}:  # How many numbers those are is compared by producer.
            yield f"finds '{finding['sentence'][:300]}'"
    if told != set(awaited.cuts):
        yield f"finds the cuts {sorted(told)} instead of {sorted(awaited.cuts)}"


def _counts(producers: Iterable[dict[str, Any]], unfinished: Collection[str], awaited: Awaited) -> Iterable[str]:
    for producer in producers:
        name = producer["producer_id"]
        numbers = awaited.numbers.get(name, Counter())
        doubles = sum(numbers.values()) - len(numbers)
        if producer["doubles"] != doubles:
            yield f"counts {producer['doubles']} doubles of {name} instead of {doubles}"
        missing = max(numbers, default=-1) + 1 - len(numbers)
        found = producer["missing"]
        # Of a producer that was killed, the last numbers are not judged.
        if found > missing or (found < missing and name not in unfinished):
            yield f"counts {found} missing numbers of {name} instead of {missing}"
