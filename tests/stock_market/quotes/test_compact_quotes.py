"""What is found valid without an object for each record is what `flaw` finds valid."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable, Iterator
from operator import itemgetter

import msgspec
import pytest
from kafka.consumer.fetcher import ConsumerRecord

from stock_market.chain.segment import Segment
from stock_market.kafka.record_block import RecordBlock
from stock_market.quotes import compact
from stock_market.quotes import validation as quotes
from stock_market.quotes.compact import surely_valid
from stock_market.quotes.validation import flaw, is_time

Pair = tuple[bytes | None, bytes | None]
_SYMBOLS = ["HSI", "N225", "J203.JO", "A", "12345678", "123456789", "000001.SS-LONG16"]
_NUMBERS = (
    *("0.5", "0.0", "00.5", "01.5", "0", "00", "7", "-1.5", "1.", ".5", "1.5.5", "1..5", "1e3", "1.5e3", "1E400", "1-"),
    *("123456789.123456789", "1234567890123456789012345678", "0.12345678901234567890123", "9" * 18, "9" * 19, "9" * 20),
    *(
        str(2**63 - 1),
        str(2**63),
        "1/5",
        "1:5",
        "true",
        "null",
        '"1.5"',
        "",
        " 1.5",
        "1.5 ",
        "[1.5]",
        "\u0661.5",
        "NaN",
    ),
)
_TIMES = (
    *("2026-02-29T09:30:00.000Z", "2024-02-29T23:59:59.999Z", "0000-01-01T00:00:00.000Z", "2026-13-01T00:00:00.000Z"),
    *("2026-01-31T24:00:00.000Z", "2026-01-31T09:60:00.000Z", "2026-01-31T09:30:60.000Z", "2026-01-31T09:30:00.0000"),
    *("2026-01-31T09:30:00.00aZ", "2026-01-31T09:30:00,000Z", "2026-01-31 09:30:00.000Z", "2026-01-31T09:30:00.000"),
)
_STRINGS = (
    *(
        "",
        "x",
        "x" * 16,
        "x" * 17,
        "x" * 64,
        "x" * 65,
        'a"b',
        "a\\b",
        "a\\u0041",
        "\u00e9",
        "\x00",
        "\x1f",
        "\x7f",
        " ",
    ),
)
_BYTES = b'"\\{}[]:,.-+eE0123456789 \t\n\r\0\x1f\x7f\x80\xc3\xffaZ'
_PRICES = ("open", "high", "low", "close", "adj_close", "close_usd")


def _fields(rng: random.Random, sequence: int, producers: int) -> dict[str, str]:
    """A valid quote's fields, each as it stands in JSON, in the order of the contract."""
    price = f"{rng.choice((0, 7, 72498, 1234567))}.{rng.choice(('0', '00', '5', '0488281', '1234567890'))}"
    second = rng.choice((0, 0, 0, 59))
    return {
        "symbol": f'"{rng.choice(_SYMBOLS)}"',
        "event_time": f'"2026-01-31T09:30:{second:02d}.{rng.randrange(1000):03d}Z"',
        **dict.fromkeys(_PRICES[:5], price),
        "volume": str(rng.choice((0, 9, 10**17))),
        "close_usd": price,
        "producer_id": f'"{rng.randrange(producers):016x}"',
        "sequence": str(sequence),
    }


def _pair(fields: dict[str, str]) -> Pair:
    key = fields.get("symbol", '""')[1:-1]
    return key.encode(), ("{" + ",".join(f'"{name}":{text}' for name, text in fields.items()) + "}").encode()


def _odd_number(rng: random.Random, fields: dict[str, str]) -> Pair:
    fields[rng.choice((*_PRICES, "volume", "sequence"))] = rng.choice(_NUMBERS)
    return _pair(fields)


def _odd_time(rng: random.Random, fields: dict[str, str]) -> Pair:
    fields["event_time"] = f'"{rng.choice(_TIMES)}"'
    return _pair(fields)


def _odd_string(rng: random.Random, fields: dict[str, str]) -> Pair:
    fields[rng.choice(("symbol", "producer_id"))] = f'"{rng.choice(_STRINGS)}"'
    return _pair(fields)


def _odd_key(rng: random.Random, fields: dict[str, str]) -> Pair:
    key, value = _pair(fields)
    right = key or b""
    wrong = (None, b"", b"\0", b"HSI", b"x" * 17, right + b"x", right[:-1], right[:-1] + b"~", b"~" + right[1:])
    return rng.choice(wrong), value


