"""`make plan`: the judgement, the prices, the screen, and what it says where nobody can be asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from stock_market_ops.common.deployment import ROOT
from stock_market_ops.plan import bill, prices, screen
from stock_market_ops.plan import obstacles as judge
from stock_market_ops.plan.command import PlanError, facts_of
from stock_market_ops.plan.facts import Facts

SERVICES = ["zookeeper", "kafka", "stock_producer", "stock_consumer"]


def quota(limit: int | None, used: int) -> dict[str, Any]:
    return {"limit": limit, "used": used, "code": "L-1", "unknown": "" if limit is not None else "no answer"}


def costs(**changes: Any) -> dict[str, Any]:
    """What a month's bill of one instance follows from, with nothing streamed and nothing asked."""
    stream = {"rate": 0, "bytes_per_record": 200, "partitions": 3, "replicas": 1}
    flush = {"flush_seconds": 30, "flush_records": 1_000_000, "flush_bytes": 64 << 20}
    document: dict[str, Any] = {
        "region": "eu-central-1",
        "instances": nodes("t3.small"),
        "volume_gib": 20,
        "elastic_ip": True,
        "cpu_credits": "standard",
        "stream": stream | flush,
        "use": {"crawls": 0, "analyses": 0, "queries": 10, "days_read": 1, "readers_outside": 0},
    }
    return document | changes


def facts(**changes: Any) -> Facts:
    """One new instance in an empty account where all is well."""
    document: dict[str, Any] = {
        "deployment": "mine",
        "region": "eu-central-1",
        "endpoint_url": "",
        "cloud_answers": True,
        "account": "123456789012",
        "caller": "arn:aws:iam::123456789012:user/me",
        "zones": ["eu-central-1a"],
        "image": {"name": "debian-12-amd64-1", "id": "ami-1", "architecture": "x86_64"},
        "instance_types": {
            "t3.small": {"memory_mib": 2048, "vcpus": 2, "zones": ["eu-central-1a"], "architectures": ["x86_64"]},
            "t3.nano": {"memory_mib": 512, "vcpus": 2, "zones": ["eu-central-1a"], "architectures": ["x86_64"]},
        },
        "existing": [],
        "instances": [{"name": "node-1", "type": "t3.small", "zone": "eu-central-1a", "services": SERVICES}],
        "heaps": {"t3.small": {"kafka": 512, "zookeeper": 128}, "t3.nano": {"kafka": 256, "zookeeper": 64}},
        "volume_gib": 20,
        "elastic_ip": True,
        "quotas": {"vcpus": quota(32, 0), "elastic_ips": quota(5, 0), "vpcs": quota(5, 1)},
        "buckets": {"mine-data-1": {"state": "absent", "tags": {}}},
        "database": "stock_market",
        "database_state": "free",
        "names": [{"kind": "role", "name": "mine-instance", "state": "free"}],
        "resources": [],
        "market_data": [],
        "obstacles": [],
        "lake_formation": {"iam_alone": True, "unknown": ""},
        "rights": {"principal": "arn:aws:iam::123456789012:user/me", "denied": [], "unknown": []},
    }
    document |= changes
    document.setdefault("costs", costs(instances=document["instances"], region=document["region"]))
    return msgspec.convert(document, Facts)


def nodes(*types: str) -> list[dict[str, Any]]:
    return [
        {"name": f"node-{number}", "type": name, "zone": "eu-central-1a", "services": SERVICES}
        for number, name in enumerate(types, 1)
    ]


def running(*names: str) -> list[dict[str, Any]]:
    return [{"name": name, "id": f"i-{name}", "type": "t3.small", "state": "running"} for name in names]


def test_nothing_is_in_the_way_of_one_instance_in_an_empty_account() -> None:
    assert judge.obstacles(facts()) == []


def test_heaps_that_take_more_than_half_of_an_instance_are_in_the_way() -> None:
    (sentence,) = judge.obstacles(facts(instances=nodes("t3.nano")))
    assert "256 MB for kafka and 64 MB for zookeeper" in sentence
    assert "larger type" in sentence


@pytest.mark.parametrize(
    ("name", "full"), [("vcpus", quota(4, 3)), ("elastic_ips", quota(5, 5)), ("vpcs", quota(5, 5))]
)
def test_a_quota_that_is_used_up_is_in_the_way(name: str, full: dict[str, Any]) -> None:
    known = {"vcpus": quota(32, 0), "elastic_ips": quota(5, 0), "vpcs": quota(5, 1)}
    (sentence,) = judge.obstacles(facts(quotas=known | {name: full}))
    assert judge.QUOTAS[name] in sentence
    assert "Service Quotas" in sentence


