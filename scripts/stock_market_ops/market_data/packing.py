"""Opens a file of market data by what it holds, whatever its name says: text as it is, packed text unpacked."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from stock_market_ops.market_data.report import MarketDataError

_HEAD_BYTES = 4096
_PACKED: dict[bytes, Callable[[Path], object]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}
_ZIP = b"PK\x03\x04"
_WORKBOOK = "an Excel workbook: save its sheet as CSV"
# First bytes of files that have no lines, as file(1) knows them.
_NO_TEXT = {
    b"\xd0\xcf\x11\xe0": _WORKBOOK,
    b"PAR1": "a Parquet file: convert it to CSV",
    b"ARROW1": "an Arrow or Feather file: convert it to CSV",
    b"\x89HDF": "an HDF5 file: convert it to CSV",
    b"SQLite format 3": "an SQLite database: export its table as CSV",
    b"%PDF-": "a PDF document",
    b"\x28\xb5\x2f\xfd": "packed by zstd: unpack it",
    b"7z\xbc\xaf": "a 7z archive: unpack it",
    b"Rar!": "a RAR archive: unpack it",
    b"PK\x05\x06": "a ZIP archive without a file",
}
_PACKED_TWICE = "packed twice: unpack it"
_TAR, _TAR_PLACE = b"ustar", 257
_PAGE = re.compile(rb"(\xef\xbb\xbf)?\s*<(!doctype|html|\?xml)\b", re.IGNORECASE)
_JSON = re.compile(rb'(\xef\xbb\xbf)?\s*(\[\s*)?\{\s*"')


def _refuse(path: Path, what: str) -> None:
    raise MarketDataError(f"the file {path} holds no CSV: it is {what}")


def _require_text(path: Path, head: bytes) -> None:
    """Refuses what is known not to be a table of text, by its first bytes."""
    for start, what in _NO_TEXT.items():
        if head.startswith(start):
            _refuse(path, what)
    if head[_TAR_PLACE:].startswith(_TAR):
        _refuse(path, "a tar archive: unpack it into a directory, and give that as stock_producer_csv_path")
    if _PAGE.match(head):
        _refuse(path, "an HTML or XML page, as a site sends it in place of a file")
    if _JSON.match(head):
        _refuse(path, "JSON: convert it to CSV")


def _member(path: Path, archive: zipfile.ZipFile) -> IO[bytes]:
    """The only file of an archive."""
    names = archive.namelist()
    if "[Content_Types].xml" in names or "mimetype" in names:
        _refuse(path, _WORKBOOK)
    members = [name for name in names if not name.endswith("/") and "__MACOSX" not in name]
    if len(members) != 1:
        raise MarketDataError(
            f"the archive {path} holds {len(members)} files instead of one: unpack it into a directory and give that as"
            " stock_producer_csv_path"
        )
    try:
        return archive.open(members[0])
    except RuntimeError as error:  # a password, or a way of packing that zipfile does not know
        raise MarketDataError(f"cannot read the archive {path}: {error}") from error


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The file's bytes, unpacked where it is packed by gzip, bzip2 or xz, or a ZIP archive with one file.

    Raises:
        MarketDataError: it can't be read, or holds no text.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
        unpack = next((each for start, each in _PACKED.items() if head.startswith(start)), None)
        if unpack is not None:
            with cast("IO[bytes]", unpack(path)) as file:
                yield _checked(path, file)
        elif head.startswith(_ZIP):
            with zipfile.ZipFile(path) as archive, _member(path, archive) as file:
                yield _checked(path, file)
        else:
            _require_text(path, head)
            with path.open("rb") as file:
                yield file
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, lzma.LZMAError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise MarketDataError(f"cannot read the CSV file {path}: {reason}") from error


def _checked(path: Path, file: IO[bytes]) -> IO[bytes]:
    """A file that was packed, at its start."""
    head = file.read(_HEAD_BYTES)
    if head.startswith((_ZIP, *_PACKED)):
        _refuse(path, _PACKED_TWICE)
    _require_text(path, head)
    file.seek(0)
    return file
