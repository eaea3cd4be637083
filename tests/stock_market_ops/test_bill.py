"""The cost of a month: each item follows from the declared rate, the topology and the declared use."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.stock_market_ops.test_plan import costs as document
from tests.stock_market_ops.test_plan import nodes

from stock_market_ops.plan import bill, history, iceberg, prices, usage
from stock_market_ops.plan.facts import Costs

TABLE = prices.load()
SECONDS = 730 * 3600
CLUSTER = [
    *({"name": f"kafka-{zone}", "type": "t3.medium", "zone": zone, "services": ["kafka"]} for zone in "abc"),
    *(
        {"name": f"pipeline-{zone}", "type": "t3.small", "zone": zone, "services": ["stock_producer", "stock_consumer"]}
        for zone in "ab"
    ),
]


def costs(*, stream: dict[str, Any] | None = None, use: dict[str, Any] | None = None, **changes: Any) -> Costs:
    found = document(**changes)
    found["stream"] = found["stream"] | {"rate": 50} | (stream or {})
    found["use"] = found["use"] | (use or {})
    return msgspec.convert(found, Costs)


def month(name: str, reckoned: Costs) -> float:
    (item,) = [item for item in bill.items(reckoned, TABLE) if item.name.startswith(name)]
    assert item.month is not None
    return item.month


def test_an_object_is_written_per_partition_and_flush_and_where_an_hour_ends() -> None:
    assert usage.objects(costs().stream) == pytest.approx(3 * (SECONDS / 30 + 730))
    assert month("S3 PUTs", costs()) == pytest.approx(3 * (SECONDS / 30 + 730) / 1000 * 0.0054)
    # Large objects are cut by their bytes; a slow stream has no more objects than records.
    fast = costs(stream={"rate": 100_000}).stream
    assert usage.objects(fast) == pytest.approx(3 * (100_000 / 3 * SECONDS * 245 / (64 << 20) + 730))
    assert usage.objects(costs(stream={"rate": 0.001}).stream) == pytest.approx(0.001 * SECONDS)


def test_one_zone_pays_no_traffic_and_three_pay_replicas_and_both_ways() -> None:
    assert month("GB between zones", costs()) == 0
    spread = costs(instances=CLUSTER, stream={"replicas": 3})
    gigabytes = 50 * SECONDS * 200 / 1e9
    # Two of three leaders are in another zone than a producer or a consumer, and both followers of each leader are.
    assert usage.cross_zone_bytes(spread) / 1e9 == pytest.approx(gigabytes * (2 / 3 + 2 + 2 / 3))
    assert month("GB between zones", spread) == pytest.approx(gigabytes * (2 / 3 + 2 + 2 / 3) * 0.02)


def test_a_crawl_is_billed_for_ten_minutes_of_two_dpus() -> None:
    assert month("crawls of 10 minutes", costs(use={"crawls": 30})) == pytest.approx(30 * 2 * 0.44 / 6)


def test_queries_pay_for_each_object_that_they_read_and_for_ten_megabytes_at_least() -> None:
    daily, all_of_it = ({"analyses": 30, "days_read": days} for days in (1, 31))
    objects = usage.objects(costs().stream)
    assert usage.requests(costs(use=all_of_it), 300)[0] == pytest.approx(300 * objects)
    assert usage.requests(costs(use=daily), 300)[0] == pytest.approx(300 * objects * 24 / 730)
    day = 50 * SECONDS * 40 * 24 / 730
    assert month("queries in Athena", costs(use=daily)) == pytest.approx(300 * day / 1e12 * 5)
    slow = costs(stream={"rate": 1}, use=daily)
    assert month("queries in Athena", slow) == pytest.approx(300 * 10e6 / 1e12 * 5)


WITH_HISTORY = [{"name": "node-1", "type": "t3.small", "zone": "a", "services": ["kafka", "stock_history"]}]


def items_of_history(rate: float, **use: Any) -> tuple[Costs, dict[str, float]]:
    reckoned = costs(instances=WITH_HISTORY, stream={"rate": rate}, use=use)
    found = [item for item in bill.items(reckoned, TABLE) if item.name.startswith("history: ")]
    return reckoned, {item.name.removeprefix("history: "): item.month or 0.0 for item in found}


def test_a_deployment_without_the_history_pays_nothing_for_it() -> None:
    assert not [item for item in bill.items(costs(), TABLE) if "history" in item.name]
    assert bill.history_saves(costs(), TABLE) == ""


@pytest.mark.parametrize("rate", [50, 5000])
def test_the_history_pays_for_four_queries_an_hour_and_for_each_object_twice(rate: float) -> None:
    reckoned, found = items_of_history(rate)
    raw, parquet = rate * 3600 * 40, rate * 3600 * 25
    scanned = 730 * (max(raw, 10e6) + max(raw + parquet, 10e6) + max(parquet, 10e6) + 10e6)
    assert found["UNLOADs and counts of each hour"] == pytest.approx(scanned / 1e12 * 5)
    objects = usage.objects(reckoned.stream)
    assert found["HEADs of raw objects"] == pytest.approx(objects / 1000 * 0.00043)
    files = 730 * (1 if rate == 50 else 4)
    gets = 2 * objects + 2 * files + 2 * 730 + 730 * 8 * 24
    assert found["GETs of Athena, and of manifests"] == pytest.approx(gets / 1000 * 0.00043)
    assert found["PUTs of files, manifests, results"] == pytest.approx((files + 10 * 730) / 1000 * 0.0054)
    held = rate * SECONDS * 25 + 730 * 60_000
    assert found["GiB in S3, and again each month"] == pytest.approx(held / (1 << 30) * 0.0245)
    assert found["calls to Glue"] == pytest.approx(730 * 30 / 1e6)
    assert found["LISTs"] > 0


def test_an_analysis_reads_the_newest_hours_raw_two_of_ten_two_hours_of_history_and_otherwise_sums() -> None:
    week, parquet = 7 * 24, 5000 * 3600 * 25
    reckoned = costs(instances=WITH_HISTORY, stream={"rate": 5000}, use={"analyses": 1, "days_read": 7})
    one = 1.5 * 5000 * 3600 * 40 + (week - 1.5) * 60_000 + 0.4 * parquet
    assert history.scanned_bytes(reckoned) == pytest.approx(usage.queries(reckoned) * one)
    crawl_gets, _ = usage.requests(reckoned, reckoned.use.crawls)
    gets = 1.5 / 730 * usage.objects(reckoned.stream) + 3 * (week - 1.5 + 0.4 * 4)
    assert history.requests(reckoned)[0] - crawl_gets == pytest.approx(usage.queries(reckoned) * gets)


def test_queries_over_the_history_scan_and_ask_less_by_what_the_plan_says_it_saves() -> None:
    use = {"analyses": 30, "days_read": 7}
    with_it, parts = items_of_history(5000, **use)
    without = costs(stream={"rate": 5000}, use=use)
    names = ("queries in Athena", "S3 GETs and LISTs")
    saved = sum(month(name, without) - month(name, with_it) for name in names)
    assert saved > 0.7 * sum(month(name, without) for name in names)
    assert bill.history_saves(with_it, TABLE) == (
        f"the history costs {sum(parts.values()):,.2f} a month ({sum(parts.values()) * 24 / 730:,.3f} a day), and the "
        f"300 queries over 7 days each cost {saved:,.2f} less with it"
    )


def test_the_iceberg_table_has_a_price_only_where_it_is_kept_and_pays_for_each_hour_and_day() -> None:
    assert not [item for item in bill.items(costs(instances=WITH_HISTORY), TABLE) if "iceberg" in item.name]
    assert not [item for item in bill.items(costs(iceberg=True), TABLE) if "iceberg" in item.name]
    before, with_it = (costs(instances=WITH_HISTORY, stream={"rate": 5000}, iceberg=on) for on in (False, True))
    found = {item.name.removeprefix("iceberg: "): item for item in bill.items(with_it, TABLE) if "iceberg" in item.name}
    assert [item for item in bill.items(with_it, TABLE) if "iceberg" not in item.name] == bill.items(before, TABLE)
    merged = 730 * 5000 * 3600 * 25 + 2 * 730 * 10e6
    assert found["MERGE and counts of each hour"].month == pytest.approx(merged / 1e12 * 5)
    assert found["MERGE and counts of each hour"].count == 3 * 730
    assert found["OPTIMIZE of each day"].month == pytest.approx(5000 * SECONDS * iceberg.ICEBERG_BYTES / 1e12 * 5)
    held = 5000 * SECONDS * iceberg.ICEBERG_BYTES / (1 << 30)
    assert found["GiB in S3, and again each month"].month == pytest.approx(held * (1 + 2 * 24 / 730) * 0.0245)
    assert all(item.month for item in found.values())


def test_unlimited_credits_are_reckoned_at_full_load_and_standard_ones_cost_nothing() -> None:
    assert not [item for item in bill.items(costs(), TABLE) if "CPU credits" in item.name]
    unlimited = costs(cpu_credits="unlimited", instances=nodes("t3.small", "m5.xlarge"))
    (item,) = [item for item in bill.items(unlimited, TABLE) if "CPU credits" in item.name]
    assert item.month == pytest.approx(2 * (1 - 0.2) * 0.05 * 730)


def test_readers_outside_pay_for_traffic_out() -> None:
    assert month("GB to readers", costs(use={"readers_outside": 2})) == pytest.approx(
        2 * 50 * SECONDS * 200 / 1e9 * 0.09
    )


def test_private_subnets_pay_for_nat_gateways_in_place_of_the_instances_addresses() -> None:
    public = {item.name for item in bill.items(costs(instances=CLUSTER), TABLE)}
    private = costs(instances=CLUSTER, nat_gateways=3)
    more = {"NAT gateways", "GB through the NAT gateways", "Elastic IPs of the NAT gateways"}
    assert {item.name for item in bill.items(private, TABLE)} == public - {"Elastic IPs"} | more
    assert month("NAT gateways", private) == pytest.approx(3 * 0.052 * 730)
    assert month("GB through the NAT gateways", private) == pytest.approx(5 * 2 * 0.052)
    assert month("Elastic IPs of the NAT gateways", private) == pytest.approx(3 * 0.005 * 730)


def test_instances_in_other_zones_than_the_only_nat_gateway_pay_for_traffic_between_zones() -> None:
    # Two of the five are in the first zone.
    assert month("GB between zones to the NAT", costs(instances=CLUSTER, nat_gateways=1)) == pytest.approx(
        3 * 2 * 0.01 * 2
    )
    one_zone = costs(instances=nodes("t3.small", "t3.small"), nat_gateways=1)
    assert not [item for item in bill.items(one_zone, TABLE) if "to the NAT gateway" in item.name]


def test_a_month_above_the_budget_is_one_sentence_with_the_largest_items() -> None:
    whole = bill.total(bill.items(costs(), TABLE))
    assert bill.faults(costs(), whole + 0.01, TABLE) == []
    (sentence,) = bill.faults(costs(), whole - 0.01, TABLE)
    assert f"about {whole:,.2f} US dollars (eu-central-1, list prices of {TABLE.as_of})" in sentence
    assert "most of it: instances t3.small 17.52" in sentence


@pytest.mark.parametrize(
    ("changes", "named"), [({"region": "ap-south-1"}, "ap-south-1"), ({"instances": nodes("u7.x")}, "u7.x")]
)
def test_what_has_no_price_cannot_be_within_a_budget(changes: dict[str, Any], named: str) -> None:
    (sentence,) = bill.faults(costs(**changes), 1000, TABLE)
    assert named in sentence
    assert "set no budget" in sentence


def test_every_price_has_a_page_that_it_is_from() -> None:
    assert all(page.startswith("https://") for page in TABLE.sources.values())
    assert len(TABLE.sources) >= 9
