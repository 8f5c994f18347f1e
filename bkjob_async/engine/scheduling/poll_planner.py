"""When each job is polled next: one set of intervals, one cost of a request, one table of durations for all jobs.

A worked example: 1000 jobs named "deploy" run, begun one after the other in the last minute; 20 earlier ones took
about 60 s, and 50 requests per second are allowed.

1. Polls of all jobs compete for requests, so `RequestCost` sets the cost of one, in seconds of detection lag: 2.5.
2. A job was just seen running. `DurationTable` knows its name and returns an `EndPrediction`.
3. At an age of 10 s hardly any run has ended: the prediction's lag reaches the cost late, so the next poll is 50 s off.
4. At 55 s runs end often: the lag grows fast, and the wait is 8 s. With requests for all it would be 2 s, the platform's own
   interval (`PollIntervals`).
5. The wait is spread a little by the job's id, so that jobs that started together are not polled together.
6. Polls that come late show that more was planned than fits: the cost rises, and all waits grow.
7. The job ends. Its duration is added to the table, and the next run of this name is predicted better.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from math import exp
from typing import Any

from bkjob_async.engine.scheduling.clock_skew import ServerClock
from bkjob_async.engine.scheduling.duration_stats import DurationTable, is_duration
from bkjob_async.engine.scheduling.end_prediction import EndPrediction
from bkjob_async.engine.scheduling.poll_interval import PollIntervals, spread
from bkjob_async.engine.scheduling.request_cost import AT_REST, RequestCost
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.next_request import JOB_ITSELF
from bkjob_async.engine.tracking.poll_state import PollState
from bkjob_async.engine.tracking.step_state import StepState
from bkjob_async.errors import UsageError
from bkjob_async.model.refs import Ref, StepRef
from bkjob_async.model.snapshot import Times
from bkjob_async.model.status import Phase, run_status

# Statuses of runs that ended by themselves; the duration of a stopped or skipped run is not a sample.
NATURAL = {Phase.SUCCESS, Phase.FAILED, Phase.IGNORED}
# A duration measured by polls alone is a sample when it is at least this many polls long.
SHARP = 4.0

# The share of callbacks that arrive is measured; before that, half of them are expected.
CALLBACKS_PRIOR = (2.0, 4.0)
CALLBACK_MEMORY = 100.0
MOST_TRUST = 0.95

LAG_GAIN = 0.1
CHEAPEST = 1e-5
# A poll so many seconds before a watch ends, so that its last snapshot is fresh.
BEFORE_END = 0.5


# A gateway may announce a rate of zero; one request in a minute and a half is planned then.
SLOWEST_LIMIT = 0.01

# A duration is expected of a name after so many runs.
FEWEST_RUNS = 3

# The platform's clock is known well enough after so many ends.
LOOKS_TO_BE_SURE = 4


class PollPlanner:
    """Decides when jobs are polled next, and learns from how they end."""

    def __init__(self, intervals: PollIntervals, durations: DurationTable | None = None) -> None:
        self.intervals = intervals
        self.durations = durations if durations is not None else DurationTable()
        # Where ends are spread evenly, polls every 2L seconds detect them L seconds late on average.
        at_rest = AT_REST if intervals.target_lag is None else max(CHEAPEST, 0.04 * intervals.target_lag**2)
        self.request_cost = RequestCost(at_rest=at_rest)
        self._clock = ServerClock()
        self._callbacks_seen, self._ended = CALLBACKS_PRIOR

    def restore_durations(self, exported: Mapping[str, Any] | None) -> None:
        """Use durations that an earlier watch learnt, unless some are known already; unreadable ones are left."""
        if exported is not None and not len(self.durations):
            with suppress(UsageError):
                self.durations = DurationTable.imported(exported)

    def take_durations(self, exported: Mapping[str, Any]) -> int:
        """Take over the names of which another client saw more runs, and return how many; raise `UsageError` for other data."""
        return self.durations.take(DurationTable.imported(exported))

    # A target's life ------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Count one more job, to be polled for the first time."""
        if self.intervals.interval is None:
            self.request_cost.unseen += 1

    def end(self, job: JobState) -> None:
        """Remove a job that is not watched any more."""
        if job.poll_state is not None:
            self.rest(job)
        elif self.intervals.interval is None:
            self.request_cost.unseen -= 1

    def rest(self, job: JobState) -> None:
        """Count a job as one that needs no polls for now."""
        if job.poll_state is not None:
            self._weigh(job.poll_state, 0.0)

    def on_request(self, job: JobState, now: float) -> None:
        """Record that a request is sent *now*: the first of a round, or a further one."""
        poll_state = job.poll_state
        if poll_state is None:
            return
        if job.pending:
            # The job itself is read once more where something ended, and not in the rounds to come.
            poll_state.cost += job.pending[0] != JOB_ITSELF
        else:
            poll_state.cost = 1
            self.request_cost.on_late_poll(poll_state.take_lateness(now), poll_state.step)

    def on_postponed(self, job: JobState, until: float) -> None:
        """Record that a job needs no poll of its own before *until*."""
        if job.poll_state is not None:
            job.poll_state.due = until
            self._weigh(job.poll_state, 0.0)

    def on_nudge(self, job: JobState) -> None:
        """Record that a caller or a callback reported a change of a job."""
        if job.poll_state is not None:
            job.poll_state.nudged = True

    # The next poll ---------------------------------------------------------------------------------------------------

    def next_poll_at(
        self,
        job: JobState,
        now: float,
        *,
        settling: bool = False,
        limit: float | None = None,
        expects_callbacks: bool = False,
        ends_in: float | None = None,
    ) -> float:
        """Return when *job* is polled next, after a poll that is over *now*; with a fixed interval it is not asked.

        *settling*: a final status was seen whose details may still change. *limit* is requests per second, None for any.
        *expects_callbacks*: the platform is expected to call back at the end. *ends_in* is when its watch ends, in seconds.
        """
        intervals = self.intervals
        poll_state = job.poll_state
        if poll_state is None:
            poll_state = job.poll_state = PollState()
            self.request_cost.unseen -= 1
        if settling:
            self._weigh(poll_state, 0.0)
            return now + intervals.while_settling
        open_steps = job.open_steps()
        hosts = 0
        for step in open_steps:
            hosts += step.hosts.size
        if not poll_state.polls:
            self._clock.on_times(job.times, now)
        if hosts > 1:
            poll_state.on_unfinished(sum(step.hosts.statuses.unfinished_count for step in open_steps), now)
        wait = self._wait(job, open_steps, now, hosts=hosts, limit=limit, expects_callbacks=expects_callbacks)
        if ends_in is not None and BEFORE_END < ends_in - BEFORE_END < wait:
            wait = ends_in - BEFORE_END
        poll_state.polls += 1
        poll_state.step = wait
        poll_state.due = now + wait
        poll_state.nudged = False
        return poll_state.due  # one object here and in the schedule

    def plan_again(
        self, job: JobState, now: float, share: float, *, limit: float | None, expects_callbacks: bool
    ) -> float | None:
        """Return when *job* is polled next if that is sooner than planned, for another *limit*; else None.

        A poll that should have been made already comes after a *share* of its wait, so that many do not come at once.
        """
        poll_state = job.poll_state
        if poll_state is None or not poll_state.weight:
            return None
        open_steps, due, last = job.open_steps(), poll_state.due, poll_state.due - poll_state.step
        hosts = sum(step.hosts.size for step in open_steps)
        wait = self._wait(job, open_steps, now, hosts=hosts, limit=limit, expects_callbacks=expects_callbacks)
        at = last + wait if last + wait > now else now + share * wait
        if at >= due:
            return None
        poll_state.step, poll_state.due = wait, at
        return at

    def _wait(
        self,
        job: JobState,
        open_steps: Sequence[StepState],
        now: float,
        *,
        hosts: int,
        limit: float | None,
        expects_callbacks: bool,
    ) -> float:
        """Return the seconds between two polls of *job* with so many *hosts*, and count its share in the load of all."""
        poll_state = job.poll_state
        assert poll_state is not None  # noqa: S101 - checked by the caller
        limit = None if limit is None else max(limit, SLOWEST_LIMIT)
        request_cost = self.request_cost.value(limit)
        age, expectation = self._expected(job, open_steps, now, known_only=request_cost <= AT_REST)
        usual = 0.0 if limit is None else self.request_cost.live * poll_state.cost / limit
        wait = self.intervals.next_wait(
            age=age,
            waiting=job.is_waiting(now, open_steps),
            expectation=expectation,
            cost=request_cost * poll_state.cost / (1.0 - self._trust if expects_callbacks else 1.0),
            usual=usual,
            hosts=hosts,
            moves=poll_state.finish_rate,
        )
        # At first only those are spread that begin at about the same time: none of them was seen before.
        wait = spread(
            wait,
            job.ref,
            polls=poll_state.polls,
            live=self.request_cost.live if poll_state.polls else self.request_cost.unseen,
        )
        self._weigh(poll_state, RequestCost.weight(request_cost, wait, poll_state.cost))
        return wait

    def _weigh(self, poll_state: PollState, weight: float) -> None:
        self.request_cost.replace(poll_state.weight, weight)
        poll_state.weight = weight

    def _expected(
        self, job: JobState, open_steps: Sequence[StepState], now: float, *, known_only: bool
    ) -> tuple[float, EndPrediction | None]:
        """Return the age of the present run and the prediction of its end: by step, job or all runs."""
        for step in open_steps:
            if step.execute_count or not step.started:
                continue
            known = self.durations.expectation(job.ref.scope, job.name, step.name)
            if known is not None:
                return self._age(job.poll_state, step, now), known
        if job.is_target and not job.epoch and not job.was_operated:
            known = self.durations.expectation(job.ref.scope, job.name, None)
            if known is not None:
                return self._age(job.poll_state, job, now), known
        age = job.age(now)
        if known_only and self.intervals.target_lag is None:
            return age, None
        return age, self.durations.unknown_name_estimate()

    def _age(self, poll_state: PollState | None, run: JobState | StepState, now: float) -> float:
        """Return the age of a *run*: by the platform's times, else since it was seen running."""
        since = run.running_since
        if since is None:
            return 0.0
        if poll_state is None or poll_state.since != since or poll_state.polls < LOOKS_TO_BE_SURE:
            times = run.times
            reported = (
                times.total_time if times.total_time is not None and is_duration(times.total_time) else 0.0
            )
            age = max(now - since, reported, self._clock.age(times, now))
            if poll_state is None:
                return age
            poll_state.began_at, poll_state.since = now - age, since
        return now - poll_state.began_at

    @property
    def _trust(self) -> float:
        """Return the share of ends that callbacks are expected to report."""
        return min(MOST_TRUST, self._callbacks_seen / self._ended)

    # What ends teach ------------------------------------------------------------------------------------------------

    def learn(self, job: JobState, now: float, *, expects_callbacks: bool = False) -> None:
        """Add the durations of what has just ended in *job*."""
        ended, job.ended = job.ended, ()
        self._clock.on_times(job.times, now)
        if expects_callbacks and any(ref == job.ref for ref, _ in ended) and job.poll_state is not None:
            self._ended += 1.0
            self._callbacks_seen += job.poll_state.nudged
            if self._ended > CALLBACK_MEMORY:
                self._callbacks_seen, self._ended = self._callbacks_seen / 2.0, self._ended / 2.0
        for step_name, seconds in self._durations_of(job, ended):
            if (
                self.durations.learn(job.ref.scope, job.name, step_name, seconds)
                and self.intervals.target_lag is not None
            ):
                self._steer_to_lag(job, step_name, seconds, self.intervals.target_lag)

    def _durations_of(
        self, job: JobState, ended: Sequence[tuple[Ref, float | None]]
    ) -> Iterator[tuple[str | None, float]]:
        """Yield step names (None for the job) and seconds of first executions without any operation."""
        if job.was_operated:
            return
        sharp = SHARP * job.poll_state.step if job.poll_state is not None else 0.0
        for ref, observed_duration in ended:
            run = job.step(ref.step_instance_id) if isinstance(ref, StepRef) else job
            is_first = is_first_run(run) if isinstance(run, StepState) else is_first_run_of_all(job)
            seconds = seconds_of(run.times, observed_duration, sharp)
            if run.name and is_first and seconds is not None:
                yield None if run is job else run.name, seconds

    def _steer_to_lag(self, job: JobState, step_name: str | None, seconds: float, goal: float) -> None:
        """Adjust the cost of requests so that ends are detected *goal* seconds late on average."""
        known = self.durations.expectation(job.ref.scope, job.name, step_name)
        if known is None or job.poll_state is None or not job.poll_state.step:
            return
        before = max(0.0, seconds - job.poll_state.step / 2.0)
        lag = known.lag_when_found(before, job.poll_state.step)
        off = max(-1.0, min(1.0, 1.0 - lag / goal))
        self.request_cost.at_rest = max(CHEAPEST, self.request_cost.at_rest * exp(LAG_GAIN * off))

    # In words -------------------------------------------------------------------------------------------------------

    def running_for(self, job: JobState, ref: Ref, now: float) -> float | None:
        """Return for how many seconds *ref*, the job or a step of it, has been running; None where it does not run."""
        run = self._run_of(job, ref)
        if run is None or run.running_since is None:
            return None
        return self._age(None, run, now)

    def ends_in(self, job: JobState, ref: Ref, now: float) -> tuple[float, float] | None:
        """Return in how many seconds half and 90 % of such runs are over; None where fewer than `FEWEST_RUNS` are known.

        A run that has not begun counts as one that begins now.
        """
        run = self._run_of(job, ref)
        if run is None:
            return None
        step = run.name if isinstance(run, StepState) else None
        known = self.durations.expectation(job.ref.scope, job.name, step)
        if known is None or self.durations.runs(job.ref.scope, job.name, step) < FEWEST_RUNS:
            return None
        age = self._age(None, run, now)
        return known.time_left(age, 0.5), known.time_left(age, 0.9)

    def _run_of(self, job: JobState, ref: Ref) -> JobState | StepState | None:
        """Return the job or the step of it that *ref* names, None where it is over or was not seen."""
        run = job.run_of(ref)
        if run is None or run.status_code is None or run.announced.finished or ref in job.lost:
            return None
        return run

    def expects(self, job: JobState, now: float) -> str:
        """Return the expected duration of *job* in a few words, empty when nothing is known."""
        if self.intervals.interval is not None:
            return ""
        open_steps = job.open_steps()
        age, expectation = self._expected(job, open_steps, now, known_only=True)
        if expectation is None:
            return ""
        median, factor = expectation.own.median, exp(expectation.own.sigma)
        return f"{age:.0f} s of about {median:.0f} s ({median / factor:.0f} to {median * factor:.0f} s)"


def is_natural(code: int | None) -> bool:
    """Return True for a run that ended by itself."""
    return code is not None and run_status(code).phase in NATURAL


def is_first_run(step: StepState) -> bool:
    """Return True for a step that ended by itself in its first execution."""
    return step.execute_count == 0 and step.epoch == 0 and is_natural(step.status_code)


def is_first_run_of_all(job: JobState) -> bool:
    """Return True for a job that ended by itself, and so did all its steps that started."""
    steps = (step for step in job.steps if step.started)
    return not job.epoch and is_natural(job.status_code) and all(is_first_run(each) for each in steps)


def seconds_of(times: Times, observed_duration: float | None, sharp: float) -> float | None:
    """Return how long a run took: as reported, by its times, else as polled if that is *sharp*; it may be impossible."""
    if times.total_time is not None and is_duration(times.total_time):
        return times.total_time
    if times.start_time is not None and times.end_time is not None:
        return (times.end_time - times.start_time).total_seconds()
    return observed_duration if observed_duration is not None and observed_duration >= sharp else None
