"""A local cloud's names and addresses, and the sentences for wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from local_cloud.errors import LocalCloudError
from local_cloud.settings import Settings


def test_everything_listens_inside_the_block(settings: Settings) -> None:
    assert settings.endpoint_url == "http://127.77.77.1:4566"
    assert settings.gateway_address == "198.18.77.1"
    assert settings.public_network == "198.18.77.0/24"


@pytest.mark.parametrize("name", ["", "ab", "Stock", "1stock", "stock-", "a" * 25, "stock_market"])
def test_a_malformed_deployment_is_refused_with_the_rule(name: str) -> None:
    with pytest.raises(LocalCloudError, match="3 to 24 lower-case letters"):
        Settings(name, 7, Path("/tmp") / name)


@pytest.mark.parametrize("block", [-1, 0, 255, 1000])
def test_a_block_out_of_range_is_refused(block: int) -> None:
    with pytest.raises(LocalCloudError, match="number from 1 to 254"):
        Settings("stock", block, Path("/tmp/stock"))


def test_a_state_directory_of_another_deployment_is_refused() -> None:
    with pytest.raises(LocalCloudError, match="must end with that name"):
        Settings("stock", 7, Path("/tmp/other"))