def test_an_unknown_quota_is_shown_as_unknown_and_prevents_nothing() -> None:
    found = facts(quotas={"vpcs": quota(None, 1)})
    assert judge.obstacles(found) == []
    said = screen.render(found, prices.load(), [])
    assert "VPCs: 1 used of a limit that is not known, 1 more needed" in said
    assert "limits: no answer" in said


def test_a_running_deployment_needs_nothing_more_of_a_quota_that_is_used_up() -> None:
    full = {"vcpus": quota(2, 2), "elastic_ips": quota(1, 1), "vpcs": quota(2, 2)}
    there = facts(existing=running("node-1"), resources=["instance", "elastic-ip", "vpc"], quotas=full)
    assert judge.obstacles(there) == []


def test_private_subnets_need_an_elastic_ip_for_each_nat_gateway_only() -> None:
    quotas = {"elastic_ips": quota(5, 4)}
    there = facts(costs=costs(nat_gateways=1), instances=nodes("t3.small", "t3.small"), quotas=quotas)
    assert judge.obstacles(there) == []
    assert "private: no instance has a public address" in screen.render(there, prices.load(), [])
    (sentence,) = judge.obstacles(facts(costs=costs(nat_gateways=2), elastic_ip=False, quotas=quotas))
    assert "has 4 and needs 2 more" in sentence


def test_a_name_that_something_else_has_is_in_the_way() -> None:
    (sentence,) = judge.obstacles(facts(names=[{"kind": "key-pair", "name": "mine", "state": "taken"}]))
    assert sentence.startswith("The key pair mine is there already")


def test_a_catalog_that_lake_formation_guards_is_in_the_way_of_a_new_database() -> None:
    guarded = {"iam_alone": False, "unknown": ""}
    (sentence,) = judge.obstacles(facts(lake_formation=guarded))
    assert "Use only IAM access control" in sentence
    assert judge.obstacles(facts(lake_formation=guarded, database_state="own")) == []
    unknown = facts(lake_formation={"iam_alone": None, "unknown": "Lake Formation does not tell it: no"})
    assert judge.obstacles(unknown) == []
    assert "Lake Formation does not tell it: no" in screen.render(unknown, prices.load(), [])


def test_what_the_roles_own_checks_say_comes_first() -> None:
    assert judge.obstacles(facts(obstacles=["No such zone."])) == ["No such zone."]


HISTORY = {
    "topic": "stock-quotes",
    "hours": 22.4,
    "wanted_hours": 168,
    "bytes_per_record": 152,
    "retention_bytes": 3900 << 20,
    "segment_bytes": 256 << 20,
    "volume_gib": 20,
    "rate": 1000,
}


def test_what_kafka_keeps_is_said_in_hours_and_what_would_keep_more() -> None:
    said = " ".join(screen.render(facts(history=HISTORY), prices.load(), []).split())
    assert (
        "history Kafka keeps 22 hours of stock-quotes at 1,000 records/s of about 152 bytes on disk, at most 3,900 "
        "MiB a partition "
        "(retention.bytes, by volumes of 20 GiB); retention.ms would keep 168 hours: a larger instances_volume_size or"
        in said
    )
    enough = " ".join(screen.render(facts(history=HISTORY | {"hours": 168.0}), prices.load(), []).split())
    assert "Kafka keeps 168 hours of stock-quotes" in enough
    assert "retention.ms" not in enough


def test_the_bill_is_the_sum_of_its_items() -> None:
    three = facts(instances=nodes("t3.small", "t3.small", "m5.xlarge"))
    standing = bill.items(three.costs, prices.load())[:4]
    assert [(item.name, item.count) for item in standing] == [
        ("instances m5.xlarge", 1),
        ("instances t3.small", 2),
        ("volumes gp3, 20 GiB each", 3),
        ("Elastic IPs", 3),
    ]
    assert [item.hour for item in standing] == pytest.approx([0.23, 0.048, 0.0952 * 60 / 730, 0.015])
    said = screen.render(three, prices.load(), [])
    assert f"{(0.23 + 0.048 + 0.015) * 730 + 0.0952 * 60:.2f}" in said


def test_a_type_or_a_region_without_a_price_is_said_plainly() -> None:
    region = prices.load().regions["eu-central-1"]
    assert region.instance_hour("u7i-12tb.224xlarge") is None
    said = screen.render(facts(instances=nodes("u7i.metal")), prices.load(), [])
    assert "no price" in said
    assert "sum without what has no price" in said
    assert "no price for ap-south-1" in screen.render(facts(region="ap-south-1"), prices.load(), [])


