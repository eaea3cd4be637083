"""The unit tests' longest files come first, and each file has a name of its own."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.conftest import LONG, LONGEST, pytest_collection_modifyitems

_TESTS = Path(__file__).resolve().parents[1]


def test_the_longest_files_exist_and_come_first_and_all_else_stays_in_order() -> None:
    assert all((_TESTS / name).is_file() for name in (*LONG, *LONGEST))
    assert set(LONG) <= set(LONGEST)
    names = ["analyses/a.py", *reversed(LONGEST), "modules/b.py"]
    long: list[Path] = []
    items: list[Any] = [_item(name, number, long) for name in names for number in (1, 2)]
    pytest_collection_modifyitems(items)
    expected = [*LONGEST, "analyses/a.py", "modules/b.py"]
    assert [(item.path, item.number) for item in items] == [(_TESTS / name, n) for name in expected for n in (1, 2)]
    assert set(long) == {_TESTS / name for name in LONG}


def _item(name: str, number: int, long: list[Path]) -> SimpleNamespace:
    path = _TESTS / name
    return SimpleNamespace(
        path=path, number=number, add_marker=lambda marker: long.append(path) if marker == "long" else None
    )


def test_the_makefile_has_the_files_handed_out_in_that_order() -> None:
    assert "--dist loadfile --no-loadscope-reorder" in (_TESTS.parent / "Makefile").read_text()


def test_no_two_files_of_tests_have_one_name() -> None:
    """Pytest imports them by their names alone, and so can't collect the second."""
    names = Counter(path.name for path in _TESTS.rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []
