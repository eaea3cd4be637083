"""Says at the consumer's start who sets the timestamps by which its objects are placed."""

from __future__ import annotations

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError

from stock_market.kafka import security
from stock_market.kafka.client import PATIENCE
from stock_market.logs import Log
from stock_market.settings import Kafka

_log = Log("consumer")
_SETTING = "message.timestamp.type"


def tell_timestamps(kafka: Kafka) -> None:
    """Logs the topic's `message.timestamp.type`; where Kafka does not tell it, that, and what to do."""
    kind, reason = "", ""
    try:
        kind = _timestamp_type(kafka)
    except KafkaError as error:
        reason = security.explain(error, kafka)
    except KeyError:  # kafka-python leaves out what the broker refuses to describe.
        reason = "the broker does not describe the topic's configuration to this user"
    if kind == "LogAppendTime":
        _log.info("timestamps", topic=kafka.topic, set_by="broker", timestamp_type=kind)
    elif kind:
        _log.warning(
            "timestamps",
            topic=kafka.topic,
            set_by="producer",
            timestamp_type=kind,
            advice="records whose timestamp is no time of this century go to the quarantine, and each change of the"
            " hour from one record to the next begins an object; LogAppendTime avoids both",
        )
    else:
        _log.warning(
            "timestamps",
            topic=kafka.topic,
            set_by="unknown",
            timestamp_type="unknown",
            error=reason,
            advice="the consumer's user needs DescribeConfigs on the topic, which the role kafka_users grants",
        )


def _timestamp_type(kafka: Kafka) -> str:
    resource = ConfigResource(ConfigResourceType.TOPIC, kafka.topic, {_SETTING: None})
    options = PATIENCE | security.options(kafka)
    del options["metrics_enabled"]  # Which an admin client does not have.
    with KafkaAdminClient(**options) as admin:
        found = admin.describe_configs([resource], config_filter="all")["topic"][kafka.topic]
    return str(found[_SETTING]["value"])