def test_every_region_prices_the_same_families_and_the_table_has_a_date() -> None:
    table = prices.load()
    assert len({frozenset(region.large) for region in table.regions.values()}) == 1
    assert table.as_of
    assert table.source


def test_instances_without_an_open_port_for_ssh_are_said_to_be_so() -> None:
    assert "no inbound port" not in screen.render(facts(), prices.load(), [])
    said = screen.render(facts(access="ssm"), prices.load(), [])
    assert "access" in said
    assert "SSH through Session Manager; no inbound port for it" in said


def test_the_answer_fits_on_one_screen() -> None:
    lines = screen.render(facts(instances=nodes(*["t3.small"] * 3)), prices.load(), ["Something."]).splitlines()
    assert len(lines) < 45
    assert max(map(len, lines)) <= 120


USER = "arn:aws:iam::123456789012:user/me"
DENIED = {"policy": "up", "action": "iam:CreateRole", "resource": "arn:aws:iam::123456789012:role/mine-glue"}
DENIED_LINE = "rights     denied: iam:CreateRole on arn:aws:iam::123456789012:role/mine-glue"


def test_what_iam_denies_is_in_the_way_and_named_a_line_each_with_the_command_that_helps() -> None:
    found = facts(rights={"principal": USER, "denied": [DENIED], "unknown": []})
    (sentence,) = judge.obstacles(found)
    assert "`make policies`" in sentence
    assert f"attach operator_up.json to {USER}" in sentence
    assert DENIED_LINE in screen.render(found, prices.load(), [sentence]).splitlines()


def test_of_very_many_denied_rights_the_screen_shows_forty_and_says_how_many_more() -> None:
    said = screen.render(facts(rights={"principal": USER, "denied": [DENIED] * 50, "unknown": []}), prices.load(), [])
    assert said.count("denied:") == 40
    assert "and 10 more" in said


@pytest.mark.parametrize(
    ("principal", "unknown", "line"),
    [
        (USER, [], "IAM allows all that make up needs"),
        ("arn:aws:iam::123456789012:root", [], "the account itself may do everything"),
        (USER, ["IAM does not tell it: no"], "not all is known: IAM does not tell it: no"),
    ],
)
def test_what_is_not_denied_is_in_nobodys_way(principal: str, unknown: list[str], line: str) -> None:
    found = facts(rights={"principal": principal, "denied": [], "unknown": unknown})
    assert judge.obstacles(found) == []
    assert f"rights     {line}" in screen.render(found, prices.load(), []).splitlines()


def output(*tasks: tuple[str, dict[str, Any]]) -> str:
    found = [{"task": {"name": name}, "hosts": {"localhost": result}} for name, result in tasks]
    return "task times\n" + json.dumps({"plays": [{"tasks": found}]}, indent=1) + "\ntask times"


def test_a_playbook_that_ends_early_gives_its_last_sentence() -> None:
    first, last = {"failed": True, "msg": "rescued"}, {"failed": True, "msg": "No AWS credentials were found."}
    with pytest.raises(PlanError, match="No AWS credentials"):
        facts_of(output(("Check", first), ("Ask", last)), "")


def test_a_playbook_that_iam_stops_says_all_that_is_denied_and_what_helps() -> None:
    rights = {"principal": USER, "denied": [DENIED], "unknown": []}
    last = {"failed": True, "msg": "EC2 does not tell which types there are."}
    with pytest.raises(PlanError) as told:
        facts_of(output(("Ask what of them IAM denies", rights), ("Ask", last)), "")
    first, helps, *_, end = str(told.value).splitlines()
    assert first == DENIED_LINE
    assert "`make policies`" in helps
    assert end == "EC2 does not tell which types there are."


def test_a_playbook_that_did_not_start_is_said_with_its_own_words() -> None:
    with pytest.raises(PlanError, match="unrecognized arguments: --frobnicate"):
        facts_of("usage: ...", "ansible-playbook: error: unrecognized arguments: --frobnicate\n\nusage: ...\n  --all\n")


