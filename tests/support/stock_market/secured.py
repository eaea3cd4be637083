"""What a secured broker needs, as a deployment has it: a CA, certificates, users with passwords, closed ACLs."""

from __future__ import annotations

import os
import secrets
import subprocess
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourceType,
    UserScramCredentialUpsertion,
)
from tests.support.stock_market.authority import Authority

MECHANISM = "SCRAM-SHA-512"
_LOOPBACK = ["127.0.0.1"]
_ZOOKEEPER_SETTINGS = """\
secureClientPort={port}
secureClientPortAddress=127.0.0.1
serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory
authProvider.x509=org.apache.zookeeper.server.auth.X509AuthenticationProvider
ssl.keyStore.location={folder}/zookeeper.pem
ssl.keyStore.type=PEM
ssl.trustStore.location={folder}/ca.pem
ssl.trustStore.type=PEM
ssl.clientAuth=need
"""
_ZOOKEEPER_CLIENT = """\
zookeeper.clientCnxnSocket=org.apache.zookeeper.ClientCnxnSocketNetty
zookeeper.ssl.client.enable=true
zookeeper.ssl.keystore.location={folder}/kafka.pem
zookeeper.ssl.keystore.type=PEM
zookeeper.ssl.truststore.location={folder}/ca.pem
zookeeper.ssl.truststore.type=PEM
zookeeper.ssl.endpoint.identification.algorithm=HTTPS
"""
_LISTENER_SETTINGS = """\
sasl.enabled.mechanisms=SCRAM-SHA-512
config.providers=file
config.providers.file.class=org.apache.kafka.common.config.provider.FileConfigProvider
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \
username="broker" password="${{file:{folder}/broker.secrets:password}}";
ssl.keystore.type=PEM
ssl.keystore.location={folder}/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location={folder}/ca.pem
"""
_ACLS_IN_ZOOKEEPER = """\
authorizer.class.name=kafka.security.authorizer.AclAuthorizer
"""
_OWN_CONTROLLER = """\
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:broker;User:operator;User:ANONYMOUS
"""
"""The controller's listener is plain in tests, and nobody else comes without a login."""
_BROKER_SETTINGS = """\
listeners=SASL_SSL://127.0.0.1:{port}
advertised.listeners=SASL_SSL://127.0.0.1:{port}
security.inter.broker.protocol=SASL_SSL
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
"""
_WITH_ZOOKEEPER = """\
super.users=User:broker;User:operator
zookeeper.set.acl=true
"""


