"""Deployments' catalogs with raw objects in them, and the compactor on these, with a Trino that all of them share."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
from tests.support.small_cloud import COLUMNS, KEYS, SmallCloud
from tests.support.stock_market.bucket import Bucket
from tests.support.stock_market.lake import NOON, Lake

from stock_market.history import manifest
from stock_market.history.compactor.catalog import Catalog
from stock_market.history.compactor.clients import Clients
from stock_market.history.compactor.engine import Compactor, Options, Outcome
from stock_market.history.manifest import Manifest
from stock_market.history.naming import Hour, TryFolder
from stock_market.history.view import History
from stock_market.hours import HOUR_MS
from stock_market.service import Stop
from stock_market.settings import HistorySettings
from stock_market_ops.verify import audit, report
from stock_market_ops.verify.bucket import Place
from stock_market_ops.verify.report import Report

NOON_HOUR = Hour("2026-01-01", "12")
LATER = datetime(2026, 1, 1, 23, 30, tzinfo=UTC)
Step = Callable[[str, Hour], None]
RAW_DESCRIPTION = {
    "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
    "SerdeInfo": {"SerializationLibrary": "org.openx.data.jsonserde.JsonSerDe"},
}


def line(sequence: int, producer_id: str = "p", **changes: Any) -> bytes:
    """A quote's line; the symbol and the time go with the sequence number."""
    fields = {
        "symbol": f"S{sequence % 7}",
        "event_time": f"2026-01-01T12:{sequence // 60 % 60:02d}:{sequence % 60:02d}.000Z",
        "open": 1.5 + sequence,
        "high": 2,
        "low": 1.25,
        "close": 1.75,
        "adj_close": 1.75,
        "volume": 7,
        "close_usd": 0.2275,
        "producer_id": producer_id,
        "sequence": sequence,
    } | changes
    return json.dumps(fields).encode() + b"\n"


def lines(numbers: range, producer_id: str = "p") -> bytes:
    """Quotes' lines."""
    return b"".join(line(number, producer_id) for number in numbers)


