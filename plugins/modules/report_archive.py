#!/usr/bin/python
"""Ansible module: one archive of what several hosts have reported."""

from __future__ import annotations

import base64
import io
import os
import tarfile
import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.stock_market.streaming.plugins.module_utils.documentation import argument_spec

DOCUMENTATION = r"""
module: report_archive
short_description: Put reports of several hosts into one archive
description:
  - Writes a gzipped tar with mode 0600, in one step, in a folder with mode 0700.
options:
  path: {description: Where the archive is to be., type: path, required: true}
  hosts: {description: "Archives by host, as M(host_report) returns them.", type: dict, default: {}}
  texts: {description: "More files, text by name.", type: dict, default: {}}
attributes:
  check_mode: {description: Says what would be written., support: full}
  diff_mode: {description: Has nothing to show., support: none}
author: stock-market
"""

EXAMPLES = r"""
- name: Write the archive
  stock_market.streaming.report_archive:
    path: /home/me/logs/20260101T120000Z.tar.gz
    hosts: {node-1: "{{ report.archive }}"}
    texts: {cluster.json: "{{ cluster | to_nice_json }}"}
"""

RETURN = r"""
path: {description: Where it is., type: str, returned: success}
files: {description: "Names of the files in it.", type: list, elements: str, returned: success}
"""


def gathered(folder: str, hosts: dict[str, str], texts: dict[str, str]) -> dict[str, bytes]:
    """All files by their names in the archive, below `folder`."""
    found = {f"{folder}/{name}": str(text).encode() for name, text in texts.items()}
    for host, encoded in hosts.items():
        with tarfile.open(fileobj=io.BytesIO(base64.b64decode(encoded)), mode="r:gz") as tar:
            for member in tar.getmembers():
                content = tar.extractfile(member)
                if content is not None:
                    found[f"{folder}/{host}/{member.name}"] = content.read()
    return dict(sorted(found.items()))


def write(path: Path, files: dict[str, bytes]) -> None:
    """Write the archive beside its place, then move it there."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as stream, tarfile.open(fileobj=stream, mode="w:gz") as tar:
            for name, content in files.items():
                entry = tarfile.TarInfo(name)
                entry.size, entry.mtime, entry.mode = len(content), int(time.time()), 0o600
                tar.addfile(entry, io.BytesIO(content))
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def main() -> None:
    module = AnsibleModule(argument_spec=argument_spec(DOCUMENTATION), supports_check_mode=True)
    path = Path(module.params["path"])
    result: dict[str, Any] = {"changed": True, "path": str(path)}
    try:
        files = gathered(path.name.removesuffix(".tar.gz"), module.params["hosts"], module.params["texts"])
        if not module.check_mode:
            write(path, files)
    except (OSError, ValueError, tarfile.TarError) as error:
        module.fail_json(msg=f"The archive {path} cannot be written: {error}.")
    module.exit_json(**result, files=list(files))


if __name__ == "__main__":
    main()
