"""Removes a consumer that will not come back from its group.

Run as `python -m stock_market.consumer.remove_member --config FILE`.
A static member that ends keeps its partitions until its session is over, in case it only restarts. This gives them up
at once. FILE is the settings that the consumer ran with; exit code 0 also where it was no member any more.
"""

from __future__ import annotations

import sys
import time

from kafka import KafkaAdminClient
from kafka.admin import MemberToRemove
from kafka.errors import KafkaError, NoError, UnknownMemberIdError

from stock_market import cli
from stock_market.errors import EXIT_OK, ServiceError
from stock_market.kafka import connections, security
from stock_market.logs import Log
from stock_market.settings import ConsumerSettings

_log = Log("leave")
_TIMEOUT_MS = 10_000


def leave(settings: ConsumerSettings) -> int:
    """Removes the member; returns the exit code.

    Raises:
        ServiceError: the group's coordinator does not answer, or refuses.
    """
    kafka = settings.kafka
    if not kafka.instance_id:
        return EXIT_OK  # A dynamic member leaves by itself when it ends.
    connections.mend()
    began = time.monotonic()
    try:
        admin = KafkaAdminClient(
            client_id=f"{kafka.client_id}-leave",
            bootstrap_timeout_ms=_TIMEOUT_MS,
            request_timeout_ms=_TIMEOUT_MS,
            **security.options(kafka),
        )
        try:
            answers = admin.remove_group_members(kafka.group_id, [MemberToRemove(group_instance_id=kafka.instance_id)])
        finally:
            admin.close()
    except KafkaError as error:
        reason = security.explain(error, kafka, began)
        raise ServiceError(f"{kafka.instance_id} is still in the group {kafka.group_id}: {reason}") from error
    for answer in answers.values():
        if answer not in (NoError, UnknownMemberIdError):
            raise ServiceError(f"{kafka.instance_id} is still in the group {kafka.group_id}: {answer.__name__}")
    _log.info("left", group=kafka.group_id, instance=kafka.instance_id)
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(cli.run("leave", ConsumerSettings, lambda settings: security.check(settings.kafka), leave))