def plan(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    offline = {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "PYTHONPATH": str(ROOT / "scripts"),
        "STOCK_MARKET_DEPLOYMENT": "not-there",
    }
    return subprocess.run(
        [sys.executable, "-m", "stock_market_ops.plan", *arguments],
        env=kept | offline | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_without_credentials_it_is_one_sentence_and_exit_code_1() -> None:
    done = plan("--inventory", "aws", STOCK_MARKET_OPERATOR_CIDR="203.0.113.7/32")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        "No AWS credentials were found: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.\n"
    )


def test_a_local_cloud_that_does_not_run_prevents_nothing_and_wrong_settings_do() -> None:
    wrong = {"stock_market_operator_cidr": "0.0.0.0/0", "instances_volume_size": 4, "identity_quotes_prefix": "quotes"}
    wrong |= {"stock_producer_mode": "replay", "stock_producer_csv_path": "quotes.csv"}
    done = plan("--", "-e", json.dumps(wrong | {"stock_market_monthly_budget_usd": "ten"}))
    said = " ".join(done.stdout.split())
    assert done.returncode == 1, done.stderr
    assert "the local cloud does not run" in done.stdout
    assert "would open SSH and Kafka to the whole internet" in said
    assert "instances_volume_size is 4" in done.stdout
    assert "'quotes' is no folder in a bucket" in done.stdout
    # make, and so the program, runs Ansible in the checkout.
    assert f"cannot read the CSV file {ROOT}/quotes.csv: there is no such file" in said
    assert "it is a number of US dollars, such as 50" in said


def test_market_data_is_judged_from_where_it_is_typed_and_shown_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "My Data").mkdir()
    file = tmp_path / "My Data" / "quotes.csv"
    file.write_text("Symbol,Date,Open,High,Low,Close\n{{ 7 * 7 }},2020-01-13,1,2,1,2\n<img src=x>,2020-01-14,1,2,1,2\n")
    replay = {"stock_producer_mode": "replay", "stock_producer_csv_cache_dir": str(tmp_path / "made")}
    # make, and so the program, runs Ansible in the checkout.
    for path in (os.path.relpath(file, ROOT), f"{tmp_path}/My*/*.csv"):
        done = plan("--", "-e", json.dumps(replay | {"stock_producer_csv_path": path}))
        assert done.returncode == 0, done.stdout + done.stderr
        assert "quotes.csv: 2 rows read, 0 skipped; columns as of common names" in done.stdout
        assert "2 symbols: <img src=x>, {{ 7 * 7 }}" in done.stdout


def test_a_size_that_is_not_at_hand_is_one_sentence_and_exit_code_1() -> None:
    done = plan(STOCK_MARKET_SIZE="huge")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "stock_market_size is 'huge': it is single or cluster (STOCK_MARKET_SIZE=...); any other topology stands in"
        " stock_market_instances.\n"
    )


def test_a_last_task_that_fails_is_no_answer() -> None:
    with pytest.raises(PlanError, match="has no attribute"):
        facts_of(output(("Give the answer", {"failed": True, "msg": "object has no attribute 'x'"})), "")


def test_a_rate_that_the_volume_holds_is_shown_in_hours_and_a_budget_above_the_month_is_in_nobodys_way() -> None:
    wanted = {"stock_producer_rate": 1000, "stock_market_monthly_budget_usd": 10_000}
    done = plan("--", "-e", json.dumps(wanted))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "history Kafka keeps 23 hours of stock-quotes at 1,000 records/s" in " ".join(done.stdout.split())


def test_a_rate_that_the_volume_cannot_hold_and_an_alarm_without_a_budget_are_refused() -> None:
    wanted = {"stock_producer_rate": 5000, "stock_market_budget_email": "me@example.com"}
    done = plan("--", "-e", json.dumps(wanted))
    said = " ".join(done.stdout.split())
    assert done.returncode == 1
    assert "At 5000 records/s of about 102 bytes" in said
    assert "set a larger instances_volume_size, a lower stock_producer_rate" in said
    assert "an alarm needs an address, such as me@example.com, and a budget above 0" in said


def test_a_budget_that_a_month_is_above_is_refused_in_one_sentence() -> None:
    done = plan("--", "-e", json.dumps({"stock_market_monthly_budget_usd": 10}))
    assert done.returncode == 1
    assert "and stock_market_monthly_budget_usd is 10.00; most of it:" in " ".join(done.stdout.split())


def test_up_compares_with_the_budget_before_it_makes_anything() -> None:
    tasks = yaml.safe_load((ROOT / "playbooks" / "cloud.yml").read_text(encoding="utf-8"))[0]["tasks"]
    roles = [task.get("ansible.builtin.import_role", {}) for task in tasks]
    checks = [role["name"] for role in roles if role.get("tasks_from") == "preflight"]
    assert "budget" in checks
    made = [role for role in roles if role and "tasks_from" not in role]
    assert roles.index({"name": "budget", "tasks_from": "preflight"}) < roles.index(made[0])
