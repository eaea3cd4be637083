"""`make report`: one HTML file with the named analyses, or the answer to SQL='...', as plots and tables; opens offline.

Exit codes: 0 written, its path on standard output; 1 a query or the deployment failed, with the reason as one sentence
on standard error; 2 the command line is wrong; 3 there is no deployment.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from stock_market_ops.common import analyses, athena, aws, charts, partitions, tables
from stock_market_ops.common.deployment import Deployment, add_options, deployment_of
from stock_market_ops.plan import bill, prices
from stock_market_ops.plan import command as plan
from stock_market_ops.query import command as query
from stock_market_ops.report import candles, document
from stock_market_ops.report.document import Plot, Report, Section, Verdict
from stock_market_ops.status import command as status
from stock_market_ops.status import report as status_report
from stock_market_ops.status import verdict

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient

EXIT_FAILED = 1
PLOTS = {
    "average_level": Plot("symbol", ["average_close_usd"]),
    "volume": Plot("symbol", ["total_volume"]),
    "record_high": Plot("symbol", ["below_record_percent"]),
    "largest_moves": Plot("symbol", ["move_percent"]),
    "trend": Plot("minute", ["rising", "falling"], newest_first=True),
    "volatility": Plot("symbol", ["now_percent", "wildest_percent"]),
    "daily_range": Plot("symbol", ["range_percent"]),
}
"""The bars that fit an analysis; the others are verdicts or plain tables."""
_MAX_BARS = 60


def collect(deployment: Deployment, days: int, sql: str | None, timeout: float) -> Report:
    """Ask Athena the named analyses and the candles, or the one statement `sql`, and how the deployment is.

    `days` is how many of the newest days that hold data are looked at, 0 for all; `timeout` are the seconds that a
    query may take. The report has no costs yet.

    Raises:
        athena.QueryError, partitions.MissingTableError, partitions.PartitionError, botocore's errors.
    """
    made = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    facts = _facts(deployment)
    if sql is not None:
        answer = query.ask(deployment, sql, [], timeout, days)[0][0].answer
        own = Section("own", "Answer", answer.columns, answer.rows, own_plot(answer))
        return Report(deployment.deployment, made, f"Athena's answer to {' '.join(sql.split())}", [own], facts)
    answers, since = query.ask(deployment, None, list(analyses.load_all().values()), timeout, days)
    sections = [
        Section(
            each.analysis.name,
            each.analysis.title,
            each.answer.columns,
            each.answer.rows,
            PLOTS.get(each.analysis.name),
        )
        for each in answers
        if each.analysis is not None
    ]
    rows = {section.name: section.rows for section in sections}
    width, found = _candles(deployment, rows["freshness"], since, timeout)
    seen = status.look(deployment)
    looked = f"the quotes that arrived since {since} (UTC)" if since else "all quotes"
    return Report(
        deployment.deployment,
        made,
        f"Athena's answers over {looked}",
        sections,
        facts,
        verdicts=[_state(deployment, seen), _freshness(deployment, seen), quality(rows["quality"])],
        candles=found,
        width=width,
    )


def _candles(
    deployment: Deployment, freshness: list[athena.Row], since: str, timeout: float
) -> tuple[int, list[candles.Candles]]:
    oldest, newest = (str(freshness[0][name] or "") for name in ("oldest", "newest")) if freshness else ("", "")
    if not oldest:
        return candles.INTERVALS[0], []
    span = [datetime.fromisoformat(moment).timestamp() for moment in (oldest, newest)]
    width = candles.interval(*span)
    client: AthenaClient = aws.session(deployment).client("athena", config=aws.config())
    sql, bounds = analyses.bounded(candles.sql(deployment.view, width), since)
    return width, candles.read(athena.run(client, deployment, sql, timeout, bounds).rows)


def _state(deployment: Deployment, seen: status_report.Report) -> Verdict:
    problems = verdict.problems(deployment, seen)
    return Verdict("Deployment", not problems, " ".join(problems) or "Instances, brokers, stream and storage are well.")


def _freshness(deployment: Deployment, seen: status_report.Report) -> Verdict:
    stored = seen.storage.value
    if stored is None:
        return Verdict("Freshness", None, seen.storage.failure or "")
    age, limit = stored.newest_age_seconds, verdict.stale_seconds(deployment)
    text = f"The newest object is {age:.0f} s old; up to {limit:.0f} s are expected while the stream runs."
    return Verdict("Freshness", age <= limit, text)


def quality(rows: list[athena.Row]) -> Verdict:
    """Judge the analysis `quality`: no sequence number of a producer's run may be missing or doubled."""
    missing, doubles, records = (sum(int(row[name] or 0) for row in rows) for name in ("missing", "doubles", "records"))
    runs = f"{len(rows)} runs of producers" if len(rows) != 1 else "1 run of a producer"
    text = f"{records:,} records of {runs}: {missing:,} missing, {doubles:,} doubled."
    return Verdict("Quality", missing == 0 and doubles == 0 if rows else None, text)


