"""File formats: the classes that Hive, and so Glue's catalog, names for each one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from local_cloud.athena.ddl.errors import semantic_error

_MAPRED = "org.apache.hadoop.mapred"
_IO = "org.apache.hadoop.hive.ql.io"
_SERDE2 = "org.apache.hadoop.hive.serde2"
LAZY_SIMPLE_SERDE = f"{_SERDE2}.lazy.LazySimpleSerDe"


@dataclass(frozen=True, slots=True)
class FileFormat:
    """Input format, output format and the SerDe that goes with them unless the statement names another."""

    input_format: str
    output_format: str
    serde: str


TEXT_FILE = FileFormat(f"{_MAPRED}.TextInputFormat", f"{_IO}.HiveIgnoreKeyTextOutputFormat", LAZY_SIMPLE_SERDE)
# The formats of Athena's STORED AS: https://docs.aws.amazon.com/athena/latest/ug/create-table.html
# Their classes are those of Hive's StorageFormatDescriptor of each one and, for Ion, of Amazon's Ion Hive SerDe:
# https://docs.aws.amazon.com/athena/latest/ug/ion-serde.html
_FORMATS = {
    "TEXTFILE": TEXT_FILE,
    "SEQUENCEFILE": FileFormat(
        f"{_MAPRED}.SequenceFileInputFormat", f"{_IO}.HiveSequenceFileOutputFormat", LAZY_SIMPLE_SERDE
    ),
    "RCFILE": FileFormat(
        f"{_IO}.RCFileInputFormat", f"{_IO}.RCFileOutputFormat", f"{_SERDE2}.columnar.LazyBinaryColumnarSerDe"
    ),
    "ORC": FileFormat(f"{_IO}.orc.OrcInputFormat", f"{_IO}.orc.OrcOutputFormat", f"{_IO}.orc.OrcSerde"),
    "PARQUET": FileFormat(
        f"{_IO}.parquet.MapredParquetInputFormat",
        f"{_IO}.parquet.MapredParquetOutputFormat",
        f"{_IO}.parquet.serde.ParquetHiveSerDe",
    ),
    "AVRO": FileFormat(
        f"{_IO}.avro.AvroContainerInputFormat", f"{_IO}.avro.AvroContainerOutputFormat", f"{_SERDE2}.avro.AvroSerDe"
    ),
    "ION": FileFormat(
        "com.amazon.ionhiveserde.formats.IonInputFormat",
        "com.amazon.ionhiveserde.formats.IonOutputFormat",
        "com.amazon.ionhiveserde.IonHiveSerDe",
    ),
}
# Hive keeps these under the names of its class serdeConstants, one of them misspelt.
FIELD_DELIMITER, ESCAPE, COLLECTION_DELIMITER = "field.delim", "escape.delim", "colelction.delim"
MAP_KEY_DELIMITER, LINE_DELIMITER = "mapkey.delim", "line.delim"
NULL_FORMAT, SERIALIZATION_FORMAT = "serialization.null.format", "serialization.format"


@dataclass(frozen=True, slots=True)
class StorageClauses:
    """What ROW FORMAT and STORED AS say: `delimiters` are a DELIMITED clause's, under the SerDe's names for them."""

    file_format: str | None = None
    classes: FileFormat | None = None
    serde: str | None = None
    serde_properties: dict[str, str] = field(default_factory=dict)
    delimiters: dict[str, str] | None = None

    def glue(self) -> dict[str, Any]:
        """The part of a StorageDescriptor that tells the format.

        Raises:
            QueryError: if there is no such format.
        """
        classes = self.classes or _FORMATS.get((self.file_format or "TEXTFILE").upper())
        if classes is None:
            raise semantic_error(f"Unrecognized file format in STORED AS clause: '{self.file_format}'")
        delimiters = self.delimiters or {}
        parameters = {SERIALIZATION_FORMAT: delimiters.get(FIELD_DELIMITER, "1")} | delimiters | self.serde_properties
        return {
            "InputFormat": classes.input_format,
            "OutputFormat": classes.output_format,
            "SerdeInfo": {"SerializationLibrary": self.serde or classes.serde, "Parameters": parameters},
        }
