"""Unpacks what producers have compressed: every codec of Kafka, as any client writes it, into a bounded size.

A topic's `max.message.bytes` bounds a batch as it is sent. Unpacked it may be thousands of times as large.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import lz4.frame
import snappy
import xxhash
import zstandard
from isal import isal_zlib

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
"""Names by the number in a batch's attributes: https://kafka.apache.org/documentation/#recordbatch."""
DEFAULT_LIMIT = 32 << 20
"""Bytes that one batch may have unpacked, unless a setting says otherwise."""
RECORD_BYTES = 100
"""What a record counts beside its bytes: taken to pieces, it has six numbers of eight bytes, and a line in S3."""
_PIECE = 1 << 20
_GZIP_MEMBER, _GZIP = b"\x1f\x8b", 31
_ZSTD_UNKNOWN = -1
_XERIAL = b"\x82SNAPPY\0"
_XERIAL_HEADER = 16
_SNAPPY_FRAMING = b"\xff\x06\0\0sNaPpY"
_LZ4_MAGIC = b"\x04\x22\x4d\x18"
_LZ4_BLOCK_BYTES = {4: 64 << 10, 5: 256 << 10, 6: 1 << 20, 7: 4 << 20}
_LZ4_STORED = 1 << 31


class UnpackError(ValueError):
    """A batch cannot be unpacked; the message says why, for a person."""


def unpack(codec: int, data: bytes | memoryview, limit: int = DEFAULT_LIMIT, magic: int = 2) -> bytes:
    """The records of a batch, uncompressed.

    Args:
        codec: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.
        data: the compressed records; several gzip members, lz4 frames or zstd frames may follow each other.
        limit: bytes that they may have.
        magic: the batch's format; clients of the formats before 2 wrote a wrong checksum into lz4's header.

    Raises:
        UnpackError: they are damaged, larger than the limit, or of no codec that Kafka has.
    """
    if codec == 0:
        return bytes(data)
    if codec >= len(CODECS):
        raise UnpackError(f"Kafka has no compression of the number {codec}")
    try:
        return _UNPACKERS[codec](bytes(data), limit, magic)
    except UnpackError:
        raise
    except Exception as error:  # Each library has errors of its own, and some are plain Exception or MemoryError.
        raise UnpackError(f"the {CODECS[codec]} data is damaged: {error or type(error).__name__}") from error


def require_countable(count: int, limit: int = DEFAULT_LIMIT) -> None:
    """Refuses a number of records that a batch within the limit cannot have.

    Raises:
        UnpackError: it is negative, or too large.
    """
    if count < 0:
        raise UnpackError(f"it says that it holds {count} records")
    if count * RECORD_BYTES > limit:
        raise UnpackError(
            f"it holds {count} records; at {RECORD_BYTES} bytes each these are more than the {limit} bytes that one"
            " batch may take"
        )


def _too_large(limit: int) -> UnpackError:
    return UnpackError(f"it is larger than {limit} bytes when unpacked")


def _join(pieces: Iterable[bytes], limit: int) -> bytes:
    found: list[bytes] = []
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > limit:
            raise _too_large(limit)
        found.append(piece)
    return found[0] if len(found) == 1 else b"".join(found)


def _stream(make: Callable[[], Any], data: bytes, goes_on: Callable[[bytes], bool]) -> Iterator[bytes]:
    """Pieces of one member or frame after the other, by decompressors that can be told how much to give at most.

    What follows the last one, and does not begin as another would, is ignored, as Java's readers do.
    """
    while True:
        decompressor = make()
        piece = decompressor.decompress(data, _PIECE)
        yield piece
        while not decompressor.eof:
            rest = getattr(decompressor, "unconsumed_tail", b"")  # What lz4's has not consumed, it keeps.
            piece = decompressor.decompress(rest, _PIECE)
            if not piece and not decompressor.eof:
                raise UnpackError("the compressed data ends too early")
            yield piece
        data = decompressor.unused_data or b""
        if not goes_on(data):
            return


def _gzip(data: bytes, limit: int, _magic: int) -> bytes:
    pieces = _stream(lambda: isal_zlib.decompressobj(_GZIP), data, lambda rest: rest.startswith(_GZIP_MEMBER))
    return _join(pieces, limit)


