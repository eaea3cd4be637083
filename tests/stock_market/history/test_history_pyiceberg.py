"""quotes_iceberg for programs outside Athena: pyiceberg finds it in Glue's catalog, and reads the same rows."""

from __future__ import annotations

from pyiceberg.catalog import load_catalog
from tests.support.stock_market.history import Deployment

from stock_market.settings import HistoryIceberg

TABLE = HistoryIceberg().table
COLUMNS = "symbol, event_time, open, high, low, close, adj_close, volume, close_usd, producer_id, sequence, dt, hour"


def test_pyiceberg_reads_what_athena_reads(deployment: Deployment) -> None:
    deployment.main(0, range(10))
    deployment.main(10, range(10, 20), hour=1)
    deployment.main(20, range(20, 21), hour=2)
    assert deployment.run(iceberg=HistoryIceberg()).problems == []
    endpoint = deployment.clients.s3.meta.endpoint_url
    names = {"region": "us-east-1", "access-key-id": "local-cloud", "secret-access-key": "local-cloud"}
    properties = {f"{part}.{name}": value for part in ("glue", "s3") for name, value in names.items()}
    catalog = load_catalog("aws", type="glue", **properties, **{"glue.endpoint": endpoint, "s3.endpoint": endpoint})
    table = catalog.load_table(f"{deployment.database}.{TABLE}")
    assert [field.name for field in table.schema().fields] == COLUMNS.split(", ")
    found = sorted([str(value) for value in row.values()] for row in table.scan().to_arrow().to_pylist())
    assert found == sorted(deployment.rows(f"SELECT {COLUMNS} FROM {TABLE}"))
    one_hour = table.scan(row_filter="dt = '2026-01-01' AND hour = '13'", selected_fields=("sequence",)).to_arrow()
    assert sorted(one_hour["sequence"].to_pylist()) == list(range(10, 20))
