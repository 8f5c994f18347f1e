"""The state machine of jobs, steps and hosts: the platform's engine, event by event.

Sources: bk-job's JobListener, StepListener, GseStepEventHandler, ConfirmStepEventHandler.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import TypeVar

from bkjob_async.simulator.world import codes
from bkjob_async.simulator.world.event_queue import EventQueue
from bkjob_async.simulator.world.execution_engine import ExecutionEngine
from bkjob_async.simulator.world.hosts import Host
from bkjob_async.simulator.world.plans import HostOutcome, PlatformDelays
from bkjob_async.simulator.world.records import Execution, Job, Row, Step

# A running job whose current step has ended so ends so as well, or goes on with the next step.
ENDS_JOB = frozenset({codes.FAIL, codes.ABNORMAL, codes.ABANDONED, codes.STOP_SUCCESS})
CONTINUES_JOB = frozenset({codes.SUCCESS, codes.SKIPPED, codes.IGNORE_ERROR, codes.ROLLING_WAITING})

Finished = Callable[[Job], None]
T = TypeVar("T")


class Lifecycle:
    """Changes jobs; calls *finished* with each that ends."""

    def __init__(
        self, queue: EventQueue, delays: PlatformDelays, seed: int, finished: Finished, *, at_once: bool
    ) -> None:
        """Schedule all events on *queue*."""
        self.queue = queue
        self.delays = delays
        self.seed = seed
        self.engine = ExecutionEngine(queue, delays, self._finish_step, at_once=at_once)
        self._finished = finished

    # Jobs ---------------------------------------------------------------------------------------------------

    def start_job(self, job: Job) -> None:
        """Handle a job's start event."""
        if job.status == codes.BLANK and job.started is None:
            job.started = self.queue.now
            job.set_status(codes.RUNNING, self.queue.now)
            self.queue_step(job.steps[0])

    def refresh_job(self, job: Job) -> None:
        """Handle the end of the current step: start the next one, or end the job."""
        step = job.current_step
        if job.status == codes.STOPPING:
            well = step.status == codes.SUCCESS and step.order == len(job.steps)
            ended_so = step.status if step.status in (codes.ABNORMAL, codes.ABANDONED) else codes.STOP_SUCCESS
            if step.status in ENDS_JOB or step.status in CONTINUES_JOB:
                self.finish_job(job, codes.SUCCESS if well else ended_so)
        elif job.status == codes.RUNNING and step.status in ENDS_JOB:
            self.finish_job(job, step.status)
        elif job.status == codes.RUNNING and step.status in CONTINUES_JOB:
            self._next(job, step)

    def _next(self, job: Job, step: Step) -> None:
        if step.has_more_batches and step.status != codes.SKIPPED:
            self._next_batch(step)
        elif step.order == len(job.steps):
            self.finish_job(job, codes.SUCCESS)
        else:
            job.current = step.order
            self.queue_step(job.current_step)

    def finish_job(self, job: Job, status: int, *, without_callback: bool = False) -> None:
        """End a job; *without_callback* sends no callback."""
        job.ended = self.queue.now
        job.total = job.ended - (job.started if job.started is not None else job.ended)
        job.set_status(status, self.queue.now)
        if not without_callback:
            self._finished(job)

    # Steps --------------------------------------------------------------------------------------------------

    def queue_step(self, step: Step) -> None:
        """Make a step the current one, and send its start event."""
        step.batch = 1 if step.plan.rolling else 0
        if step.plan.rolling:
            step.set_status(codes.ROLLING_WAITING, self.queue.now)
        self.queue.after(self.delays.event, self.start_step, step)

    def start_step(self, step: Step) -> None:
        """Handle a step's start event."""
        if step.job.status != codes.RUNNING or step.status not in (codes.BLANK, codes.ROLLING_WAITING):
            return
        now = self.queue.now
        step.started = now if step.started is None else step.started
        if step.plan.kind == codes.CONFIRM:
            self.wait_for_user(step)
            return
        step.set_status(codes.RUNNING, now)
        execution = step.executions.setdefault(step.execute_count, Execution(step))
        self._open_batch(execution)

    def wait_for_user(self, step: Step) -> None:
        """Set step and job to wait for a user."""
        step.set_status(codes.WAITING_USER, self.queue.now)
        step.job.set_status(codes.WAITING_USER, self.queue.now)

    def _next_batch(self, step: Step) -> None:
        """Start the next batch, or wait for a user where the mode says so."""
        rolling = step.plan.rolling
        if rolling is not None and rolling.mode == 3:
            self.wait_for_user(step)
        else:
            self.start_next_batch(step)

    def start_next_batch(self, step: Step) -> None:
        """Send the start event of the next batch."""
        step.batch += 1
        step.set_status(codes.ROLLING_WAITING, self.queue.now)
        self.queue.after(self.delays.event, self.start_step, step)

    def _open_batch(self, execution: Execution) -> None:
        """Start the hosts of the batch that is due; the first one creates the waiting rows of all batches.

        Source: bk-job's GseStepEventHandler.saveGseExecuteObjectTasksForStartRollingStep.
        """
        step = execution.step
        rng = self._rng(step)
        if not execution.rows:
            outcomes = step.plan.outcomes if step.execute_count == 0 else step.plan.retry_outcomes
            for batch, position, host in planned_rows(step):
                pinned = step.plan.pinned.get(position) if step.execute_count == 0 else None
                self._row(execution, host, batch, pinned or sample_outcome(outcomes, rng))
        self._run_rows(execution, execution.rows_of(step.batch if step.is_serial else None), rng)

    def _row(self, execution: Execution, host: Host, batch: int, outcome: HostOutcome) -> Row:
        code = (
            outcome.status
            if outcome.status is not None and outcome.status in codes.NEVER_STARTED_HOST
            else codes.HOST_WAITING
        )
        return execution.add(host, batch, outcome, code, self.queue.now)

    def _run_rows(self, execution: Execution, rows: Sequence[Row], rng: Random) -> None:
        step = execution.step
        execution.dispatch(rows)
        self.engine.run(execution, rows, rng)
        if step.plan.abnormal_after is not None and step.execute_count == 0:
            self.queue.after(step.plan.abnormal_after, self._fail_engine, execution)

    def _finish_step(self, execution: Execution, version: int) -> None:
        """Set the step's status from its rows."""
        step = execution.step
        stale = execution is not step.execution or execution.open or execution.version != version
        if stale or step.status not in (codes.RUNNING, codes.STOPPING):
            return
        self._end_step(step, self._final_status(execution))

    def _end_step(self, step: Step, status: int) -> None:
        step.end(status, self.queue.now)
        self.queue.after(self.delays.job, self.refresh_job, step.job)

    def _final_status(self, execution: Execution) -> int:
        step = execution.step
        rolling = step.plan.rolling
        rows = execution.rows_of(step.batch if step.is_serial else None)
        well = all(row.status in codes.SUCCESSFUL_HOST for row in rows)
        if step.status == codes.STOPPING:
            return codes.SUCCESS if well else codes.STOP_SUCCESS
        if well:
            return codes.ROLLING_WAITING if step.has_more_batches else codes.SUCCESS
        ignored = step.plan.ignore_error or (rolling is not None and rolling.mode == 2)
        return codes.IGNORE_ERROR if ignored else codes.FAIL

    def _fail_engine(self, execution: Execution) -> None:
        """Make the engine itself fail: the step ends, its rows never change again."""
        step = execution.step
        if step.status == codes.RUNNING and execution is step.execution and execution.open:
            execution.frozen = True
            self._end_step(step, step.plan.abnormal_status)

    # Stopping, skipping, repeating --------------------------------------------------------------------------

    def stop_step(self, step: Step) -> None:
        """Handle a step's stop event; confirm steps have no case for it and stay."""
        job, now = step.job, self.queue.now
        if job.status != codes.STOPPING:
            return
        if step.status == codes.RUNNING and step.execution is not None:
            step.set_status(codes.STOPPING, now)
            self.queue.at(
                self.engine.next_poll(step, step.plan.stop_duration),
                self.engine.end_rows,
                step,
                codes.HOST_STOPPED,
            )
        elif step.plan.kind == codes.CONFIRM and step.status == codes.WAITING_USER:
            return
        elif step.status in (codes.BLANK, codes.ROLLING_WAITING, codes.WAITING_USER):
            if step.status != codes.BLANK:
                step.end(codes.STOP_SUCCESS, now)
            self.finish_job(job, codes.STOP_SUCCESS)

    def skip_step(self, step: Step) -> None:
        """Handle a skip event: start the next step; the rows change at the engine's next polls."""
        step.end(codes.SKIPPED, self.queue.now)
        self.engine.end_rows_within(step, step.plan.skip_duration, codes.HOST_UNKNOWN)
        step.job.set_status(codes.RUNNING, self.queue.now)
        self.queue.after(self.delays.job, self.refresh_job, step.job)

    def repeat_step(self, step: Step, *, all_hosts: bool) -> None:
        """Handle a retry event: create the rows of a new execution, with the succeeded hosts of the last one."""
        now, rng = self.queue.now, self._rng(step)
        step.set_status(codes.RUNNING, now)
        step.ended = step.total = None
        if not step.executions:
            # Terminated before it began: this is its first execution, whatever its number.
            self._open_batch(step.executions.setdefault(step.execute_count, Execution(step)))
            return
        before = step.executions[max(step.executions)]
        before.frozen = True
        execution = step.executions[step.execute_count] = Execution(step)
        rows = []
        for old in before.rows:
            done = old.status in codes.SUCCESSFUL_HOST
            is_due = not step.is_serial or old.batch == step.batch
            if (step.is_serial and old.batch < step.batch) or (is_due and done and not all_hosts):
                code = codes.HOST_SUCCESS if done else old.status
                kept = execution.add(old.host, old.batch, old.outcome, code, now)
                kept.start, kept.end = old.start, old.end
            else:
                outcome = sample_outcome(step.plan.retry_outcomes, rng)
                again = self._row(execution, old.host, old.batch, outcome)
                rows += [again] if is_due else []
        self._run_rows(execution, rows, rng)

    def _rng(self, step: Step) -> Random:
        """Return a random generator of this step, so that other jobs do not change its outcomes."""
        return Random(f"{self.seed}/{step.id}/{step.execute_count}/{step.batch}")


def planned_rows(step: Step) -> list[tuple[int, int, Host]]:
    """Return (batch, position, host) of every row of a step; batch 0 where it has no batches."""
    rolling, numbered = step.plan.rolling, list(enumerate(step.hosts))
    if rolling is None:
        return [(0, position, host) for position, host in numbered]
    batches = range(1, len(rolling.sizes) + 1)
    if rolling.kind == 2:
        return [(batch, position, host) for batch in batches for position, host in numbered]
    return [
        (batch, position, host)
        for batch in batches
        for position, host in numbered[sum(rolling.sizes[: batch - 1]) : sum(rolling.sizes[:batch])]
    ]


def sample_outcome(outcomes: Sequence[HostOutcome], rng: Random) -> HostOutcome:
    """Return one of the outcomes, by weight."""
    if len(outcomes) == 1:
        return outcomes[0]
    return sample([(outcome.weight, outcome) for outcome in outcomes], rng)


def sample(choices: Sequence[tuple[float, T]], rng: Random) -> T:
    """Return one of the choices, by weight."""
    point = rng.random() * sum(weight for weight, _ in choices)
    for weight, choice in choices:
        point -= weight
        if point < 0:
            return choice
    return choices[-1][1]
