"""The compactor: hours that are over become history, in their order; then late objects; then what is made of them, the
hours summed up and the Iceberg table; then what nobody reads goes.

docs/history.md argues why each record is read exactly once at every moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime

from stock_market.errors import ServiceError
from stock_market.history.compactor.adoption import Adoption
from stock_market.history.compactor.athena import Athena, QueryError, StoppedError
from stock_market.history.compactor.attempt import Attempts, DifferentError, Plan, Prepared, Step
from stock_market.history.compactor.catalog import Catalog, OvertakenError, State
from stock_market.history.compactor.clients import Clients
from stock_market.history.compactor.hours import Hours
from stock_market.history.compactor.iceberg import Iceberg
from stock_market.history.compactor.late import Late, LateHour
from stock_market.history.compactor.log_ends import KafkaLogs
from stock_market.history.compactor.orphans import Orphans
from stock_market.history.compactor.over import Ending, utc_now
from stock_market.history.compactor.raw import Raw, VanishedError
from stock_market.history.naming import Hour
from stock_market.logs import Log
from stock_market.service import Backoff, Stop
from stock_market.settings import HistorySettings

_log = Log("history")
_AGAIN = (QueryError, DifferentError, VanishedError, OvertakenError)
"""After these another try may succeed."""
_TOGETHER, _TOGETHER_BYTES = 8, 64 << 20
"""Hours that are tried at the same time, and published by one replacement of the view: the most, as long as they are
small, by the bytes of their raw objects."""


class ChangedError(DifferentError):
    """The hour's raw objects changed while they were written."""


@dataclass(frozen=True)
class Options:
    """What a run is to do.

    Attributes:
        hours: the most hours that are made history; None: all that are over.
        every_day: looks for late objects, and for sums that are wrong, in every day.
        dry: only tells.
    """

    hours: int | None = None
    every_day: bool = False
    dry: bool = False


@dataclass
class Outcome:
    """What a run has done.

    Attributes:
        hours: hours that became history.
        adopted: hours that were history in S3 and not in the view.
        late: hours below the watermark that got another revision.
        summed: hours that were summed up.
        merged: hours of which the Iceberg table lacked something.
        removed: objects that were removed.
        waiting: why the next hour is not over; empty where there is none.
        problems: one sentence for each hour, or part of the run, that failed.
    """

    hours: list[Hour] = field(default_factory=list)
    adopted: list[Hour] = field(default_factory=list)
    late: list[Hour] = field(default_factory=list)
    summed: list[Hour] = field(default_factory=list)
    merged: list[Hour] = field(default_factory=list)
    removed: int = 0
    waiting: str = ""
    problems: list[str] = field(default_factory=list)


def _no_step(_name: str, _hour: Hour) -> None:
    pass


