"""Promises of the module started_with_info."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from plugins.modules.started_with_info import differing


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    found = [tmp_path / "server.properties", tmp_path / "with a space"]
    for path in found:
        path.write_text(f"{path.name}\n")
    return found


@pytest.fixture
def record(tmp_path: Path, files: list[Path]) -> Path:
    """What a unit's ExecStartPre writes."""
    path = tmp_path / "started-with"
    with path.open("wb") as output:
        subprocess.run(["/usr/bin/sha256sum", *files], stdout=output, check=True)
    return path


def test_files_as_they_were_differ_in_nothing(record: Path) -> None:
    assert differing(record) == []


def test_a_changed_and_a_removed_file_are_named(record: Path, files: list[Path]) -> None:
    files[0].write_text("log.retention.hours=1\n")
    assert differing(record) == [str(files[0])]
    files[1].unlink()
    assert differing(record) == [str(path) for path in files]


@pytest.mark.parametrize("content", [None, ""])
def test_without_a_record_it_is_the_record_that_differs(record: Path, content: str | None) -> None:
    record.unlink() if content is None else record.write_text(content)
    assert differing(record) == [str(record)]
