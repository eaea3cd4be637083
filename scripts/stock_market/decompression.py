"""Unpacks Kafka's record batches, of every codec, up to a size: a batch of a megabyte can hold gigabytes of zeros.

The codecs' numbers: https://kafka.apache.org/documentation/#recordbatch. The framing of snappy is that of xerial's
snappy-java, or none at all; LZ4 and Zstandard use their own frames, of which several may follow each other.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

import cramjam
import lz4.frame
import zstandard
from isal import isal_zlib
from isal.isal_zlib import IsalError

_GZIP = 31
_LZ4_RATIO = 255
"""What LZ4 can make of one byte at the most."""
_XERIAL = b"\x82SNAPPY\0"
_XERIAL_HEADER = 16


class UnreadableBatchError(Exception):
    """A batch that came as it was sent and still can't be unpacked; the message follows the words "the batch"."""


class _TooLargeError(Exception):
    """It unpacks to more than it may."""


def _plain(data: memoryview, limit: int) -> bytes:
    if len(data) > limit:
        raise _TooLargeError
    return bytes(data)


def _gzip(data: memoryview, limit: int) -> bytes:
    parts, left, rest = [], limit + 1, bytes(data)
    while rest and left:
        member = isal_zlib.decompressobj(_GZIP)
        part = member.decompress(rest, left)
        parts.append(part)
        left -= len(part)
        if left and not member.eof:
            raise EOFError("it ends in the middle of its gzip file")
        rest = member.unused_data
    if not left:
        raise _TooLargeError
    return b"".join(parts)


def _snappy(data: memoryview, limit: int) -> bytes:
    if bytes(data[: len(_XERIAL)]) != _XERIAL:
        return _snappy_block(data, limit)
    parts, at = [], _XERIAL_HEADER
    while at < len(data):
        (length,) = struct.unpack_from(">i", data, at)
        at += 4
        if length < 0 or at + length > len(data):
            raise ValueError("a block reaches beyond the batch")
        parts.append(_snappy_block(data[at : at + length], limit))
        limit -= len(parts[-1])
        at += length
    return b"".join(parts)


def _snappy_block(data: memoryview, limit: int) -> bytes:
    # A block begins with its length when unpacked, which snappy holds it to.
    if cramjam.snappy.decompress_raw_len(data) > limit:
        raise _TooLargeError
    return bytes(cramjam.snappy.decompress_raw(data))


def _lz4(data: memoryview, limit: int) -> bytes:
    promised = lz4.frame.get_frame_info(data)["content_size"]
    if promised > limit:
        raise _TooLargeError
    if promised or len(data) * _LZ4_RATIO <= limit:
        return bytes(lz4.frame.decompress(data))
    frame = lz4.frame.LZ4FrameDecompressor()
    plain = bytes(frame.decompress(data, max_length=limit + 1))
    if len(plain) > limit:
        raise _TooLargeError
    if not frame.eof:
        raise EOFError("it ends in the middle of its frame")
    return plain


def _zstd(data: memoryview, limit: int) -> bytes:
    with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True) as reader:
        plain = reader.read(limit + 1)
    if len(plain) > limit:
        raise _TooLargeError
    return plain


CODECS: dict[int, tuple[str, Callable[[memoryview, int], bytes]]] = {
    0: ("none", _plain),
    1: ("gzip", _gzip),
    2: ("snappy", _snappy),
    3: ("lz4", _lz4),
    4: ("zstd", _zstd),
}
"""Name and way of each codec, by its number."""


def unpack(codec: int, data: memoryview, limit: int) -> bytes:
    """The records of a batch, uncompressed.

    Args:
        codec: the codec's number.
        data: the records as they lie in the batch.
        limit: how many bytes they may be at the most.

    Raises:
        UnreadableBatchError: they are more, are damaged, or are of a codec that Kafka 4 does not have either.
    """
    name, way = CODECS.get(codec, ("", _plain))
    if not name:
        raise UnreadableBatchError(f"is compressed by a codec of the number {codec}, which is unknown here")
    try:
        return way(data, limit)
    except _TooLargeError:
        raise UnreadableBatchError(f"unpacks to more than {limit} bytes") from None
    except (
        EOFError,
        IsalError,  # type: ignore[misc]  # its stub declares an instance
        RuntimeError,
        ValueError,
        cramjam.DecompressionError,
        struct.error,
        zstandard.ZstdError,
    ) as error:
        raise UnreadableBatchError(f"does not unpack as {name}: {error}") from error
