"""Numbers, strings and lists in the form of Kafka's protocol, and the checksum of its record batches.

Formats: https://kafka.apache.org/protocol#protocol_types
"""

from __future__ import annotations

import base64
import struct

_CASTAGNOLI = 0x82F63B78


def _crc32c_table() -> list[int]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (_CASTAGNOLI if value & 1 else 0)
        table.append(value)
    return table


_TABLE = _crc32c_table()


def crc32c(data: bytes) -> int:
    """Return the CRC-32C (RFC 3720, appendix B.4) of `data`."""
    value = 0xFFFFFFFF
    for byte in data:
        value = (value >> 8) ^ _TABLE[(value ^ byte) & 0xFF]
    return value ^ 0xFFFFFFFF


def varint(number: int) -> bytes:
    """Return `number` as a zigzag-encoded varint."""
    return unsigned((number << 1) ^ (number >> 63))


def string(text: str | None) -> bytes:
    """Return a nullable string with its length of two bytes."""
    if text is None:
        return struct.pack(">h", -1)
    return struct.pack(">h", len(text.encode())) + text.encode()


def array(items: list[bytes]) -> bytes:
    """Return an array of encoded items with its count."""
    return struct.pack(">i", len(items)) + b"".join(items)


def unsigned(number: int) -> bytes:
    """Return `number`, 0 or more, as a varint without a sign."""
    encoded = bytearray()
    while number & ~0x7F:
        encoded.append((number & 0x7F) | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def compact(text: str) -> bytes:
    """Return a string as flexible versions have it, with its length and one more as a varint."""
    return unsigned(len(text.encode()) + 1) + text.encode()


def uuid_bytes(text: str) -> bytes:
    """Return the 16 bytes of an id that Kafka shows as text."""
    return base64.urlsafe_b64decode(text + "==")


def uuid_text(data: bytes) -> str:
    """Return an id as Kafka shows it: base64 for addresses, without its padding."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
