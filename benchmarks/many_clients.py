"""Plans whose runs have log-normal durations, and many such runs polled in virtual time.

The decisions are the library's own: a whole fleet is polled when `PollPlanner` says, single runs by its `PollIntervals`,
`DurationTable` and `TimerWheel`. Only the runs are random.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from math import exp, inf, log, sqrt
from random import Random
from statistics import NormalDist, mean

from attrs import frozen

from benchmarks.lifecycles import burst
from benchmarks.scale import scaled
from bkjob_async.engine.responses.job_tracker import apply_job
from bkjob_async.engine.responses.unchanged import note_unchanged_job
from bkjob_async.engine.scheduling.duration_stats import DurationTable
from bkjob_async.engine.scheduling.end_prediction import EndPrediction
from bkjob_async.engine.scheduling.poll_interval import PollIntervals
from bkjob_async.engine.scheduling.poll_planner import PollPlanner
from bkjob_async.engine.scheduling.timer_wheel import TimerWheel
from bkjob_async.engine.stream.cursor import PollStamp
from bkjob_async.engine.tracking.poll_state import PollState
from bkjob_async.model.poll_view import JobPollView
from bkjob_async.model.refs import JobRef, Scope
from bkjob_async.model.snapshot import Times
from bkjob_async.watch.polling.target_registry import PollTarget

# Of all runs, half take less than 30 s and one in a hundred more than 20 minutes.
MEDIAN, SPREAD_OF_ALL = 30.0, 1.586
PLANS = 80
SCOPE = Scope.biz(2)
RUNNING, SUCCESS = 2, 3

PLATFORM_RHYTHM = PollIntervals()
NO_RHYTHM = PollIntervals(rhythm=((inf, 0.01),))
TENTHS = PollIntervals(rhythm=((inf, 0.1),))


@frozen
class Lags:
    """How late ends were seen, and the number of requests per run."""

    seconds: Sequence[float]
    requests: float

    @property
    def mean(self) -> float:
        """The mean lag, in seconds."""
        return mean(self.seconds)

    @property
    def p95(self) -> float:
        """The lag that one end in twenty exceeds."""
        return sorted(self.seconds)[int(0.95 * len(self.seconds))]


class Plans:
    """Eighty plans; runs of one plan vary by *spread* (log-normal), and *outliers* is the share of runs 0.1 or 6 times as long."""

    def __init__(self, seed: int, *, spread: float = 0.3, outliers: float = 0.0) -> None:
        self.dice = Random(seed)
        self._spread = spread
        self._outliers = outliers
        among = sqrt(SPREAD_OF_ALL**2 - spread**2)
        self._medians = [
            log(MEDIAN) + among * NormalDist().inv_cdf((number + 0.5) / PLANS) for number in range(PLANS)
        ]

    def run(self, plan: int) -> float:
        """Return the duration of one more run of a plan."""
        seconds = exp(self._medians[plan] + self._spread * self.dice.gauss(0.0, 1.0))
        return seconds * self.dice.choice((0.1, 6.0)) if self.dice.random() < self._outliers else seconds

    def duration_table(self, runs: int, *, others: bool = False) -> DurationTable:
        """Return the statistics after *runs* runs of each plan; with *others*, of plans with other names."""
        durations = DurationTable()
        for _ in range(runs):
            for plan in range(PLANS):
                durations.learn(SCOPE, f"other {plan}" if others else f"plan {plan}", None, self.run(plan))
        return durations


def prediction(durations: DurationTable, plan: int) -> EndPrediction:
    """Return the prediction for a plan's next run."""
    return durations.expectation(SCOPE, f"plan {plan}", None) or durations.unknown_name_estimate()


# One after the other, with equal numbers of requests ------------------------------------------------


def by_interval(runs: Sequence[tuple[int, float]], interval: float) -> Lags:
    """Poll each run every *interval* seconds."""
    polls = [int(seconds / interval) + 1 for _, seconds in runs]
    lags = [n * interval - seconds for n, (_, seconds) in zip(polls, runs, strict=True)]
    return Lags(lags, mean(polls))


