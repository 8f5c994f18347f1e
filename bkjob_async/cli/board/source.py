"""The source of the board's data: keeps its model up to date, reads logs, and retries failed hosts."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from itertools import islice

from attrs import evolve

import bkjob_async as bkjob
from bkjob_async.cli.board.drawing.spans import Line
from bkjob_async.cli.board.model import BoardModel
from bkjob_async.cli.board.target_row import TargetRow
from bkjob_async.cli.board.views.head import HeadFigures
from bkjob_async.cli.watching.failures import bare_text
from bkjob_async.client.shortcuts import RETRYABLE
from bkjob_async.model.status import HOST_CODES, host_status
from bkjob_async.model.text.printing import counted, printable
from bkjob_async.report.phases import UNSUCCESSFUL

FIGURE_SECONDS, BUDGET_SECONDS, RATE_SECONDS = 1.0, 3.0, 3.0
# How long a row was running, and when it is expected to end, is asked for again after so many seconds, for so many rows
# in one frame.
TIMING_SECONDS = 10.0
ROWS_TIMED = 20
SHOWN_FAILURES = 8
FAILED_CODES = frozenset(
    code for code in HOST_CODES if host_status(code).is_finished and not host_status(code).is_success
)


class BoardSource:
    """Keeps a model up to date with the batches of a watch; `figures` and pages are read when a frame is drawn."""

    def __init__(self, client: bkjob.JobClient, watch: bkjob.Watch) -> None:
        """Read *watch*; operations and logs go through *client*."""
        self.model = BoardModel()
        self.is_paused = False
        self._client = client
        self._watch = watch
        self._began_at = self._now()
        self._polls = deque([(self._began_at, 0)])
        self._figures = HeadFigures(over=0, targets=0, hosts={})
        self._figured_at = self._budget_at = float("-inf")
        self._budget: float | None = None
        self._timed: dict[bkjob.Ref, float] = {}
        self._to_time: list[TargetRow] = []
        self.model.set_targets(watch.targets)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    # Batches --------------------------------------------------------------------------------------------------------

    def apply(self, batch: bkjob.Batch) -> Sequence[TargetRow]:
        """Bring the model up to date with a batch; return the rows of the jobs that it is about."""
        model, job = self.model, batch.job
        refs = {job} if job is not None else {event.ref for event in batch.events}
        jobs = {ref.job for ref in refs if ref is not None}
        rows = [row for each in jobs for row in model.rows_of(each)]
        if len(rows) < len(jobs):
            model.set_targets(self._watch.targets)
            rows = [row for each in jobs for row in model.rows_of(each)]
        counts = {row.ref: self._watch.counts(row.ref) for row in rows}
        failures = newest_failures(batch) if any(map(UNSUCCESSFUL.intersection, counts.values())) else ()
        model.apply(batch, counts, failures, self._now())
        return rows

    # Frames ---------------------------------------------------------------------------------------------------------

    def prepare(self, visible: Sequence[TargetRow], now: float) -> None:
        """Read what the next frame shows and no batch says: times, and the figures of the head."""
        if now - self._figured_at >= FIGURE_SECONDS:
            self._figured_at = now
            self._read_figures(now)
        if not self._to_time:
            self._to_time = [row for row in self.model.rows.values() if not row.is_over]
        some = [row for row in visible if row.ref not in self._timed][:ROWS_TIMED]
        while self._to_time and len(some) < ROWS_TIMED:
            some.append(self._to_time.pop())
        for row in some:
            if not row.is_over and now - self._timed.get(row.ref, float("-inf")) >= TIMING_SECONDS:
                self._time(row, now)

    def _time(self, row: TargetRow, now: float) -> None:
        """Ask for how long a row has been running, and when it is expected to end."""
        if row.phase is None:
            return
        self._timed[row.ref] = now
        known = self._watch.explain(row.ref)
        if known.running_for is not None:
            row.began_at = now - known.running_for
        row.ends_at = None if known.ends_in is None else now + known.ends_in[0]

    def _read_figures(self, now: float) -> None:
        model, stats = self.model, self._watch.stats()
        if stats.targets != len(model.rows):
            model.set_targets(self._watch.targets)
        if now - self._budget_at >= BUDGET_SECONDS:
            self._budget_at, self._budget = now, self._client.stats().requests_per_second
        self._polls.append((now, stats.polls))
        while self._polls[1][0] <= now - RATE_SECONDS:
            self._polls.popleft()
        then, polls = self._polls[0]
        hosts_per_second = model.hosts_per_second(now)
        self._figures = evolve(
            self._figures,
            hosts=model.hosts,
            hosts_per_second=hosts_per_second,
            ends_in=model.expected_end(now, hosts_per_second),
            requests_per_second=(stats.polls - polls) / (now - then) if now > then else 0.0,
            budget=self._budget,
            oldest_unseen=stats.oldest_unseen,
            limit="" if stats.limit is None else str(stats.limit).replace("_", " "),
            in_trouble=sum(1 for row in model.rows.values() if row.trouble and not row.is_lost),
        )

    def figures(self) -> HeadFigures:
        """Return the figures of the head; counts are those of the model now."""
        model = self.model
        return evolve(
            self._figures,
            over=model.totals["over"],
            targets=len(model.rows),
            with_failures=model.totals["with_failures"],
            waiting=model.totals["waiting"],
            lost=model.totals["lost"],
            elapsed=self._now() - self._began_at,
            outage=printable(model.outage),
            is_paused=self.is_paused,
        )

    def row(self, ref: bkjob.Ref) -> TargetRow:
        """Return the row of a target, a new one where it has just been dropped."""
        return self.model.rows.get(ref) or TargetRow(ref)

    # What is opened -------------------------------------------------------------------------------------------------

    def hosts(self, ref: bkjob.Ref, after: str | None, limit: int) -> bkjob.HostPage:
        """Return a page of the hosts of a target."""
        return self._watch.hosts_of(ref, after=after, limit=limit)

    def explanation(self, ref: bkjob.Ref) -> list[Line]:
        """Return what is known about polling a target."""
        known, row = self._watch.explain(ref), self.model.rows.get(ref)
        lines: list[Line] = []
        if row is not None and row.name:
            lines += [((f"  {printable(row.name)}", "strong"),), ()]
        lines.append(((f"  {printable(known.because)}", ""),))
        seen = "never seen" if known.seen_ago is None else f"last seen {known.seen_ago:.1f} s ago"
        due = "not due" if known.next_in is None else f"next poll in {known.next_in:.1f} s"
        lines.append(((f"  {seen}, {due}", ""),))
        if known.failures:
            lines.append(((f"  {counted(known.failures, 'failed poll')} in a row", ""),))
        if known.ends_in is not None:
            half, most = known.ends_in
            lines.append(((f"  half of such runs are over in {half:.0f} s, 90 % in {most:.0f} s", ""),))
        else:
            lines.append((("  fewer than three runs of this name are known: no end is expected", "dim"),))
        if row is not None and row.trouble:
            lines.append(((f"  {printable(row.trouble)}", "dim"),))
        return lines

    def title_of(self, step: bkjob.StepRef) -> str:
        """Return the name of the target that a step belongs to, and that of the step."""
        for row in self.model.rows_of(step):
            name = row.name_of(step)
            return f"{row.title}, {printable(name)}" if name else row.title
        return str(step)

    async def log(self, step: bkjob.StepRef, host: bkjob.HostKey) -> str:
        """Return the log of one host."""
        gathered = await self._client.logs(step, hosts=host)
        return "\n".join(filter(None, (bare_text(log) for each in gathered for log in each.hosts)))

    # Operations -----------------------------------------------------------------------------------------------------

    def retry_question(self, ref: bkjob.Ref) -> tuple[str, tuple[bkjob.StepRef, ...]]:
        """Return a question, and the steps of a target that can be retried; none, and why not."""
        progress, row = self._watch.progress(ref), self.model.rows.get(ref)
        title = str(ref) if row is None else row.title
        if progress is None:
            return f"{title} was not seen yet", ()
        steps = [step for step in progress.steps if step.status.code in RETRYABLE]
        if steps:
            hosts = sum(len(step.failed) for step in steps)
            names = ", ".join(printable(step.name) or str(step.ref) for step in steps[:3])
            return f"retry {counted(hosts, 'failed host')} of {title}: {names}?", tuple(s.ref for s in steps)
        if any(step.failed and not step.is_finished for step in progress.steps):
            return "the step still runs: the platform refuses a retry until it is over", ()
        return f"{title} has no failed step", ()

    async def retry(self, steps: Sequence[bkjob.StepRef]) -> str:
        """Retry the failed hosts of *steps*; return how that went."""
        for step in steps:
            try:
                await self._client.operate_step_instance(
                    step, operation_code=bkjob.StepOperation.RETRY_FAILED_HOSTS
                )
            except bkjob.OutcomeUnknown as error:
                return f"it is unknown whether {step} is retried, and the request is not sent again: {error}"
            except bkjob.BkJobError as error:
                return f"{step} is not retried: {error}"
        return f"{counted(len(steps), 'step')} retried"


def newest_failures(batch: bkjob.Batch) -> list[bkjob.HostChanged]:
    """Return the last hosts that failed in a batch."""
    failed = (
        event
        for event in reversed(batch.events)
        if isinstance(event, bkjob.HostChanged) and event.after.code in FAILED_CODES
    )
    return [*islice(failed, SHOWN_FAILURES)][::-1]