class Compactor:
    """One run; `step` hears the name of each step before it is made."""

    def __init__(
        self,
        settings: HistorySettings,
        clients: Clients,
        stop: Stop,
        options: Options | None = None,
        *,
        step: Step = _no_step,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._settings = settings
        self._stop = stop
        self._options = options or Options()
        self._step = step
        self._pool = ThreadPoolExecutor(settings.connections, thread_name_prefix="s3")
        self._tries = ThreadPoolExecutor(_TOGETHER, thread_name_prefix="try")
        self._logs = None if settings.kafka is None else KafkaLogs(settings.kafka, stop)
        self._catalog = Catalog(clients.glue, settings)
        self._raw = Raw(clients.s3, settings.s3.bucket, settings.s3.prefix, self._pool)
        names = settings.catalog
        athena = Athena(clients.athena, names.workgroup, names.database, settings.query_seconds, stop)
        self._attempts = Attempts(clients.s3, self._raw, self._catalog, athena, settings=settings, step=step)
        self._adoption = Adoption(clients.s3, self._raw, self._attempts, pool=self._pool, settings=settings)
        self._ending = Ending(self._raw, self._logs, settings.margin_seconds, settings.late_days, now)
        self._late = Late(self._raw, self._catalog, self._attempts, pool=self._pool, days=settings.late_days, now=now)
        sums = Catalog(clients.glue, settings, hours=True)
        tries_of_sums = Attempts(clients.s3, self._raw, sums, athena, settings=settings, step=step)
        self._hours = Hours(
            self._catalog,
            sums,
            quotes=self._attempts,
            attempts=tries_of_sums,
            athena=athena,
            pool=self._tries,
            settings=settings,
            stop=stop,
            step=step,
        )
        self._orphans = [
            Orphans(clients.s3, catalog, attempts, settings=settings, step=step, now=now)
            for catalog, attempts in ((self._catalog, self._attempts), (sums, tries_of_sums))
        ]
        self._iceberg = None
        if settings.iceberg is not None:
            self._iceberg = Iceberg(
                clients, self._catalog, self._attempts, athena, settings=settings, stop=stop, step=step, now=now
            )
        self.outcome = Outcome()

    def run(self) -> Outcome:
        """Does it all; what fails is among the outcome's problems, and the rest is done all the same.

        Raises:
            AbsentError: the view or a table is not in the catalog.
            ViewError: the view is not one of this program's.
            StoppedError: the program has to end.
            botocore's errors: AWS goes on refusing, or does not answer.
        """
        try:
            self._catalog.state()
            for part in (self._make_fresh, self._make_late, self._sum_up, self._fill_iceberg, self._clean):
                try:
                    part()
                except StoppedError:
                    raise
                except ServiceError as error:
                    self._problem(error)
            return self.outcome
        finally:
            self._tries.shutdown(cancel_futures=True)
            self._pool.shutdown(cancel_futures=True)
            if self._logs is not None:
                self._logs.close()

    def _problem(self, error: ServiceError) -> None:
        self.outcome.problems.append(str(error))
        _log.error("problem", reason=error)

    def _wait(self, pauses: Backoff, error: ServiceError) -> None:
        """Waits before another try; raises the error after the last one."""
        if pauses.attempts + 1 >= self._settings.attempts and not isinstance(error, OvertakenError):
            raise error
        seconds = pauses.pause()
        _log.warning("try_again", attempt=pauses.attempts, pause=seconds, reason=error)
        if self._stop.wait(seconds):
            raise StoppedError("asked to end between two tries") from error

    # Hours that are over

    def _make_fresh(self) -> None:
        pauses = Backoff(first=1.0)
        while self._left() and not self._stop.requested:
            state = self._catalog.state()
            if self._adopt(state):
                if self._options.dry:
                    return
                continue
            plans = self._due(state)
            if not plans:
                return
            if self._options.dry:
                self._tell(state, plans)
                return
            try:
                self._publish_fresh(state, plans)
                pauses.reset()
            except _AGAIN as error:
                self._wait(pauses, error)

    def _adopt(self, state: State) -> bool:
        """Publishes what is history in S3 and not in the view; tells whether there was something."""
        tries = self._adoption.next(state.history.watermark)
        if not tries:
            return False
        hours = [one.hour for one in tries]
        _log.info(
            "would_adopt" if self._options.dry else "adopt", first=hours[0].text, last=hours[-1].text, hours=len(hours)
        )
        if self._options.dry:
            self.outcome.adopted += hours
            return True
        history = state.history
        for one in tries:
            self._step("adopt", one.hour)
            self._catalog.add_raw_partition(one.hour)
            history = history.published(one.hour, self._catalog.add_partition(one, first=True))
        self._step("publish", hours[-1])
        try:
            self._catalog.publish(state, history)
            self.outcome.adopted += hours
        except OvertakenError as error:
            _log.info("not_adopted", reason=error)
        return True

    def _left(self) -> int:
        return _TOGETHER if self._options.hours is None else self._options.hours - len(self.outcome.hours)

    def _over(self, state: State) -> Iterator[Hour]:
        """The hours from the watermark on that have objects, up to the first that is not over."""
        for hour in self._raw.hours(state.history.watermark):
            first = self._adoption.first(state.history.watermark)
            if first is not None and first <= hour:
                return  # it is adopted first
            self._step("over", hour)
            self.outcome.waiting = self._ending.waits_for(hour)
            if self.outcome.waiting:
                _log.info("hour_waits", hour=hour.text, reason=self.outcome.waiting)
                return
            yield hour

    def _due(self, state: State) -> list[Plan]:
        """The next hours to write: one, or several that are small."""
        plans: list[Plan] = []
        size = 0
        for hour in self._over(state):
            plan = self._plan(hour)
            size += sum(one.size for one in plan.raw.listed.values())
            if plans and size > _TOGETHER_BYTES:
                break
            plans.append(plan)
            if len(plans) >= min(_TOGETHER, self._left()):
                break
        return plans

    def _plan(self, hour: Hour) -> Plan:
        self._step("list", hour)
        listed = self._raw.listed(hour)
        raw = self._raw.read(hour, listed)
        self._raw.require_unbroken(raw)
        return Plan(hour, {key: one.etag for key, one in listed.items()}, raw)

    def _tell(self, state: State, plans: list[Plan]) -> None:
        hours = list(self._over(state))
        self.outcome.hours += hours if self._options.hours is None else hours[: self._options.hours]
        for plan in plans:
            _log.info("would_write", hour=plan.hour.text, rows=plan.rows, objects=len(plan.listed))

    def _publish_fresh(self, state: State, plans: list[Plan]) -> None:
        futures = [self._tries.submit(self._attempts.prepare, plan) for plan in plans]
        ready, error = _outcomes(futures)
        for place, one in enumerate(ready):
            if error is None and not self._attempts.is_unchanged(one.plan):
                error = ChangedError(f"the raw objects of {one.plan.hour.text} changed while they were written")
                del ready[place:]
                break
        if ready:
            self._publish(state, ready)
            self.outcome.hours += [one.plan.hour for one in ready]
        if error is not None:
            raise error

    def _publish(self, state: State, ready: list[Prepared]) -> None:
        """Publishes tries by one replacement of the view.

        Tries that are not published stay: they are whole, so that somebody else may adopt them at any moment.

        Raises:
            OvertakenError: somebody else has replaced it.
        """
        history = state.history
        for one in ready:
            history = history.published(one.plan.hour, one.revision)
            self._step("publish", one.plan.hour)
        try:
            self._catalog.publish(state, history)
        except OvertakenError:
            # Unless an attempt of ours has done it whose answer got lost, or others have adopted the tries.
            now = self._catalog.state().history
            if any(now.revision(one.plan.hour) != one.revision for one in ready):
                raise
        for one in ready:
            self._step("published", one.plan.hour)
            _log.info("hour_published", hour=one.plan.hour.text, revision=one.revision, rows=one.written.rows)

    # Late objects

    def _make_late(self) -> None:
        for found in self._late.hours(every_day=self._options.every_day):
            if self._stop.requested:
                return
            if self._options.dry:
                self.outcome.late.append(found.hour)
                _log.info("would_write_again", hour=found.hour.text, late=len(found.lacking))
                continue
            try:
                self._make_again(found)
                self.outcome.late.append(found.hour)
            except StoppedError:
                raise
            except ServiceError as error:
                self._problem(error)
        self.outcome.problems += self._late.problems

    def _make_again(self, found: LateHour) -> None:
        """Writes an hour below the watermark again, until it has all of its objects."""
        pauses = Backoff(first=1.0)
        hour: Hour = found.hour
        while True:
            state = self._catalog.state()
            again = self._late.look(state.history, hour)
            if again is None:
                return
            self._step("list", hour)
            plan = self._late.plan(again)
            try:
                ready = self._attempts.prepare(plan)
                if not self._attempts.is_unchanged(plan):
                    raise ChangedError(f"the raw objects of {hour.text} changed while they were written")
                self._publish(state, [ready])
            except _AGAIN as error:
                self._wait(pauses, error)

    # What is made of the history, and orphans

    def _sum_up(self) -> None:
        if not self._stop.requested:
            self.outcome.summed = self._hours.fill(every=self._options.every_day, dry=self._options.dry)

    def _fill_iceberg(self) -> None:
        if self._iceberg and not self._stop.requested:
            self.outcome.merged = self._iceberg.fill(every=self._options.every_day, dry=self._options.dry)

    def _clean(self) -> None:
        self.outcome.removed = sum(one.remove(dry=self._options.dry) for one in self._orphans)
        if self._iceberg:
            self.outcome.removed += self._iceberg.clean(dry=self._options.dry)


def _outcomes(futures: list[Future[Prepared]]) -> tuple[list[Prepared], ServiceError | None]:
    """The tries up to the first that failed, and why it failed; waits for all.

    Raises:
        what is no ServiceError, and StoppedError.
    """
    errors = [one.exception() for one in futures]
    for error in errors:
        if error is not None and (isinstance(error, StoppedError) or not isinstance(error, ServiceError)):
            raise error
    ready: list[Prepared] = []
    for future, error in zip(futures, errors, strict=True):
        if error is not None:
            assert isinstance(error, ServiceError)
            return ready, error
        ready.append(future.result())
    return ready, None
