"""Every codec, as any client frames it, gives the bytes that were packed; damaged or too large, it gives a sentence."""

from __future__ import annotations

import gzip
import re
import struct
import tracemalloc

import lz4.frame
import pytest
import snappy
import zstandard
from kafka import codec as kafka_codec

from stock_market.kafka.unpacking import CODECS, UnpackError, require_countable, unpack

PLAIN = b"".join(b'{"symbol":"S%d","sequence":%d}' % (n % 7, n) for n in range(9000))
_XERIAL = b"\x82SNAPPY\0" + struct.pack(">ii", 1, 1)
_LITTLE_XERIAL = b"\x82SNAPPY\0" + struct.pack("<ii", 1, 1)


def zstd_stream(plain: bytes) -> bytes:
    """As Java's stream writes it: the frame does not tell the size of its content."""
    stream = zstandard.ZstdCompressor().compressobj()
    return stream.compress(plain) + stream.flush()


def xerial(plain: bytes, header: bytes = _XERIAL) -> bytes:
    """As Java's SnappyOutputStream writes it."""
    blocks = [snappy.compress(plain[at : at + 32_768]) for at in range(0, len(plain), 32_768)]
    return header + b"".join(struct.pack(">i", len(block)) + block for block in blocks)


def lz4_java(plain: bytes) -> bytes:
    """Independent blocks of 64 KiB without the content's size, as Java writes them."""
    size = lz4.frame.BLOCKSIZE_MAX64KB
    return bytes(lz4.frame.compress(plain, block_size=size, block_linked=False, store_size=False))


HALF = len(PLAIN) // 2
FRAMED = {
    "none": (0, PLAIN),
    "gzip": (1, gzip.compress(PLAIN)),
    "two gzip members": (1, gzip.compress(PLAIN[:HALF]) + gzip.compress(PLAIN[HALF:])),
    "gzip with zeros behind": (1, gzip.compress(PLAIN) + b"\0" * 9),
    "snappy raw": (2, snappy.compress(PLAIN)),
    "snappy xerial": (2, xerial(PLAIN)),
    "snappy xerial little-endian": (2, xerial(PLAIN, _LITTLE_XERIAL)),
    "two snappy xerial streams": (2, xerial(PLAIN[:HALF]) + xerial(PLAIN[HALF:])),
    "snappy framing": (2, snappy.StreamCompressor().compress(PLAIN)),
    "lz4 with its size": (3, lz4.frame.compress(PLAIN)),
    "lz4 of Java": (3, lz4_java(PLAIN)),
    "lz4 with block checksums": (3, lz4.frame.compress(PLAIN, block_checksum=True, content_checksum=True)),
    "two lz4 frames": (3, lz4_java(PLAIN[:HALF]) + lz4.frame.compress(PLAIN[HALF:])),
    "zstd with its size": (4, zstandard.ZstdCompressor().compress(PLAIN)),
    "zstd of Java": (4, zstd_stream(PLAIN)),
    "two zstd frames": (4, zstd_stream(PLAIN[:HALF]) + zstandard.ZstdCompressor().compress(PLAIN[HALF:])),
    "zstd level 19": (4, zstandard.ZstdCompressor(level=19).compress(PLAIN)),
}


@pytest.mark.parametrize("name", FRAMED)
def test_what_any_client_packs_is_unpacked(name: str) -> None:
    codec, packed = FRAMED[name]
    assert unpack(codec, packed) == PLAIN
    assert unpack(codec, memoryview(packed), limit=len(PLAIN)) == PLAIN


@pytest.mark.parametrize("codec", range(1, 5))
@pytest.mark.parametrize("size", [0, 1, 3_000_000])
def test_nothing_and_more_than_a_mebibyte_are_unpacked(codec: int, size: int) -> None:
    encode = (None, kafka_codec.gzip_encode, kafka_codec.snappy_encode, kafka_codec.lz4_encode, zstd_stream)[codec]
    plain = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    assert encode is not None
    assert unpack(codec, encode(plain)) == plain


