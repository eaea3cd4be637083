#!/usr/bin/python
"""Ansible module: unpacks an archive into a versioned directory behind a link, whole or not at all."""

from __future__ import annotations

DOCUMENTATION = r"""
module: versioned_archive
short_description: Install an archive into a versioned directory behind a symbolic link
description:
  - The archive is unpacked beside O(path) and moved there when it is complete and on disk. A file in the directory names the
    archive's checksum, so that a directory without it, or with another one, is never taken for good and is replaced.
  - Without O(src) nothing is unpacked; RV(installed) says whether it would have to be.
options:
  path: {description: The version's own directory., type: path, required: true}
  checksum: {description: The archive's pinned checksum., type: str, required: true}
  src: {description: "The archive on the host, a tar with one directory at its top.", type: path}
  link: {description: The symbolic link that points to the version in use., type: path, required: true}
  launcher:
    description: A program that runs the tool under whose name it is called; each C(bin/*.sh) gets a link to it in O(commands).
    type: path
    required: true
  commands: {description: A directory on everybody's PATH., type: path, default: /usr/local/bin}
author: Stock market streaming
"""

EXAMPLES = r"""
- name: Install the archive
  versioned_archive:
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

import glob
import os
import tempfile

from ansible.module_utils.basic import AnsibleModule

MARKER = ".installed-from"


def is_installed(path: str, checksum: str) -> bool:
    """Say whether the directory `path` was unpacked, completely, from the archive of this checksum."""
    try:
        with open(os.path.join(path, MARKER), encoding="ascii") as stream:
            return stream.read().strip() == checksum
    except FileNotFoundError:
        return False


def unpack(module: AnsibleModule, src: str, path: str, checksum: str) -> None:
    """Replace `path` by what the archive `src` holds."""
    parent = os.path.dirname(path)
    with tempfile.TemporaryDirectory(dir=parent, prefix=".unpacking-") as scratch:
        os.chmod(scratch, 0o755)
        fresh = os.path.join(scratch, "fresh")
        os.mkdir(fresh)
        module.run_command(
            ["tar", "--extract", "--no-same-owner", f"--file={src}", f"--directory={fresh}"], check_rc=True
        )
        tops = os.listdir(fresh)
        if len(tops) != 1:
            module.fail_json(msg=f"{src} has {len(tops)} entries at its top, not one directory; it is no such archive.")
        top = os.path.join(fresh, tops[0])
        with open(os.path.join(top, MARKER), "w", encoding="ascii") as stream:
            stream.write(f"{checksum}\n")
        os.sync()
        if os.path.lexists(path):
            os.rename(path, os.path.join(scratch, "old"))
        os.rename(top, path)


def point(link: str, target: str, check_mode: bool) -> bool:
    """Make `link` a symbolic link to `target`, in one step; return whether it had to change."""
    if os.path.islink(link) and os.readlink(link) == target:
        return False
    if not check_mode:
        draft = f"{link}.new"
        if os.path.lexists(draft):
            os.unlink(draft)
        os.symlink(target, draft)
        os.replace(draft, link)
    return True


def link_commands(path: str, commands: str, launcher: str, check_mode: bool) -> bool:
    """Give every tool its link, take away those of tools that are gone; return whether anything had to change."""
    wanted = {os.path.basename(tool) for tool in glob.glob(os.path.join(path, "bin", "*.sh"))}
    changed = False
    for link in glob.glob(os.path.join(commands, "*.sh")):
        if os.path.islink(link) and os.readlink(link) == launcher and os.path.basename(link) not in wanted:
            changed = True
            if not check_mode:
                os.unlink(link)
    for name in sorted(wanted):
        changed = point(os.path.join(commands, name), launcher, check_mode) or changed
    return changed


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "checksum": {"type": "str", "required": True},
            "src": {"type": "path"},
            "link": {"type": "path", "required": True},
            "launcher": {"type": "path", "required": True},
            "commands": {"type": "path", "default": "/usr/local/bin"},
        },
        supports_check_mode=True,
    )
    options = module.params
    path, check_mode = options["path"], module.check_mode
    if not is_installed(path, options["checksum"]):
        if options["src"] is None:
            module.exit_json(changed=False, installed=False, path=path)
        if not check_mode:
            unpack(module, options["src"], path, options["checksum"])
        changed = True
    else:
        changed = False
    changed = point(options["link"], path, check_mode) or changed
    changed = link_commands(path, options["commands"], options["launcher"], check_mode) or changed
    module.exit_json(changed=changed, installed=True, path=path)


if __name__ == "__main__":
    main()
