#!/usr/bin/python
"""Ansible module: unpacks an archive into a versioned directory behind a link, whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: versioned_archive
short_description: Install an archive into a versioned directory behind a symbolic link
description:
  - The archive is unpacked beside O(path) and moved there when it is complete and on disk. A file in the directory
    names the archive's checksum; a directory without it, or with another one, is never taken for good, and replaced.
  - Without O(src) nothing is unpacked; RV(installed) says whether it would have to be.
options:
  path: {description: The version's own directory., type: path, required: true}
  checksum: {description: The archive's pinned checksum., type: str, required: true}
  src: {description: "The archive on the host, a tar with one directory at its top.", type: path}
  link: {description: The symbolic link that points to the version in use., type: path, required: true}
  launcher:
    description:
      - A program that runs the tool under whose name it is called. Each C(bin/*.sh) gets a link to it in
        C(/usr/local/bin).
    type: path
    required: true
author: Stock market streaming
"""

EXAMPLES = r"""
- name: Install the archive
  stock_market.streaming.versioned_archive:
    path: /opt/tool-1.2
    checksum: "sha512:..."
    src: /var/tmp/tool.tgz
    link: /opt/tool
    launcher: /usr/local/libexec/tool
"""

RETURN = r"""
installed: {description: Whether the version is now in place., type: bool, returned: always}
path: {description: "The version's own directory.", type: str, returned: always}
"""

MARKER = ".installed-from"
COMMANDS = Path("/usr/local/bin")


def is_installed(path: Path, checksum: str) -> bool:
    """Say whether the directory `path` was unpacked, completely, from the archive of this checksum."""
    try:
        return (path / MARKER).read_text(encoding="ascii").strip() == checksum
    except FileNotFoundError:
        return False


def unpack(module: AnsibleModule, src: Path, path: Path, checksum: str) -> None:
    """Replace `path` by what the archive `src` holds."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".unpacking-") as scratch:
        fresh = Path(scratch, "fresh")
        fresh.mkdir()
        command = ["tar", "--extract", "--no-same-owner", f"--file={src}", f"--directory={fresh}"]
        module.run_command(command, check_rc=True)
        tops = list(fresh.iterdir())
        if len(tops) != 1:
            module.fail_json(msg=f"{src} has {len(tops)} entries at its top, not one directory; it is no such archive.")
        (tops[0] / MARKER).write_text(f"{checksum}\n", encoding="ascii")
        os.sync()
        if path.exists():
            path.rename(Path(scratch, "old"))
        tops[0].rename(path)


def point(link: Path, target: Path, *, check_mode: bool) -> bool:
    """Make `link` a symbolic link to `target`, in one step; return whether it had to change."""
    if link.is_symlink() and link.readlink() == target:
        return False
    if not check_mode:
        draft = link.with_name(f".{link.name}.new")
        draft.unlink(missing_ok=True)
        draft.symlink_to(target)
        draft.replace(link)
    return True


def link_commands(path: Path, launcher: Path, *, check_mode: bool) -> bool:
    """Give every tool its link, take away those of tools that are gone; return whether anything had to change."""
    wanted = {tool.name for tool in path.glob("bin/*.sh")}
    stale = [
        link
        for link in COMMANDS.glob("*.sh")
        if link.name not in wanted and link.is_symlink() and link.readlink() == launcher
    ]
    if not check_mode:
        for link in stale:
            link.unlink()
    changes = [point(COMMANDS / name, launcher, check_mode=check_mode) for name in sorted(wanted)]
    return bool(stale) or any(changes)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "checksum": {"type": "str", "required": True},
            "src": {"type": "path"},
            "link": {"type": "path", "required": True},
            "launcher": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    options = module.params
    path, check_mode = Path(options["path"]), module.check_mode
    missing = not is_installed(path, options["checksum"])
    if missing and options["src"] is None:
        module.exit_json(changed=False, installed=False, path=str(path))
    if missing and not check_mode:
        unpack(module, Path(options["src"]), path, options["checksum"])
    pointed = point(Path(options["link"]), path, check_mode=check_mode)
    linked = link_commands(path, Path(options["launcher"]), check_mode=check_mode)
    module.exit_json(changed=missing or pointed or linked, installed=True, path=str(path))


if __name__ == "__main__":
    main()
