#!/usr/bin/python
"""Ansible module: fetches a file from the first source that has it, and keeps it only if it is the pinned one.

ansible.builtin.get_url takes one source, and a loop over several of it fails where the first one does.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import open_url

DOCUMENTATION = r"""
module: verified_download
short_description: Fetch a pinned file from the first source that works
description:
  - A file that is there already and has the checksum is left alone and nothing is fetched.
  - The file appears at once and whole, and only if its checksum is the pinned one.
options:
  urls:
    description: The sources, tried in this order. http, https, ftp and file URLs.
    type: list
    elements: str
    required: true
  dest: {description: The file to make., type: path, required: true}
  checksum: {description: "C(sha512:<hex>) or C(sha256:<hex>).", type: str, required: true}
author: Stock market streaming
"""

EXAMPLES = r"""
- name: Fetch the archive
  stock_market.streaming.verified_download:
    urls: [https://downloads.example.org/a.tgz, https://archive.example.org/a.tgz]
    dest: /var/cache/a.tgz
    checksum: "sha512:..."
"""

RETURN = r"""
url: {description: The source that had it., type: str, returned: when it was fetched}
"""

# How long a source may stay silent.
SILENT_SECONDS = 30
CHECKSUM = re.compile(r"sha512:[0-9a-f]{128}|sha256:[0-9a-f]{64}")


def digest_of(path: Path, algorithm: str) -> str:
    """Return the file's checksum in the form `algorithm:hex`."""
    with path.open("rb") as stream:
        return f"{algorithm}:{hashlib.file_digest(stream, algorithm).hexdigest()}"


def fetch(url: str, path: Path) -> None:
    """Write what `url` gives to `path`. Raises OSError where it can't be had."""
    with open_url(url, timeout=SILENT_SECONDS) as source, path.open("wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "urls": {"type": "list", "elements": "str", "required": True},
            "dest": {"type": "path", "required": True},
            "checksum": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    urls, dest, checksum = module.params["urls"], Path(module.params["dest"]), module.params["checksum"].lower()
    if not CHECKSUM.fullmatch(checksum):
        module.fail_json(
            msg=f"The checksum {checksum!r} is neither sha512:<128 hex digits> nor sha256:<64 hex digits>."
        )
    algorithm = checksum.partition(":")[0]
    if dest.is_file() and digest_of(dest, algorithm) == checksum:
        module.exit_json(changed=False)
    if module.check_mode:
        module.exit_json(changed=True)

    dest.parent.mkdir(parents=True, exist_ok=True)
    complaints = []
    with tempfile.TemporaryDirectory(dir=dest.parent, prefix=".fetching-") as scratch:
        draft = Path(scratch) / "file"
        for url in urls:
            try:
                fetch(url, draft)
            except (OSError, ValueError) as error:
                complaints.append(f"{url} can't be fetched ({error})")
                continue
            found = digest_of(draft, algorithm)
            if found == checksum:
                draft.chmod(0o644)
                draft.replace(dest)
                module.exit_json(changed=True, url=url)
            complaints.append(f"{url} has the checksum {found}, pinned is {checksum}")
    module.fail_json(msg=f"No source has the pinned file {dest.name}: {'; '.join(complaints)}.")


if __name__ == "__main__":
    main()
