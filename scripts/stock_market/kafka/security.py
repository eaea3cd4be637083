"""How a client proves to Kafka who it is, how it knows the broker, and in words why one does not take the other."""

from __future__ import annotations

import math
import socket
import ssl
from pathlib import Path
from typing import Any

from kafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    SaslAuthenticationFailedError,
    TopicAuthorizationFailedError,
)

from stock_market.errors import SettingsError
from stock_market.kafka import connections
from stock_market.kafka.connections import Failure
from stock_market.settings import ConsumerKafka, Kafka, KafkaSecurity

_LOOK_SECONDS = 3.0
_NOBODY = "ANONYMOUS"


def password(security: KafkaSecurity) -> str:
    """The user's password, as its file has it now.

    Raises:
        SettingsError: the file cannot be read, or does not hold one line.
    """
    where = f"the password of Kafka's user {security.username}, {security.password_file}"
    try:
        lines = Path(security.password_file).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise SettingsError(f"cannot read {where}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{where}, is no text") from error
    if len(lines) != 1 or not lines[0].strip():
        raise SettingsError(f"{where}, has to be one line, and has {len(lines)}{' empty' if len(lines) == 1 else ''}")
    return lines[0]


def check(kafka: Kafka) -> None:
    """Looks at the files that the settings name.

    Raises:
        SettingsError: one cannot be used.
    """
    security = kafka.security
    if security is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(security.ca_file)
    except ssl.SSLError as error:
        raise SettingsError(f"the CA's certificates, {security.ca_file}, are none in PEM") from error
    except OSError as error:
        raise SettingsError(f"cannot read the CA's certificates, {security.ca_file}: {error.strerror}") from error
    password(security)


class _PasswordOfNow:
    """Stands for a password in kafka-python's options, and is read when it is needed, again for every connection, so
    that a client goes on when the user's password is changed."""

    def __init__(self, security: KafkaSecurity) -> None:
        self._security = security

    def encode(self, encoding: str) -> bytes:
        """As str's, which is all that kafka-python does with it."""
        return password(self._security).encode(encoding)


def options(kafka: Kafka) -> dict[str, Any]:
    """kafka-python's options that say where the brokers are and how to talk to them.

    The CA's certificates are read again for every connection, too; kafka-python does that.
    """
    found: dict[str, Any] = {"bootstrap_servers": kafka.bootstrap_servers}
    if kafka.security is not None:
        found |= {
            "security_protocol": "SASL_SSL",
            "ssl_cafile": kafka.security.ca_file,
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_plain_username": kafka.security.username,
            "sasl_plain_password": _PasswordOfNow(kafka.security),
        }
    return found


class UnreadableError(KafkaError):  # type: ignore[misc]  # kafka-python ships no types
    """A producer may not read its topic; the message is one sentence."""

    def __init__(self, kafka: Kafka) -> None:
        user = kafka.security.username if kafka.security is not None else _NOBODY
        super().__init__(
            f"the user {user} may not read the topic {kafka.topic}, and has to, to see which records on their way are"
            " there: Kafka's ACLs do not allow it"
        )

    def __str__(self) -> str:
        return str(self.args[0])


def explain(error: KafkaError, kafka: Kafka, since: float = math.inf) -> str:
    """One sentence for a person: what is wrong, with which user, and where.

    Args:
        error: what a client of kafka-python raised.
        kafka: the settings that it was made with.
        since: when that began, in seconds of the steady clock; if a broker was not to be had since, that is why.
    """
    user = kafka.security.username if kafka.security is not None else _NOBODY
    if isinstance(error, TopicAuthorizationFailedError):
        deed = "read" if isinstance(kafka, ConsumerKafka) else "write"
        return f"the user {user} may not {deed} the topic {kafka.topic}: Kafka's ACLs do not allow it"
    if isinstance(error, GroupAuthorizationFailedError) and isinstance(kafka, ConsumerKafka):
        return f"the user {user} may not read in the group {kafka.group_id}: Kafka's ACLs do not allow it"
    # Who may write no topic at all gets no producer id; kafka-python wraps that error.
    if ClusterAuthorizationFailedError.__name__ in str(error):
        return f"the user {user} may not write the topic {kafka.topic}: Kafka's ACLs allow them to write none"
    failure = connections.newest_failure(since)
    if failure is not None and isinstance(
        error, KafkaConnectionError | KafkaTimeoutError | SaslAuthenticationFailedError
    ):
        return why_failed(failure, kafka)
    return str(error)


def why_failed(failure: Failure, kafka: Kafka) -> str:
    """One sentence for a person: why a client with these settings could not connect to a broker."""
    broker, error, security = f"the broker {failure.broker}", failure.error, kafka.security
    if isinstance(error, SettingsError):
        return str(error)
    if security is None:
        if _speaks_tls(failure.broker):
            return f"{broker} speaks TLS, but the settings have no table [kafka.security]"
        return f"{broker} cannot be reached: {error}"
    if isinstance(error, SaslAuthenticationFailedError):
        return (
            f"{broker} refuses the user {security.username}: Kafka has no such user, or another password than the one"
            f" in {security.password_file}"
        )
    cause = error.__context__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return (
            f"{broker} has a certificate that is not to be trusted: {cause.verify_message}; the CA's certificates are"
            f" those in {security.ca_file}"
        )
    if isinstance(cause, ssl.SSLError | ConnectionResetError):
        return f"{broker} does not speak TLS ({cause}): is that the port of a plain listener?"
    return f"{broker} cannot be reached: {error}"


def _speaks_tls(broker: str) -> bool:
    host, _, port = broker.rpartition(":")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with socket.create_connection((host.strip("[]"), int(port)), _LOOK_SECONDS) as connection:
            context.wrap_socket(connection).close()
    except OSError:
        return False
    return True
