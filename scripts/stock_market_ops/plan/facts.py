"""What playbooks/plan.yml has found out, as it shows it at its end."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

State = Literal["free", "own", "taken", "unknown"]


class InstanceType(msgspec.Struct, frozen=True):
    """An instance type that EC2 knows: `memory_mib` of memory, and the zones that offer it."""

    memory_mib: int
    vcpus: int
    zones: list[str]
    architectures: list[str]


class Declared(msgspec.Struct, frozen=True):
    """An entry of the topology, stock_market_instances."""

    name: str
    type: str
    zone: str
    services: list[str]


class Existing(msgspec.Struct, frozen=True):
    """An instance that carries the deployment's tags."""

    name: str
    id: str
    type: str
    state: str


class Heaps(msgspec.Struct, frozen=True):
    """The heaps in MB that the JVMs get on a machine of one type."""

    kafka: int
    zookeeper: int
    kafka_controller: int = 0


class Quota(msgspec.Struct, frozen=True):
    """How much may be and how much is used; `limit` is None where it is not known, for the reason `unknown`."""

    limit: int | None
    used: int
    code: str
    unknown: str


class Bucket(msgspec.Struct, frozen=True):
    """Whose a bucket's name is: absent, own (of the account) or foreign."""

    state: Literal["absent", "own", "foreign"]
    tags: dict[str, str]
    bare: bool = False


class LakeFormation(msgspec.Struct, frozen=True):
    """Whether IAM alone decides about Glue's catalog; None where that is not known, for the reason `unknown`."""

    iam_alone: bool | None
    unknown: str


class Denied(msgspec.Struct, frozen=True):
    """What IAM denies to the caller: an action on a resource, and the policy of docs/iam.md that allows it."""

    policy: str
    action: str
    resource: str


class Rights(msgspec.Struct, frozen=True):
    """What of site.yml IAM denies to `principal`, the caller's user or role; `unknown` says why some is not known."""

    principal: str
    denied: list[Denied]
    unknown: list[str]


class Name(msgspec.Struct, frozen=True):
    """A name of IAM, EC2, Glue or Athena."""

    kind: str
    name: str
    state: State


class History(msgspec.Struct, frozen=True):
    """What Kafka keeps of the quotes; plugins/filter/kafka_disk.py derives it from the volume.

    `hours` at the declared `rate` (records per second of all producers), `wanted_hours` by retention.ms, -1 is no end;
    `retention_bytes` and `segment_bytes` are of one partition, -1 where it has no bound.
    """

    topic: str
    hours: float
    wanted_hours: float
    bytes_per_record: int
    retention_bytes: int
    segment_bytes: int
    volume_gib: float
    rate: float


class Stream(msgspec.Struct, frozen=True):
    """What flows: `rate` is of all producers, in records per second; `bytes_per_record` on the wire and on disk."""

    rate: float
    bytes_per_record: int
    partitions: int
    replicas: int
    flush_seconds: float
    flush_records: int
    flush_bytes: int


class Use(msgspec.Struct, frozen=True):
    """What people do in a month; role `budget` says what it is reckoned with.

    `analyses` are runs of all named analyses, of `queries` queries each over `days_read` days of objects;
    `readers_outside` are clients outside AWS that read all of the topic.
    """

    crawls: int
    analyses: int
    queries: int
    days_read: int
    readers_outside: int


class Costs(msgspec.Struct, frozen=True):
    """What a month's bill follows from; `cpu_credits` is standard or unlimited.

    With `nat_gateways` the instances are in private subnets, without public addresses; 0 are public subnets. With
    `iceberg` the history is kept as an Iceberg table, too.
    """

    region: str
    instances: list[Declared]
    volume_gib: int
    elastic_ip: bool
    cpu_credits: str
    stream: Stream
    use: Use
    nat_gateways: int = 0
    iceberg: bool = False


class Facts(msgspec.Struct, frozen=True):
    """All of it. Where the cloud does not answer (`cloud_answers`), everything that it would tell is empty.

    `resources` are the kinds of what the deployment has already, one a resource; `obstacles` what the roles' own checks
    have found in the way; `market_data` the report on what is to be replayed, a line each; `volume_gib` is the
    size of each instance's volume; `access` is how the operator reaches them, ssh or ssm.
    """

    deployment: str
    region: str
    endpoint_url: str
    cloud_answers: bool
    account: str
    caller: str
    zones: list[str]
    image: dict[str, Any]
    instance_types: dict[str, InstanceType]
    existing: list[Existing]
    instances: list[Declared]
    heaps: dict[str, Heaps]
    volume_gib: int
    elastic_ip: bool
    quotas: dict[str, Quota]
    buckets: dict[str, Bucket]
    database: str
    database_state: State
    names: list[Name]
    resources: list[str]
    market_data: list[str]
    obstacles: list[str]
    costs: Costs
    lake_formation: LakeFormation
    rights: Rights
    history: History | None = None
    access: str = "ssh"

    def new(self) -> list[Declared]:
        """Return the instances that are still to be made."""
        there = {instance.name for instance in self.existing}
        return [instance for instance in self.instances if instance.name not in there]

    def heap_mb(self, instance: Declared) -> dict[str, int]:
        """Return the heap of each JVM that the instance carries, in MB; nothing where its type is not known."""
        heaps = self.heaps.get(instance.type)
        if heaps is None:
            return {}
        by_service = {"kafka": heaps.kafka, "zookeeper": heaps.zookeeper, "kafka_controller": heaps.kafka_controller}
        return {service: size for service, size in by_service.items() if service in instance.services}
