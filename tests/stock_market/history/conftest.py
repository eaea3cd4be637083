"""One local cloud with one Trino for all tests of the history."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.small_cloud import SmallCloud
from tests.support.stock_market.history import Deployment


@pytest.fixture(scope="package")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallCloud]:
    """S3, Glue and Athena."""
    running = SmallCloud(tmp_path_factory.mktemp("cloud"))
    yield running
    running.close()


@pytest.fixture
def deployment(cloud: SmallCloud) -> Deployment:
    """A catalog of the test's own: raw objects of none, and no history."""
    return Deployment(cloud)
