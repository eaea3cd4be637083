"""`make query`: SQL, or the named analyses, in the deployment's Athena.

Rows go to standard output and nothing else does; after a table, standard error says what was scanned and what that
costs on AWS. Where some of several analyses fail, the tables of the others are still printed; JSON, in which nobody
would notice that one is missing, is not. Exit codes: 0 answered; 1 a query or the deployment failed, with each reason
as a sentence on standard error; 2 the command line is wrong; 3 there is no deployment.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from stock_market.history import folders
from stock_market_ops.common import analyses, athena, aws, partitions, scanned, tables
from stock_market_ops.common.deployment import Deployment, add_options, deployment_of

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_s3 import S3Client

EXIT_FAILED, EXIT_INTERRUPTED = 1, 130
# Athena's default quota of running queries is far higher; this many keep the local cloud's two cores busy.
_QUERIES_AT_ONCE = 3


@dataclass(frozen=True)
class Result:
    """A statement's answer, and the analysis that asked for it, if one did."""

    answer: athena.Answer
    analysis: analyses.Analysis | None = None


class SomeFailedError(athena.QueryError):
    """Some analyses failed; the message has a line for each.

    Attributes:
        results: the answers of the others.
        since: the first day or hour that the analyses looked at.
    """

    def __init__(self, failures: list[str], results: list[Result], since: str) -> None:
        super().__init__("\n".join(failures))
        self.results = results
        self.since = since


def days_or_all(text: str) -> int:
    """Return a number of days, 0 for all.

    Raises:
        argparse.ArgumentTypeError: neither `all` nor a whole number above 0.
    """
    if text == "all":
        return 0
    if not text.isascii() or not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number of days above 0 nor the word all")
    return int(text)


