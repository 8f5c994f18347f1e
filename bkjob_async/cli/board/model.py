"""The state of a board: one row for each target, fed by batches; pure."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence

from attrs import define, field

from bkjob_async import Batch, HostChanged, Ref, StreamState
from bkjob_async.cli.board.target_row import ATTENTION, RUNNING, TargetRow
from bkjob_async.model.status import Phase
from bkjob_async.report.phases import OPEN

# So many failures are remembered.
LAST_FAILURES = 50
# The rate of hosts is that of so many seconds.
RATE_SECONDS = 15.0


@define(eq=False)
class BoardModel:
    """All rows, with the *state* that they are made of, and what the head shows of them.

    *totals* counts rows by what `TargetRow.counted_as` says. *failures* are the last ones, with the times when they were seen.
    """

    state: StreamState = field(factory=lambda: StreamState(hosts=False), init=False)
    rows: dict[Ref, TargetRow] = field(factory=dict, init=False)
    hosts: Counter[Phase] = field(factory=Counter, init=False)
    totals: Counter[str] = field(factory=Counter, init=False)
    failures: deque[tuple[float, HostChanged]] = field(
        factory=lambda: deque(maxlen=LAST_FAILURES), init=False
    )
    _by_job: dict[Ref, list[TargetRow]] = field(factory=dict, init=False)
    _orders: dict[Ref, tuple[int, bool, int, int, int]] = field(factory=dict, init=False)
    _order: list[TargetRow] | None = field(default=None, init=False)
    _ends: deque[tuple[float, int]] = field(factory=deque, init=False)
    # What each row was counted as last: one that has changed is counted again.
    _counted: dict[Ref, Sequence[str]] = field(factory=dict, init=False)

    # Targets --------------------------------------------------------------------------------------------------------

    def set_targets(self, refs: Iterable[Ref]) -> None:
        """Have a row for each of *refs*, and no other."""
        wanted = set(refs)
        for ref in self.rows.keys() - wanted:
            row = self.rows.pop(ref)
            self.hosts.subtract(row.counts)
            rows = self._by_job[ref.job]
            rows.remove(row)
            if not rows:
                del self._by_job[ref.job]
                self.state.forget(ref.job)
            self._orders.pop(ref, None)
            self.totals.subtract(self._counted.pop(ref, ()))
        for ref in wanted - self.rows.keys():
            row = self.rows[ref] = TargetRow(ref)
            self._by_job.setdefault(ref.job, []).append(row)
        self._order = None

    def rows_of(self, job: Ref) -> Sequence[TargetRow]:
        """Return the rows of the targets that belong to a job."""
        return self._by_job.get(job.job, ())

    def title_of(self, ref: Ref) -> str:
        """Return the name of the target that a step or job belongs to."""
        rows = self.rows_of(ref)
        return rows[0].title if rows else str(ref)

    # Batches --------------------------------------------------------------------------------------------------------

    def apply(
        self,
        batch: Batch,
        counts: Mapping[Ref, Mapping[Phase, int]],
        failures: Iterable[HostChanged] = (),
        now: float = 0.0,
    ) -> None:
        """Apply a batch, with the *counts* of the targets that moved, and its last failures."""
        changed = {ref: row for ref in counts if (row := self.rows.get(ref)) is not None}
        for ref, row in changed.items():
            self.hosts.subtract(row.counts)
            self.hosts.update(counts[ref])
            row.counts, row.stalled = counts[ref], None
        self.state.apply(batch)
        for event in (each for each in batch.events if not isinstance(each, HostChanged)):
            if event.ref is not None:
                rows = self.rows_of(event.ref)
                changed |= {row.ref: row for row in rows}
                if not rows:
                    self.state.forget(event.ref.job)  # of a target that was dropped
            if event.ref in self.rows:
                self.rows[event.ref].note(event, now)
        for row in changed.values():
            row.update(self.state, now)
            self._count(row)
        self.failures.extend((now, failure) for failure in failures)

    def _count(self, row: TargetRow) -> None:
        self.totals.subtract(self._counted.get(row.ref, ()))
        counted = self._counted[row.ref] = row.counted_as
        self.totals.update(counted)
        order = row.order
        if self._orders.get(row.ref) != order:
            self._orders[row.ref] = order
            self._order = None

    # What is shown --------------------------------------------------------------------------------------------------

    def ordered(self) -> Sequence[TargetRow]:
        """Return the rows: failed or waiting for a person, running, pending, over."""
        if self._order is None:
            self._order = sorted(self.rows.values(), key=lambda row: self._orders.get(row.ref) or row.order)
        return self._order

    @property
    def outage(self) -> str:
        """What keeps all targets from being polled, else the watch from recording, empty text for nothing."""
        trouble = self.state.trouble.get(None) or self.state.journal_trouble
        return "" if trouble is None else f"{trouble.error}: {trouble.message}"

    @property
    def done(self) -> int:
        """The number of hosts that are over."""
        return sum(count for phase, count in self.hosts.items() if phase not in OPEN)

    def hosts_per_second(self, now: float) -> float:
        """Return how many hosts a second have ended lately; each call is a sample."""
        ends, done = self._ends, self.done
        if ends and done < ends[-1][1]:
            ends.clear()  # another execution began: its hosts are not over
        ends.append((now, done))
        while len(ends) > 2 and ends[1][0] <= now - RATE_SECONDS:
            ends.popleft()
        seconds = now - ends[0][0]
        return (done - ends[0][1]) / seconds if seconds > 0 else 0.0

    def expected_end(self, now: float, hosts_per_second: float) -> float | None:
        """Return in how many seconds all will be over: by earlier runs where they are known, else by the present rate."""
        running = [row for row in self.rows.values() if row.group in {RUNNING, ATTENTION} and not row.is_over]
        known = [row.ends_at for row in running if row.ends_at is not None]
        if known and 2 * len(known) >= len(running):
            return max(0.0, max(known) - now)
        left = sum(self.hosts.values()) - self.done
        return left / hosts_per_second if left and hosts_per_second > 0 else None
