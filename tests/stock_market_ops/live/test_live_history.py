"""Older candles from Athena: the ones that the quotes make, for one symbol however it is named, asked once."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from tests.stock_market_ops.report.test_report_program import quote
from tests.support.small_cloud import SmallCloud

from stock_market_ops.live.history import AthenaHistory

ODD = "O'Neil <img src=x> OR '1'='1"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallCloud]:
    """A deployment with quotes of two symbols."""
    running = SmallCloud(tmp_path_factory.mktemp("cloud"))
    running.make_table()
    running.store([quote(0, "A", 0, 10.0), quote(1, ODD, 1, 20.0), quote(2, ODD, 4, 24.0), quote(3, ODD, 400, 8.0)])
    yield running
    running.close()


def test_candles_are_those_of_the_symbol_oldest_first(cloud: SmallCloud) -> None:
    found = AthenaHistory(cloud.deployment).older(ODD, 5)
    assert found["problem"] == ""
    assert [candle[1:] for candle in found["candles"]] == [[20.0, 24.5, 20.0, 24.25, 20], [8.0, 8.5, 8.0, 8.25, 10]]
    first, second = (candle[0] for candle in found["candles"])
    assert (second - first, first % 5) == (400, 0)


def test_an_answer_is_used_again(cloud: SmallCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    history = AthenaHistory(cloud.deployment)
    found = history.older("A", 60)
    assert len(found["candles"]) == 1
    monkeypatch.setattr("stock_market_ops.live.history.athena.run", None)
    assert history.older("A", 60) is found


def test_a_failure_is_one_sentence_and_is_tried_again(cloud: SmallCloud) -> None:
    broken = msgspec.structs.replace(cloud.deployment, table="none")
    history = AthenaHistory(broken)
    for _ in range(2):
        found = history.older("A", 5)
        assert found["candles"] == []
        assert found["problem"].startswith("No older candles: ")
