"""Each fault of a library that a patch of ours mends is in the pinned release, by its reproducer for upstream."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.stock_market.services import Workbench, quote

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "upstream"
REPRODUCERS = {path.stem: path for path in FOLDER.glob("*.py")}
NEED_A_BROKER = ("claim_after_expulsion", "paused_partition", "rejoin_forgotten")


def require_fault(name: str, *arguments: str) -> None:
    """Run a reproducer, which fails as long as the fault is there."""
    command = [sys.executable, "-W", "ignore", str(REPRODUCERS[name]), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode != 0, f"the library is mended: what docs/upstream/README.md names for {name} can go"
    assert done.stderr.splitlines()[-1].startswith("AssertionError: "), done.stdout + done.stderr


@pytest.mark.parametrize("name", sorted(REPRODUCERS.keys() - set(NEED_A_BROKER)))
def test_the_fault_is_still_there(name: str) -> None:
    require_fault(name)


@pytest.mark.parametrize("name", NEED_A_BROKER)
def test_the_fault_is_still_there_with_a_broker(workbench: Workbench, name: str) -> None:
    workbench.create_topic(partitions=2)
    for partition in (0, 1):
        workbench.send([quote(number) for number in range(3000)], partition)
    require_fault(name, workbench.broker.address, workbench.topic)


def test_the_page_has_an_issue_for_each_reproducer() -> None:
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert [name for name in sorted(REPRODUCERS) if f"\n## {name}\n" not in page or f"`{name}.py`" not in page] == []
