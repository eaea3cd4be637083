"""The options and the connection that all modules share which ask Kafka's brokers through kafka-python."""

from __future__ import annotations

import contextlib
import logging
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.stock_market.streaming.plugins.module_utils import reach, tls
from ansible_collections.stock_market.streaming.plugins.module_utils.documentation import argument_spec
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_wire import Connection, Security
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_wire import KafkaError as WireError

try:
    from kafka.admin import KafkaAdminClient
    from kafka.errors import ClusterAuthorizationFailedError, KafkaError, KafkaTimeoutError
    from kafka.net.inet import KafkaNetSocket

    class MovedSocket(KafkaNetSocket):  # type: ignore[misc]  # kafka-python ships no types
        """Connects to the brokers where they are, and knows them by what they tell clients; see the option `moved`."""

        SCHEMES = ("moved",)

        def __init__(self, proxy_url: str) -> None:
            """Take the addresses from the query of `moved://?<told>=<where it is>`."""
            self._moved = dict(parse_qsl(urlsplit(proxy_url).query))

        def dns_lookup(self, host: str, port: int, raise_error: bool = False) -> Any:
            """Look up where the broker is."""
            return super().dns_lookup(self._moved.get(host, host), port, raise_error)

    MISSING = None
except ImportError:
    MISSING = traceback.format_exc()

OPTIONS: dict[str, dict[str, Any]] = {
    "bootstrap_servers": {"type": "list", "elements": "str", "required": True},
    "security_protocol": {"type": "str", "choices": ["PLAINTEXT", "SASL_SSL"], "default": "PLAINTEXT"},
    "ca_file": {"type": "path"},
    "sasl_mechanism": {"type": "str", "choices": ["SCRAM-SHA-512"], "default": "SCRAM-SHA-512"},
    "sasl_username": {"type": "str"},
    "sasl_password": {"type": "str", "no_log": True},
    "moved": {"type": "dict", "default": {}},
    "timeout": {"type": "int", "default": 60},
}
REQUIRED_IF = [("security_protocol", "SASL_SSL", ("ca_file", "sasl_username", "sasl_password"))]
_ATTEMPT_SECONDS = 5.0
_CLIENT_SECONDS = 10.0

Result = TypeVar("Result")


class RefusedError(Exception):
    """What was asked for can't be done; the message says why."""


def make_module(documentation: str, **rules: dict[str, Any]) -> AnsibleModule:
    """Return a module that has the shared options beside those that it documents; ends where kafka-python is missing.

    Args:
        documentation: the module's DOCUMENTATION.
        rules: by an option's name, what AnsibleModule is to check of its suboptions.
    """
    spec = {**OPTIONS, **argument_spec(documentation)}
    for name, rule in rules.items():
        spec[name] |= rule
    module = AnsibleModule(argument_spec=spec, required_if=REQUIRED_IF, supports_check_mode=True)
    if MISSING is not None:
        module.fail_json(msg=missing_required_lib("kafka-python"), exception=MISSING)
    return module


def address(server: str) -> tuple[str, int]:
    """Return host and port of `host:port`, where the host may be an IPv6 address in brackets.

    Raises:
        RefusedError: it is none.
    """
    host, _, port = server.rpartition(":")
    if not host or not port.isdigit():
        raise RefusedError(f"{server!r} is no address of a broker: it has to be host:port.")
    return host.strip("[]"), int(port)


def told(options: Mapping[str, Any], server: str) -> str:
    """Return the address that the broker at `server` tells clients, which its certificate names."""
    host, port = address(server)
    names = {now: before for before, now in options["moved"].items()}
    return f"{names[host]}:{port}" if host in names else server


def security_of(options: Mapping[str, Any]) -> Security | None:
    """Return what the options say of security; None for PLAINTEXT."""
    if options["security_protocol"] == "PLAINTEXT":
        return None
    return Security(options["ca_file"], options["sasl_username"], options["sasl_password"])


