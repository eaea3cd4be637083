"""The services' settings: TOML files, checked once at the start; a wrong one ends with one sentence and exit code 2."""

from __future__ import annotations

import ipaddress
import sys
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta

from stock_market.errors import SettingsError

MAX_VALUE_BYTES = 2048
"""The longest value of a record, in bytes."""

_Address = Annotated[str, Meta(pattern=r"^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}$")]
_Topic = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,200}$")]
_Prefix = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9_/-]*/$")]
_BucketName = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
_Region = Annotated[str, Meta(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]+$")]
_Identifier = Annotated[str, Meta(pattern=r"^[a-z0-9_]{1,255}$")]
_MEBIBYTE = 1 << 20


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every table of a settings file: unknown keys are refused."""


class MetricsListener(Settings, frozen=True):
    """Where Prometheus reads the service's metrics; without this table the service listens nowhere."""

    address: str
    port: Annotated[int, Meta(ge=1, le=65_535)]

    def __post_init__(self) -> None:
        try:
            ipaddress.ip_address(self.address)
        except ValueError as error:
            raise ValueError(f"the address {self.address!r} is not an IP address of this host") from error


class KafkaSecurity(Settings, frozen=True):
    """How a service talks to Kafka: SASL_SSL, SCRAM-SHA-512, the broker's certificate and its address checked."""

    ca_file: Annotated[str, Meta(min_length=1)]
    username: Annotated[str, Meta(min_length=1)]
    password_file: Annotated[str, Meta(min_length=1)]


class Kafka(Settings, frozen=True):
    """What both services have to know of Kafka; without `security` they speak PLAINTEXT."""

    bootstrap_servers: Annotated[list[_Address], Meta(min_length=1)]
    topic: _Topic = "stock-quotes"
    security: KafkaSecurity | None = None


class ProducerKafka(Kafka, frozen=True):
    """Where the quotes go."""

    client_id: str = "stock-producer"
    linger_ms: Annotated[int, Meta(ge=0, le=1000)] = 5
    batch_bytes: Annotated[int, Meta(ge=1024, le=4 * _MEBIBYTE)] = _MEBIBYTE
    in_flight_bytes: Annotated[int, Meta(ge=64 << 10)] = 16 * _MEBIBYTE
    in_flight_records: Annotated[int, Meta(ge=1)] = 200_000
    writer: Literal["batches", "records"] = "batches"


class Simulation(Settings, frozen=True):
    """The simulated market."""

    symbols: Annotated[int, Meta(ge=1, le=5000)] = 20
    first_symbol: Annotated[int, Meta(ge=0, le=100_000)] = 0
    seed: Annotated[int, Meta(ge=0)] = 1
    interval_seconds: Annotated[float, Meta(gt=0, le=86_400)] = 60.0


class Replay(Settings, frozen=True):
    """A file that `stock_market_ops.market_data` has made (`replay_file`).

    Rows that are ordered by time go by their own clock, `speed` times as fast; others at the producer's rate.
    """

    path: Annotated[str, Meta(min_length=1)]
    speed: Annotated[float, Meta(gt=0, le=1e9)] = 1.0
    loop: bool = True
    seed: Annotated[int, Meta(ge=0)] = 1


class ProducerSettings(Settings, frozen=True):
    """The producer's settings file."""

    kafka: ProducerKafka
    rate: Annotated[float, Meta(gt=0, le=10_000_000)] = 20.0
    mode: Literal["simulate", "replay"] = "simulate"
    simulate: Simulation = Simulation()
    replay: Replay | None = None
    metrics: MetricsListener | None = None

    def __post_init__(self) -> None:
        if self.mode == "replay" and self.replay is None:
            raise ValueError("mode is replay, but the table [replay] with the file's path is missing")


class ConsumerKafka(Kafka, frozen=True):
    """Where the quotes come from."""

    group_id: Annotated[str, Meta(min_length=1)] = "stock-consumer"
    client_id: str = "stock-consumer"
    instance_id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{0,249}$")] = ""
    session_timeout_seconds: Annotated[float, Meta(ge=1, le=1800)] = 10.0
    reader: Literal["batches", "records"] = "batches"


class Storage(Settings, frozen=True):
    """Where the objects go."""

    bucket: _BucketName
    prefix: _Prefix = "quotes/"
    quarantine_prefix: _Prefix = "quarantine/"
    region: _Region = "us-east-1"

    def __post_init__(self) -> None:
        if self.prefix.startswith(self.quarantine_prefix) or self.quarantine_prefix.startswith(self.prefix):
            raise ValueError("prefix and quarantine_prefix must not lie within each other")


class Cut(Settings, frozen=True):
    """When an object is full: the first of the three that is reached."""

    seconds: Annotated[float, Meta(ge=0.1, le=3600)] = 60.0
    first_seconds: Annotated[float, Meta(ge=0.1, le=3600)] = 3600.0
    """Instead of `seconds` for a new chain's first object; each further one may take twice as long, up to `seconds`."""
    bytes: Annotated[int, Meta(ge=1024, le=1 << 30)] = 64 * _MEBIBYTE
    records: Annotated[int, Meta(ge=1)] = 1_000_000


class Limits(Settings, frozen=True):
    """What bounds the consumer's memory and its connections to S3."""

    buffer_bytes: Annotated[int, Meta(ge=_MEBIBYTE)] = 20 * _MEBIBYTE
    fetch_bytes: Annotated[int, Meta(ge=64 << 10, le=64 * _MEBIBYTE)] = 896 << 10
    """The kernel provides larger pieces than a mebibyte page by page each time (`allocator.py`)."""
    unpacked_batch_bytes: Annotated[int, Meta(ge=_MEBIBYTE, le=1 << 30)] = 32 * _MEBIBYTE
    """A batch that is larger unpacked goes to the quarantine as it was sent; each record counts 100 bytes more."""
    uploads: Annotated[int, Meta(ge=1, le=64)] = 4


class ConsumerSettings(Settings, frozen=True):
    """The consumer's settings file."""

    kafka: ConsumerKafka
    s3: Storage
    cut: Cut = Cut()
    limits: Limits = Limits()
    metrics: MetricsListener | None = None


class HistoryKafka(Kafka, frozen=True):
    """The topic whose logs tell when an hour is over; the user only describes it."""

    client_id: str = "stock-history"


class HistoryStorage(Settings, frozen=True):
    """Where the raw objects are, and where the history goes."""

    bucket: _BucketName
    prefix: _Prefix = "quotes/"
    history_prefix: _Prefix = "history/"
    region: _Region = "us-east-1"

    def __post_init__(self) -> None:
        if self.prefix.startswith(self.history_prefix) or self.history_prefix.startswith(self.prefix):
            raise ValueError("prefix and history_prefix must not lie within each other")


class HistoryCatalog(Settings, frozen=True):
    """The names in Glue's catalog, and the workgroup in which Athena is asked."""

    database: _Identifier
    workgroup: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,128}$")]
    table: _Identifier = "quotes"
    history_table: _Identifier = "quotes_history"
    view: _Identifier = "quotes_all"

    @property
    def names(self) -> tuple[str, ...]:
        """Of all tables and views; those of the hours summed up follow from the name of the raw objects' table."""
        return (self.table, self.history_table, self.view, f"{self.table}_hours_history", f"{self.table}_hours")

    def __post_init__(self) -> None:
        if len({*self.names}) < len(self.names):
            raise ValueError(f"the names of the tables and views have to differ: {', '.join(self.names)}")