def own_plot(answer: athena.Answer) -> Plot | None:
    """Return the bars that fit one's own query: named by its first column, as high as its first two of numbers."""
    if not answer.columns or not 1 < len(answer.rows) <= _MAX_BARS:
        return None
    first, *others = answer.columns
    numbers = [name for name in others if all(tables.is_number(row[name]) for row in answer.rows)]
    return Plot(first, numbers[:2]) if numbers else None


def _facts(deployment: Deployment) -> list[tuple[str, str]]:
    where = f"the local cloud, {deployment.region}" if deployment.endpoint_url else f"AWS, {deployment.region}"
    instances = [(f"instance {one.name}", ", ".join(one.services)) for one in deployment.instances]
    return [
        ("runs on", where),
        *instances,
        ("topic", deployment.topic),
        ("view", f"{deployment.database}.{deployment.view}"),
        ("raw objects", f"s3://{deployment.data_bucket}/{deployment.table}/"),
        ("history", f"s3://{deployment.data_bucket}/{deployment.history_prefix}"),
        ("consumers", f"{deployment.consumers}, which hold a record for {deployment.flush_seconds:g} s at most"),
    ]


def costs(inventory: str) -> list[tuple[str, str]]:
    """Return the month's bill by list prices, as `make plan` estimates it; a sentence where it can't be told."""
    try:
        found = plan.run(inventory, [])
    except plan.PlanError as error:
        return [("not known", str(error))]
    table = prices.load()
    if found.costs.region not in table.regions:
        return [("not known", f"the table of prices has no {found.costs.region}")]
    items = bill.items(found.costs, table)
    lines = [(f"{item.name}, {item.count}", _money(item.month)) for item in items]
    return [*lines, (f"a month, US dollars of {table.as_of}, without tax", _money(bill.total(items)))]


def _money(amount: float | None) -> str:
    return "no price" if amount is None else f"{amount:,.2f}"


def write(page: str, path: Path) -> None:
    """Put the page at its place in one step: whoever reads there sees the former page or this one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, prefix=".report-", delete=False) as file:
        file.write(page)
    Path(file.name).replace(path)


def _parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(prog="stock_market_ops.report", description="Write Athena's answers as one page.")
    result.add_argument("--sql", help="show the answer to this SQL instead of the named analyses")
    result.add_argument(
        "--days",
        type=query.days_or_all,
        default=1,
        metavar="DAYS|all",
        help="how many of the newest days of arrival that hold data are looked at, or all; default: 1",
    )
    result.add_argument("--output", type=Path, help="default: .state/DEPLOYMENT/report.html")
    result.add_argument("--inventory", default="local", choices=("local", "aws"), help="default: %(default)s")
    add_options(result)
    result.add_argument("--node-modules", type=Path, default=charts.NODE_MODULES, help=argparse.SUPPRESS)
    result.add_argument("--timeout", type=float, default=120.0, metavar="SECONDS", help="limit a query, default: 120")
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code."""
    definition = _parser()
    options = definition.parse_args(arguments)
    if options.sql is not None and not options.sql.strip(" \t\n;"):
        definition.error("the SQL is empty")
    deployment = deployment_of(options)
    output = options.output or options.state_root / deployment.deployment / "report.html"
    try:
        libraries = charts.libraries(options.node_modules)
        with ThreadPoolExecutor(1) as pool:
            # One's own query is answered in seconds, which the bill would double.
            bill_of_a_month = pool.submit(costs, options.inventory) if options.sql is None else None
            found = collect(deployment, options.days, options.sql, options.timeout)
            lines = [] if bill_of_a_month is None else bill_of_a_month.result()
        page = document.render(msgspec.structs.replace(found, costs=lines), libraries)
        write(page, output)
    except (athena.QueryError, partitions.MissingTableError, partitions.PartitionError, charts.ChartsError) as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_FAILED
    except aws.AWS_ERRORS as error:
        sys.stderr.write(f"{aws.sentence(error, deployment)}\n")
        return EXIT_FAILED
    except OSError as error:
        sys.stderr.write(f"The report can't be written to {output}: {error.strerror}.\n")
        return EXIT_FAILED
    sys.stdout.write(f"{output}\n")
    return 0
