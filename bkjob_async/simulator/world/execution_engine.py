"""Run the hosts of a step, and poll them on the platform's own schedule.

Source: bk-job's ScriptTaskResultHandleScheduleStrategy and FileTaskResultHandleScheduleStrategy.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import accumulate
from random import Random

from attrs import field, frozen

from bkjob_async.simulator.world.codes import HOST_RUNNING, HOST_UNKNOWN, HOST_WAITING
from bkjob_async.simulator.world.event_queue import EventQueue
from bkjob_async.simulator.world.plans import HostOutcome, PlatformDelays, Rolling, StepPlan
from bkjob_async.simulator.world.records import Execution, PlannedChange, Row, Step

RowsFinished = Callable[[Execution, int], None]
NextPoll = Callable[[float], float]
"""Returns the first poll of a step's hosts not before so many seconds after its start."""


def poll_schedule(*polls: tuple[int, float], last: float) -> NextPoll:
    """Return when the engine polls: first as *polls* say, each so many of them and so many seconds apart, then every *last* seconds."""
    moments = tuple(accumulate(wait for count, wait in polls for _ in range(count)))

    def next_poll(seconds: float) -> float:
        if seconds > moments[-1]:
            more = -(-(seconds - moments[-1]) // last)
            return moments[-1] + more * last
        return moments[bisect_left(moments, seconds)]

    return next_poll


SCRIPT_POLLS = poll_schedule((10, 1.0), (25, 2.0), (53, 5.0), last=10.0)
FILE_POLLS = poll_schedule((2, 1.0), (9, 2.0), (56, 5.0), last=10.0)


@frozen
class ExecutionEngine:
    """Changes the rows of executions; calls *on_rows_finished*, one delay later, when none of them is open."""

    queue: EventQueue
    delays: PlatformDelays
    _on_rows_finished: RowsFinished
    _at_once: bool = field(alias="at_once", kw_only=True)

    def run(self, execution: Execution, rows: Sequence[Row], rng: Random) -> None:
        """Schedule the changes of waiting rows at the engine's polls that see them."""
        execution.origin = origin = self.queue.now + self.delays.dispatch
        plan = execution.step.plan
        next_poll, rolling = self._next_poll_of(plan), plan.rolling
        planned_changes = [move for move in execution.planned_changes if not move.row.is_forced]
        for row in rows:
            outcome = row.outcome
            if row.status != HOST_WAITING:
                continue
            wait = outcome.start_delay.sample(rng) + batch_start_delay(rolling, row.batch)
            length = outcome.duration.sample(rng)
            runs = outcome.status is not None
            row.runs = (origin + wait, origin + wait + length if runs else None)
            running_at = origin + next_poll(wait)
            done_at = origin + next_poll(wait + length)
            if not runs or running_at < done_at:
                planned_changes.append(PlannedChange(running_at, row, HOST_RUNNING))
            if outcome.status is not None:
                planned_changes.append(PlannedChange(done_at, row, outcome.status))
        planned_changes.sort(key=lambda move: (move.at, move.row.number, move.code), reverse=True)
        execution.planned_changes = planned_changes
        self._next_tick(execution)

    def _next_tick(self, execution: Execution) -> None:
        if execution.planned_changes:
            self.queue.at(execution.planned_changes[-1].at, self._tick, execution)
        self.check_finished(execution)

    def _tick(self, execution: Execution) -> None:
        """Apply what the engine sees at one of its polls."""
        now, planned_changes = self.queue.now, execution.planned_changes
        if execution.frozen or not planned_changes or planned_changes[-1].at > now:
            return
        while planned_changes and planned_changes[-1].at <= now:
            move = planned_changes.pop()
            if not (move.row.is_forced or move.row.is_idle or move.row.is_finished):
                execution.set_status(move.row, move.code, move.at)
        self._next_tick(execution)

    def check_finished(self, execution: Execution) -> None:
        """Send the step's end event once no row is open."""
        if execution.open == 0 and not execution.frozen:
            self.queue.after(self.delays.step, self._on_rows_finished, execution, execution.version)

    def _next_poll_of(self, plan: StepPlan) -> NextPoll:
        """Return when a step's hosts are polled."""
        if self._at_once:
            return lambda seconds: seconds
        return FILE_POLLS if plan.is_file else SCRIPT_POLLS

    def next_poll(self, step: Step, seconds: float = 0.0) -> float:
        """Return the engine's first poll of a step's hosts *seconds* from now."""
        execution = step.execution
        origin = execution.origin if execution is not None else self.queue.now
        return origin + self._next_poll_of(step.plan)(max(0.0, self.queue.now + seconds - origin))

    def end_rows_within(self, step: Step, seconds: float, code: int) -> None:
        """End all open rows with *code* one by one, the last of them after so many *seconds*, at polls of this engine."""
        rows = step.rows
        by_poll: dict[float, list[Row]] = {}
        for row in rows:
            by_poll.setdefault(self.next_poll(step, seconds * row.number / len(rows)), []).append(row)
        for at, due in by_poll.items():
            self.queue.at(at, self.end_rows, step, code, due)

    def end_rows(self, step: Step, code: int, rows: Sequence[Row] | None = None) -> None:
        """End all open rows, or those of *rows*, with *code*, except those that cannot be stopped.

        Undispatched ones stay waiting. Source: bk-job's AbstractResultHandleTask and ScatterBatchDispatcher.
        """
        execution, now = step.execution, self.queue.now
        if execution is None:
            return
        for row in execution.rows if rows is None else rows:
            if row.is_finished or row.is_idle:
                continue
            if execution.origin + batch_start_delay(step.plan.rolling, row.batch) > now:
                execution.withdraw(row)
            elif row.outcome.stoppable or code == HOST_UNKNOWN:
                execution.override_outcome(
                    row, HostOutcome(status=code, exit_code=None, error_code=126), code, now
                )
        self.check_finished(execution)


def batch_start_delay(rolling: Rolling | None, batch: int) -> float:
    """Return how much later a batch of a parallel rolling starts."""
    return rolling.stagger * (batch - 1) if rolling is not None and rolling.parallel else 0.0
