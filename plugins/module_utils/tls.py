"""TLS for a client on a host, with nothing but the standard library, and why there is none in words."""

from __future__ import annotations

import ssl
from typing import Any

OPTIONS: dict[str, dict[str, Any]] = {"ca_file": {"type": "path"}, "certificate_file": {"type": "path"}}
"""Of modules that reach a service over mutual TLS; one needs the other."""
TOGETHER = [tuple(OPTIONS)]


def client_context(ca_file: str, certificate_file: str | None = None) -> ssl.SSLContext:
    """Return TLS's settings for a client: 1.2 or newer; the server's certificate and its name or address are checked.

    Args:
        ca_file: PEM file of the authorities that may have signed the server's certificate.
        certificate_file: PEM file of the client's own key and certificate, where it needs one.

    Raises:
        OSError: a file can't be read, or does not hold what it should.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(ca_file)
    if certificate_file is not None:
        context.load_cert_chain(certificate_file)
    return context


def sentence(error: OSError) -> str:
    """Return in words why a server that is there gives no TLS connection."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not to be trusted: {error.verify_message}"
    if isinstance(error, (ssl.SSLError, ConnectionResetError)):
        return f"it does not speak TLS, or not with this client ({getattr(error, 'reason', None) or error.strerror})"
    return str(error)
