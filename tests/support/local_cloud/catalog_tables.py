"""Tables as clients describe them to Glue, for the tests of the catalog's calls."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from moto import mock_aws
from tests.support.local_cloud.glue_lake import Lake

from local_cloud.glue import api as glue_api

TEXT_INPUT = "org.apache.hadoop.mapred.TextInputFormat"
TEXT_OUTPUT = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"
JSON_SERDE = "org.openx.data.jsonserde.JsonSerDe"
LOCATION = "s3://stock-market-data/quotes/"

QUOTES: Any = {
    "Name": "quotes",
    "TableType": "EXTERNAL_TABLE",
    "StorageDescriptor": {
        "Columns": [
            {"Name": "symbol", "Type": "string", "Comment": "index or ticker"},
            {"Name": "close", "Type": "double"},
        ],
        "Location": LOCATION,
        "InputFormat": TEXT_INPUT,
        "OutputFormat": TEXT_OUTPUT,
        "SerdeInfo": {"SerializationLibrary": JSON_SERDE, "Parameters": {"paths": "close,symbol"}},
    },
    "PartitionKeys": [{"Name": "dt", "Type": "string"}, {"Name": "hour", "Type": "int", "Comment": "UTC"}],
    "Parameters": {"EXTERNAL": "TRUE", "classification": "json"},
}
ICEBERG: Any = {
    "Name": "daily",
    "TableType": "EXTERNAL_TABLE",
    "StorageDescriptor": {
        "Columns": [{"Name": "symbol", "Type": "string"}],
        "Location": "s3://stock-market-data/daily",
    },
    "Parameters": {"table_type": "ICEBERG", "metadata_location": "s3://stock-market-data/daily/metadata/0.json"},
}
VIEW: Any = {
    "Name": "closes",
    "TableType": "VIRTUAL_VIEW",
    "StorageDescriptor": {"Columns": [{"Name": "close", "Type": "double"}], "Location": "", "SerdeInfo": {}},
    "PartitionKeys": [],
    "ViewOriginalText": "/* Presto View: e30= */",
    "ViewExpandedText": "/* Presto View */",
    "Parameters": {"presto_view": "true", "comment": "Presto View"},
}


@contextmanager
def catalog(*tables: Any) -> Iterator[Lake]:
    """A catalog in moto with the database `market`, which has these tables."""
    glue_api.install()
    with mock_aws():
        lake = Lake()
        lake.glue.create_database(DatabaseInput={"Name": "market", "Description": "Quotes"})
        for table in tables:
            lake.glue.create_table(DatabaseName="market", TableInput=table)
        yield lake
