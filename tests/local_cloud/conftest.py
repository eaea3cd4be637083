"""What several of the local cloud's tests need."""

from __future__ import annotations

from pathlib import Path

import pytest

from local_cloud.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A deployment of the tests' own, with its state in a temporary directory."""
    return Settings("unit-test", 77, tmp_path / "unit-test")