class Secured:
    """Keys, certificates, passwords, and the settings that name them.

    Args:
        folder: for all of that.

    Attributes:
        authority: signs the certificates.
        passwords: by user.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.authority = Authority(folder)
        for name in ("zookeeper", "broker"):
            self.authority.issue(name, _LOOPBACK)
        self.authority.issue("kafka", [])
        self.passwords = {user: secrets.token_hex(16) for user in ("broker", "operator", "producer", "consumer")}
        for user in self.passwords:
            self.write_password(user)
        self._write("broker.secrets", f"password={self.passwords['broker']}\n")
        self._write("broker.credential", f"{MECHANISM}=iterations=4096,password={self.passwords['broker']}\n")
        self._write("zookeeper-client.properties", _ZOOKEEPER_CLIENT.format(folder=folder))

    def _write(self, name: str, text: str) -> Path:
        path = self._folder / name
        path.touch(0o600)
        path.write_text(text)
        return path

    def write_password(self, user: str) -> None:
        """Writes the file that the user's services read."""
        self._write(f"{user}.password", f"{self.passwords[user]}\n")

    def zookeeper_settings(self, port: int) -> str:
        """Lines of ZooKeeper's settings file: mutual TLS on this port and no other."""
        return _ZOOKEEPER_SETTINGS.format(port=port, folder=self._folder)

    def broker_settings(self, port: int, *, kraft: bool = False) -> str:
        """Lines of the broker's settings file: SASL_SSL on this port, closed ACLs, and its way to ZooKeeper.

        With `kraft` it is its own controller, and has no ZooKeeper.
        """
        own = _BROKER_SETTINGS.format(port=port, folder=self._folder)
        if kraft:
            return own + _LISTENER_SETTINGS.format(folder=self._folder) + _OWN_CONTROLLER
        return own + _WITH_ZOOKEEPER + self.listener_settings() + _ZOOKEEPER_CLIENT.format(folder=self._folder)

    def listener_settings(self) -> str:
        """Lines of a broker's settings file: what its listeners that speak SASL_SSL need, and closed ACLs."""
        return _LISTENER_SETTINGS.format(folder=self._folder) + _ACLS_IN_ZOOKEEPER

    def first_user(self) -> Path:
        """The file of the brokers' own credential, as kafka-storage.sh reads one more argument from it."""
        return self._write("broker.scram", f"{MECHANISM}=[name=broker,password={self.passwords['broker']}]\n")

    def bootstrap(self, home: Path, zookeeper_port: int) -> None:
        """Writes the brokers' own credential before any of them runs."""
        command = [f"{home}/bin/kafka-configs.sh", "--zookeeper", f"127.0.0.1:{zookeeper_port}"]
        command += ["--zk-tls-config-file", f"{self._folder}/zookeeper-client.properties", "--alter"]
        command += ["--add-config-file", f"{self._folder}/broker.credential"]
        command += ["--entity-type", "users", "--entity-name", "broker"]
        quick = os.environ | {"KAFKA_JVM_PERFORMANCE_OPTS": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"}
        done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False, env=quick)
        assert done.returncode == 0, done.stdout + done.stderr

    def client(self, user: str = "operator", password: str = "") -> dict[str, Any]:
        """kafka-python's options for a user."""
        return {
            "security_protocol": "SASL_SSL",
            "ssl_cafile": str(self.authority.file),
            "sasl_mechanism": MECHANISM,
            "sasl_plain_username": user,
            "sasl_plain_password": password or self.passwords[user],
        }

    def table(self, user: str) -> str:
        """The table `[kafka.security]` of a service's settings file."""
        return (
            f'[kafka.security]\nca_file = "{self.authority.file}"\nusername = "{user}"\n'
            f'password_file = "{self._folder}/{user}.password"\n'
        )

    def create_users(self, address: str) -> None:
        """Gives all users but the brokers' own their passwords."""
        with KafkaAdminClient(bootstrap_servers=address, **self.client("broker")) as admin:
            self.set_passwords(admin, {user: text for user, text in self.passwords.items() if user != "broker"})

    @staticmethod
    def set_passwords(admin: KafkaAdminClient, passwords: dict[str, str]) -> None:
        """Gives users their passwords."""
        wanted = [UserScramCredentialUpsertion(user, MECHANISM, text) for user, text in passwords.items()]
        assert set(admin.alter_user_scram_credentials(wanted).values()) == {None}

    @staticmethod
    def allow(admin: KafkaAdminClient, user: str, kind: ResourceType, name: str, *operations: ACLOperation) -> None:
        """Lets a user do something with a topic or a group."""
        resource = ResourcePattern(kind, name, ACLResourcePatternType.LITERAL)
        acls = [ACL(f"User:{user}", "*", each, ACLPermissionType.ALLOW, resource) for each in operations]
        assert admin.create_acls(acls)["failed"] == []

    def allow_pipeline(self, admin: KafkaAdminClient, topic: str, group: str) -> None:
        """Lets the producer write the topic, and read it after an error, and the consumer read it in the group."""
        self.allow(admin, "producer", ResourceType.TOPIC, topic, ACLOperation.WRITE, ACLOperation.READ)
        self.allow(admin, "consumer", ResourceType.TOPIC, topic, ACLOperation.READ, ACLOperation.DESCRIBE_CONFIGS)
        self.allow(admin, "consumer", ResourceType.GROUP, group, ACLOperation.READ)
