#!/usr/bin/python
"""Ansible module: write a backup to S3 as one checked object, or read one."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.stock_market.streaming.plugins.module_utils import aws
from botocore import exceptions as boto_errors

DOCUMENTATION = r"""
module: s3_backup
short_description: Write a backup to S3 as one object, or read it and check it
description:
  - With C(document) it writes C(<prefix><name>.json), in one step and never over another one (C(If-None-Match)). The
    object carries its own SHA-256 in the field C(checksum), and S3 checks the bytes on their way.
  - Without, it reads the backup of that name and refuses one that is damaged or of a schema that it does not know.
options:
  bucket: {description: The bucket's name., type: str, required: true}
  prefix: {description: "Where backups lie, with the slash at its end.", type: str, default: backups/}
  name:
    description: The backup's time, such as V(20260131T120000Z); to read, V(latest) is the newest.
    type: str
    required: true
  document: {description: "What to write, with the field C(schema).", type: dict}
extends_documentation_fragment: [stock_market.streaming.aws]
attributes:
  check_mode: {description: Writes nothing., support: full}
  diff_mode: {description: Has nothing to show., support: none}
"""

EXAMPLES = r"""
- name: Write a backup
  stock_market.streaming.s3_backup:
    bucket: my-bucket
    name: 20260131T120000Z
    document: {schema: 1, kafka: {}}

- name: Read the newest one
  stock_market.streaming.s3_backup:
    bucket: my-bucket
    name: latest
  register: backup
"""

RETURN = r"""
location: {description: The object., type: str, returned: always, sample: "s3://my-bucket/backups/20260131T120000Z.json"}
document: {description: "The backup, without its checksum.", type: dict, returned: when read}
"""

SCHEMA = 1
NAME = re.compile(r"\d{8}T\d{6}Z")


class BackupError(Exception):
    """There is no such backup, or it can't be used; the message says why."""


def checksum(document: dict[str, Any]) -> str:
    """SHA-256 of the document's JSON with sorted keys and without white space, in hexadecimal digits."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def packed(document: dict[str, Any]) -> bytes:
    """The object's bytes. Raises BackupError for a document of another schema than this module's."""
    if document.get("schema") != SCHEMA:
        raise BackupError(f"A backup has schema {SCHEMA}, not {document.get('schema')!r}.")
    return json.dumps({**document, "checksum": checksum(document)}, sort_keys=True, indent=1).encode() + b"\n"


def unpacked(content: bytes, where: str) -> dict[str, Any]:
    """The document of an object. Raises BackupError where it is damaged or of another schema."""
    try:
        document = json.loads(content)
        told = document.pop("checksum")
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise BackupError(f"{where} is no backup: choose another one.") from error
    if told != checksum(document):
        raise BackupError(f"{where} is damaged, its checksum is another one: choose another backup.")
    if document.get("schema") != SCHEMA:
        raise BackupError(
            f"{where} has schema {document.get('schema')!r}, this bundle reads {SCHEMA}: use the bundle that wrote it."
        )
    return dict(document)


def names(client: Any, bucket: str, prefix: str) -> list[str]:
    """The backups that are there, the oldest first."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    found = [key.removeprefix(prefix).removesuffix(".json") for key in keys if key.endswith(".json")]
    return sorted(name for name in found if NAME.fullmatch(name))


def read(client: Any, bucket: str, prefix: str, name: str) -> tuple[str, dict[str, Any]]:
    """Location and document of a backup. Raises BackupError where there is none that can be used."""
    there = names(client, bucket, prefix)
    if not there:
        raise BackupError(f"There is no backup in s3://{bucket}/{prefix}: make one first, with playbooks/backup.yml.")
    chosen = there[-1] if name == "latest" else name
    where = f"s3://{bucket}/{prefix}{chosen}.json"
    if chosen not in there:
        raise BackupError(f"There is no {where}: the newest ones are {', '.join(there[-5:])}.")
    content = client.get_object(Bucket=bucket, Key=f"{prefix}{chosen}.json", ChecksumMode="ENABLED")["Body"].read()
    return where, unpacked(content, where)


def write(client: Any, bucket: str, key: str, content: bytes) -> None:
    """Write an object once. Raises BackupError where there is one already."""
    try:
        client.put_object(
            Bucket=bucket,
            Key=key,
            Body=content,
            ContentType="application/json",
            ChecksumAlgorithm="SHA256",
            IfNoneMatch="*",
        )
    except boto_errors.ClientError as error:
        if error.response["Error"]["Code"] == "PreconditionFailed":
            raise BackupError(f"s3://{bucket}/{key} is there already: wait a second and try again.") from error
        raise


def run(client: Any, options: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Read or write; return the module's result."""
    bucket, prefix, name = options["bucket"], options["prefix"], options["name"]
    wanted = options["document"]
    if not NAME.fullmatch(name) and (wanted is not None or name != "latest"):
        raise BackupError(f"'{name}' is no backup's name: say latest or a time such as 20260131T120000Z.")
    if wanted is None:
        where, document = read(client, bucket, prefix, name)
        return {"changed": False, "location": where, "document": document}
    content = packed(wanted)
    if not check_mode:
        write(client, bucket, f"{prefix}{name}.json", content)
    return {"changed": True, "location": f"s3://{bucket}/{prefix}{name}.json"}


def run_or_fail(module: AnsibleAWSModule) -> dict[str, Any]:
    """Read or write, or fail with a sentence; return the module's result."""
    try:
        result = run(module.client("s3"), module.params, module.check_mode)
    except BackupError as error:
        module.fail_json(msg=str(error))
    return result


def main() -> None:
    aws.run_module(DOCUMENTATION, run_or_fail, "The backups in the bucket '{bucket}' can't be reached")


if __name__ == "__main__":
    main()
