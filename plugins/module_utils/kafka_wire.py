"""The few requests of Kafka's protocol that prove a broker ready, with nothing but the standard library.

It runs on the managed hosts, where no Kafka client is installed: an environment with kafka-python would cost a first
`make up` 10 s (`python3 -m venv` and pip). Every version used is served by Kafka 2.1 to 4.x.
Formats: https://kafka.apache.org/protocol and, for a record batch, https://kafka.apache.org/documentation/#recordbatch
"""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from ansible_collections.stock_market.streaming.plugins.module_utils import tls
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_encoding import (
    array,
    compact,
    crc32c,
    string,
    unsigned,
    uuid_text,
    varint,
)
from ansible_collections.stock_market.streaming.plugins.module_utils.scram import ScramClient, ScramError

API_PRODUCE, API_FETCH, API_METADATA, API_SASL_HANDSHAKE, API_CREATE_TOPICS, API_SASL_AUTHENTICATE = 0, 1, 3, 17, 19, 36
API_DELETE_TOPICS, API_DESCRIBE_QUORUM = 20, 55
ERROR_NONE, ERROR_UNKNOWN_TOPIC, ERROR_NOT_LEADER, ERROR_TOPIC_ALREADY_EXISTS = 0, 3, 6, 36
ERROR_UNSUPPORTED_SASL_MECHANISM, ERROR_SASL_AUTHENTICATION_FAILED = 33, 58
MECHANISM = "SCRAM-SHA-512"
CLIENT_ID = "kafka_ready"
# Each broker's own topic, of one replica, whose records prove it ready; its id follows.
READINESS_TOPIC = "__readiness-"
_BATCH_HEADER = struct.Struct(">qiibIhiqqqhii")


class KafkaError(Exception):
    """The broker answered with an error, or with what is no answer."""


class RefusedLoginError(KafkaError):
    """The broker does not take this user with this password."""


class Reader:
    """Takes a response apart, from its first byte to its last."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        """Return the next `count` bytes."""
        if count < 0 or self._at + count > len(self._data):
            raise KafkaError("the broker's answer ends too early")
        self._at += count
        return self._data[self._at - count : self._at]

    def number(self, form: str) -> int:
        """Return the next number, of `struct`'s form `b`, `h`, `i` or `q`, in network order."""
        (value,) = struct.unpack(f">{form}", self.take(struct.calcsize(f">{form}")))
        return int(value)

    def string(self) -> str | None:
        """Return the next nullable string."""
        length = self.number("h")
        return None if length < 0 else self.take(length).decode()

    def data(self) -> bytes:
        """Return the next nullable byte string; null is empty."""
        length = self.number("i")
        return b"" if length < 0 else self.take(length)

    def count(self) -> int:
        """Return the next array's number of items; a null array has none."""
        return max(self.number("i"), 0)

    def varint(self) -> int:
        """Return the next zigzag-encoded varint."""
        value = self.unsigned()
        return (value >> 1) ^ -(value & 1)

    def unsigned(self) -> int:
        """Return the next varint without a sign."""
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value

    def compact(self) -> str:
        """Return the next string of a flexible version; null is empty."""
        length = self.unsigned()
        return self.take(length - 1).decode() if length else ""

    def tags(self) -> None:
        """Pass over the tagged fields that end a structure of a flexible version."""
        for _ in range(self.unsigned()):
            self.unsigned()
            self.take(self.unsigned())


def encode_batch(value: bytes, timestamp_ms: int) -> bytes:
    """Return a record batch (magic 2, no compression) of one record without key or headers."""
    body = b"\x00" + varint(0) + varint(0) + varint(-1) + varint(len(value)) + value + varint(0)
    record = varint(len(body)) + body
    checked = struct.pack(">hiqqqhii", 0, 0, timestamp_ms, timestamp_ms, -1, -1, -1, 1) + record
    tail = struct.pack(">ibI", -1, 2, crc32c(checked)) + checked
    return struct.pack(">qi", 0, len(tail)) + tail


def decode_value(records: bytes, offset: int) -> bytes | None:
    """Return the value of the record at `offset`, if it is the first of an uncompressed batch in `records`."""
    at = 0
    while at + _BATCH_HEADER.size <= len(records):
        base_offset, length = struct.unpack_from(">qi", records, at)
        if base_offset == offset:
            reader = Reader(records[at + _BATCH_HEADER.size : at + 12 + length])
            reader.varint()
            reader.take(1)
            reader.varint()
            reader.varint()
            reader.take(max(reader.varint(), 0))
            return reader.take(max(reader.varint(), 0))
        at += 12 + length
    return None


@dataclass
class Metadata:
    """The brokers, the controller among them, and the leader of partition 0 of the topic asked for (-1: nobody)."""

    brokers: dict[int, tuple[str, int]] = field(default_factory=dict)
    controller: int = -1
    leader: int = -1


