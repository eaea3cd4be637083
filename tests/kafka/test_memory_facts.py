"""Promises of the module memory_facts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from plugins.modules import memory_facts
from tests.kafka.conftest import Run


def test_the_fact_is_the_memory_of_this_machine(run: Run) -> None:
    facts = run("memory_facts")["ansible_facts"]
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert facts == {"ansible_memtotal_mb": pages // 2**20}


def test_a_machine_that_does_not_report_its_memory_is_an_error(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "meminfo").write_text("nothing\n")
    monkeypatch.setattr(memory_facts, "MEMINFO", tmp_path / "meminfo")
    assert "does not say how much memory" in run("memory_facts")["msg"]
