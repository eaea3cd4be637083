#!/usr/bin/python
"""Ansible module: Kafka users, who prove who they are by SCRAM-SHA-512."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.stock_market.streaming.plugins.module_utils import kafka_admin
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_admin import RefusedError
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_wire import (
    Connection,
    RefusedLoginError,
    Security,
)
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_wire import KafkaError as WireError

with contextlib.suppress(ImportError):
    from kafka.admin import ScramMechanism, UserScramCredentialUpsertion
    from kafka.errors import for_code
    from kafka.protocol.admin import AlterUserScramCredentialsRequest

DOCUMENTATION = r"""
module: kafka_user
short_description: Give Kafka users passwords, or remove users
description:
  - Writes each user's credential for SCRAM-SHA-512 from the password, and waits until every bootstrap server that
    answers takes it.
  - Kafka keeps no password, so whether the user has this one already is proven by logging in with it. Only where a
    broker refuses that, or where the number of iterations differs, is a credential written.
  - Needs C(security_protocol=SASL_SSL), for without it nobody can log in.
options:
  users:
    description: The users, in the order in which they are changed.
    type: list
    elements: dict
    required: true
    suboptions:
      name: {description: The user's name., type: str, required: true}
      password: {description: The user's password. Required for a user that is present., type: str}
      iterations:
        description: How often the password is hashed. Kafka takes 4096 to 16384.
        type: int
        default: 4096
      state: {description: Whether the user exists., type: str, choices: [present, absent], default: present}
extends_documentation_fragment: [stock_market.streaming.kafka]
"""

EXAMPLES = r"""
- name: Give the producer its password
  stock_market.streaming.kafka_user:
    users: [{name: producer, password: "{{ producer_password }}"}]
    bootstrap_servers: [203.0.113.7:9092]
    security_protocol: SASL_SSL
    ca_file: /home/me/stock-market/ca.pem
    sasl_username: operator
    sasl_password: "{{ operator_password }}"
"""

RETURN = "{}"

LEAST_ITERATIONS = 4096
MOST_ITERATIONS = 16384
_LOGIN_SECONDS = 5.0


def errors_of(response: Any) -> list[type[Exception]]:
    """Return the kinds of error in the answer to an AlterUserScramCredentialsRequest."""
    return [for_code(result.error_code) for result in response.results]


def logins(options: Mapping[str, Any]) -> dict[str, bool]:
    """Log in as the user at each bootstrap server; return for those that answer whether they take the password.

    Raises:
        RefusedError: none answers.
    """
    security = Security(options["ca_file"], options["name"], options["password"])
    taken: dict[str, bool] = {}
    problems = []
    for server in options["bootstrap_servers"]:
        try:
            with Connection(*kafka_admin.address(server), _LOGIN_SECONDS, security):
                taken[server] = True
        except RefusedLoginError:
            taken[server] = False
        except (WireError, OSError) as error:
            problems.append(f"{server}: {error}")
    if not taken:
        raise RefusedError(
            f"Nobody could log in as {options['name']} to see whether that works. {'; '.join(problems)}."
        )
    return taken


class User:
    """The user that the module's options describe, and what the brokers have of them."""

    def __init__(self, admin: Any, options: Mapping[str, Any]) -> None:
        self.admin = admin
        self.options = options
        self.name: str = options["name"]

    def has_iterations(self) -> int | None:
        """Return the iterations of the user's credential for SCRAM-SHA-512; None where there is none."""
        found = self.admin.describe_user_scram_credentials([self.name])[self.name]
        for info in found["credential_infos"]:
            if info["mechanism"] == ScramMechanism.SCRAM_SHA_512:
                return int(info["iterations"])
        return None

    def apply(self, check_mode: bool) -> dict[str, Any]:
        """Make the user what they should be and return the module's result."""
        iterations = self.has_iterations()
        if self.options["state"] == "absent":
            return self.remove(iterations, check_mode)
        same = iterations is not None and all(logins(self.options).values())
        wanted = self.options["iterations"]
        before = "" if iterations is None else self.text(iterations, "as given" if same else "another one")
        if not check_mode and (iterations != wanted or not same):
            mechanism, password = ScramMechanism.SCRAM_SHA_512, self.options["password"]
            made = UserScramCredentialUpsertion(self.name, mechanism, password, iterations=wanted)
            self.alter(upsertions=[(self.name, int(mechanism), wanted, made.salt, made.salted_password)])
            self.wait()
        return self.result(before, self.text(wanted, "as given"))

    def remove(self, iterations: int | None, check_mode: bool) -> dict[str, Any]:
        """Take the credential away; the brokers hear of it a moment later, and who is connected stays connected."""
        if iterations is not None and not check_mode:
            self.alter(deletions=[(self.name, int(ScramMechanism.SCRAM_SHA_512))])
        return self.result("" if iterations is None else self.text(iterations, "unknown"), "")

    def alter(self, **changes: list[tuple[Any, ...]]) -> None:
        """Write or delete a credential: `upsertions` or `deletions` of an AlterUserScramCredentialsRequest.

        kafka-python 3.0.12 asks any broker, and takes the answer of one that is not the controller, which has a
        code and no message, for a success; so its request is made here and goes to the controller.

        Raises:
            RefusedError: the brokers don't.
        """
        request = AlterUserScramCredentialsRequest(**{"deletions": [], "upsertions": []} | changes)
        response = self.admin._manager.run(self.admin._send_request_to_controller, request, errors_of, False)
        for result in response.results:
            if result.error_code:
                problem = result.error_message or for_code(result.error_code).__name__
                raise RefusedError(f"Kafka did not take the credential of the user {self.name}: {problem}.")

    def wait(self) -> None:
        """Return when the new password is taken by all brokers that answer; each hears of it a little later."""
        deadline = time.monotonic() + self.options["timeout"]
        while True:
            refusing = [server for server, taken in logins(self.options).items() if not taken]
            if not refusing:
                return
            if time.monotonic() > deadline:
                raise RefusedError(f"{', '.join(refusing)} did not hear of {self.name}'s new password in time.")
            time.sleep(0.2)

    def text(self, iterations: int, password: str) -> str:
        """Return what a difference shows of a credential."""
        return f"mechanism: SCRAM-SHA-512\niterations: {iterations}\npassword: {password}\n"

    def result(self, before: str, after: str) -> dict[str, Any]:
        """Return the module's result for a change from `before` to `after`."""
        return {"changed": before != after, "diff": kafka_admin.diff(f"user {self.name}", before, after)}


def main() -> None:
    module = kafka_admin.make_module(DOCUMENTATION, users={"required_if": [("state", "present", ("password",))]})
    options = module.params
    names = ", ".join(user["name"] for user in options["users"])
    if options["security_protocol"] == "PLAINTEXT":
        module.fail_json(msg=f"Nobody logs in over PLAINTEXT, so users ({names}) make no sense; say SASL_SSL.")
    for user in options["users"]:
        if not LEAST_ITERATIONS <= user["iterations"] <= MOST_ITERATIONS:
            module.fail_json(
                msg=f"Kafka takes {LEAST_ITERATIONS} to {MOST_ITERATIONS} iterations, not {user['iterations']}."
            )
    with kafka_admin.admin_client(module, f"users ({names})") as admin:
        results = [User(admin, {**options, **user}).apply(module.check_mode) for user in options["users"]]
    module.exit_json(changed=any(result["changed"] for result in results), diff=[result["diff"] for result in results])


if __name__ == "__main__":
    main()