@dataclass(frozen=True)
class Quorum:
    """What the leader of KRaft's quorum knows.

    `voters` says of each member when it was last level with the leader, by the leader's clock in milliseconds;
    `directories` the id of its directory; `observers` the same time of those who follow without being members, by their
    id and their directory's.
    """

    leader: int
    voters: dict[int, int]
    directories: dict[int, str] = field(default_factory=dict)
    observers: dict[tuple[int, str], int] = field(default_factory=dict)

    def silence_ms(self, node: int, directory: str = "") -> int:
        """For how long a voter has not been level with the leader, in milliseconds; with `directory`, an observer."""
        last = self.observers[node, directory] if directory else self.voters[node]
        return 0 if node == self.leader else self.voters.get(self.leader, 0) - last


@dataclass(frozen=True)
class MutualTls:
    """What a client needs for a listener that asks for a certificate: PEM files of authorities, and of its own."""

    ca_file: str
    certificate_file: str


@dataclass(frozen=True)
class Security:
    """What a client needs for a listener that speaks SASL_SSL: TLS, and SCRAM-SHA-512 within it.

    `ca_file` is the PEM file of the authorities that the broker's certificate may be signed by.
    """

    ca_file: str
    username: str
    password: str = field(repr=False)


class Connection:
    """One connection to one broker, one request at a time."""

    def __init__(
        self,
        host: str,
        port: int,
        timeout: float,
        security: Security | MutualTls | None = None,
        name: str | None = None,
    ) -> None:
        """Connect within `timeout` seconds, which is also the limit of every answer; without `security`, PLAINTEXT.

        The broker's certificate has to name `name`, which is `host` unless it is given.

        Raises:
            KafkaError: there is no TLS, or it is not to be trusted.
            RefusedLoginError: the user is not known, or the password is not theirs.
            OSError: nobody is there, or does not answer in time.
        """
        self._socket: socket.socket = socket.create_connection((host, port), timeout=timeout)
        self._correlation = 0
        try:
            if security is not None:
                self._secure(name or host, security)
        except BaseException:
            self._socket.close()
            raise

    def _secure(self, name: str, security: Security | MutualTls) -> None:
        own = security.certificate_file if isinstance(security, MutualTls) else None
        try:
            self._socket = tls.client_context(security.ca_file, own).wrap_socket(self._socket, server_hostname=name)
        except (ssl.SSLError, ConnectionResetError) as error:
            raise KafkaError(tls.sentence(error)) from error
        if isinstance(security, MutualTls):
            return
        scram = ScramClient(security.username, security.password)
        answer = self.request(API_SASL_HANDSHAKE, 1, string(MECHANISM))
        if answer.number("h") == ERROR_UNSUPPORTED_SASL_MECHANISM:
            raise KafkaError(f"the listener does not offer {MECHANISM}")
        try:
            self._authenticate(scram.final(self._authenticate(scram.first(), security)), security, scram)
        except ScramError as error:
            raise KafkaError(str(error)) from error

    def _authenticate(self, message: str, security: Security, last: ScramClient | None = None) -> str:
        """Send one message of SCRAM, and return the broker's answer, which `last` verifies."""
        answer = self.request(API_SASL_AUTHENTICATE, 0, struct.pack(">i", len(message.encode())) + message.encode())
        error, words = answer.number("h"), answer.string()
        if error == ERROR_SASL_AUTHENTICATION_FAILED:
            raise RefusedLoginError(f"the broker refuses the user {security.username} with the given password")
        if error != ERROR_NONE:
            raise KafkaError(f"authenticating as {security.username} gave error {error}: {words}")
        told = answer.data().decode()
        if last is not None:
            last.verify(told)
        return told

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._socket.close()

    def quorum(self) -> Quorum | None:
        """Ask a controller about the quorum; None if it is not the leader, and so does not know."""
        body = b"\0" + unsigned(2) + compact("__cluster_metadata") + unsigned(2) + struct.pack(">i", 0) + b"\0\0\0"
        answer = self.request(API_DESCRIBE_QUORUM, 2, body)
        answer.tags()
        errors = [answer.number("h")]
        answer.compact()
        known = Quorum(-1, {})
        for _ in range(answer.unsigned() - 1):
            answer.compact()
            for _ in range(answer.unsigned() - 1):
                answer.number("i")
                errors.append(answer.number("h"))
                answer.compact()
                known = Quorum(answer.number("i"), {})
                answer.take(12)
                for node, directory, last in self._replicas(answer):
                    known.voters[node], known.directories[node] = last, directory
                for node, directory, last in self._replicas(answer):
                    known.observers[node, directory] = last
                answer.tags()
            answer.tags()
        wrong = [error for error in errors if error not in (ERROR_NONE, ERROR_NOT_LEADER)]
        if wrong:
            raise KafkaError(f"asking about the quorum gave error {wrong[0]}")
        return None if ERROR_NOT_LEADER in errors else known

    @staticmethod
    def _replicas(answer: Reader) -> Iterator[tuple[int, str, int]]:
        for _ in range(answer.unsigned() - 1):
            node, directory = answer.number("i"), uuid_text(answer.take(16))
            answer.take(16)
            yield node, directory, answer.number("q")
            answer.tags()

    def request(self, api: int, version: int, body: bytes) -> Reader:
        """Send a request and return its answer, past the header."""
        self._correlation += 1
        message = struct.pack(">hhi", api, version, self._correlation) + string(CLIENT_ID) + body
        self._socket.sendall(struct.pack(">i", len(message)) + message)
        answer = Reader(self._receive(Reader(self._receive(4)).number("i")))
        if answer.number("i") != self._correlation:
            raise KafkaError("the broker answered another request")
        return answer

    def _receive(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            part = self._socket.recv(count - len(data))
            if not part:
                raise KafkaError("the broker closed the connection")
            data += part
        return bytes(data)

    def metadata(self, topic: str) -> Metadata:
        """Ask for the brokers and the leader of partition 0 of `topic`, without creating it."""
        answer = self.request(API_METADATA, 4, array([string(topic)]) + b"\x00")
        found = Metadata()
        answer.number("i")
        for _ in range(answer.count()):
            node = answer.number("i")
            found.brokers[node] = (answer.string() or "", answer.number("i"))
            answer.string()
        answer.string()
        found.controller = answer.number("i")
        for _ in range(answer.count()):
            answer.number("h")
            answer.string()
            answer.number("b")
            for _ in range(answer.count()):
                answer.number("h")
                partition, leader = answer.number("i"), answer.number("i")
                for _ in range(2):
                    answer.take(4 * answer.count())
                if partition == 0:
                    found.leader = leader
        return found

    def create_topic(self, topic: str, broker: int, configuration: dict[str, str], timeout_ms: int) -> bool:
        """Create `topic` with one partition on `broker` alone; False if it is there already."""
        assignment = array([struct.pack(">i", 0) + array([struct.pack(">i", broker)])])
        configs = array([string(name) + string(value) for name, value in configuration.items()])
        body = string(topic) + struct.pack(">ih", -1, -1) + assignment + configs
        answer = self.request(API_CREATE_TOPICS, 2, array([body]) + struct.pack(">ib", timeout_ms, 0))
        error = _topic_error(answer)
        if error not in (ERROR_NONE, ERROR_TOPIC_ALREADY_EXISTS):
            raise KafkaError(f"creating the topic {topic} gave error {error}: {answer.string()}")
        return error == ERROR_NONE

    def delete_topic(self, topic: str, timeout_ms: int) -> None:
        """Delete `topic`, if it is there."""
        answer = self.request(API_DELETE_TOPICS, 1, array([string(topic)]) + struct.pack(">i", timeout_ms))
        error = _topic_error(answer)
        if error not in (ERROR_NONE, ERROR_UNKNOWN_TOPIC):
            raise KafkaError(f"deleting the topic {topic} gave error {error}")

    def produce(self, topic: str, value: bytes, timestamp_ms: int, timeout_ms: int) -> int:
        """Write one record to partition 0 of `topic`, wait for every in-sync replica, and return its offset."""
        batch = encode_batch(value, timestamp_ms)
        partition = struct.pack(">ii", 0, len(batch)) + batch
        body = string(None) + struct.pack(">hi", -1, timeout_ms) + array([string(topic) + array([partition])])
        answer = self.request(API_PRODUCE, 7, body)
        answer.count()
        answer.string()
        answer.count()
        answer.number("i")
        error = answer.number("h")
        if error != ERROR_NONE:
            raise KafkaError(f"writing a record to {topic} gave error {error}")
        return answer.number("q")

    def fetch(self, topic: str, offset: int, timeout_ms: int) -> bytes | None:
        """Return the value of the record at `offset` of partition 0 of `topic`, or None if it doesn't come in time."""
        partition = struct.pack(">iqi", 0, offset, 65536)
        body = struct.pack(">iiiib", -1, timeout_ms, 1, 65536, 0) + array([string(topic) + array([partition])])
        answer = self.request(API_FETCH, 4, body)
        answer.number("i")
        if not answer.count():
            return None
        answer.string()
        answer.count()
        answer.number("i")
        error = answer.number("h")
        if error != ERROR_NONE:
            raise KafkaError(f"reading a record from {topic} gave error {error}")
        answer.take(16)
        for _ in range(answer.count()):
            answer.take(16)
        return decode_value(answer.data(), offset)


def _topic_error(answer: Reader) -> int:
    """Read the error code of the only topic in an answer that begins with the time of a throttle."""
    answer.number("i")
    answer.count()
    answer.string()
    return answer.number("h")
