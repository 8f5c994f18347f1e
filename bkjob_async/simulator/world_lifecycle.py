"""How jobs, steps and hosts move on: the platform's engine, event by event.

Sources: bk-job's JobListener, StepListener, GseStepEventHandler, ConfirmStepEventHandler.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from bkjob_async.simulator.world_agenda import Agenda
from bkjob_async.simulator.world_codes import (
    ABANDONED,
    ABNORMAL,
    BLANK,
    CONFIRM,
    FAIL,
    FILE,
    GOOD_HOST,
    HOST_RUNNING,
    HOST_STOPPED,
    HOST_SUCCESS,
    HOST_UNKNOWN,
    HOST_WAITING,
    IGNORE_ERROR,
    OPEN_HOST,
    ROLLING_WAITING,
    RUNNING,
    SKIPPED,
    STILLBORN_HOST,
    STOP_SUCCESS,
    STOPPING,
    SUCCESS,
    WAITING_USER,
)
from bkjob_async.simulator.world_plans import Fate, Host, JobPlan, Lags, Rolling, StepPlan
from bkjob_async.simulator.world_records import Execution, Job, Planned, Step
from bkjob_async.simulator.world_rhythm import FILE_RHYTHM, SCRIPT_RHYTHM, AtOnce, Rhythm

# What becomes of a running job when its current step has ended so; absent: on to the next step.
ENDS_JOB = {FAIL: FAIL, ABNORMAL: ABNORMAL, ABANDONED: ABANDONED, STOP_SUCCESS: STOP_SUCCESS}
GOES_ON = frozenset({SUCCESS, SKIPPED, IGNORE_ERROR, ROLLING_WAITING})

Finished = Callable[[Job], None]


class Lifecycle:
    """Moves jobs on; whoever ends one is told through *finished*."""

    def __init__(self, agenda: Agenda, lags: Lags, seed: int, finished: Finished, *, at_once: bool) -> None:
        """Put all further events on *agenda*."""
        self.agenda = agenda
        self.lags = lags
        self.seed = seed
        self._finished = finished
        self._script: Rhythm | AtOnce = AtOnce() if at_once else SCRIPT_RHYTHM
        self._file: Rhythm | AtOnce = AtOnce() if at_once else FILE_RHYTHM

    # Jobs -----------------------------------------------------------------------------------------------------------

    def start_job(self, job: Job) -> None:
        """Handle a job's start event."""
        if job.status == BLANK and job.started is None:
            job.started = self.agenda.now
            job.put(RUNNING, self.agenda.now)
            self.queue_step(job.steps[0])

    def refresh_job(self, job: Job) -> None:
        """Look at the current step's end: go on, or end as well."""
        step = job.current_step
        if job.status == STOPPING:
            well = step.status == SUCCESS and step.order == len(job.steps)
            ended_so = step.status if step.status in (ABNORMAL, ABANDONED) else STOP_SUCCESS
            if step.status in ENDS_JOB or step.status in GOES_ON:
                self.finish_job(job, SUCCESS if well else ended_so)
        elif job.status == RUNNING and step.status in ENDS_JOB:
            self.finish_job(job, ENDS_JOB[step.status])
        elif job.status == RUNNING and step.status in GOES_ON:
            self._next(job, step)

    def _next(self, job: Job, step: Step) -> None:
        if step.has_more_batches and step.status != SKIPPED:
            self._next_batch(step)
        elif step.order == len(job.steps):
            self.finish_job(job, SUCCESS)
        else:
            job.current = step.order
            self.queue_step(job.current_step)

    def finish_job(self, job: Job, status: int, *, silently: bool = False) -> None:
        """End a job; *silently* calls nobody back."""
        job.ended = self.agenda.now
        job.total = job.ended - (job.started if job.started is not None else job.ended)
        job.put(status, self.agenda.now)
        if not silently:
            self._finished(job)

    # Steps ----------------------------------------------------------------------------------------------------------

    def queue_step(self, step: Step) -> None:
        """Write a step down as the next one, and send its start event."""
        step.batch = 1 if step.plan.rolling else 0
        if step.plan.rolling:
            step.put(ROLLING_WAITING, self.agenda.now)
        self.agenda.after(self.lags.event, self.start_step, step)

    def start_step(self, step: Step) -> None:
        """Handle a step's start event."""
        if step.job.status != RUNNING or step.status not in (BLANK, ROLLING_WAITING):
            return
        now = self.agenda.now
        step.started = now if step.started is None else step.started
        if step.plan.kind == CONFIRM:
            self.ask_person(step)
            return
        step.put(RUNNING, now)
        execution = step.executions.setdefault(step.execute_count, Execution(step.execute_count))
        self._open_batch(step, execution)

    def ask_person(self, step: Step) -> None:
        """Let step and job wait for a person."""
        step.put(WAITING_USER, self.agenda.now)
        step.job.put(WAITING_USER, self.agenda.now)

    def _next_batch(self, step: Step) -> None:
        """Go on rolling, after a person's word where the mode asks for it."""
        rolling = step.plan.rolling
        if rolling is not None and rolling.mode == 3:
            self.ask_person(step)
        else:
            self.roll_on(step)

    def roll_on(self, step: Step) -> None:
        """Send the start event of the next batch."""
        step.batch += 1
        step.put(ROLLING_WAITING, self.agenda.now)
        self.agenda.after(self.lags.event, self.start_step, step)

    def _open_batch(self, step: Step, execution: Execution) -> None:
        """Write down the rows of the batch that is due, all waiting, and hand them to their agents."""
        dice = self._dice(step)
        fates = step.plan.fates if step.execute_count == 0 else step.plan.retry_fates
        rows = []
        for batch, position, host in self._due_hosts(step):
            pinned = step.plan.pinned.get(position) if step.execute_count == 0 else None
            fate = pinned or drawn(fates, dice)
            rows.append(self._row(execution, host, batch, fate))
        self._run(step, execution, rows, dice)

    def _due_hosts(self, step: Step) -> list[tuple[int, int, Host]]:
        """Return (batch, position, host) of all that start now."""
        rolling, numbered = step.plan.rolling, list(enumerate(step.hosts))
        if rolling is None:
            return [(0, position, host) for position, host in numbered]
        batches = range(1, len(rolling.sizes) + 1) if rolling.parallel else (step.batch,)
        if rolling.kind == 2:
            return [(batch, position, host) for batch in batches for position, host in numbered]
        return [
            (batch, position, host)
            for batch in batches
            for position, host in numbered[sum(rolling.sizes[: batch - 1]) : sum(rolling.sizes[:batch])]
        ]

    def _row(self, execution: Execution, host: Host, batch: int, fate: Fate) -> int:
        code = fate.status if fate.status is not None and fate.status in STILLBORN_HOST else HOST_WAITING
        return execution.add(host, batch, fate, code, self.agenda.now)

    def _run(self, step: Step, execution: Execution, rows: Sequence[int], dice: Random) -> None:
        """Plan the moves of waiting rows as the engine's polls will see them."""
        execution.origin = origin = self.agenda.now + self.lags.dispatch
        rhythm, rolling = self.rhythm_of(step.plan), step.plan.rolling
        planned = [move for move in execution.planned if move.row not in execution.forced]
        for row in rows:
            fate = execution.fates[row]
            if execution.statuses[row] != HOST_WAITING:
                continue
            wait = fate.waits.draw(dice) + late_start(rolling, execution.batches[row])
            length = fate.runs.draw(dice)
            runs = fate.status is not None
            execution.spans[row] = (origin + wait, origin + wait + length if runs else None)
            running_at = origin + rhythm.after(wait)
            done_at = origin + rhythm.after(wait + length)
            if not runs or running_at < done_at:
                planned.append(Planned(running_at, row, HOST_RUNNING))
            if fate.status is not None:
                planned.append(Planned(done_at, row, fate.status))
        planned.sort(reverse=True)
        execution.planned = planned
        self._next_tick(step, execution)
        if step.plan.abnormal_after is not None and step.execute_count == 0:
            self.agenda.after(step.plan.abnormal_after, self._break_down, step, execution)

    def rhythm_of(self, plan: StepPlan) -> Rhythm | AtOnce:
        """Return when the engine looks at a step's hosts."""
        return self._file if plan.kind == FILE else self._script

    def _next_tick(self, step: Step, execution: Execution) -> None:
        if execution.planned:
            self.agenda.at(execution.planned[-1].at, self._tick, step, execution)
        self.check_end(step, execution)

    def _tick(self, step: Step, execution: Execution) -> None:
        """Take over what the engine sees at one of its polls."""
        now, planned = self.agenda.now, execution.planned
        if execution.frozen or not planned or planned[-1].at > now:
            return
        while planned and planned[-1].at <= now:
            move = planned.pop()
            if move.row not in execution.forced and execution.statuses[move.row] in OPEN_HOST:
                execution.put(move.row, move.code, move.at)
        self._next_tick(step, execution)

    def check_end(self, step: Step, execution: Execution) -> None:
        """Send the step's end event once no row is open."""
        if execution.open == 0 and not execution.frozen:
            self.agenda.after(self.lags.step, self._close_step, step, execution, execution.version)

    def _close_step(self, step: Step, execution: Execution, version: int) -> None:
        """Fold the rows into the step's status."""
        stale = execution is not step.execution or execution.open or execution.version != version
        if stale or step.status not in (RUNNING, STOPPING):
            return
        now, status = self.agenda.now, self._outcome(step, execution)
        step.close(now)
        step.put(status, now)
        self.agenda.after(self.lags.job, self.refresh_job, step.job)

    def _outcome(self, step: Step, execution: Execution) -> int:
        rolling = step.plan.rolling
        rows = execution.rows_of(None if rolling is None or rolling.parallel else step.batch)
        well = all(execution.statuses[row] in GOOD_HOST for row in rows)
        if step.status == STOPPING:
            return SUCCESS if well else STOP_SUCCESS
        if well:
            return ROLLING_WAITING if step.has_more_batches else SUCCESS
        ignored = step.plan.ignore_error or (rolling is not None and rolling.mode == 2)
        return IGNORE_ERROR if ignored else FAIL

    def _break_down(self, step: Step, execution: Execution) -> None:
        """Let the engine itself fail: the step ends, its rows stay as they are for ever."""
        if step.status == RUNNING and execution is step.execution and execution.open:
            execution.frozen = True
            step.close(self.agenda.now)
            step.put(step.plan.abnormal_status, self.agenda.now)
            self.agenda.after(self.lags.job, self.refresh_job, step.job)

    # Stopping, skipping, repeating ----------------------------------------------------------------------------------

    def stop_step(self, step: Step) -> None:
        """Handle a step's stop event; confirm steps have no case for it and stay."""
        job, now = step.job, self.agenda.now
        if job.status != STOPPING:
            return
        if step.status == RUNNING and step.execution is not None:
            step.put(STOPPING, now)
            self.agenda.at(self.next_poll(step, step.plan.stop_takes), self._end_rows, step, HOST_STOPPED)
        elif step.plan.kind == CONFIRM and step.status == WAITING_USER:
            return
        elif step.status in (BLANK, ROLLING_WAITING, WAITING_USER):
            if step.status != BLANK:
                step.close(now)
                step.put(STOP_SUCCESS, now)
            self.finish_job(job, STOP_SUCCESS)

    def next_poll(self, step: Step, seconds: float = 0.0) -> float:
        """Return the engine's first poll of a step's hosts *seconds* from now."""
        execution = step.execution
        origin = execution.origin if execution is not None else self.agenda.now
        return origin + self.rhythm_of(step.plan).after(max(0.0, self.agenda.now + seconds - origin))

    def _end_rows(self, step: Step, code: int) -> None:
        """End all open rows with *code*, but those who do not hear."""
        execution, now = step.execution, self.agenda.now
        if execution is None:
            return
        for row, status in enumerate(execution.statuses):
            if status in OPEN_HOST and (execution.fates[row].stoppable or code == HOST_UNKNOWN):
                execution.force(row, Fate(status=code, exit_code=None, error_code=126), code, now)
        self.check_end(step, execution)

    def skip_step(self, step: Step) -> None:
        """Handle a skip event: on to the next step, the rows follow at the engine's next poll."""
        if step.status == STOPPING:
            step.close(self.agenda.now)
            step.put(SKIPPED, self.agenda.now)
            self.agenda.at(self.next_poll(step), self._end_rows, step, HOST_UNKNOWN)
            step.job.put(RUNNING, self.agenda.now)
            self.agenda.after(self.lags.job, self.refresh_job, step.job)

    def repeat_step(self, step: Step, *, all_hosts: bool) -> None:
        """Handle a retry event: rows of a new execution, succeeded hosts carried along."""
        if step.status not in (FAIL, ABNORMAL, STOP_SUCCESS):
            return
        now, dice = self.agenda.now, self._dice(step)
        before = step.executions[max(step.executions)]
        before.frozen = True
        step.put(RUNNING, now)
        step.ended = step.total = None
        execution = step.executions[step.execute_count] = Execution(step.execute_count)
        rows = []
        for row, host in enumerate(before.hosts):
            batch, fate = before.batches[row], before.fates[row]
            serial = step.plan.rolling is not None and not step.plan.rolling.parallel
            past_batch = serial and batch < step.batch
            done = before.statuses[row] in GOOD_HOST
            if past_batch or (done and not all_hosts):
                code = HOST_SUCCESS if done else before.statuses[row]
                execution.add(host, batch, fate, code, now)
                execution.starts[row], execution.ends[row] = before.starts[row], before.ends[row]
            else:
                rows.append(self._row(execution, host, batch, drawn(step.plan.retry_fates, dice)))
        self._run(step, execution, rows, dice)

    def _dice(self, step: Step) -> Random:
        """Return dice of this step's own, so that no other story changes them."""
        return Random(f"{self.seed}/{step.id}/{step.execute_count}/{step.batch}")


def drawn(fates: Sequence[Fate], dice: Random) -> Fate:
    """Return one of the fates, by weight."""
    if len(fates) == 1:
        return fates[0]
    point = dice.random() * sum(fate.weight for fate in fates)
    for fate in fates:
        point -= fate.weight
        if point < 0:
            return fate
    return fates[-1]


def late_start(rolling: Rolling | None, batch: int) -> float:
    """Return how much later a batch of a parallel rolling starts."""
    return rolling.stagger * (batch - 1) if rolling is not None and rolling.parallel else 0.0


def drawn_plan(plans: Sequence[tuple[float, JobPlan]], dice: Random) -> JobPlan:
    """Return one of the plans, by weight."""
    point = dice.random() * sum(weight for weight, _ in plans)
    for weight, plan in plans:
        point -= weight
        if point < 0:
            return plan
    return plans[-1][1]