def _zstd(data: bytes, limit: int, _magic: int) -> bytes:
    # Java's streams do not say how large the content is.
    size = zstandard.frame_content_size(data)
    if size != _ZSTD_UNKNOWN and size > limit:
        raise _too_large(limit)
    with zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True) as reader:
        return _join(iter(lambda: reader.read(_PIECE), b""), limit)


def _snappy(data: bytes, limit: int, _magic: int) -> bytes:
    if data.startswith(_XERIAL):
        return _join(_xerial_pieces(data, limit), limit)
    if data.startswith(_SNAPPY_FRAMING):
        stream = snappy.StreamDecompressor()
        pieces = (stream.decompress(data[at : at + _PIECE // 16]) for at in range(0, len(data), _PIECE // 16))
        return _join(pieces, limit)
    return _snappy_block(data, limit)


def _xerial_pieces(data: bytes, limit: int) -> Iterator[bytes]:
    """The blocks of xerial's framing, which Java's clients write: a header, then each block after its length.

    Some clients write the header's two numbers in the wrong order of bytes, so they are not read; Java's does not
    read them either. Streams may follow each other.
    """
    at = 0
    while at < len(data):
        if data.startswith(_XERIAL, at):
            at += _XERIAL_HEADER
            continue
        if at + 4 > len(data):
            raise UnpackError("the compressed data ends too early")
        (length,) = struct.unpack_from(">i", data, at)
        at += 4
        if length < 0 or at + length > len(data):
            raise UnpackError("the compressed data ends too early")
        yield _snappy_block(data[at : at + length], limit)
        at += length


def _snappy_block(data: bytes, limit: int) -> bytes:
    """A raw block; it begins with its uncompressed length, 7 bits a byte, least significant first."""
    size = shift = 0
    for byte in data[:5]:
        size |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
    if size > limit:
        raise _too_large(limit)
    return bytes(snappy.uncompress(data))


def _lz4(data: bytes, limit: int, magic: int) -> bytes:
    return _join(_lz4_pieces(_mend_header(data) if magic < 2 else data, limit), limit)


def _lz4_pieces(data: bytes, limit: int) -> Iterator[bytes]:
    """Whole frames, of which each is quickly unpacked at once, as far as their heads promise to keep the limit."""
    at = 0
    while True:
        rest = data[at:] if at else data
        if _lz4_bound(rest) > limit:
            yield from _stream(lz4.frame.LZ4FrameDecompressor, rest, lambda more: more.startswith(_LZ4_MAGIC))
            return
        plain, length = lz4.frame.decompress(rest, return_bytes_read=True)
        yield plain
        at += length
        if not data.startswith(_LZ4_MAGIC, at):
            return


def _lz4_header_bytes(flags: int) -> int:
    return 7 + 8 * bool(flags & 0x08) + 4 * bool(flags & 0x01)


def _lz4_bound(data: bytes) -> int:
    """The most bytes that a frame can hold, by the lengths of its blocks and the length that it tells itself.

    https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md
    """
    if len(data) < 15 or not data.startswith(_LZ4_MAGIC):
        return 0  # The library says what is wrong.
    flags, block_bytes = data[4], _LZ4_BLOCK_BYTES.get(data[5] >> 4 & 0x07, 0)
    bound = struct.unpack_from("<Q", data, 6)[0] if flags & 0x08 else 0
    at, blocks = _lz4_header_bytes(flags), 0
    while at + 4 <= len(data):
        (length,) = struct.unpack_from("<I", data, at)
        if length == 0:
            break
        at += 4 + (length & ~_LZ4_STORED) + 4 * bool(flags & 0x10)
        blocks += block_bytes
    return max(bound, blocks)


def _mend_header(data: bytes) -> bytes:
    """Gives a frame the right header checksum: clients before Kafka 0.10 took it over the magic number, too."""
    size = _lz4_header_bytes(data[4]) if len(data) > 4 else len(data) + 1
    if size > len(data):
        return data
    checksum = xxhash.xxh32(data[4 : size - 1]).intdigest() >> 8 & 0xFF
    return b"".join((data[: size - 1], bytes([checksum]), data[size:]))


_UNPACKERS: dict[int, Callable[[bytes, int, int], bytes]] = {1: _gzip, 2: _snappy, 3: _lz4, 4: _zstd}