def parser(known: dict[str, analyses.Analysis]) -> argparse.ArgumentParser:
    """Return the command line's definition; `known` are the analyses that may be named."""
    described = "\n".join(f"  {analysis.name:<15} {analysis.title}" for analysis in known.values())
    result = argparse.ArgumentParser(
        prog="stock_market_ops.query",
        description="Ask the deployment's Athena.",
        epilog=f"analyses:\n{described}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.add_argument("analyses", nargs="*", metavar="ANALYSIS", help="analyses to run; all when nothing is asked")
    result.add_argument("--sql", help="run this SQL instead")
    result.add_argument(
        "--days",
        type=days_or_all,
        default=1,
        metavar="DAYS|all",
        help="how many of the newest days of arrival that hold data the analyses look at, or all; default: 1",
    )
    result.add_argument("--hours", type=int, default=0, help="how many of the newest hours to look at, instead of days")
    result.add_argument("--rows", type=int, help="the most rows to print of each table; default: all")
    result.add_argument("--stored", action="store_true", help="only print how many days S3, and hours the catalog has")
    result.add_argument("--format", choices=("table", "json", "csv"), default="table", help="default: table")
    add_options(result)
    result.add_argument("--timeout", type=float, default=120.0, metavar="SECONDS", help="limit a query, default: 120")
    return result


def _checked(arguments: Sequence[str], known: dict[str, analyses.Analysis]) -> argparse.Namespace:
    definition = parser(known)
    options = definition.parse_args(arguments)
    unknown = [name for name in options.analyses if name not in known]
    if unknown:
        definition.error(f"no analysis is called {unknown[0]!r}; there are {', '.join(known)}")
    if options.sql is not None and options.analyses:
        definition.error("give SQL or names of analyses, not both")
    if options.sql is not None and not options.sql.strip(" \t\n;"):
        definition.error("the SQL is empty")
    if options.timeout <= 0 or options.hours < 0 or (options.rows is not None and options.rows <= 0):
        definition.error("--timeout, --hours and --rows must be above 0")
    if options.format == "csv" and options.sql is None and len(options.analyses) != 1:
        definition.error("csv holds one result: name one analysis, or give SQL")
    return options


def visible_since(glue: GlueClient, s3: S3Client, deployment: Deployment, days: int, hours: int) -> str:
    """Make new hours visible; return the day, or the day and hour, from which on there are as many as wanted."""
    if hours:
        partitions.synchronize(s3, glue, deployment)
        known = sorted(partitions.catalogued(glue, deployment.database, deployment.table))
        return known[-hours:][0].text if known else ""
    looked_at = partitions.all_days(s3, deployment)[-days:] if days else None
    partitions.synchronize(s3, glue, deployment, looked_at)
    return looked_at[0] if looked_at else ""


def ask(
    deployment: Deployment,
    sql: str | None,
    chosen: list[analyses.Analysis],
    timeout: float,
    days: int,
    *,
    hours: int = 0,
) -> tuple[list[Result], str]:
    """Make new hours visible, then run `sql`, or the chosen analyses side by side.

    `days` is how many of the newest days that hold data the analyses look at, 0 for all; `hours`, where it is not 0,
    how many of the newest hours.

    Returns:
        The answers, and the first day or hour that the analyses looked at; empty where they looked at all.

    Raises:
        SomeFailedError: analyses failed.
        athena.QueryError, partitions.MissingTableError, partitions.PartitionError, botocore's errors.
    """
    session = aws.session(deployment)
    client: AthenaClient = session.client("athena", config=aws.config())
    glue, s3 = session.client("glue", config=aws.config()), session.client("s3", config=aws.config())
    first = ""
    try:
        first = visible_since(glue, s3, deployment, days if sql is None else 0, hours)
    except partitions.MissingTableError:
        if sql is None or deployment.table.lower() in sql.lower():
            raise
    if sql is not None:
        return [Result(athena.run(client, deployment, sql, timeout))], ""
    limit = max((each.hours for each in chosen), default=0)
    newest = partitions.newest_hours(s3, deployment, limit) if limit else []

    def answer(analysis: analyses.Analysis) -> Result | str:
        try:
            bounded, literals = analyses.bounded(analysis.sql, analysis.since(first, newest))
            return Result(athena.run(client, deployment, bounded, timeout, literals), analysis)
        except athena.QueryError as error:
            return f"{analysis.name}: {error}"

    with ThreadPoolExecutor(_QUERIES_AT_ONCE) as pool:
        # The longest statements take the longest: begun last, one of them would end alone.
        begun = {each.name: pool.submit(answer, each) for each in sorted(chosen, key=lambda each: -len(each.sql))}
        ended = [begun[each.name].result() for each in chosen]
    results = [each for each in ended if isinstance(each, Result)]
    failures = [each for each in ended if isinstance(each, str)]
    if failures:
        raise SomeFailedError(failures, results, first)
    return results, first


def count(deployment: Deployment) -> dict[str, int]:
    """Return how many days S3 has, and how many hours the catalog has (`known`) and lacks (`missing`)."""
    session = aws.session(deployment)
    glue, s3 = session.client("glue", config=aws.config()), session.client("s3", config=aws.config())
    partitions.described(glue, deployment.database, deployment.table)
    days = folders.days(s3, deployment.data_bucket, f"{deployment.table}/")
    known = partitions.catalogued(glue, deployment.database, deployment.table)
    missing = partitions.missing(s3, deployment.data_bucket, deployment.table, known, days)
    return {"days": len(days), "known": len(known), "missing": len(missing)}


def write(results: list[Result], form: str, out: TextIO, since: str = "", most_rows: int | None = None) -> None:
    """Print results: tables under their titles, one JSON list of objects, or one CSV.

    Where JSON holds several analyses, every object starts with its analysis' name. Tables have at most `most_rows`
    rows, and end with what the analyses looked at.
    """
    if form == "json":
        several = len(results) > 1
        rows: list[athena.Row] = []
        for result in results:
            label: athena.Row = {"analysis": result.analysis.name} if several and result.analysis else {}
            rows.extend(label | row for row in result.answer.rows)
        json.dump(rows, out, ensure_ascii=False, indent=1, allow_nan=False)
        out.write("\n")
    elif form == "csv":
        writer = csv.writer(out, lineterminator="\n")
        answer = results[0].answer
        writer.writerow(answer.columns)
        writer.writerows([row[column] for column in answer.columns] for row in answer.rows)
    else:
        parts = []
        for result in results:
            title = f"{result.analysis.title} [{result.analysis.name}]\n" if result.analysis else ""
            parts.append(title + tables.render(result.answer.columns, result.answer.rows, most_rows))
        looked = _looked_at(results, since)
        if looked:
            parts.append(looked)
        out.write("\n\n".join(parts) + "\n")


def _looked_at(results: list[Result], since: str) -> str:
    """What the analyses looked at, in words; empty where that is everything."""
    sentences = []
    if since:
        hour = "h" if " " in since else ""
        sentences.append(
            f"Quotes that arrived since {since}{hour} (UTC). DAYS=7 looks at 7 days, DAYS=all at everything."
        )
    limits: dict[int, list[str]] = {}
    for result in results:
        if result.analysis and result.analysis.hours:
            limits.setdefault(result.analysis.hours, []).append(result.analysis.name)
    for hours, names in sorted(limits.items()):
        looks = "look" if len(names) > 1 else "looks"
        sentences.append(f"{' and '.join(names)} {looks} only at the newest {hours} hours of arrival.")
    return "\n".join(sentences)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code."""
    known = analyses.load_all()
    options = _checked(sys.argv[1:] if arguments is None else arguments, known)
    chosen = [known[name] for name in options.analyses] or list(known.values())
    deployment = deployment_of(options)
    failed = ""
    try:
        if options.stored:
            sys.stdout.write(json.dumps(count(deployment)) + "\n")
            return 0
        results, since = ask(deployment, options.sql, chosen, options.timeout, options.days, hours=options.hours)
    except SomeFailedError as error:
        failed, since = str(error), error.since
        results = error.results if options.format == "table" else []
    except (athena.QueryError, partitions.MissingTableError, partitions.PartitionError) as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_FAILED
    except aws.AWS_ERRORS as error:
        sys.stderr.write(f"{aws.sentence(error, deployment)}\n")
        return EXIT_FAILED
    except KeyboardInterrupt:
        sys.stderr.write("Stopped.\n")
        return EXIT_INTERRUPTED
    try:
        if results:
            write(results, options.format, sys.stdout, since, options.rows)
            sys.stdout.flush()
        if results and options.format == "table":
            sys.stderr.write(f"\n{scanned.told(deployment, [result.answer for result in results])}\n")
        if failed:
            sys.stderr.write(f"{failed}\n")
    except BrokenPipeError:
        # The reader (head, less) has seen enough; the interpreter must not complain again when it closes the pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return EXIT_FAILED if failed else 0