class Deployment:
    """A bucket and a database of the test's own.

    Attributes:
        lake: writes raw objects.
        settings: of the compactor; without Kafka.
        catalog: reads the view of the quotes.
        sums: reads the view of the hours summed up.
    """

    def __init__(self, cloud: SmallCloud) -> None:
        self._cloud = cloud
        name = f"history-{uuid.uuid4().hex[:12]}"
        self.bucket = Bucket(cloud.deployment.endpoint_url, name)
        self.lake = Lake(self.bucket)
        self.settings = msgspec.convert(
            {
                "s3": {"bucket": name},
                "catalog": {"database": name.replace("-", "_"), "workgroup": cloud.deployment.workgroup},
                "attempts": 2,
            },
            HistorySettings,
        )
        self.clients = Clients(cloud.s3, cloud.glue, cloud.athena)
        self.database = self.settings.catalog.database
        cloud.glue.create_database(DatabaseInput={"Name": self.database})
        cloud.glue.create_table(
            DatabaseName=self.database,
            TableInput={
                "Name": "quotes",
                "StorageDescriptor": {
                    "Columns": [{"Name": column, "Type": kind} for column, kind in COLUMNS.items()],
                    "Location": f"s3://{name}/quotes/",
                    **RAW_DESCRIPTION,  # type: ignore[typeddict-item]  # mypy takes the dict for one of any keys
                },
                "PartitionKeys": [{"Name": key, "Type": "string"} for key in KEYS],
                "Parameters": {"classification": "json"},
            },
        )
        self.catalog = Catalog(cloud.glue, self.settings)
        self.sums = Catalog(cloud.glue, self.settings, hours=True)
        for one in (self.catalog, self.sums):
            one.declare()

    def main(self, start: int, numbers: range, hour: int = 0, **more: Any) -> str:
        """Writes a main object of an hour, counted from noon; returns its key."""
        key = self.lake.main(start, lines(numbers), time_ms=NOON + hour * HOUR_MS, **more)
        self.see(hour)
        return key

    def see(self, hour: int) -> None:
        """Has Athena see an hour's raw objects."""
        self.catalog.add_raw_partition(hour_at(hour))

    def compactor(
        self, step: Step | None = None, *, now: datetime = LATER, stop: Stop | None = None, **settings: Any
    ) -> Compactor:
        """A compactor; `settings` replace single settings and options."""
        options = Options(**{name: settings.pop(name) for name in ("hours", "every_day", "dry") if name in settings})
        clients = settings.pop("clients", self.clients)
        return Compactor(
            msgspec.structs.replace(self.settings, **settings),
            clients,
            stop or Stop(),
            options,
            step=step or (lambda _name, _hour: None),
            now=lambda: now,
        )

    def run(self, step: Step | None = None, **settings: Any) -> Outcome:
        """Runs one to its end."""
        return self.compactor(step, **settings).run()

    @property
    def history(self) -> History:
        """What the view reads."""
        return self.catalog.state().history

    def execution(self, sql: str) -> dict[str, Any]:
        """Runs a statement that succeeds; what Athena says of it."""
        started = self._cloud.athena.start_query_execution(
            QueryString=sql,
            QueryExecutionContext={"Database": self.database},
            WorkGroup=self._cloud.deployment.workgroup,
        )["QueryExecutionId"]
        while True:
            found: Any = self._cloud.athena.get_query_execution(QueryExecutionId=started)["QueryExecution"]
            if found["Status"]["State"] in {"SUCCEEDED", "FAILED", "CANCELLED"}:
                assert found["Status"]["State"] == "SUCCEEDED", found["Status"]
                return dict(found)
            time.sleep(0.1)

    def rows(self, sql: str) -> list[list[str | None]]:
        """The rows of a SELECT."""
        answer = self._cloud.athena.get_query_results(QueryExecutionId=self.execution(sql)["QueryExecutionId"])
        return [[one.get("VarCharValue") for one in row["Data"]] for row in answer["ResultSet"]["Rows"][1:]]

    def count(self, table: str = "quotes_all") -> int:
        """How many rows a table or view has."""
        return int(self.rows(f"SELECT count(*) FROM {table}")[0][0] or -1)

    def summed(self) -> int:
        """How many records the view of the hours summed up has."""
        return int(self.rows("SELECT sum(records) FROM quotes_hours WHERE day IS NOT NULL")[0][0] or -1)

    def numbers(self, where: str = "true") -> list[int]:
        """The sequence numbers that the view shows, in order, doubles included."""
        found = self.rows(
            f"SELECT array_join(array_agg(sequence ORDER BY sequence), ',') FROM quotes_all WHERE {where}"
        )
        return [int(one) for one in (found[0][0] or "").split(",") if one]

    def folder(self, hour: Hour = NOON_HOUR) -> TryFolder:
        """The try that the view reads of an hour."""
        revision = self.history.revision(hour)
        assert revision is not None
        folder = self.catalog.partitions(hour.dt)[hour, revision]
        assert folder is not None
        return folder

    def manifest(self, hour: Hour = NOON_HOUR) -> Manifest:
        """Its manifest."""
        key = self.folder(hour).manifest_key("history/")
        body = self.bucket.client.get_object(Bucket=self.bucket.name, Key=key)["Body"].read()
        return manifest.decode(body, key)

    def verify(self) -> Report:
        """What `make verify` finds at rest."""
        known = self._cloud.deployment
        place = Place(
            self.bucket.name,
            "quotes/",
            "quarantine/",
            "history/",
            deployment=msgspec.structs.replace(known, data_bucket=self.bucket.name, database=self.database),
        )
        return report.make(place, audit.run(place, audit.Question(at_rest=True, jobs=1)))

    def stored(self, prefix: str = "history/dt=") -> list[str]:
        """The keys of the history's objects: of the quotes, or of the hours summed up."""
        return self.bucket.keys(prefix)


def hour_at(hour: int) -> Hour:
    """An hour, counted from noon."""
    return Hour.at(datetime.fromtimestamp((NOON + hour * HOUR_MS) / 1000, UTC))