class HistoryIceberg(Settings, frozen=True):
    """The Iceberg table that is kept beside the history, and the prefix in the data bucket below which it lies."""

    table: _Identifier = "quotes_iceberg"
    prefix: _Prefix = "iceberg/"


class HistorySettings(Settings, frozen=True):
    """The settings file of the program that makes history."""

    s3: HistoryStorage
    catalog: HistoryCatalog
    kafka: HistoryKafka | None = None
    """Without it, an hour is over once each partition has an object in a later one."""
    iceberg: HistoryIceberg | None = None
    """Without it, no Iceberg table is made or filled."""
    margin_seconds: Annotated[float, Meta(ge=0, le=86_400)] = 120.0
    """An hour is left alone for this long after its end."""
    late_days: Annotated[int, Meta(ge=1, le=36_500)] = 8
    """Days back from now in which late objects are looked for."""
    grace_seconds: Annotated[float, Meta(ge=0, le=30 * 86_400)] = 7200.0
    """What no reader of the view needs any more is removed after this time."""
    query_seconds: Annotated[float, Meta(gt=0, le=86_400)] = 1800.0
    """A query that takes longer is stopped; Athena's own limit is 30 minutes."""
    attempts: Annotated[int, Meta(ge=1, le=20)] = 4
    """How often an hour is tried in one run."""
    connections: Annotated[int, Meta(ge=1, le=64)] = 8
    """Requests to S3 at once."""

    def __post_init__(self) -> None:
        if self.iceberg is None:
            return
        own = self.iceberg.prefix
        if self.iceberg.table in self.catalog.names:
            raise ValueError(f"iceberg.table is {self.iceberg.table!r}, which is another table's name, or the view's")
        if any(own.startswith(one) or one.startswith(own) for one in (self.s3.prefix, self.s3.history_prefix)):
            raise ValueError("iceberg.prefix and the prefixes of quotes and history must not lie within each other")


_AnySettings = TypeVar("_AnySettings", bound=Settings)


def decode(data: bytes, name: str, kind: type[_AnySettings]) -> _AnySettings:
    """Checks the text of a settings file; `name` is what the sentence calls it.

    Raises:
        SettingsError: with one sentence that names the file, the setting and what is wrong with it.
    """
    try:
        return msgspec.toml.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        problem, _, place = str(error).partition(" - at `$")
        setting = place.strip(".`")
        raise SettingsError(f"{name}: {f'{setting}: ' if setting else ''}{problem}") from error


def load(path: str, kind: type[_AnySettings]) -> _AnySettings:
    """Reads and checks a settings file.

    Raises:
        SettingsError: with one sentence that names the file, the setting and what is wrong with it.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise SettingsError(f"cannot read the settings file {path}: {error.strerror}") from error
    return decode(data, f"settings file {path}", kind)


def main(argv: list[str]) -> int:
    """Checks settings on standard input, for the program that `argv[1]` names: exit code 0, or a sentence and 2."""
    data = sys.stdin.buffer.read()
    kinds: dict[str, type[Settings]] = {"producer": ProducerSettings, "history": HistorySettings}
    try:
        decode(data, f"the {argv[1]}'s settings", kinds.get(argv[1], ConsumerSettings))
    except SettingsError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