def settings(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return kafka-python's settings for a client that talks to the brokers of the options."""
    found: dict[str, Any] = {"bootstrap_servers": [told(options, server) for server in options["bootstrap_servers"]]}
    if options["moved"]:
        found["proxy_url"] = f"moved://?{urlencode(options['moved'])}"
    if options["security_protocol"] == "SASL_SSL":
        found |= {
            "security_protocol": "SASL_SSL",
            "ssl_cafile": options["ca_file"],
            "sasl_mechanism": options["sasl_mechanism"],
            "sasl_plain_username": options["sasl_username"],
            "sasl_plain_password": options["sasl_password"],
        }
    return found


def why_not(options: Mapping[str, Any]) -> str:
    """Ask each bootstrap server in a plain way; return in words what is wrong, or nothing where nothing is."""
    found = []
    for server in options["bootstrap_servers"]:
        try:
            name = address(told(options, server))[0]
            with Connection(*address(server), _ATTEMPT_SECONDS, security_of(options), name) as broker:
                broker.metadata("")
        except (WireError, OSError) as error:
            found.append(f"{server}: {error}")
    return "; ".join(found)


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse shared options that no broker could answer to.

    Raises:
        RefusedError: an address is none, or the authorities' file is no use.
    """
    for server in options["bootstrap_servers"]:
        address(server)
    security = security_of(options)
    if security is not None:
        try:
            tls.client_context(security.ca_file)
        except OSError as error:
            raise RefusedError(f"The CA's certificates in {security.ca_file} can't be used: {error}.") from error


def quiet() -> None:
    """Keep kafka-python from logging every failed attempt; the module says it once."""
    logging.getLogger("kafka").setLevel(logging.CRITICAL)


def servers(options: Mapping[str, Any]) -> dict[str, bool | None]:
    """Return for each bootstrap server whether somebody listens there (see `reach.listening`)."""
    addresses = {server: address(server) for server in options["bootstrap_servers"]}
    found = reach.all_listening(addresses.values())
    return {server: found[place] for server, place in addresses.items()}


def open_client(options: Mapping[str, Any], client_id: str, seconds: float) -> Any:
    """Return a KafkaAdminClient that has reached a broker.

    kafka-python tries the bootstrap servers at random, and a host that is off takes all its time; so those that
    nobody listens at are left out.

    Raises:
        KafkaError: no broker took the client within `seconds`.
    """
    listening = [server for server, there in servers(options).items() if there]
    if not listening:
        raise KafkaTimeoutError("nobody listens at any of the bootstrap servers")
    where = settings({**options, "bootstrap_servers": listening})
    return KafkaAdminClient(client_id=client_id, bootstrap_timeout_ms=int(seconds * 1000), **where)


def connect(options: Mapping[str, Any], client_id: str) -> Any:
    """Return a KafkaAdminClient that has reached a broker; keeps trying until the options' timeout is over.

    A wrong password or a certificate that is not to be trusted is tried again too: right after a change of either,
    not every broker has heard of it.

    Raises:
        RefusedError: no broker took the client in time; the sentence says what each one did.
    """
    deadline = time.monotonic() + options["timeout"]
    check_options(options)
    while True:
        left = max(deadline - time.monotonic(), 1.0)
        try:
            return open_client(options, client_id, min(left, _CLIENT_SECONDS))
        except KafkaError as error:
            if time.monotonic() >= deadline:
                reason = why_not(options) or _words(error)
                raise RefusedError(f"No broker could be asked within {options['timeout']} s. {reason}.") from error
        time.sleep(1)


@contextlib.contextmanager
def admin_client(module: AnsibleModule, what: str) -> Iterator[Any]:
    """Give a connected client to the block within; ends the module with a sentence where something goes wrong there.

    Args:
        module: the module, made by `make_module`.
        what: names in that sentence what is being worked on, such as `the topic stock-quotes`.
    """
    quiet()
    options = module.params
    try:
        with connect(options, f"ansible-{module._name}") as admin:
            yield admin
    except RefusedError as error:
        module.fail_json(msg=str(error))
    except ClusterAuthorizationFailedError:
        module.fail_json(msg=_sentence(options, what, _not_allowed(options)))
    except KafkaTimeoutError as error:
        module.fail_json(msg=_sentence(options, what, why_not(options) or str(error)))
    except (KafkaError, OSError) as error:
        module.fail_json(msg=_sentence(options, what, _words(error)))


def persistently(module: AnsibleModule, what: str, work: Callable[[Any], Result]) -> Result:
    """Return what `work` makes of a connected client; retried with a new client while brokers come and go.

    Where it has not worked within the options' timeout, the module ends with a sentence.

    Args:
        module: the module, made by `make_module`.
        what: names in that sentence what is being worked on, such as `the cluster`.
        work: may be called more than once.
    """
    quiet()
    options = module.params
    deadline = time.monotonic() + options["timeout"]
    try:
        check_options(options)
        while True:
            try:
                with open_client(options, f"ansible-{module._name}", _CLIENT_SECONDS) as admin:
                    return work(admin)
            except ClusterAuthorizationFailedError:
                raise
            except (KafkaError, OSError, RuntimeError) as error:  # the last is kafka-python's for a lost controller
                if time.monotonic() >= deadline:
                    raise RefusedError(_sentence(options, what, why_not(options) or _words(error))) from error
            time.sleep(1)
    except RefusedError as error:
        module.fail_json(msg=str(error))
    except ClusterAuthorizationFailedError:
        module.fail_json(msg=_sentence(options, what, _not_allowed(options)))
    raise AssertionError("fail_json has ended the module")


def wait_for(done: Callable[[], bool], seconds: float, otherwise: str) -> None:
    """Return when it is done: brokers hear of a change a little later.

    Raises:
        RefusedError: it is not within `seconds`, for which `otherwise` is the sentence.
    """
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise RefusedError(otherwise)
        time.sleep(0.2)


def _sentence(options: Mapping[str, Any], what: str, why: str) -> str:
    return f"Kafka at {', '.join(options['bootstrap_servers'])} did not do what {what} needs: {why}."


def _not_allowed(options: Mapping[str, Any]) -> str:
    return f"the user {options['sasl_username']} may not do this on the cluster; use an operator's"


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def config_text(value: object) -> str | None:
    """Return a value as Kafka writes it: booleans in lower case, lists with commas, null as null."""
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    return str(value)


def diff(name: str, before: str, after: str) -> dict[str, str]:
    """Return what a module reports as its difference."""
    return {"before_header": name, "after_header": name, "before": before, "after": after}
