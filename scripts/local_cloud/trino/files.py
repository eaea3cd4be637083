"""Trino's configuration: one server that is coordinator and worker, with the local cloud's Glue and S3 as its catalogs.

Properties are those of https://trino.io/docs/476/admin/properties.html and of the connectors' pages there.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from local_cloud.settings import ACCOUNT_ID
from local_cloud.trino import aot
from local_cloud.trino.distribution import java

HIVE: Final = "awsdatacatalog"
ICEBERG: Final = "awsdatacatalog_iceberg"
# UNLOAD writes the files of a table that only this catalog knows, and that is dropped afterwards.
UNLOAD: Final = "unload"
UNLOAD_SCHEMA: Final = "files"
_REGION: Final = "us-east-1"
PLUGINS: Final = ("hive", "iceberg", "opa", "geospatial")
# The role in which Trino asks S3, one for each caller; only the engine's own key can assume them.
ROLE_PREFIX: Final = f"arn:aws:iam::{ACCOUNT_ID}:role/athena-engine/"
# In which UNLOAD's catalog looks whether the folder of a partition is there; it writes in the caller's.
OWN_ROLE: Final = f"{ROLE_PREFIX}itself"


@dataclass(frozen=True)
class Place:
    """Where a Trino of the local cloud keeps its files, answers, and finds the API.

    Attributes:
        directory: a directory of its own; the key of its tokens and what it writes lie there.
        url: where it answers, http://<loopback address>:<port>.
        api_url: S3, Glue and STS for it.
        access_url: the address that says what a caller may do.
        access_key_id: the key with which it signs its own requests.
        secret_key: its secret.
    """

    directory: Path
    url: str
    api_url: str
    access_url: str
    access_key_id: str
    secret_key: str


def write(place: Place, token_key: str) -> None:
    """Writes the configuration into `<directory>/etc`, which only its owner may read.

    Args:
        place: what it depends on.
        token_key: the secret that signs clients' tokens, in base64.
    """
    etc = place.directory / "etc"
    (etc / "catalog").mkdir(parents=True, exist_ok=True)
    (place.directory / "unload").mkdir(exist_ok=True)
    etc.chmod(0o700)
    (etc / "token.key").write_text(token_key)
    (etc / "log.properties").write_text("io.trino=WARN\nio.airlift=WARN\norg.apache=WARN\nsoftware.amazon=WARN\n")
    aot.write_properties(etc / "config.properties", _server(place, etc))
    control = {"access-control.name": "opa", "opa.policy.uri": place.access_url}
    aot.write_properties(etc / "access-control.properties", control)
    for name, settings in _catalogs(place).items():
        aot.write_properties(etc / "catalog" / f"{name}.properties", settings)


def roles_file(directory: Path, catalog: str) -> Path:
    """Which roles Trino may assume (https://trino.io/docs/476/object-storage/file-system-s3.html#security-mapping)."""
    return directory / ("roles-unload.json" if catalog == UNLOAD else "roles.json")


def write_roles(directory: Path, names: Iterable[str]) -> None:
    """Says that Trino may assume these roles, whose names follow `ROLE_PREFIX`."""
    allowed = [f"{ROLE_PREFIX}{name}" for name in names]
    for catalog in (HIVE, UNLOAD):
        default = OWN_ROLE if catalog == UNLOAD else f"{ROLE_PREFIX}nobody"
        file = roles_file(directory, catalog)
        written = file.with_suffix(".new")
        written.write_text(json.dumps({"mappings": [{"iamRole": default, "allowedIamRoles": allowed}]}))
        written.replace(file)


def command(place: Place, distribution: Path) -> list[str]:
    """The command that runs the Trino of a distribution with that configuration."""
    etc = place.directory / "etc"
    return [
        *(str(java()), *aot.jvm_options(distribution)),
        *(f"-Dconfig={etc}/config.properties", f"-Dlog.levels-file={etc}/log.properties"),
        *(f"-Dcatalog.config-dir={etc}/catalog", f"-Dnode.data-dir={place.directory}/data"),
        *(f"-Djava.io.tmpdir={place.directory}/tmp", "-cp", aot.classpath(distribution)),
        aot.MAIN_CLASS,
    ]


def _server(place: Place, etc: Path) -> dict[str, str]:
    return aot.server_settings("local_cloud", place.url, place.directory / "plugin") | {
        # Only who has the key of the tokens is answered, whoever else can reach the port on this machine.
        "http-server.process-forwarded": "true",
        "http-server.authentication.type": "JWT",
        "http-server.authentication.jwt.key-file": f"{etc}/token.key",
        "http-server.authentication.allow-insecure-over-http": "false",
        "internal-communication.shared-secret": secrets.token_hex(32),
        "access-control.config-files": f"{etc}/access-control.properties",
        # Each step of each driver would ask the kernel for its thread's time: a quarter of a query over many files.
        "task.cpu-timer-enabled": "false",
        "task.per-operator-cpu-timer-enabled": "false",
        "query.max-memory": "1000MB",
        "query.max-memory-per-node": "1000MB",
        # Sorts and windows go to disk once they hold four tenths of the rest: what is still there when the last row has
        # come counts for the query's limit. Trino does not count what reads it back.
        "memory.heap-headroom-per-node": "1600MB",
        "memory-revoking-threshold": "0.4",
        "memory-revoking-target": "0.2",
        # A window over a week's rows does not fit there; Athena has a cluster for it.
        "spill-enabled": "true",
        "spiller-spill-path": f"{place.directory}/spill",
        "spill-compression-codec": "LZ4",
        "query-max-spill-per-node": "20GB",
        "max-spill-per-node": "20GB",
        "query.max-history": "20",
        "query.min-expire-age": "1m",
        # Trino looks through every task that it still remembers, several times a second; its default is 15 minutes.
        "task.info.max-age": "1m",
    }


def _catalogs(place: Place) -> dict[str, dict[str, str]]:
    storage = {
        "fs.native-s3.enabled": "true",
        "s3.endpoint": place.api_url,
        "s3.region": _REGION,
        "s3.path-style-access": "true",
        "s3.aws-access-key": place.access_key_id,
        "s3.aws-secret-key": place.secret_key,
        "s3.sts.endpoint": place.api_url,
        "s3.sts.region": _REGION,
        "s3.security-mapping.enabled": "true",
        "s3.security-mapping.config-file": f"{roles_file(place.directory, HIVE)}",
        # Read again whenever it is asked, for it names the callers of this moment.
        "s3.security-mapping.refresh-period": "1ms",
        "s3.security-mapping.iam-role-credential-name": "role",
    }
    glue = {
        "hive.metastore.glue.endpoint-url": place.api_url,
        "hive.metastore.glue.region": _REGION,
        "hive.metastore.glue.aws-access-key": place.access_key_id,
        "hive.metastore.glue.aws-secret-key": place.secret_key,
    }
    hive = {
        "connector.name": "hive",
        "fs.hadoop.enabled": "false",
        "hive.table-statistics-enabled": "false",
        "hive.collect-column-statistics-on-write": "false",
        "hive.non-managed-table-creates-enabled": "true",
        "hive.non-managed-table-writes-enabled": "true",
        "hive.max-partitions-per-writers": "100",
    }
    unload = {
        "hive.metastore": "file",
        "hive.metastore.catalog.dir": "local:///",
        "hive.metastore.disable-location-checks": "true",
        "fs.native-local.enabled": "true",
        "local.location": f"{place.directory}/unload",
        "s3.security-mapping.config-file": f"{roles_file(place.directory, UNLOAD)}",
    }
    iceberg = {
        "connector.name": "iceberg",
        "iceberg.catalog.type": "glue",
        "fs.hadoop.enabled": "false",
        # Athena's own properties of a table, and those of Iceberg that they stand for.
        "iceberg.allowed-extra-properties": "*",
        "iceberg.expire-snapshots.min-retention": "0s",
        "iceberg.remove-orphan-files.min-retention": "0s",
    }
    return {
        HIVE: hive | {"hive.metastore": "glue", "hive.iceberg-catalog-name": ICEBERG} | glue | storage,
        ICEBERG: iceberg | glue | storage,
        UNLOAD: hive | storage | unload,
    }
