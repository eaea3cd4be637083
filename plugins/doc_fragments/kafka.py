"""The part of the documentation that all modules share which ask Kafka's brokers."""

from __future__ import annotations


class ModuleDocFragment:
    """The fragment `kafka` adds what all that use kafka-python share; `kafka.login` adds how to talk to a broker."""

    LOGIN = r"""
options:
  security_protocol:
    description: How to talk to the brokers. With C(SASL_SSL) the host's name or address must be in their certificate.
    type: str
    choices: [PLAINTEXT, SASL_SSL]
    default: PLAINTEXT
  ca_file:
    description: PEM file of the authorities that signed the brokers' certificates. Needed for C(SASL_SSL).
    type: path
  sasl_username: {description: Who is calling. Needed for C(SASL_SSL)., type: str}
  sasl_password: {description: "The caller's password. Needed for C(SASL_SSL).", type: str}
"""

    DOCUMENTATION = (
        LOGIN
        + r"""
  bootstrap_servers: {description: "Brokers to ask first, as C(host:port).", type: list, elements: str, required: true}
  sasl_mechanism:
    description: How to prove who is calling.
    type: str
    choices: [SCRAM-SHA-512]
    default: SCRAM-SHA-512
  moved:
    description:
      - Brokers that tell clients an address which they have no more; the address that they tell, and the one they have.
      - They are reached there, and their certificate is checked for what they tell.
    type: dict
    default: {}
  timeout: {description: "How long to wait for the brokers, in seconds.", type: int, default: 60}
author: stock-market
requirements: [kafka-python >= 3.0]
"""
    )
