"""What docs/aws.md promises is tested where it says so, and links between pages hold."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "aws.md"


def test_every_test_that_the_page_names_is_there() -> None:
    named = re.findall(r"`((?:tests|molecule)/[\w/]+\.py)(?:::(\w+))?`", PAGE.read_text(encoding="utf-8"))
    assert named
    missing = []
    for path, function in named:
        file = ROOT / path
        if not file.exists() or (function and f"def {function}(" not in file.read_text(encoding="utf-8")):
            missing.append(f"{path}::{function}")
    assert missing == []


def test_every_row_names_a_source_and_a_test() -> None:
    tables = PAGE.read_text(encoding="utf-8").partition("## What differs")[0]
    rows = [
        line for line in tables.splitlines() if line.startswith("| ") and not line.startswith(("| behaviour", "| ---"))
    ]
    for row in rows:
        _, behaviour, source, test, _ = re.split(r"(?<!\\)\|", row)
        assert behaviour.strip(), row
        assert source.strip(), row
        assert "`" in test or test.strip() == "the same", row


def test_every_link_of_a_page_leads_to_a_file_and_a_heading_here() -> None:
    broken = []
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")):
        for link in re.findall(r"\]\((?!https?:)([^)]*)\)", page.read_text(encoding="utf-8")):
            path, _, heading = link.partition("#")
            target = page.parent / path if path else page
            if not target.exists() or (heading and heading not in anchors(target)):
                broken.append(f"{page.name}: {link}")
    assert broken == []


def anchors(page: Path) -> set[str]:
    """A page's headings as GitHub makes links of them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
