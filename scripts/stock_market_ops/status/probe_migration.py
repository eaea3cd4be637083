"""How far a deployment is from ZooKeeper to controllers (`make migrate`), by what its hosts run; asked over SSH."""

from __future__ import annotations

import re

from stock_market_ops.common.deployment import Deployment
from stock_market_ops.status import hosts
from stock_market_ops.status.report import InstanceView, MigrationView

_BROKER, _CONTROLLER = "/run/kafka/server.properties", "/etc/kafka-controller/controller.properties"
_NAMES = "process.roles|zookeeper.connect|zookeeper.metadata.migration.enable"
_COMMAND = f"sudo -n grep -HsE '^({_NAMES})=' {_BROKER} {_CONTROLLER}"
_FLAG = "zookeeper.metadata.migration.enable=true"


def look(seen: list[InstanceView], deployment: Deployment) -> MigrationView | None:
    """Return how far it is; None where no migration is under way, which the services of the instances tell."""
    services = {service for instance in seen if instance.state == "running" for service in instance.services}
    if not {"zookeeper", "kafka_controller"} <= services:
        return None
    ask = hosts.Together(deployment, [(instance, _COMMAND) for instance in deployment.instances])
    done = {instance.name: ask(deployment, instance, _COMMAND) for instance in deployment.instances}
    return parse({name: "" if isinstance(answer, str) else answer.stdout for name, answer in done.items()})


def parse(outputs: dict[str, str]) -> MigrationView:
    """Return what the hosts' properties say, by the host's name; a host without them is left out."""
    brokers, controllers = {}, {}
    for name, output in outputs.items():
        broker, controller = (
            set(re.findall(rf"(?m)^{re.escape(path)}:(.*)$", output)) for path in (_BROKER, _CONTROLLER)
        )
        if broker:
            brokers[name] = (
                "kraft" if "process.roles=broker" in broker else "dual_write" if _FLAG in broker else "zookeeper"
            )
        if controller:
            controllers[name] = "migrating" if _FLAG in controller else "kraft"
    return MigrationView(brokers, controllers)