def _odd_fields(rng: random.Random, fields: dict[str, str]) -> Pair:
    names = list(fields)
    name, other = rng.sample(names, 2)
    change = rng.randrange(4)
    if change == 0:
        del fields[name]
    elif change == 1:
        fields[name], fields[other] = fields[other], fields[name]
    elif change == 2:
        fields["extra"] = "1"
    else:
        rng.shuffle(names)
        fields = {each: fields[each] for each in names}
    key, value = _pair(fields)
    return key, (value or b"").replace(b",", b', "open":1.5,', 1) if rng.random() < 0.2 else value


def _odd_bytes(rng: random.Random, fields: dict[str, str]) -> Pair:
    key, value = _pair(fields)
    characters = bytearray(value or b"")
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        at = rng.randrange(len(characters) + 1)
        characters[at : at + rng.randrange(3)] = bytes(rng.choices(_BYTES, k=rng.randrange(3)))
    return key, bytes(characters)


def _odd_value(rng: random.Random, fields: dict[str, str]) -> Pair:
    key, value = _pair(fields)
    text = value or b""
    return key, rng.choice(
        (None, b"", b" ", text + text, text[:60], text[60:], text + b" ", b" " + text, text + b"\n" + text, text[:-1])
    )


_ODD: list[Callable[[random.Random, dict[str, str]], Pair]] = [
    *(_odd_number, _odd_time, _odd_string, _odd_key, _odd_fields, _odd_bytes, _odd_value),
]


def _block(records: list[Pair]) -> RecordBlock:
    return RecordBlock.of_records(
        [
            ConsumerRecord("t", 0, 0, offset, 1_767_225_600_000, 0, *pair, [], None, 0, 0, 0)
            for offset, pair in enumerate(records)
        ]
    )


def _mixtures(seed: int, blocks: int) -> Iterator[list[Pair]]:
    """Blocks of good records with few, some or many odd ones among them."""
    rng = random.Random(seed)
    for _ in range(blocks):
        count, share, producers = rng.choice((5, 101, 400)), rng.choice((0.0, 0.01, 0.2, 1.0)), rng.choice((1, 3, 12))
        records = []
        for sequence in range(count):
            fields = _fields(rng, sequence, producers)
            records.append(rng.choice(_ODD)(rng, fields) if rng.random() < share else _pair(fields))
        yield records


@pytest.mark.parametrize("seed", range(8))
def test_a_segment_takes_and_refuses_what_flaw_does(seed: int) -> None:
    taken = refused = 0
    for records in _mixtures(seed, 24):
        block = _block(records)
        reasons = [flaw(*record) for record in records]
        for sure, reason in zip(surely_valid(block, is_time).tolist(), reasons, strict=True):
            assert not sure or reason is None
        segment = Segment("t", 0, 0)
        segment.add(block)
        good = [value for (_, value), reason in zip(records, reasons, strict=True) if reason is None and value]
        assert gzip.decompress(segment.good.finish()) == b"".join(value + b"\n" for value in good)
        bad = [msgspec.json.decode(line) for line in gzip.decompress(segment.bad.finish()).splitlines()]
        expected = [(offset, reason) for offset, reason in enumerate(reasons) if reason is not None]
        assert list(map(itemgetter("offset", "reason"), bad)) == expected
        taken, refused = taken + len(good), refused + len(bad)
    assert taken > 1000
    assert refused > 100


def test_compact_quotes_are_found_valid_without_an_object_each(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(0)
    records = [_pair(_fields(rng, sequence, 5)) for sequence in range(1000)]
    sure = surely_valid(_block(records), is_time)
    assert sure[:-10].all()
    monkeypatch.setattr(quotes, "valid_lines", lambda _: pytest.fail("decoded"))
    segment = Segment("t", 0, 0)
    segment.add(_block(records))
    assert segment.good.count == 1000


def test_a_record_that_only_the_walk_beyond_its_end_would_make_whole_is_not_valid() -> None:
    whole = _pair(_fields(random.Random(0), 1, 1))[1] or b""
    records: list[Pair] = [(b"HSI", whole[:cut]) for cut in range(1, len(whole))]
    padded = _block([*records, *[(b"x", b"y" * compact._REACH)] * 2])
    assert not surely_valid(padded, is_time).any()
