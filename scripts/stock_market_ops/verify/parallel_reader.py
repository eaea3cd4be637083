"""Reads many objects side by side, in processes for the work and in threads for the waiting, never far ahead."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from stock_market_ops.verify.bucket import Place, VanishedError, patiently
from stock_market_ops.verify.reading import Content, Reading, read

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_THREADS = 4
_BATCH = 16
_WORTH_A_PROCESS_BYTES = 16 << 20


class Task(NamedTuple):
    """An object to read, with the checksum of its records where asked for; that of a file of the history always is.

    The totals of such a file are asked for where its hour is summed up.
    """

    key: str
    kind: Content = Content.QUOTES
    with_checksum: bool = False
    with_totals: bool = False


class _Desk:
    """What a worker process keeps between its batches."""

    place: Place
    client: S3Client
    threads: ThreadPoolExecutor


def _take_seat(place: Place, client: S3Client | None = None) -> None:
    _Desk.place = place
    _Desk.client = client or place.client(_THREADS)
    _Desk.threads = ThreadPoolExecutor(_THREADS)


def _read(task: Task) -> Reading | str:
    """The reading; the key alone when the object has vanished."""
    client, bucket = _Desk.client, _Desk.place.bucket
    try:
        if task.kind in {Content.HISTORY, Content.SUMS}:
            # Arrow takes a tenth of a second to load, and is needed only where there is history.
            from stock_market_ops.verify.history.reading import read_file  # noqa: PLC0415

            how = {"is_sums": task.kind is Content.SUMS, "with_totals": task.with_totals}
            return patiently(lambda: read_file(client, bucket, task.key, **how))
        return patiently(lambda: read(client, bucket, task.key, task.kind, with_checksum=task.with_checksum))
    except VanishedError:
        return task.key


def _work(batch: Sequence[Task]) -> list[Reading | str]:
    return list(_Desk.threads.map(_read, batch))


def _batches(tasks: Iterable[Task]) -> Iterator[list[Task]]:
    waiting = iter(tasks)
    while batch := list(islice(waiting, _BATCH)):
        yield batch


def read_all(
    place: Place, client: S3Client, tasks: Iterable[Task], packed_bytes: int, jobs: int
) -> Iterator[Reading | str]:
    """Yields the readings, in the order of the tasks; for an object that has vanished, its key.

    At most `jobs` processes are started, where that pays for `packed_bytes`; else the client reads.

    Raises:
        botocore's errors: S3 did not give an object.
    """
    executor: Executor
    if jobs == 1 or packed_bytes < _WORTH_A_PROCESS_BYTES:
        jobs = 1
        _take_seat(place, client)
        executor = ThreadPoolExecutor(1)
    else:
        context = multiprocessing.get_context("spawn")
        executor = ProcessPoolExecutor(jobs, mp_context=context, initializer=_take_seat, initargs=(place,))
    waiting: deque[Future[list[Reading | str]]] = deque()
    try:
        for batch in _batches(tasks):
            waiting.append(executor.submit(_work, batch))
            if len(waiting) > jobs:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
