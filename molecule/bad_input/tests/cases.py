"""The form of a case of wrong input, and the cases about costs, access, alerts, metadata and storage."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from conftest import DISTANT_BUCKET, FOREIGN_BUCKET, OTHERS_BUCKET


@dataclass(frozen=True)
class Case:
    """A wrong input, and the sentence that a person gets; `{files}` in both stands for the directory of wrong files."""

    name: str
    sentence: str
    wrong: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    playbook: str = "playbooks/cloud.yml"
    options: tuple[str, ...] = ()


MONEY = [
    Case(
        "a month above the budget",
        "and stock_market_monthly_budget_usd is 5.00; most of it: ",
        {"stock_market_monthly_budget_usd": 5},
    ),
    Case(
        "a budget that is no number",
        "stock_market_monthly_budget_usd is 'ten': it is a number of US dollars, such as 50, or empty for no limit.",
        {"stock_market_monthly_budget_usd": "ten"},
    ),
    Case(
        "an alarm without a budget",
        "an alarm needs an address, such as me@example.com, and a budget above 0.",
        {"stock_market_budget_email": "me@example.com"},
    ),
]

ACCESS = [
    Case(
        "an access that there is not",
        "stock_market_access is 'telnet': the instances are reached by ssh or by ssm (Session Manager).",
        {"stock_market_access": "telnet"},
    ),
    Case(
        "subnets that there are not",
        "stock_market_subnets is 'hidden': the instances' subnets are public or private.",
        {"stock_market_subnets": "hidden"},
    ),
    Case(
        "private subnets that nothing reaches",
        "stock_market_subnets is private, and stock_market_access is ssh: nothing outside reaches instances in private "
        "subnets, so SSH goes through Session Manager (STOCK_MARKET_ACCESS=ssm).",
        environment={"STOCK_MARKET_SUBNETS": "private"},
    ),
    Case(
        "a number of NAT gateways that there is not",
        "network_nat_gateways is 'two': private subnets share one NAT gateway (one) or have one in each zone "
        "(per_zone).",
        {"network_nat_gateways": "two"},
    ),
]

ALERTS = [
    Case(
        "alerts to a place that there is not",
        "monitoring_notify is none of the three forms that it can have: https://<host>/<path> for a webhook,",
        environment={"STOCK_MARKET_NOTIFY": "ops@example.org"},
    ),
    Case(
        "alerts by e-mail without a mail server",
        "Alerts by e-mail need the mail server as monitoring_smtp_host, <host>:<port>, and the sender's address as",
        {"monitoring_notify": "mailto:ops@example.org"},
    ),
    Case(
        "alerts to an SNS topic without a role",
        "but the instance that carries monitoring does not carry stock_consumer, so it has no role that could publish",
        {
            "monitoring_notify": "arn:aws:sns:us-east-1:123456789012:alerts",
            "stock_market_instances": [
                {
                    "name": "node-1",
                    "id": 1,
                    "type": "t3.small",
                    "zone": "us-east-1a",
                    "services": ["zookeeper", "kafka", "monitoring"],
                }
            ],
        },
    ),
    Case(
        "an option of monitoring that there is not",
        "The role monitoring has no option monitoring_retention (did you mean monitoring_retention_mb",
        {"monitoring_retention": 5},
    ),
]


def metadata(services: list[str], kept: str, instances: int = 1) -> dict[str, Any]:
    """The extra variables of instances that each carry these services, and of where the metadata are kept."""
    node = {"type": "t3.small", "zone": "us-east-1a", "services": services}
    nodes = [node | {"name": f"node-{number}", "id": number} for number in range(1, instances + 1)]
    return {"stock_market_metadata": kept, "stock_market_instances": nodes}


METADATA = [
    Case(
        "a place of the metadata that there is not",
        "stock_market_metadata is 'etcd': Kafka's metadata are in ZooKeeper (zookeeper) or in controllers of Kafka's",
        {"stock_market_metadata": "etcd"},
    ),
    Case(
        "KRaft with a Kafka that is too old",
        "kafka_version is 3.8.1, and stock_market_metadata is kraft, which needs Kafka 3.9: set kafka_version to",
        {"stock_market_metadata": "kraft", "kafka_version": "3.8.1"},
    ),
    Case(
        "ZooKeeper with a Kafka that has none",
        "kafka_version is 4.3.1, which has no ZooKeeper, and stock_market_metadata is zookeeper: set it to kraft for a",
        {"kafka_version": "4.3.1"},
    ),
    Case(
        "Kafka 4 before 4.2",
        "kafka_version is 4.1.2: of Kafka 4, only 4.2 and later run here. Set it to 4.3.1.",
        {"stock_market_metadata": "kraft", "kafka_version": "4.1.2"},
    ),
    Case(
        "KRaft with ZooKeeper",
        "stock_market_instances gives the service zookeeper to node-1, and stock_market_metadata is kraft: give them "
        "kafka_controller instead, or set stock_market_metadata to zookeeper for a new deployment.",
        metadata(["zookeeper", "kafka_controller", "kafka"], "kraft"),
    ),
    Case(
        "ZooKeeper with a controller",
        "stock_market_instances gives the service kafka_controller to node-1, and stock_market_metadata is zookeeper: "
        "give them zookeeper instead, or set stock_market_metadata to kraft for a new deployment.",
        metadata(["zookeeper", "kafka_controller", "kafka"], "zookeeper"),
    ),
    Case(
        "KRaft without a controller",
        "stock_market_instances carries kafka: at least one instance needs the service kafka, and at least one the "
        "service kafka_controller.",
        metadata(["kafka"], "kraft"),
    ),
    Case(
        "an even number of controllers",
        "stock_market_instances gives the service kafka_controller to node-1, node-2: more than half of them have to",
        metadata(["kafka_controller", "kafka"], "kraft", 2),
    ),
]

STORAGE = [
    Case(
        "bucket of another deployment",
        f"The bucket '{OTHERS_BUCKET}' was not made by this deployment (its tag Deployment is 'another'): "
        "choose another name",
        {"stock_market_data_bucket": OTHERS_BUCKET},
    ),
    Case(
        "bucket of another account",
        f"The bucket '{FOREIGN_BUCKET}' belongs to somebody else's AWS account: choose another name",
        {"stock_market_data_bucket": FOREIGN_BUCKET},
    ),
    Case(
        "bucket in another region",
        f"The bucket '{DISTANT_BUCKET}' lies in eu-central-1, not in us-east-1: choose another name",
        {"stock_market_results_bucket": DISTANT_BUCKET},
    ),
    Case(
        "bucket's name with capitals",
        "'My_Bucket' can't be a bucket of this deployment: "
        "a bucket's name is 3 to 63 lower-case letters, digits and hyphens",
        {"stock_market_data_bucket": "My_Bucket"},
    ),
    Case(
        "database's name with a hyphen",
        "'stock-market' can't be a database that Athena reads: "
        "its name is 1 to 255 lower-case letters, digits and underscores",
        {"stock_market_database": "stock-market"},
    ),
]
