"""A deployment without instances: S3, Glue's catalog and the local cloud's Athena, in a thread of this process."""

from __future__ import annotations

import gzip
import json
import logging
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from moto.server import ThreadedMotoServer
from tests.support.engine import engine

from local_cloud.athena import api as athena
from local_cloud.glue import api as glue_api
from local_cloud.s3 import writes as s3_writes
from stock_market.history import tables, view
from stock_market.history.naming import hours_prefix
from stock_market_ops.common import aws
from stock_market_ops.common.deployment import Deployment

REGION = "us-east-1"
KEYS = ("dt", "hour")
COLUMNS = {
    "symbol": "string",
    "event_time": "string",
    "open": "double",
    "high": "double",
    "low": "double",
    "close": "double",
    "adj_close": "double",
    "volume": "bigint",
    "close_usd": "double",
    "producer_id": "string",
    "sequence": "bigint",
}
Quote = Mapping[str, Any]


class SmallCloud:
    """AWS as the operator's programs meet it: over HTTP, by a profile of the deployment's own.

    Args:
        folder: for the state directory and the engine's files.
    """

    def __init__(self, folder: Path) -> None:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        glue_api.install()
        s3_writes.install()
        self._executor = athena.install(engine())
        host, port = self._server.get_host_and_port()
        name = f"test-{uuid.uuid4().hex[:8]}"
        self.state_root = folder / "state"
        self.deployment = make_deployment(name, self.state_root / name, f"http://{host}:{port}")
        session = aws.session(self.deployment)
        self.s3, self.glue, self.athena = session.client("s3"), session.client("glue"), session.client("athena")
        for bucket in (self.deployment.data_bucket, self.deployment.results_bucket):
            self.s3.create_bucket(Bucket=bucket)
        self.glue.create_database(DatabaseInput={"Name": self.deployment.database})
        output = f"s3://{self.deployment.results_bucket}/results/"
        self.athena.create_work_group(
            Name=self.deployment.workgroup, Configuration={"ResultConfiguration": {"OutputLocation": output}}
        )

    def close(self) -> None:
        """End both."""
        self._executor.close()
        self._server.stop()

    def make_table(self) -> None:
        """Describe the quotes in the catalog without partitions, and the history and the view as they begin."""
        self.glue.create_table(
            DatabaseName=self.deployment.database,
            TableInput={
                "Name": self.deployment.table,
                "StorageDescriptor": {
                    "Columns": [{"Name": name, "Type": kind} for name, kind in COLUMNS.items()],
                    "Location": f"s3://{self.deployment.data_bucket}/{self.deployment.table}/",
                    "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
                    "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
                    "SerdeInfo": {"SerializationLibrary": "org.openx.data.jsonserde.JsonSerDe"},
                },
                "PartitionKeys": [{"Name": key, "Type": "string"} for key in KEYS],
                "Parameters": {"classification": "json"},
            },
        )
        known = self.deployment
        names = view.Names(known.database, known.table, known.history_table, known.view)
        sums = names.hours
        for declared in (
            tables.history_table(names.history, known.data_bucket, known.history_prefix),
            view.table_input(names, view.History()),
            tables.history_table(sums.history, known.data_bucket, hours_prefix(known.history_prefix), sums.layer),
            view.table_input(sums, view.History()),
        ):
            # A test makes the table of the raw objects again.
            with suppress(self.glue.exceptions.AlreadyExistsException):
                self.glue.create_table(DatabaseName=known.database, TableInput=declared)  # type: ignore[arg-type]  # the stubs know literal names only

    def store(self, quotes: Iterable[Quote], partition: int = 0, start_offset: int = 0) -> None:
        """Write quotes as the consumer does: an object an hour, each starting where the one before it ends."""
        hours: dict[tuple[str, str], list[Quote]] = defaultdict(list)
        for quote in quotes:
            hours[quote["event_time"][:10], quote["event_time"][11:13]].append(quote)
        for (dt, hour), group in sorted(hours.items()):
            name = f"{self.deployment.topic}+AAAAAAAAAAAAAAAAAAAAAA+{partition}+{start_offset:020}.json.gz"
            lines = "".join(json.dumps(quote) + "\n" for quote in group)
            start_offset += len(group)
            self.s3.put_object(
                Bucket=self.deployment.data_bucket,
                Key=f"{self.deployment.table}/dt={dt}/hour={hour}/{name}",
                Body=gzip.compress(lines.encode()),
                Metadata={"end-offset": str(start_offset)},
            )


def make_deployment(name: str, state: Path, endpoint_url: str) -> Deployment:
    """Writes the state directory of a deployment whose API is there."""
    config, credentials = state / "aws" / "config", state / "aws" / "credentials"
    config.parent.mkdir(parents=True)
    config.write_text(f"[profile {name}]\nregion = {REGION}\nendpoint_url = {endpoint_url}\n")
    credentials.write_text(f"[{name}]\naws_access_key_id = local-cloud\naws_secret_access_key = local-cloud\n")
    deployment = Deployment(
        deployment=name,
        region=REGION,
        endpoint_url=endpoint_url,
        aws_profile=name,
        aws_config_file=str(config),
        aws_credentials_file=str(credentials),
        data_bucket=f"{name}-data",
        results_bucket=f"{name}-results",
        workgroup=name,
        database=name.replace("-", "_"),
        table="quotes",
        crawler=name,
        # Nobody listens on the discard port of loopback.
        bootstrap_servers="127.0.0.1:9",
        topic="stock-quotes",
        consumer_group="stock-consumer",
        ssh_config=str(state / "ssh_config"),
        consumers=1,
        flush_seconds=10,
        instances=[],
    )
    (state / "deployment.json").write_bytes(msgspec.json.encode(deployment))
    return deployment