@pytest.mark.parametrize("plain", [PLAIN, b"short"])
def test_the_wrong_header_checksum_of_old_lz4_clients_is_corrected(plain: bytes) -> None:
    packed = kafka_codec.lz4_encode_old_kafka(plain)
    with pytest.raises(UnpackError, match="lz4"):
        unpack(3, packed)
    assert unpack(3, packed, magic=0) == unpack(3, packed, magic=1) == plain
    assert unpack(3, lz4.frame.compress(plain), magic=0) == plain


@pytest.mark.parametrize("name", FRAMED)
def test_what_is_cut_off_gives_a_sentence_or_fewer_bytes(name: str) -> None:
    codec, packed = FRAMED[name]
    for cut in (0, 1, 5, 11, len(packed) // 3, len(packed) - 20):
        reason, plain = "", b""
        try:
            plain = unpack(codec, packed[:cut])
        except UnpackError as error:
            reason = str(error)
        assert len(plain) < len(PLAIN)
        assert re.match(r"(the (compressed|gzip|snappy|lz4|zstd) data |$)", reason)


@pytest.mark.parametrize("packed", [(1, gzip.compress(PLAIN)), (3, lz4.frame.compress(PLAIN, content_checksum=True))])
def test_what_fails_its_own_checksum_gives_a_sentence(packed: tuple[int, bytes]) -> None:
    codec, sound = packed
    broken = bytearray(sound)
    broken[len(broken) // 2] ^= 0xFF
    with pytest.raises(UnpackError, match=f"^the {CODECS[codec]} data is damaged: "):
        unpack(codec, bytes(broken))


BOMB = bytes(200 << 20)


@pytest.mark.parametrize(
    "pack",
    [
        (1, lambda: gzip.compress(BOMB, 1)),
        (2, lambda: snappy.compress(BOMB)),
        (2, lambda: xerial(BOMB)),
        (2, lambda: snappy.StreamCompressor().compress(BOMB)),
        (3, lambda: lz4_java(BOMB)),
        (3, lambda: lz4.frame.compress(BOMB)),
        (3, lambda: lz4_java(b"x") + lz4_java(BOMB)),
        (4, lambda: zstd_stream(BOMB)),
        (4, lambda: zstandard.ZstdCompressor().compress(BOMB)),
        (4, lambda: zstd_stream(b"x") + zstd_stream(BOMB)),
    ],
    ids=[
        "gzip",
        "snappy",
        "xerial",
        "framing",
        "lz4-java",
        "lz4-size",
        "lz4-two",
        "zstd-java",
        "zstd-size",
        "zstd-two",
    ],
)
def test_a_bomb_gives_a_sentence_and_takes_no_more_than_the_limit(pack: tuple[int, object]) -> None:
    codec, make = pack
    packed = make()  # type: ignore[operator]  # the parameters hold functions
    tracemalloc.start()
    try:
        with pytest.raises(UnpackError, match=r"^it is larger than 4194304 bytes when unpacked$"):
            unpack(codec, packed, 4 << 20)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < len(packed) * 2 + (8 << 20)


def test_a_frame_with_a_wrong_size_gives_a_message() -> None:
    packed = bytearray(lz4.frame.compress(b"few bytes"))
    struct.pack_into("<Q", packed, 6, 1 << 50)
    with pytest.raises(UnpackError, match="lz4"):
        unpack(3, bytes(packed))
    with pytest.raises(UnpackError, match="larger than"):
        unpack(2, b"\xff\xff\xff\xff\x0f" + b"x" * 20)


def test_a_codec_that_kafka_has_not_and_counts_that_cannot_be_give_a_sentence() -> None:
    with pytest.raises(UnpackError, match="no compression of the number 5"):
        unpack(5, b"")
    with pytest.raises(UnpackError, match="holds -1 records"):
        require_countable(-1)
    with pytest.raises(UnpackError, match="holds 11 records"):
        require_countable(11, 1000)
    require_countable(10, 1000)
    assert len(CODECS) == 5
