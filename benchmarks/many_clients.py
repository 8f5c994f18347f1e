"""Plans whose runs take log-normal times, and fleets of such runs looked at in virtual time.

What decides is the library's own: `PollIntervals`, `DurationTable`, `RequestCost`, `TimerWheel`. Only the runs are made up.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from math import exp, inf, log, sqrt
from random import Random
from statistics import NormalDist, mean

from attrs import frozen

from benchmarks.lifecycles import burst
from bkjob_async.engine.scheduling.duration_stats import DurationTable
from bkjob_async.engine.scheduling.end_prediction import EndPrediction
from bkjob_async.engine.scheduling.poll_interval import PollIntervals
from bkjob_async.engine.scheduling.request_cost import RequestCost
from bkjob_async.engine.scheduling.timer_wheel import TimerWheel
from bkjob_async.engine.tracking.poll_state import PollState
from bkjob_async.model.refs import Scope

# All runs together: half take less than 30 s, one in a hundred more than 20 minutes.
MEDIAN, SPREAD_OF_ALL = 30.0, 1.586
PLANS = 80
SCOPE = Scope.biz(2)

AS_THE_PLATFORM = PollIntervals()
AT_ONCE = PollIntervals(rhythm=((inf, 0.01),))
IN_TENTHS = PollIntervals(rhythm=((inf, 0.1),))


@frozen
class DetectionLags:
    """How late ends were seen, and how many requests it took for each."""

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
    """Eighty plans: runs of one lie *spread* apart, a share of them are *outliers* (0.1 or 6 times as long)."""

    def __init__(self, seed: int, *, spread: float = 0.3, outliers: float = 0.0) -> None:
        self.dice = Random(seed)
        self._spread = spread
        self._outliers = outliers
        among = sqrt(SPREAD_OF_ALL**2 - spread**2)
        self._medians = [
            log(MEDIAN) + among * NormalDist().inv_cdf((number + 0.5) / PLANS) for number in range(PLANS)
        ]

    def run(self, plan: int) -> float:
        """Return how long one more run of a plan takes."""
        seconds = exp(self._medians[plan] + self._spread * self.dice.gauss(0.0, 1.0))
        return seconds * self.dice.choice((0.1, 6.0)) if self.dice.random() < self._outliers else seconds

    def taught(self, runs: int, *, others: bool = False) -> DurationTable:
        """Return what *runs* earlier runs of each plan teach; of plans with *other* names, only about all runs."""
        durations = DurationTable()
        for _ in range(runs):
            for plan in range(PLANS):
                durations.learn(SCOPE, f"other {plan}" if others else f"plan {plan}", None, self.run(plan))
        return durations


def expected(durations: DurationTable, plan: int) -> EndPrediction:
    """Return what is expected of a plan's next run."""
    return durations.expectation(SCOPE, f"plan {plan}", None) or durations.unknown_name_estimate()


# One after the other, at equal requests --------------------------------------------------------------------------------


def by_interval(runs: Sequence[tuple[int, float]], interval: float) -> DetectionLags:
    """Look at each run every *interval* seconds."""
    looks = [int(seconds / interval) + 1 for _, seconds in runs]
    lags = [n * interval - seconds for n, (_, seconds) in zip(looks, runs, strict=True)]
    return DetectionLags(lags, mean(looks))


def by_price(
    runs: Sequence[tuple[int, float]],
    durations: DurationTable,
    price: float,
    usual: float,
    cadence: PollIntervals,
) -> DetectionLags:
    """Look at each run when its unseen lag reaches *price*; *usual* is the even interval for the same requests."""
    lags, looks = [], 0
    for plan, seconds in runs:
        expectation, age = expected(durations, plan), 0.0
        while age < seconds:
            age += cadence.next_wait(age=age, expectation=expectation, price=price, usual=usual)
            looks += 1
        lags.append(age - seconds)
    return DetectionLags(lags, looks / len(runs))


def at_requests(
    wanted: float, trial: Callable[[float], DetectionLags], low: float, high: float
) -> tuple[float, DetectionLags]:
    """Find the figure at which *trial* takes *wanted* requests; more of it takes fewer."""
    for _ in range(14):
        middle = sqrt(low * high)
        low, high = (middle, high) if trial(middle).requests > wanted else (low, middle)
    middle = sqrt(low * high)
    return middle, trial(middle)


def beside_a_fixed_interval(
    seed: int, cadence: PollIntervals, *, past: int, outliers: float = 0.0, requests: float = 10.0
) -> tuple[float, float]:
    """Return mean and p95 lag of the rule ÷ those of a fixed interval, at the same requests per run."""
    plans = Plans(seed, outliers=outliers)
    durations = plans.taught(past or 10, others=not past)
    runs = [(plan, plans.run(plan)) for plan in range(PLANS) for _ in range(25)]
    interval, fixed = at_requests(requests, lambda x: by_interval(runs, x), 1.0, 100.0)
    _, priced = at_requests(requests, lambda x: by_price(runs, durations, x, interval, cadence), 0.01, 3.0)
    return priced.mean / fixed.mean, priced.p95 / fixed.p95


# All at once, under a limit --------------------------------------------------------------------------------------------


class Live:
    """One run under way: which plan, from when to when, and its place in the fleet."""

    __slots__ = ("due", "end", "expectation", "pace", "start")

    def __init__(self, start: float, end: float, expectation: EndPrediction) -> None:
        self.start, self.end, self.expectation = start, end, expectation
        self.pace = PollState()
        self.due: float | None = None


