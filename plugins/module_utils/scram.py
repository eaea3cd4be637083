"""SCRAM, the client's side: proves a password without sending it, and has the server prove that it knows it too.

RFC 5802, with SHA-512 as Kafka names it; no channel binding. Passwords are taken as UTF-8, as Kafka does.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

MOST_ITERATIONS = 1_000_000


class ScramError(Exception):
    """The server's message is none, or proves nothing; the message says which."""


def _attributes(message: str) -> dict[str, str]:
    return {part[0]: part[2:] for part in message.split(",") if part[1:2] == "="}


class ScramClient:
    """One exchange of four messages: `first`, the server's answer to `final`, and the server's answer to `verify`."""

    def __init__(self, username: str, password: str, nonce: str | None = None, hash_name: str = "sha512") -> None:
        """Begin an exchange; the nonce is random unless a test gives it."""
        self._nonce = nonce or secrets.token_hex(20)
        name = username.replace("=", "=3D").replace(",", "=2C")
        self._bare = f"n={name},r={self._nonce}"
        self._password = password.encode()
        self._hash = hash_name
        self._signature = b""

    def _hmac(self, key: bytes, text: bytes) -> bytes:
        return hmac.new(key, text, self._hash).digest()

    def first(self) -> str:
        """Return the client's first message."""
        return f"n,,{self._bare}"

    def final(self, server_first: str) -> str:
        """Return the client's final message, which holds the proof.

        Raises:
            ScramError: the server's first message is not one that answers ours.
        """
        told = _attributes(server_first)
        try:
            nonce, salt, iterations = told["r"], base64.b64decode(told["s"]), int(told["i"])
        except (KeyError, ValueError) as error:
            raise ScramError("the server's first SCRAM message is none") from error
        if not nonce.startswith(self._nonce) or nonce == self._nonce:
            raise ScramError("the server's SCRAM message answers another client's")
        if not 0 < iterations <= MOST_ITERATIONS:
            raise ScramError(f"the server asks for {iterations} iterations of SCRAM")
        salted = hashlib.pbkdf2_hmac(self._hash, self._password, salt, iterations)
        client_key = self._hmac(salted, b"Client Key")
        stored_key = hashlib.new(self._hash, client_key).digest()
        without_proof = f"c=biws,r={nonce}"
        signed = f"{self._bare},{server_first},{without_proof}".encode()
        signature = self._hmac(stored_key, signed)
        proof = bytes(one ^ other for one, other in zip(client_key, signature, strict=True))
        self._signature = self._hmac(self._hmac(salted, b"Server Key"), signed)
        return f"{without_proof},p={base64.b64encode(proof).decode()}"

    def verify(self, server_final: str) -> None:
        """Check that the server knows the password's keys.

        Raises:
            ScramError: it does not.
        """
        try:
            signature = base64.b64decode(_attributes(server_final)["v"])
        except (KeyError, ValueError) as error:
            raise ScramError("the server's final SCRAM message is none") from error
        if not self._signature or not hmac.compare_digest(signature, self._signature):
            raise ScramError("the server could not prove that it knows the user's password: it is not the broker")