def by_cost(
    runs: Sequence[tuple[int, float]],
    durations: DurationTable,
    cost: float,
    usual: float,
    intervals: PollIntervals,
) -> Lags:
    """Poll each run when its expected detection lag reaches *cost*; *usual* is the fixed interval with as many requests."""
    lags, polls = [], 0
    for plan, seconds in runs:
        expectation, age = prediction(durations, plan), 0.0
        while age < seconds:
            age += intervals.next_wait(age=age, expectation=expectation, cost=cost, usual=usual)
            polls += 1
        lags.append(age - seconds)
    return Lags(lags, polls / len(runs))


def at_requests(wanted: float, trial: Callable[[float], Lags], low: float, high: float) -> tuple[float, Lags]:
    """Return the parameter at which *trial* makes *wanted* requests, and the lags; a larger parameter makes fewer."""
    for _ in range(14):
        middle = sqrt(low * high)
        low, high = (middle, high) if trial(middle).requests > wanted else (low, middle)
    middle = sqrt(low * high)
    return middle, trial(middle)


def compared_with_fixed_interval(
    seed: int, intervals: PollIntervals, *, past: int, outliers: float = 0.0, requests: float = 10.0
) -> tuple[float, float]:
    """Return mean and p95 lag divided by those of a fixed interval with the same number of requests per run."""
    plans = Plans(seed, outliers=outliers)
    durations = plans.duration_table(past or 10, others=not past)
    runs = [(plan, plans.run(plan)) for plan in range(PLANS) for _ in range(scaled(25, 1))]
    interval, fixed = at_requests(requests, lambda x: by_interval(runs, x), 1.0, 100.0)
    _, priced = at_requests(requests, lambda x: by_cost(runs, durations, x, interval, intervals), 0.01, 3.0)
    return priced.mean / fixed.mean, priced.p95 / fixed.p95


# All at once, under a rate limit --------------------------------------------------------------------------------------------


class Fleet:
    """*live* runs at a time under *limit* requests a second; a new run starts when an end is seen.

    *callbacks* is the share of ends that the platform calls back about, 0.1 s later; a callback causes one poll.
    """

    def __init__(self, seed: int, *, live: int, limit: float, callbacks: float = 0.0) -> None:
        self._plans = Plans(seed)
        self._durations = self._plans.duration_table(10)
        self._dice = Random(seed + 1)
        self._live, self._limit, self._callbacks = live, limit, callbacks
        self._schedule: TimerWheel[PollTarget] = TimerWheel()
        # The plan of each run, when it started, and when it ends.
        self._runs: dict[PollTarget, tuple[int, float, float]] = {}
        self._callbacks_due: list[tuple[float, int, PollTarget]] = []
        self._started = 0

    def lags(self, intervals: PollIntervals | None, *, warm_up: float = 200.0, window: float = 400.0) -> Lags:
        """Return how late the ends within *window* seconds are seen; without *intervals*, runs are polled round-robin."""
        planner = None if intervals is None else PollPlanner(intervals, self._durations)
        for _ in range(self._live):
            self._start(0.0, planner)
        lags: list[float] = []
        now, requests = 0.0, 0
        while now < warm_up + window:
            now += 1.0 / self._limit
            while self._callbacks_due and self._callbacks_due[0][0] <= now:
                self._call_back(heapq.heappop(self._callbacks_due)[2], now, planner)
            for run in self._schedule.pop_all_due(now, 1):
                requests += 1
                _, _, end = self._runs[run]
                if planner is not None:
                    self._poll(run, now, planner)
                elif end > now:
                    self._schedule.put(run, now)
                if end <= now:
                    del self._runs[run]
                    self._start(now, planner)
                    if end > warm_up:
                        lags.append(now - end)
        return Lags(lags, requests / now)

    def _start(self, now: float, planner: PollPlanner | None) -> None:
        """Start another run, which may send a callback when it ends."""
        self._started += 1
        plan = self._dice.randrange(PLANS)
        end = now + self._plans.run(plan)
        run = PollTarget(JobRef(SCOPE, self._started))
        run.add_target(run.ref)
        self._runs[run] = plan, now, end
        if planner is not None:
            planner.begin()
        self._schedule.put(run, now)
        if self._dice.random() < self._callbacks:
            heapq.heappush(self._callbacks_due, (end + 0.1, self._started, run))

    def _call_back(self, run: PollTarget, now: float, planner: PollPlanner | None) -> None:
        if run.due is not None:
            self._schedule.schedule_earlier(run, now)
            if planner is not None:
                planner.on_nudge(run)

    def _poll(self, run: PollTarget, now: float, planner: PollPlanner) -> None:
        """Apply a response, and schedule the next poll as the library does."""
        plan, start, end = self._runs[run]
        planner.on_request(run, now)
        times = Times(total_time=min(now, end) - start)
        status = RUNNING if end > now else SUCCESS
        view = JobPollView(status=status, name=f"plan {plan}", times=times)
        if not note_unchanged_job(run, view, now):
            apply_job(run, view, PollStamp(now, 1, ""))
        calls_back = self._callbacks > 0.0
        if end > now:
            due = planner.next_poll_at(
                run,
                now,
                settling=run.is_settling(),
                limit=self._limit,
                expects_callbacks=calls_back,
            )
            self._schedule.put(run, due)
        else:
            planner.learn(run, now, expects_callbacks=calls_back)
            planner.end(run)