class Fleet:
    """So many runs at a time, a new one for each that is seen to have ended, under a limit of requests a second.

    *heard* is the share of ends that a callback tells, a tenth of a second later; each rings for one verifying look.
    """

    def __init__(self, seed: int, *, live: int, limit: float, on_page: float = 0.0) -> None:
        self._plans = Plans(seed)
        self._durations = self._plans.taught(10)
        self._dice = Random(seed + 1)
        self._live, self._limit, self._heard = live, limit, on_page

    def lags(
        self, cadence: PollIntervals | None, *, warm_up: float = 200.0, window: float = 400.0
    ) -> DetectionLags:
        """Return how late the ends in *window* seconds are seen; without a *cadence*, all are asked in turn."""
        price = RequestCost(unseen=self._live) if cadence is not None else RequestCost()
        schedule: TimerWheel[Live] = TimerWheel()
        bells: list[tuple[float, int, Live]] = []
        for _ in range(self._live):
            self._begin(0.0, schedule, bells)
        lags: list[float] = []
        now, asked = 0.0, 0
        while now < warm_up + window:
            now += 1.0 / self._limit
            while bells and bells[0][0] <= now:
                rung = heapq.heappop(bells)[2]
                if rung.due is not None:
                    schedule.schedule_earlier(rung, now)
            run = schedule.pop_due(now)
            if run is None:
                continue
            asked += 1
            if run.end > now:
                schedule.put(run, now if cadence is None else now + self._step(run, now, price, cadence))
                continue
            if run.end > warm_up:
                lags.append(now - run.end)
            price.replace(run.pace.weight, 0.0)
            price.unseen += 1
            self._begin(now, schedule, bells)
        return DetectionLags(lags, asked / now)

    def _begin(self, now: float, schedule: TimerWheel[Live], bells: list[tuple[float, int, Live]]) -> None:
        """Let another run begin, which may ring when it ends."""
        plan = self._dice.randrange(PLANS)
        run = Live(now, now + self._plans.run(plan), expected(self._durations, plan))
        schedule.put(run, now)
        if self._dice.random() < self._heard:
            heapq.heappush(bells, (run.end + 0.1, len(bells), run))

    def _step(self, run: Live, now: float, price: RequestCost, cadence: PollIntervals) -> float:
        pace = run.pace
        if pace.looks:
            price.came_late(pace.came_due(now), pace.step)
        else:
            price.unseen -= 1
        value = price.value(self._limit)
        step = cadence.next_wait(
            age=now - run.start,
            expectation=run.expectation,
            price=value / (1.0 - min(0.95, self._heard)),
            usual=price.live / self._limit,
        )
        weight = RequestCost.weight(value, step, 1.0)
        price.replace(pace.weight, weight)
        pace.weight, pace.step, pace.due = weight, step, now + step
        pace.looks += 1
        return step


# Many hosts of one step ------------------------------------------------------------------------------------------------


def bulk_and_stragglers(seed: int, hosts: int = 1000) -> list[float]:
    """Return when each host of a step ends: nine of ten around half a minute, the last after three."""
    dice = Random(seed)
    return sorted(burst(number, dice)[1] for number in range(hosts))


def requests_for_a_lag_of_hosts(seed: int, wanted: float) -> tuple[float, float]:
    """Return the requests that it takes by movement ÷ by a fixed interval of the same mean lag, and the step's lag."""
    ends = bulk_and_stragglers(seed)
    durations = DurationTable()
    for number in range(10):
        durations.learn(SCOPE, "step", None, bulk_and_stragglers(1000 * seed + number)[-1])
    expectation = durations.expectation(SCOPE, "step", None) or durations.unknown_name_estimate()
    moving = lambda price: hosts_by_movement(ends, price, IN_TENTHS, expectation)  # noqa: E731 - one line says it
    moved, lag_of_step = at_lag(wanted, moving, 1e-3, 30.0)
    fixed, _ = at_lag(moved.mean, lambda interval: hosts_by_interval(ends, interval), 0.2, 10.0)
    return moved.requests / fixed.requests, lag_of_step


def at_lag(
    wanted: float, trial: Callable[[float], tuple[DetectionLags, float]], low: float, high: float
) -> tuple[DetectionLags, float]:
    """Find what *trial* gives where the mean lag is as *wanted*; more of its figure makes more lag."""
    for _ in range(16):
        middle = sqrt(low * high)
        low, high = (middle, high) if trial(middle)[0].mean < wanted else (low, middle)
    return trial(low)


def hosts_by_interval(ends: Sequence[float], interval: float) -> tuple[DetectionLags, float]:
    """Look at a step every *interval* seconds; return its hosts' lags and its own."""
    looks = int(ends[-1] / interval) + 1
    lags = [(int(end / interval) + 1) * interval - end for end in ends]
    return DetectionLags(lags, looks), looks * interval - ends[-1]


def hosts_by_movement(
    ends: Sequence[float], price: float, cadence: PollIntervals, expectation: EndPrediction
) -> tuple[DetectionLags, float]:
    """Look at a step as its hosts move; return their lags and its own."""
    pace, now, looks, seen = PollState(), 0.0, 0, 0
    lags: list[float] = []
    while seen < len(ends):
        pace.saw(len(ends) - seen, now)
        now += cadence.next_wait(
            age=now, expectation=expectation, price=price, hosts=len(ends), moves=pace.moves
        )
        looks += 1
        while seen < len(ends) and ends[seen] <= now:
            lags.append(now - ends[seen])
            seen += 1
    return DetectionLags(lags, looks), now - ends[-1]
