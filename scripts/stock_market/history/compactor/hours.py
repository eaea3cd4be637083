"""The hours summed up: made of the history's revisions after these are published, and published by a view of their own.

What is not summed up yet, the view sums up when it is asked, of quotes_all. So this may lag behind, or fail, and every
answer is still right. A revision's sums are written into a new folder, compared with its manifest, and read from the
replacement of the view on; each partition names the try whose quotes it sums up, so that an hour which was written
again is summed up again.
"""

from __future__ import annotations

from concurrent.futures import Executor
from typing import NamedTuple

from stock_market.errors import ServiceError
from stock_market.history import statements
from stock_market.history.compactor.athena import Athena, QueryError, StoppedError
from stock_market.history.compactor.attempt import Attempts, DifferentError, Step
from stock_market.history.compactor.catalog import Catalog, OvertakenError, State
from stock_market.history.naming import Hour, TryFolder, new_try
from stock_market.logs import Log
from stock_market.service import Backoff, Stop
from stock_market.settings import HistorySettings

_log = Log("history")
_TOGETHER = 8
"""Hours that are summed up at the same time, and published by one replacement of the view."""


class _Due(NamedTuple):
    """An hour to sum up: the revision that quotes_all reads of it, and its try."""

    hour: Hour
    revision: str
    quotes: TryFolder


class Hours:
    """Sums up the hours that are history.

    Args:
        catalog: of the quotes.
        own: of the hours summed up.
        quotes: reads the manifests of the quotes' tries.
        attempts: takes failed tries of this class away.
        athena: the workgroup.
        pool: for hours at the same time.
        settings: of the program.
        stop: ends it.
        step: hears each step.
    """

    def __init__(
        self,
        catalog: Catalog,
        own: Catalog,
        *,
        quotes: Attempts,
        attempts: Attempts,
        athena: Athena,
        pool: Executor,
        settings: HistorySettings,
        stop: Stop,
        step: Step,
    ) -> None:
        self._catalog = catalog
        self._own = own
        self._quotes = quotes
        self._attempts = attempts
        self._athena = athena
        self._pool = pool
        self._bucket = settings.s3.bucket
        self._attempts_limit = settings.attempts
        self._stop = stop
        self._step = step

    def fill(self, *, every: bool, dry: bool) -> list[Hour]:
        """Sums up what is lacking, the oldest first; returns the hours.

        Args:
            every: also counts what is there of every hour, and makes again what somebody has changed or removed.
            dry: only tells.

        Raises:
            AbsentError: a table or a view is not in the catalog.
            QueryError, DifferentError, OvertakenError: as often as tries are allowed.
            StoppedError: the program has to end.
            botocore's errors.
        """
        done: list[Hour] = []
        wrong = self._wrong() if every else set()
        pauses = Backoff(first=1.0)
        while not self._stop.requested:
            state = self._own.state()
            due = self._due(state, wrong)
            if dry or not due:
                if due:
                    _log.info("would_sum_up", hours=len(due), first=due[0].hour.text, last=due[-1].hour.text)
                return [*done, *(one.hour for one in due)]
            try:
                self._publish(state, due[:_TOGETHER])
                done += [one.hour for one in due[:_TOGETHER]]
                wrong -= {one.hour for one in due[:_TOGETHER]}
                pauses.reset()
            except (QueryError, DifferentError, OvertakenError) as error:
                if pauses.attempts + 1 >= self._attempts_limit:
                    raise
                seconds = pauses.pause()
                _log.warning("try_again", attempt=pauses.attempts, pause=seconds, reason=error)
                if self._stop.wait(seconds):
                    raise StoppedError("asked to end between two tries") from error
        return done

    def _due(self, state: State, wrong: set[Hour]) -> list[_Due]:
        """The hours whose valid revision is not the one that is summed up, or that are `wrong`, the oldest first."""
        history, sums = self._catalog.state().history, self._own.described_partitions()
        found = []
        for (hour, revision), folder in sorted(self._catalog.partitions().items()):
            if folder is None or history.revision(hour) != revision:
                continue
            read = sums.get((hour, state.history.revision(hour) or ""))
            if read is None or read.source != folder.attempt or hour in wrong:
                found.append(_Due(hour, revision, folder))
        return found

    def _wrong(self) -> set[Hour]:
        """The hours of whose records the sums that are read have more or fewer than the manifests say."""
        history = self._own.state().history
        rows_held = self._athena.rows(statements.summed_records(self._own.names), "count of the sums of every hour")
        held = {
            (Hour(str(dt), str(number)), str(revision)): [int(count or 0) for count in counts]
            for dt, number, revision, *counts in rows_held
        }
        wrong: set[Hour] = set()
        tries = {(one.hour, one.attempt): one for one in self._catalog.partitions().values() if one is not None}
        for (hour, revision), made in sorted(self._own.described_partitions().items()):
            quotes = tries.get((hour, made.source))
            if history.revision(hour) != revision or quotes is None:
                continue
            manifest = self._quotes.read_manifest(quotes)
            rows = 0 if manifest is None else manifest.rows
            if held.get((hour, revision), [0, 0]) != [rows, rows]:
                _log.warning("sums_are_wrong", hour=hour.text, revision=revision, rows=rows)
                wrong.add(hour)
        return wrong

    def _publish(self, state: State, due: list[_Due]) -> None:
        history = state.history
        made = [self._pool.submit(self._make, one, first=not history.has(one.hour)) for one in due]
        # All are waited for, so that none goes on behind what is done next.
        failed = [error for one in made if (error := one.exception()) is not None]
        for error in failed:
            raise error
        for one, future in zip(due, made, strict=True):
            history = history.published(one.hour, future.result())
            self._step("publish_sums", one.hour)
        try:
            self._own.publish(state, history)
        except OvertakenError:
            # Unless an attempt of ours has done it whose answer got lost.
            if self._own.state().history != history:
                raise
        _log.info("hours_summed_up", hours=len(due), first=due[0].hour.text, last=due[-1].hour.text)

    def _make(self, due: _Due, *, first: bool) -> str:
        """Writes an hour's sums, and compares them with the manifest; returns the revision that they have."""
        folder, revision = TryFolder(due.hour, new_try()), ""
        manifest = self._quotes.read_manifest(due.quotes)
        if manifest is None:
            raise DifferentError(f"the manifest of the hour {due.hour.text} in {due.quotes.attempt} is missing")
        try:
            if manifest.rows:
                self._step("unload_sums", due.hour)
                location = f"s3://{self._bucket}/{folder.prefix(self._own.prefix)}"
                sql = statements.unload_sums(self._catalog.names, due.hour, due.revision, location)
                self._athena.run(sql, f"UNLOAD of the sums of {due.hour.text}")
            self._step("partition_sums", due.hour)
            revision = self._own.add_partition(folder, first=first, source=due.quotes.attempt)
            self._step("check_sums", due.hour)
            rows = self._athena.rows(
                statements.summed(self._own.names, due.hour, revision), f"count of the sums of {due.hour.text}"
            )
            if not statements.agree(rows, manifest.producers):
                raise DifferentError(
                    f"the sums of the hour {due.hour.text} that Athena has written are not those of its {manifest.rows}"
                    " records"
                )
        except ServiceError as error:
            if error.exit_code:
                self._attempts.discard(folder, revision)
            raise
        return revision
