"""Finds valid quotes, thousands at a time and without an object for any, among records in the form that is most common.

That form is JSON without spaces, with the fields in the order of `quotes.Quote`, strings of printable ASCII without
escapes, prices as digits, a point and digits, and a key of at most 16 bytes. All records of a block are read
together, from the left to the right: each has a place up to which all its bytes have been found right, and one step
in numpy moves all of these on by one field. What is found valid here, `quotes.flaw` finds valid too; of what is not,
nothing is known.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from stock_market.kafka.record_block import Integers, RecordBlock

Flags: TypeAlias = NDArray[np.bool_]
_Words: TypeAlias = NDArray[np.uint64]

_REACH = 512
"""Bytes from a value's start that a walk cannot go beyond, whatever it meets."""
_LONGEST_KEY = 16
_WINDOW = 32
"""Bytes that are looked at for a number and what stands before it."""
_FIELDS = (b',"high":', b',"low":', b',"close":', b',"adj_close":')
_HEAD, _TIME_NAME, _OPEN = b'{"symbol":"', b'","event_time":"', b'","open":'
_TAIL = re.compile(rb',"producer_id":"[ !#-\[\]-~]{1,64}","sequence":')
_LONGEST_TAIL = 96
_TIME_BYTES, _SECONDS_BYTES = 24, 19
_PRODUCERS = 8
"""So many producers in one block are told apart; the records of more are left to others."""
_LOW_BYTES = np.array([(1 << 8 * length) - 1 for length in range(9)], np.uint64)
_LOW_KEY = _LOW_BYTES[np.minimum(np.arange(_LONGEST_KEY + 1), 8)]
_HIGH_KEY = _LOW_BYTES[np.maximum(np.arange(_LONGEST_KEY + 1), 8) - 8]
_KEY_BITS = ((1 << np.arange(_LONGEST_KEY + 1)) - 1).astype(np.uint16)
# `.000Z` in the last five bytes of a word: the digits are to differ from 0 by at most 9, the others not at all.
_FRACTION = np.uint64(int.from_bytes(b"\0\0\0.000Z", "little"))
_FRACTION_BYTES = np.uint64(0xFFFFFFFFFF000000)
_FRACTION_LIMIT = np.uint64(0x7F7676767F000000)
_FRACTION_SIGNS = np.uint64(0x8080808080000000)


def _literal(text: bytes) -> list[tuple[np.uint64, np.uint64]]:
    """A text as words of 8 bytes, each with the mask of its bytes."""
    words = [text[at : at + 8] for at in range(0, len(text), 8)]
    return [(np.uint64(int.from_bytes(word, "little")), _LOW_BYTES[len(word)]) for word in words]


_WORDS = {text: _literal(text) for text in (_HEAD, _TIME_NAME, _OPEN, *_FIELDS, b',"volume":', b',"close_usd":')}


class _Walk:
    """The records of a block and how far each of them has been found right.

    Args:
        buffer: holds them.
        at: where each one's value begins, shape (n,); at least `_REACH` bytes before the buffer's end.
    """

    def __init__(self, buffer: bytes, at: Integers) -> None:
        self.buffer = buffer
        self.characters = np.frombuffer(buffer, np.uint8)
        self.at = at
        self.right = np.ones(len(at), np.bool_)

    def window(self, at: Integers, size: int) -> NDArray[np.uint8]:
        """The `size` bytes from each place on, shape (n, size); size is a multiple of 8."""
        overlapping = np.ndarray(len(self.buffer) - size + 1, f"V{size}", self.buffer, 0, (1,))
        return overlapping[at].view(np.uint8).reshape(-1, size)

    def expect(self, words: _Words, text: list[tuple[np.uint64, np.uint64]]) -> None:
        """Each row of words, shape (n, at least those of the text), has to begin with the text."""
        for column, (word, mask) in enumerate(text):
            found = words[:, column]
            self.right &= (found if mask == _LOW_BYTES[8] else found & mask) == word

    def number(self, name: bytes, *, whole: bool, window: NDArray[np.uint8] | None = None) -> None:
        """Goes on over a field's name, with what stands around it, and its number, in the window of `_WINDOW` bytes."""
        if window is None:
            window = self.window(self.at, _WINDOW)
        if name:
            self.expect(window.view("<u8"), _WORDS[name])
        begin = len(name)
        # One bit for each byte of the number and what follows that is no digit, the window's first byte lowest. Where
        # none is in the window, the walk goes on within the number, which is no place for a point or a name.
        others = np.packbits(window - ord("0") > 9, bitorder="little").view("<u4") & np.uint32(-1 << begin & 0xFFFFFFFF)
        end = _lowest(others)
        self.right &= end > begin
        leading = window[:, begin] == ord("0")
        if leading.any():
            self.right &= ~leading | (end == begin + 1)
        if whole:
            self.right &= end <= begin + 18
        else:
            points = np.packbits(window == ord("."), bitorder="little").view("<u4")
            self.right &= points & others & (~others + np.uint32(1)) != 0
            point, end = end, _lowest(others & (others - 1))
            self.right &= end > point + 1
        self.at = self.at + end


