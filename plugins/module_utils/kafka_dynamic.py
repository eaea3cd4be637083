"""What is set for all brokers at once while they run, and what each of them makes of it.

The cluster's resource has an empty name, for which kafka-python's own methods want a broker's number.
https://kafka.apache.org/39/documentation.html#dynamicbrokerconfigs
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_cluster import ask

with contextlib.suppress(ImportError):
    from kafka.admin import ConfigResourceType
    from kafka.errors import InvalidConfigurationError, InvalidRequestError, NoError, for_code
    from kafka.protocol.admin import DescribeConfigsRequest, IncrementalAlterConfigsRequest

_CLUSTER = ""
_SET, _DELETE = 0, 1
# Numbers of a configuration's source in Kafka's protocol.
_OF_BROKER, _OF_CLUSTER = 2, 3


@dataclass(frozen=True)
class Property:
    """A property as one broker has it at the moment, and where that comes from; `fallback` is without the cluster's."""

    value: str | None
    of_broker: bool
    of_cluster: bool
    fallback: str | None


def declared(admin: Any, node: int | None = None) -> dict[str, str | None]:
    """Return what is set for all brokers, as `node` or any knows it; None where Kafka keeps the value to itself."""
    return {config["name"]: config["value"] for config in _describe(admin, node, _CLUSTER, None)}


def properties(admin: Any, broker: int, names: Collection[str]) -> dict[str, Property]:
    """Return those of the properties that the broker knows, as they hold there."""
    found = {}
    for config in _describe(admin, broker, str(broker), sorted(names)):
        source, synonyms = config["config_source"], config["synonyms"]
        fallback = next((each["value"] for each in synonyms if each["source"] != _OF_CLUSTER), None)
        found[config["name"]] = Property(config["value"], source == _OF_BROKER, source == _OF_CLUSTER, fallback)
    return found


def _describe(admin: Any, node: int | None, resource: str, names: list[str] | None) -> list[dict[str, Any]]:
    wanted = [(ConfigResourceType.BROKER, resource, names)]
    request = DescribeConfigsRequest(resources=wanted, include_synonyms=True, min_version=1)
    (result,) = ask(admin, request, node)["results"]
    error = for_code(result["error_code"])
    if error is not NoError:
        raise error(result["error_message"])
    found: list[dict[str, Any]] = result["configs"]
    return found


def refusal(admin: Any, node: int, changes: Mapping[str, str | None], *, validate_only: bool) -> str:
    """Set these properties for all brokers, all of them or none; None takes one away.

    Returns:
        In Kafka's words why it took none of them; nothing where it did.
    """
    operations = [(name, _DELETE if value is None else _SET, value) for name, value in changes.items()]
    wanted = [(ConfigResourceType.BROKER, _CLUSTER, operations)]
    request = IncrementalAlterConfigsRequest(resources=wanted, validate_only=validate_only)
    (answer,) = ask(admin, request, node)["responses"]
    error = for_code(answer["error_code"])
    if error is NoError:
        return ""
    if error in (InvalidConfigurationError, InvalidRequestError):
        return plain(answer["error_message"] or error.description)
    raise error(answer["error_message"])


def plain(message: str) -> str:
    """Return what Kafka says of a value, without the names of its own classes around it."""
    wrapped = re.fullmatch(r"Invalid value \S+Exception: (.*) for configuration Invalid dynamic configuration", message)
    return (wrapped[1] if wrapped else message).removeprefix("requirement failed: ").rstrip(".")


def same(one: str | None, other: str | None) -> bool:
    """Whether Kafka reads the same from both: 0.50 and 0.5, TRUE and true, `a, b` and `a,b`."""
    if one is None or other is None:
        return one is other
    try:
        return float(one) == float(other)
    except ValueError:
        return [part.strip().casefold() for part in one.split(",")] == [
            part.strip().casefold() for part in other.split(",")
        ]
