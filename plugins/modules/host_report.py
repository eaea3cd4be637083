#!/usr/bin/python
"""Ansible module: what a host's services say of themselves, without secrets, as one small archive."""

from __future__ import annotations

import base64
import io
import re
import subprocess
import tarfile
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: host_report
short_description: Configuration, journals, state and versions of a host's services
description:
  - Reads configuration files, the journals and the state of systemd units, and the versions of what runs, and returns
    them as one archive. Writes nothing on the host.
  - A private key is taken out of whatever it stands in, and so are the values of options and variables whose names tell
    of a secret, unless they only point to a file.
options:
  files:
    description: Configuration files, as shell patterns. What does not exist is passed over.
    type: list
    elements: str
    required: true
  units: {description: "systemd units, as patterns of C(systemctl).", type: list, elements: str, required: true}
  since: {description: "Where the journals begin, as C(journalctl --since) takes it.", type: str, default: -1 hour}
  journal_bytes: {description: "Most bytes of each unit's journal; its end is kept.", type: int, default: 1048576}
attributes:
  check_mode: {description: Only reads., support: full}
  diff_mode: {description: Has nothing to show., support: none}
author: stock-market
"""

EXAMPLES = r"""
- name: Read what the host has
  stock_market.streaming.host_report:
    files: [/etc/kafka/*.properties]
    units: [kafka.service]
  register: report
  no_log: true
"""

RETURN = r"""
archive: {description: "The files, a gzipped tar, in Base64.", type: str, returned: success}
problems: {description: "What could not be read, a sentence each.", type: list, elements: str, returned: success}
"""

SECONDS = 30
# A longer file is left out, and so is the beginning of what a command prints beyond that.
FILE_BYTES = 262144
REMOVED = "<removed>"
_SECRET_NAME = r"[\w.\-\[\]]*(?:password|passwd|secret|token|credential|private[._-]?key|access[._-]?key)[\w.\-]*"
# name=value or name: value, with or without quotes.
_ASSIGNMENT = re.compile(
    rf"(?i)(?P<name>[\"']?{_SECRET_NAME}[\"']?)(?P<sign>\s*[=:]\s*)(?P<value>\"[^\"\n]*\"|'[^'\n]*'|[^\s,;]+)"
)
_LINE = re.compile(rf"(?im)^(?P<name>\s*{_SECRET_NAME})(?P<sign>\s*[=:]\s*)(?P<value>.*\S)")
_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_VERSIONS = {
    "os-release": ["cat", "/etc/os-release"],
    "kernel": ["uname", "-a"],
    "java": ["java", "-version"],
    "kafka": ["readlink", "-f", "/opt/kafka"],
}
_PACKAGES = (
    "import importlib.metadata as m; print('\\n'.join(sorted(f'{d.name}=={d.version}' for d in m.distributions())))"
)


def _without(match: re.Match[str]) -> str:
    """The assignment without its value, unless that only says where a secret is."""
    name, value = match["name"].strip("\"' \t").lower(), match["value"].strip("\"'")
    if name.endswith(("_file", ".file", ".location", ".type", ".class")) or value.startswith(("${", "/")):
        return match[0]
    return f"{match['name']}{match['sign']}{REMOVED}"


def without_secrets(text: str) -> str:
    """The text without private keys and without the values of what is called a secret."""
    text = _KEY.sub(REMOVED, text)
    return _ASSIGNMENT.sub(_without, _LINE.sub(_without, text))


def tail(content: bytes, most: int) -> str:
    """The last `most` bytes as text, with a line that says so where there were more."""
    text = content[-most:].decode("utf-8", errors="replace")
    return text if len(content) <= most else f"[the first {len(content) - most} bytes are left out]\n{text}"


class Report:
    """Files of a report, and what could not be had."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        self.problems: list[str] = []

    def command(self, name: str, words: list[str], most: int = FILE_BYTES, codes: tuple[int, ...] = (0,)) -> None:
        """Keep what a command prints as the file `name`."""
        try:
            done = subprocess.run(words, capture_output=True, check=False, timeout=SECONDS)
        except FileNotFoundError:
            self.problems.append(f"{words[0]} is not installed, for {name}.")
            return
        except (OSError, subprocess.TimeoutExpired) as error:
            self.problems.append(f"{' '.join(words)} did not answer: {error}.")
            return
        self.files[name] = without_secrets(tail(done.stdout + done.stderr, most))
        if done.returncode not in codes:
            self.problems.append(f"{' '.join(words)} ended with {done.returncode}, see {name}.")

    def configuration(self, patterns: list[str], most: int) -> None:
        """Keep configuration files under their whole paths."""
        for path in sorted({path for pattern in patterns for path in Path("/").glob(pattern.lstrip("/"))}):
            try:
                with path.open("rb") as stream:
                    content = stream.read(most + 1)
            except OSError as error:
                self.problems.append(f"{path} cannot be read: {error}.")
                continue
            if len(content) > most:
                self.problems.append(f"{path} is longer than {most} bytes and is left out.")
                continue
            self.files[f"config{path}"] = without_secrets(content.decode("utf-8", errors="replace"))

    def units(self, patterns: list[str], since: str, most: int) -> None:
        """Keep the state and the journal of every unit that is there."""
        listed = ["systemctl", "list-units", "--all", "--plain", "--no-legend", "--no-pager", *patterns]
        try:
            done = subprocess.run(listed, capture_output=True, text=True, check=False, timeout=SECONDS)
        except (OSError, subprocess.TimeoutExpired) as error:
            self.problems.append(f"systemctl did not answer: {error}.")
            return
        names = sorted({line.split()[0] for line in done.stdout.splitlines() if line.split()})
        for name in names:
            # 3 and 4 are what systemctl says of a unit that does not run or is not there.
            self.command(
                f"status/{name}.txt",
                ["systemctl", "status", "--no-pager", "--full", "--lines=0", name],
                codes=(0, 3, 4),
            )
            words = ["journalctl", "--no-pager", "--output=short-iso-precise", f"--since={since}", f"--unit={name}"]
            self.command(f"journal/{name}.log", words, most)

    def versions(self) -> None:
        """Keep the versions of what runs."""
        for name, words in _VERSIONS.items():
            self.command(f"versions/{name}.txt", words)
        for python in sorted(Path("/opt/stock-market/environments").glob("*/bin/python")):
            self.command(f"versions/python-{python.parts[-3]}.txt", [str(python), "-c", _PACKAGES])
        self.command("versions/failed-units.txt", ["systemctl", "--failed", "--no-pager", "--plain"])

    def archive(self) -> str:
        """The files as a gzipped tar in Base64."""
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w:gz") as tar:
            for name, text in sorted(self.files.items()):
                content, entry = text.encode(), tarfile.TarInfo(name)
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
        return base64.b64encode(out.getvalue()).decode()


def run(options: dict[str, Any]) -> dict[str, Any]:
    """Read everything; return the module's result."""
    report = Report()
    report.configuration(options["files"], FILE_BYTES)
    report.units(options["units"], options["since"], options["journal_bytes"])
    report.versions()
    return {"changed": False, "archive": report.archive(), "problems": report.problems}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "files": {"type": "list", "elements": "str", "required": True},
            "units": {"type": "list", "elements": "str", "required": True},
            "since": {"type": "str", "default": "-1 hour"},
            "journal_bytes": {"type": "int", "default": 1048576},
        },
        supports_check_mode=True,
    )
    if module.params["journal_bytes"] < 1:
        module.fail_json(msg=f"journal_bytes is {module.params['journal_bytes']}: say 1 or more.")
    module.exit_json(**run(module.params))


if __name__ == "__main__":
    main()
