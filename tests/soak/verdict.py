"""What became of every record of a soak, and whether what should have happened did happen."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, NamedTuple

from tests.chaos import lake
from tests.chaos.verdict import Reconciliation, Verdict
from tests.soak.cloud import BUCKET
from tests.soak.late_producer import FIRST_KAFKA_SEQUENCE, FIRST_SEQUENCE
from tests.soak.plan import HOUR_SECONDS
from tests.soak.stage import PARTITIONS, PRODUCERS, Stage
from tests.support.stock_market.services import SCRIPTS

from local_cloud.settings import ADMINISTRATOR

_CREDENTIAL_HOURS = 6
_LARGE = 2**31


class Bucket(NamedTuple):
    """The bucket, as `lake.read` wants it."""

    name: str
    client: Any
    all_keys: list[str]

    def keys(self, _prefix: str) -> list[str]:
        """Every key."""
        return self.all_keys


def _all_keys(stage: Stage) -> list[str]:
    pages = stage.bucket.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


def judge(stage: Stage) -> tuple[Verdict, list[str]]:
    """Compares what the follower read with the bucket, asks the verifier, and looks for what had to happen.

    Returns:
        the verdict, and lines that tell what happened.
    """
    keys = _all_keys(stage)
    read = lake.read(Bucket(BUCKET, stage.bucket, keys))  # type: ignore[arg-type]  # it reads the bucket's name and client alone
    comparison = Reconciliation(stage.follower.entries, read, set())
    comparison.check_objects()
    verdict = comparison.verdict
    verdict.problems += stage.problems
    lines = _check_numbers(stage, verdict)
    lines += _check_verifier(stage, verdict)
    lines += _check_events(stage, verdict, keys)
    grown, vitals = stage.vitals.judge(stage.plan.growth_mib)
    verdict.problems += grown
    return verdict, lines + vitals


class _Life(NamedTuple):
    producer_id: str
    first: int
    end: int


def _lives(stage: Stage) -> dict[str, _Life]:
    found = {}
    for name in PRODUCERS:
        stopped = re.search(r"event=stopped producer_id=(\w+) records=(\d+) unsent=0", stage.logs(name))
        if stopped is not None:
            first = FIRST_SEQUENCE if name == "late" else 0
            found[name] = _Life(stopped[1], first, int(stopped[2]))
    return found


def _check_numbers(stage: Stage, verdict: Verdict) -> list[str]:
    """Every number of every producer once, in the topic as the follower saw it."""
    numbers: dict[str, Counter[int]] = {}
    volumes, idle_times = 0, []
    lives = _lives(stage)
    for entries in stage.follower.entries.values():
        for entry in entries:
            quote = json.loads(entry.value or b"{}")
            numbers.setdefault(quote["producer_id"], Counter())[quote["sequence"]] += 1
            volumes += quote["volume"] >= _LARGE
            if "idle" in lives and quote["producer_id"] == lives["idle"].producer_id:
                idle_times.append(entry.timestamp)
    verdict.producers = len(numbers)
    for name in PRODUCERS:
        life = lives.get(name)
        if life is None:
            verdict.problems.append(f"{name} did not say that all of its records were acknowledged")
            continue
        counts = numbers.get(life.producer_id, Counter())
        missing = [number for number in range(life.first, life.end) if number not in counts]
        again = [number for number, count in counts.items() if count > 1]
        verdict.lost += len(missing)
        verdict.doubled += len(again)
        for found, what in ((missing, "lacks"), (again, "has twice")):
            if found:
                verdict.problems.append(f"the topic {what} {len(found)} numbers of {name}, the first is {min(found)}")
    late = lives.get("late")
    if late is not None and late.end <= _LARGE:
        verdict.problems.append(f"the late producer's sequence only reached {late.end}")
    wrapped = re.search(r"kafka_sequences (\{.*\})", stage.logs("late"))
    state = {} if wrapped is None else json.loads(re.sub(r"(\d+):", r'"\1":', wrapped[1]))
    if len(state) != PARTITIONS or max(state.values()) >= FIRST_KAFKA_SEQUENCE:
        verdict.problems.append(f"Kafka's numbering of the late producer did not pass 2^31 everywhere: {state}")
    if not volumes:
        verdict.problems.append("no volume passed 2^31")
    pauses = [(after - before) / 3.6e6 for before, after in pairwise(sorted(idle_times))]
    if max(pauses, default=0.0) <= stage.plan.producer_ids_kept:
        verdict.problems.append(f"the idle producer was never forgotten: {pauses}")
    forgotten = sum(pause > stage.plan.producer_ids_kept for pause in pauses)
    last = late.end - 1 if late else "?"
    return [
        f"sequence up to {last}, {volumes} volumes of 2^31 or more, Kafka's own numbers then {sorted(state.values())}",
        f"{forgotten} times a producer sent that Kafka had forgotten",
    ]


def _check_verifier(stage: Stage, verdict: Verdict) -> list[str]:
    """The operator's verifier; of all it says, only the late producer's missing beginning is no fault."""
    command = [sys.executable, "-m", "stock_market_ops.verify", "--bucket", BUCKET, "--at-rest", "--jobs", "1"]
    command += ["--endpoint-url", stage.endpoint, "--format", "json"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= {"AWS_ACCESS_KEY_ID": ADMINISTRATOR, "AWS_SECRET_ACCESS_KEY": ADMINISTRATOR}
    environment |= {"AWS_DEFAULT_REGION": "us-east-1", "PYTHONPATH": str(SCRIPTS)}
    answer = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=200)
    if not answer.stdout:
        verdict.problems.append(f"the verifier ended with code {answer.returncode}: {answer.stderr[-1000:]}")
        return []
    document = json.loads(answer.stdout)
    late = _lives(stage).get("late")
    sentences = [finding["sentence"] for finding in document["findings"]]
    lacks = f"lacks {FIRST_SEQUENCE} of its records 0 to {late.end - 1 if late else '?'}: sequence 0 to"
    others = [each for each in sentences if not (late and f"{late.producer_id} {lacks}" in each)]
    if others or len(sentences) != 1 or document["missing"] != FIRST_SEQUENCE:
        verdict.problems.append(f"the verifier: {' | '.join(sentences)}; missing {document['missing']}")
    return [f"verifier: {document['missing'] - FIRST_SEQUENCE} missing, {len(others)} findings"]


def _check_events(stage: Stage, verdict: Verdict, keys: list[str]) -> list[str]:
    plan = stage.plan
    stamps = [entry.timestamp for entries in stage.follower.entries.values() for entry in entries]
    wanted = {f"{datetime.fromtimestamp(stamp // 3_600_000 * HOUR_SECONDS, UTC):%Y-%m-%d %H}" for stamp in stamps}
    hours = {f"{day} {hour}" for day, hour in re.findall(r"dt=([\d-]+)/hour=(\d\d)", "\n".join(keys))}
    if hours != wanted:
        verdict.problems.append(f"the folders' hours differ from the records': {sorted(hours ^ wanted)}")
    days = {hour[:10] for hour in hours}
    log = (stage.folder / "credentials.log").read_text().splitlines()
    least = int(plan.hours / _CREDENTIAL_HOURS * 0.7)
    checks = {
        f"{len(hours)} hours are in S3": len(hours) > plan.hours * 0.6,
        f"the days {sorted(days)} are in S3": len({day[:4] for day in days}) == 2,
        f"credentials were renewed {len(log)} times": len(log) >= max(2, least),
        f"ZooKeeper and the broker restarted {stage.restarts} times with new certificates": stage.restarts
        >= len(plan.renew_at),
        f"the logs begin at {stage.log_starts}": min(stage.log_starts.values()) > 0,
        "Kafka had forgotten the group's offsets": stage.forgotten,
    }
    verdict.problems += [f"this is not enough: {words}" for words, enough in checks.items() if not enough]
    for name in (*PRODUCERS, "consumer-0", "consumer-1"):
        text = stage.logs(name)
        for event in ("event=crashed", "event=retention_gap", "event=quarantine", "Traceback"):
            if event in text:
                verdict.problems.append(f"{name} logged {event}: {text[text.index(event) :][:600]}")
    counts = {
        mark: sum(stage.logs(name).count(f"event={mark} ") for name in (*PRODUCERS, "consumer-0", "consumer-1"))
        for mark in ("s3_retry", "producer_recovered", "kafka_retry", "object_exists", "group_joined")
    }
    return [*checks, ", ".join(f"{count} {mark}" for mark, count in counts.items())]
