"""`make verify`: is every record in S3 exactly once? Told from the objects alone, without Kafka.

Of a deployment, Glue says which history is read. Where its raw objects may expire, those whose history is true are
tagged. The table and the sentences go to standard output. Exit codes: 0 all is true; 1 a violation was found; 2 the
command line is wrong; 3 there is no deployment; 4 S3 could not be read or tagged, or holds nothing, so that nothing is
known.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence

import msgspec
from botocore.exceptions import ClientError

from stock_market_ops.common import aws
from stock_market_ops.common.deployment import add_options, deployment_of
from stock_market_ops.verify import audit, report
from stock_market_ops.verify.bucket import Place
from stock_market_ops.verify.history import expiry

EXIT_LIE, EXIT_UNKNOWN, EXIT_INTERRUPTED = 1, 4, 130
_MAX_PROCESSES = 8


def place_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options that say where the objects are."""
    add_options(parser)
    where = parser.add_argument_group("without a deployment, with your own credentials")
    where.add_argument("--bucket", help="the bucket; then no deployment is asked for")
    where.add_argument("--prefix", default="", help="default: the deployment's, or quotes/")
    where.add_argument("--quarantine-prefix", default="quarantine/", metavar="PREFIX", help="default: %(default)s")
    where.add_argument("--history-prefix", default="", metavar="PREFIX", help="default: the deployment's, or history/")
    where.add_argument("--endpoint-url", default="", metavar="URL", help="of S3; default: AWS, or AWS_ENDPOINT_URL")
    parser.add_argument("--topic", default="", help="only this topic's objects; default: all that are there")


def place_of(options: argparse.Namespace) -> Place:
    """The place that the options name."""
    deployment = None if options.bucket else deployment_of(options)
    return Place(
        options.bucket or (deployment.data_bucket if deployment else ""),
        options.prefix or (f"{deployment.table}/" if deployment else "quotes/"),
        options.quarantine_prefix,
        options.history_prefix or (deployment.history_prefix if deployment else "history/"),
        topic=options.topic,
        endpoint_url=options.endpoint_url if options.bucket else "",
        deployment=deployment,
    )


def sentence(error: Exception, place: Place) -> str:
    """What an error of S3 means to the operator."""
    if place.deployment is not None:
        return aws.sentence(error, place.deployment)
    if isinstance(error, ClientError):
        answer = error.response.get("Error", {})
        return f"{error.operation_name} on {place.bucket} was refused: {answer.get('Code')}: {answer.get('Message')}"
    return f"S3 could not be read: {' '.join(str(error).split())}"


def _parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(
        prog="stock_market_ops.verify", description="Verify from S3 alone that every record is there exactly once."
    )
    place_options(result)
    how = result.add_argument_group("how strictly")
    how.add_argument("--at-rest", action="store_true", help="nothing is being written: what is pending is missing")
    how.add_argument(
        "--unfinished",
        action="append",
        default=[],
        metavar="PRODUCER_ID",
        help="this producer was killed: what it had in flight may never have reached Kafka; may be given often",
    )
    how.add_argument(
        "--accept-gaps",
        action="store_true",
        help="report what retention removed or a cut of the log hid, but not as a violation",
    )
    how.add_argument(
        "--accept-holes", action="store_true", help="offsets without a record (transactions) are no violation"
    )
    how.add_argument("--first", action="store_true", help="stop at the first violation")
    how.add_argument(
        "--most", type=int, default=20, metavar="N", help="print at most N violations, default: %(default)s"
    )
    result.add_argument("--format", choices=("table", "json"), default="table", help="default: table")
    result.add_argument(
        "--jobs",
        type=int,
        default=min(_MAX_PROCESSES, len(os.sched_getaffinity(0))),
        help="processes that read, default: one a core, at most 8",
    )
    return result


def _let_expire(place: Place, result: audit.Result, *, true: bool) -> str:
    """Tags the objects that may expire, where the bucket has the rule for them; returns what prevents it, if anything.

    Without a deployment nothing is tagged: nobody said by which role.
    """
    if place.deployment is None:
        return ""
    try:
        result.history.expire_days = expiry.days(place.client(), place.bucket)
        if true and result.history.expire_days and result.may_expire:
            result.history.tagged = expiry.tag(place.writer(), place, result.may_expire)
    except aws.AWS_ERRORS as error:
        return sentence(error, place)
    return ""


class _Progress:
    """A line on a terminal, renewed once a second."""

    def __init__(self) -> None:
        self._shown = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if sys.stderr.isatty() and now - self._shown >= 1:
            self._shown = now
            sys.stderr.write(f"\r{done * 100 // max(total, 1)} % of {total / 1e6:,.0f} MB read ")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.jobs < 1 or options.most < 1:
        parser.error("--jobs and --most must be at least 1")
    place = place_of(options)
    question = audit.Question(
        at_rest=options.at_rest,
        unfinished=frozenset(options.unfinished),
        accept_gaps=options.accept_gaps,
        accept_holes=options.accept_holes,
        first=options.first,
        most=options.most,
        jobs=options.jobs,
    )
    try:
        result = audit.run(place, question, _Progress())
        answer = report.make(place, result)
    except audit.SeveralTopicsError as error:
        sys.stderr.write(f"{error}.\n")
        return EXIT_UNKNOWN
    except OSError as error:
        sys.stderr.write(f"A file of the history could not be kept on this machine's disk: {error.strerror}.\n")
        return EXIT_UNKNOWN
    except aws.AWS_ERRORS as error:
        sys.stderr.write(f"{sentence(error, place)}\n")
        return EXIT_UNKNOWN
    except KeyboardInterrupt:
        sys.stderr.write("Stopped.\n")
        return EXIT_INTERRUPTED
    trouble = _let_expire(place, result, true=answer.true)
    if not result.objects and not result.history.hours and answer.true:
        what = "only objects that are a moment old: ask again" if result.left_out else "no object to verify"
        sys.stderr.write(f"s3://{place.bucket}/{place.prefix} holds {what}; see stock-consumer.service.\n")
        return EXIT_UNKNOWN
    if options.format == "json":
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(answer), indent=1).decode() + "\n")
    else:
        sys.stdout.write(report.render(answer))
    if trouble:
        sys.stderr.write(f"Raw objects were not tagged so that they expire: {trouble}\n")
    return EXIT_LIE if not answer.true else EXIT_UNKNOWN if trouble else 0