def _lowest(bits: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """The number of the lowest bit that is set; 31 where none is."""
    counts: NDArray[np.uint8] = np.bitwise_count(bits ^ (bits - 1))
    return counts - 1


def surely_valid(block: RecordBlock, is_time: Callable[[str], bool]) -> Flags:
    """Which records are valid quotes beyond doubt.

    Args:
        block: the records.
        is_time: whether a text is a moment of the calendar as `event_time` has to be.

    Returns:
        a flag for each record, shape (n,); where it is not set, the record may be valid or not.
    """
    sure = np.zeros(len(block), np.bool_)
    # Places in a buffer ascend, so these are the records before the last few.
    count = int(np.searchsorted(block.spans.value_starts, len(block.buffer) - _REACH, "right"))
    if count:
        block = block.part(0, count)
        walk = _Walk(block.buffer, block.spans.value_starts)
        _symbol(walk, block)
        if not walk.right.any():
            return sure
        walk.number(b"", whole=False, window=_event_time(walk, is_time))
        for name in _FIELDS:
            walk.number(name, whole=False)
        walk.number(b',"volume":', whole=True)
        walk.number(b',"close_usd":', whole=False)
        walk.number(b"", whole=True, window=_producer_id(walk))
        walk.right &= walk.characters[walk.at] == ord("}")
        sure[:count] = walk.right & (walk.at + 1 == block.spans.value_ends)
    return sure


def _symbol(walk: _Walk, block: RecordBlock) -> None:
    """The symbol has to be the key."""
    window = walk.window(walk.at, _WINDOW)
    walk.expect(window.view("<u8"), _WORDS[_HEAD])
    walk.at = walk.at + len(_HEAD)
    starts, ends, _, _ = block.spans
    length = ends - starts
    walk.right &= (length > 0) & (length <= _LONGEST_KEY)
    length = np.clip(length, 0, _LONGEST_KEY)
    symbols = np.ascontiguousarray(window[:, len(_HEAD) : len(_HEAD) + _LONGEST_KEY])
    differ = walk.window(starts, 16).view("<u8") ^ symbols.view("<u8")
    walk.right &= (differ[:, 0] & _LOW_KEY[length]) | (differ[:, 1] & _HIGH_KEY[length]) == 0
    # One bit for each byte that needs an escape or more than one byte.
    odd = (symbols - ord(" ") > ord("~") - ord(" ")) | (symbols == ord('"')) | (symbols == ord("\\"))
    walk.right &= np.packbits(odd, bitorder="little").view("<u2") & _KEY_BITS[length] == 0
    walk.at = walk.at + length


def _event_time(walk: _Walk, is_time: Callable[[str], bool]) -> NDArray[np.uint8]:
    """The time has to be one; of those with the same second one after the other only the first is read.

    Returns the window at the number that follows.
    """
    window = walk.window(walk.at, 88)
    words = window.view("<u8")
    walk.expect(words, _WORDS[_TIME_NAME])
    walk.expect(words[:, 5:], _WORDS[_OPEN])
    fraction = (words[:, 4] & _FRACTION_BYTES) ^ _FRACTION
    walk.right &= ((fraction + _FRACTION_LIMIT) | fraction) & _FRACTION_SIGNS == 0
    differs = (words[1:, 2] != words[:-1, 2]) | (words[1:, 3] != words[:-1, 3])
    differs |= (words[1:, 4] ^ words[:-1, 4]) & _LOW_BYTES[3] != 0
    firsts = [0, *(np.flatnonzero(differs) + 1).tolist(), len(words)]
    for first, last in pairwise(firsts):
        place = int(walk.at[first]) + len(_TIME_NAME)
        seconds = walk.buffer[place : place + _SECONDS_BYTES].decode("latin-1")
        if not is_time(f"{seconds}.000Z"):
            walk.right[first:last] = False
    size = len(_TIME_NAME) + _TIME_BYTES + len(_OPEN)
    walk.at = walk.at + size
    return np.ascontiguousarray(window[:, size : size + _WINDOW])


def _producer_id(walk: _Walk) -> NDArray[np.uint8] | None:
    """What stands between the last price and the sequence number has to be the same as in a record that is right.

    Returns the window at the number that follows, where there is one producer and all is right so far.
    """
    left = np.flatnonzero(walk.right)
    lengths = np.zeros(len(walk.at), np.int64)
    for _ in range(_PRODUCERS):
        if not len(left):
            break
        place = int(walk.at[left[0]])
        found = _TAIL.match(walk.buffer, place, place + _LONGEST_TAIL)
        if found is None:
            walk.right[left[0]] = False
            left = left[1:]
            continue
        tail = _literal(found[0])
        window = walk.window(walk.at[left], 8 * len(tail) + _WINDOW)
        words = window.view("<u8")
        same = np.ones(len(left), np.bool_)
        for column, (word, mask) in enumerate(tail):
            same &= words[:, column] & mask == word
        if len(left) == len(walk.at) and same.all():
            walk.at = walk.at + len(found[0])
            return np.ascontiguousarray(window[:, len(found[0]) : len(found[0]) + _WINDOW])
        lengths[left[same]] = len(found[0])
        left = left[~same]
    walk.right[left] = False
    walk.at = walk.at + lengths
    return None
