#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: several small text files that only their owner may read."""

from __future__ import annotations

import os
import shlex
import tempfile
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
---
module: private_files
short_description: Write several small text files that only their owner may read
description:
  - Writes files with mode 0600 into directories with mode 0700, which are made where they are missing, in one go.
  - Every content is validated before the first file is written; each file is replaced atomically.
  - ansible.builtin.template does the same one file at a time, at the price of a module's start each.
options:
  files:
    description: The files.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Where the file is, an absolute path.
        type: path
        required: true
      content:
        description: The whole text.
        type: str
        required: true
      validate:
        description: A command that fails for a bad file; C(%s) stands for a file with the new content.
        type: str
attributes:
  check_mode: {description: Tells what would change., support: full}
  diff_mode: {description: Shows each file before and after., support: full}
author: stock-market
"""

EXAMPLES = r"""
- name: Write two files for a shell
  private_files:
    files:
      - {path: /home/me/.shop/env.sh, content: "export SHOP=1\n", validate: sh -n %s}
      - {path: /home/me/.shop/name, content: "shop\n"}
"""

RETURN = r"""
written:
  description: Files and directories that were not as they should be.
  returned: always
  type: list
  sample: [/home/me/.shop/name]
"""

FILE_MODE = 0o600
DIRECTORY_MODE = 0o700


def text_of(path: Path) -> str | None:
    """The file's text, None where there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def mode_of(path: Path) -> int | None:
    """The permission bits, None where there is nothing."""
    try:
        return path.stat().st_mode & 0o7777
    except FileNotFoundError:
        return None


def validate(module: AnsibleModule, path: str, content: str, command: str) -> None:
    """Fail with the command's own words where it does not like the content."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=module.tmpdir) as draft:
        draft.write(content)
        draft.flush()
        code, out, err = module.run_command([word.replace("%s", draft.name) for word in shlex.split(command)])
    if code != 0:
        module.fail_json(msg=f"The new {path} is not valid, so nothing was written: {(err or out).strip()}")


def write(module: AnsibleModule, path: Path, content: str) -> None:
    """Put the content in place in one step, never readable for others."""
    handle, draft = tempfile.mkstemp(dir=module.tmpdir)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(content)
    module.atomic_move(draft, str(path))
    path.chmod(FILE_MODE)


def run(module: AnsibleModule) -> dict[str, Any]:
    """Bring all files and their directories into shape; return the module's result."""
    wanted = [(Path(entry["path"]), entry["content"], entry["validate"]) for entry in module.params["files"]]
    for path, content, command in wanted:
        if command:
            validate(module, str(path), content, command)
    directories = [path for path in sorted({path.parent for path, _, _ in wanted}) if mode_of(path) != DIRECTORY_MODE]
    written, diff = [str(path) for path in directories], []
    for path in directories:
        diff.append({"before_header": f"{path}/", "after_header": f"{path}/", "before": "", "after": "mode 0700\n"})
        if not module.check_mode:
            path.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
            path.chmod(DIRECTORY_MODE)
    for path, content, _ in wanted:
        before, mode = text_of(path), mode_of(path)
        if before == content and mode == FILE_MODE:
            continue
        written.append(str(path))
        diff.append({"before_header": str(path), "after_header": str(path), "before": before or "", "after": content})
        if not module.check_mode:
            write(module, path, content)
    return {"changed": bool(written), "written": written, "diff": diff}


def main() -> None:
    """Run the module."""
    file_options = {
        "path": {"type": "path", "required": True},
        "content": {"type": "str", "required": True},
        "validate": {"type": "str"},
    }
    module = AnsibleModule(
        argument_spec={"files": {"type": "list", "elements": "dict", "required": True, "options": file_options}},
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except (OSError, UnicodeDecodeError) as error:
        module.fail_json(msg=f"A file or directory cannot be written: {error}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