# Many hosts of one step ------------------------------------------------------------------------------------------------


def bulk_and_stragglers(seed: int, hosts: int = 1000) -> list[float]:
    """Return when each host of a step ends: nine in ten after about half a minute, the last after three minutes."""
    dice = Random(seed)
    return sorted(burst(number, dice)[1] for number in range(hosts))


def requests_for_host_lag(seed: int, wanted: float) -> tuple[float, float]:
    """Return requests of adaptive polling divided by those of a fixed interval with the same mean lag, and the step's lag."""
    ends = bulk_and_stragglers(seed)
    durations = DurationTable()
    for number in range(10):
        durations.learn(SCOPE, "step", None, bulk_and_stragglers(1000 * seed + number)[-1])
    expectation = durations.expectation(SCOPE, "step", None) or durations.unknown_name_estimate()
    adaptive = lambda cost: hosts_by_changes(ends, cost, TENTHS, expectation)  # noqa: E731 - one line says it
    adaptive_lags, lag_of_step = at_lag(wanted, adaptive, 1e-3, 30.0)
    fixed, _ = at_lag(adaptive_lags.mean, lambda interval: hosts_by_interval(ends, interval), 0.2, 10.0)
    return adaptive_lags.requests / fixed.requests, lag_of_step


def at_lag(
    wanted: float, trial: Callable[[float], tuple[Lags, float]], low: float, high: float
) -> tuple[Lags, float]:
    """Return the result of *trial* whose mean lag is *wanted*; a larger parameter makes more lag."""
    for _ in range(16):
        middle = sqrt(low * high)
        low, high = (middle, high) if trial(middle)[0].mean < wanted else (low, middle)
    return trial(low)


def hosts_by_interval(ends: Sequence[float], interval: float) -> tuple[Lags, float]:
    """Poll a step every *interval* seconds; return the lags of its hosts and its own."""
    polls = int(ends[-1] / interval) + 1
    lags = [(int(end / interval) + 1) * interval - end for end in ends]
    return Lags(lags, polls), polls * interval - ends[-1]


def hosts_by_changes(
    ends: Sequence[float], cost: float, intervals: PollIntervals, expectation: EndPrediction
) -> tuple[Lags, float]:
    """Poll a step as often as its hosts change; return their lags and its own."""
    state, now, polls, seen = PollState(), 0.0, 0, 0
    lags: list[float] = []
    while seen < len(ends):
        state.on_unfinished(len(ends) - seen, now)
        now += intervals.next_wait(
            age=now, expectation=expectation, cost=cost, hosts=len(ends), moves=state.finish_rate
        )
        polls += 1
        while seen < len(ends) and ends[seen] <= now:
            lags.append(now - ends[seen])
            seen += 1
    return Lags(lags, polls), now - ends[-1]
