"""The part of the documentation that all modules share which reach a service over mutual TLS."""

from __future__ import annotations


class ModuleDocFragment:
    """What `extends_documentation_fragment: [stock_market.streaming.tls]` adds."""

    DOCUMENTATION = r"""
author: stock-market
options:
  ca_file:
    description: PEM file of the authorities that signed the servers' certificates. Without it there is no TLS.
    type: path
  certificate_file:
    description: PEM file of a key and certificate that the servers take. Needed with C(ca_file).
    type: path
"""
