"""The file that the producer replays is read block by block, in its order, in bounded memory."""

from __future__ import annotations

import subprocess
import sys
from itertools import islice
from pathlib import Path

import msgspec
import pytest

import stock_market
from stock_market.errors import SettingsError
from stock_market.producer import sample
from stock_market.producer.replay_file import Order, QuoteStart, ReplayFile, Writer
from stock_market.producer.service import RowClock
from stock_market.producer.source import ReplayedSource
from stock_market.settings import ProducerSettings, decode


def write(path: Path, rows: int, order: Order = "file", symbols: int = 1 << 30) -> Path:
    """A file of this many rows, each a second after the one before it."""
    with path.open("wb") as output:
        writer = Writer(output, order)
        for number in range(rows):
            minute, second = divmod(number, 60)
            moment = f"2026-01-02T{minute // 60 % 24:02d}:{minute % 60:02d}:{second:02d}.000Z"
            writer.add(
                msgspec.json.encode(QuoteStart(f"S{number % symbols}", moment, 1.5, 2.5, 1.25, 2.0, 2.0, number, 0.26))
            )
        writer.finish()
    return path


def symbols(lines: list[bytes]) -> list[int]:
    """The numbers of rows."""
    return [int(msgspec.json.decode(line)["symbol"][1:]) for line in lines]


def test_a_file_is_read_in_its_order_or_shuffled_again_each_round(tmp_path: Path) -> None:
    rows = 3000
    kept = ReplayFile(str(write(tmp_path / "kept", rows)))
    assert kept.rows == rows
    assert symbols(list(kept.lines(loop=False, seed=1))) == list(range(rows))
    assert symbols(list(islice(kept.lines(loop=True, seed=1), rows + 5)))[-5:] == [0, 1, 2, 3, 4]
    shuffled = ReplayFile(str(write(tmp_path / "shuffled", rows, "random")))
    rounds = symbols(list(islice(shuffled.lines(loop=True, seed=1), 2 * rows)))
    first, second = rounds[:rows], rounds[rows:]
    assert sorted(first) == sorted(second) == list(range(rows))
    assert first != second
    assert rounds == symbols(list(islice(shuffled.lines(loop=True, seed=1), 2 * rows)))


def test_a_file_of_another_kind_is_refused_with_a_sentence(tmp_path: Path) -> None:
    other = tmp_path / "quotes.csv"
    other.write_bytes(sample.content())
    with pytest.raises(SettingsError, match="is not one that the role stock_producer has made"):
        ReplayFile(str(other))
    with pytest.raises(SettingsError, match=r"cannot read the file to replay, .*: No such file or directory"):
        ReplayFile(str(tmp_path / "none"))
    cut = tmp_path / "cut"
    cut.write_bytes(write(tmp_path / "whole", 100).read_bytes()[:-1])
    with pytest.raises(SettingsError, match="is not one that"):
        ReplayFile(str(cut))


def settings_of(path: Path) -> str:
    """The producer's settings file."""
    return f'mode = "replay"\n[kafka]\nbootstrap_servers = ["127.0.0.1:1"]\n[replay]\npath = "{path}"\nloop = false\n'


def source_of(path: Path) -> ReplayedSource:
    """The producer's source of a file."""
    return ReplayedSource(decode(settings_of(path).encode(), "test", ProducerSettings), "p")


def taken(source: ReplayedSource, count: int) -> int:
    """How many rows it gives when asked for this many."""
    before = source.produced
    source.take(count, 3)
    return source.produced - before


def test_rows_go_by_their_own_clock_so_many_times_as_fast(tmp_path: Path) -> None:
    source = source_of(write(tmp_path / "timed", 100, "time"))
    clock = RowClock(source, 10.0, now=50.0)
    assert taken(source, clock.due(50.0)) == 1
    clock.sent(1)
    assert clock.due(50.05) == 0
    assert clock.pause(50.05) == pytest.approx(0.05)
    assert taken(source, clock.due(50.1)) == 1
    clock.sent(1)
    assert taken(source, clock.due(50.6)) == 5
    clock.sent(5)
    # After a standstill the market goes on where it stood, but for a second.
    assert taken(source, clock.due(1000.0)) == 10
    clock.sent(10)
    assert taken(source, 1000) == 0


_MEASURE = """
import sys
from pathlib import Path
from stock_market.settings import ProducerSettings, decode
from stock_market.producer.source import ReplayedSource
source = ReplayedSource(decode(sys.argv[1].encode(), "test", ProducerSettings), "p")
every = 1 << 40  # As many rows are due at a rate beyond reach.
source.take(every, 3)
first = source.produced
def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
before = peak()
while source.take(every, 3):
    pass
print(first, source.produced, before, peak())
"""


def test_memory_grows_neither_with_the_file_nor_with_what_is_due(tmp_path: Path) -> None:
    rows = 200_000
    path = write(tmp_path / "large", rows, symbols=50)
    root = Path(stock_market.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, settings_of(path)],
        cwd=root,
        env={"PYTHONPATH": f"{root}:{root}/scripts"},
        capture_output=True,
        check=True,
        text=True,
    )
    first, produced, before, after = map(int, done.stdout.split())
    assert 0 < first < rows / 10
    assert produced == rows
    assert after - before < 8 << 10
    assert after < 100 << 10


def test_the_shipped_file_is_what_its_program_makes() -> None:
    path = Path(stock_market.__file__).parent / "data" / "sample.csv"
    assert path.read_bytes() == sample.content()
