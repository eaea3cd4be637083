"""One round: the stage is set, the faults strike, everything comes to rest, and the verdict is found."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from kafka.errors import KafkaError
from tests.chaos import lake, topic, verifier
from tests.chaos.cast import Cast
from tests.chaos.faults import Fault
from tests.chaos.stage import RestError, Stage
from tests.chaos.verdict import Reconciliation, Verdict

_PHASES = ("start", "faults", "rest", "verdict")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a round ended.

    Attributes:
        verdict: what the comparison found; its problems also tell what did not come to rest.
        notes: what is worth knowing and no failure.
        counts: how often the faults were felt, by the services' logs and the gateway.
        seconds: how long it took.
    """

    verdict: Verdict
    notes: list[str]
    counts: dict[str, int]
    seconds: float


def _strike(stage: Stage, faults: Sequence[Fault]) -> list[str]:
    """Lets every fault happen at its moment; returns what went wrong with the faults themselves."""
    begun = time.monotonic()
    failures: list[str] = []

    def one(fault: Fault) -> None:
        try:
            fault.strike(stage)
        except Exception as error:
            failures.append(f"the fault '{fault}' failed: {type(error).__name__}: {error}")

    threads = []
    for fault in faults:
        time.sleep(max(0.0, begun + fault.at - time.monotonic()))
        thread = threading.Thread(target=one, args=(fault,), daemon=True)
        thread.start()
        threads.append(thread)
    for thread in threads:
        thread.join(400)
        if thread.is_alive():
            failures.append("a fault does not end")
    return failures


def judge(stage: Stage) -> Verdict:
    """Compares the topic with the bucket, as they are now, and asks the verifier too."""
    ends, given_up = stage.producer_ends(), stage.given_up()
    records = topic.read(stage.address, stage.topic)
    raw = lake.read(stage.bucket)
    comparison = Reconciliation(records, raw, stage.witness.poison, stage.cutter.cuts, given_up)
    comparison.check_objects()
    comparison.check_acknowledged(stage.witness.acknowledged)
    comparison.check_sequences(ends, stage.cast.unacknowledged)
    if stage.company is not None:
        comparison.verdict.problems += stage.company.compare(raw, comparison.stored_numbers())
    unfinished = [end.producer_id for end in ends if not end.whole]
    told = [(partition, *span) for partition, view in comparison.expected.items() for span in view.told]
    awaited = verifier.Awaited(told, comparison.stored_numbers(), given_up)
    comparison.verdict.problems += verifier.complaints(stage.bucket, unfinished, awaited) + stage.untold_cuts(told)
    return comparison.verdict


def play(cast: Cast, faults: Sequence[Fault], keep_logs: Path) -> Outcome:
    """Plays a round.

    Args:
        cast: who plays.
        faults: what happens to them.
        keep_logs: where the logs go when the verdict is bad.
    """
    marks = [time.monotonic()]
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        stage = Stage(cast, Path(folder))
        try:
            marks.append(time.monotonic())
            problems = _strike(stage, faults)
            marks.append(time.monotonic())
            verdict = _rest_and_judge(stage, problems, marks)
            wrong, notes = stage.complaints()
            verdict.problems += problems + wrong
            notes += [f"the witness began again: {failure}" for failure in stage.witness.failures]
            lengths = [
                f"{name} {after - before:.0f} s" for name, (before, after) in zip(_PHASES, pairwise(marks), strict=True)
            ]
            notes.append(f"time: {', '.join(lengths)}")
            counts = stage.counts() | {
                "clock jumps in the topic": verdict.clock_jumps,
                "logs cut": len(stage.cutter.cuts),
                "records cut away": verdict.cut_away,
            }
            if not verdict.well:
                stage.save_logs(keep_logs)
        finally:
            stage.close()
    return Outcome(verdict, notes, counts, time.monotonic() - marks[0])


def _rest_and_judge(stage: Stage, problems: list[str], marks: list[float]) -> Verdict:
    """The verdict; without a broker there is none, and the problems say so."""
    try:
        stage.rest()
    except (RestError, KafkaError) as error:
        problems.append(str(error))
    marks.append(time.monotonic())
    try:
        return judge(stage)
    except KafkaError as error:
        problems.append(f"the topic cannot be read: {error}")
        return Verdict()
    finally:
        marks.append(time.monotonic())
