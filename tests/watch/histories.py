"""Random histories: worlds, faults, and what users do and watch meanwhile."""

from __future__ import annotations

from operator import add

from attrs import evolve, field, frozen
from hypothesis import strategies as st

import bkjob_async as bkjob
from bkjob_async.simulator.handlers.site import SiteConfig
from bkjob_async.simulator.world.codes import CONFIRM, FILE
from bkjob_async.simulator.world.hosts import Host, host
from bkjob_async.simulator.world.plans import (
    HANGS,
    IGNORES_STOP,
    INVALID_HOST,
    NO_AGENT,
    DurationRange,
    HostOutcome,
    Rolling,
    SimulatedJob,
    StepPlan,
)
from tests.watch.clients import ALL_DIALECTS

# When all watches end at the latest, in seconds.
HORIZON = 200.0

QUICK = HostOutcome(duration=DurationRange(0.0, 4.0), start_delay=DurationRange(0.0, 2.0))
TAGGED = HostOutcome(duration=DurationRange(0.0, 6.0), tag="new")
LONG = HostOutcome(duration=DurationRange(5.0, 60.0))
FAILS = HostOutcome(status=104, exit_code=2, duration=DurationRange(0.0, 9.0), tag="full")
KILLED = HostOutcome(status=403, duration=DurationRange(0.0, 5.0))
UNKNOWN_STATUS = HostOutcome(status=777, duration=DurationRange(0.0, 5.0))
OUTCOMES = (
    QUICK,
    QUICK,
    TAGGED,
    LONG,
    FAILS,
    FAILS,
    KILLED,
    UNKNOWN_STATUS,
    NO_AGENT,
    INVALID_HOST,
    HANGS,
    IGNORES_STOP,
)

outcomes = st.lists(st.sampled_from(OUTCOMES), min_size=1, max_size=3).map(tuple)
rollings = st.builds(
    Rolling,
    sizes=st.lists(st.integers(1, 3), min_size=1, max_size=3).map(tuple),
    mode=st.integers(1, 3),
    kind=st.integers(1, 2),
    parallel=st.booleans(),
)


def rolling_over_all(step: StepPlan) -> StepPlan:
    """Return a step whose batches have as many hosts as there are."""
    rolling = step.rolling
    return step if rolling is None or rolling.kind == 2 else evolve(step, hosts=sum(rolling.sizes))


script_steps = st.builds(
    StepPlan,
    hosts=st.integers(1, 7),
    kind=st.sampled_from([1, FILE]),
    outcomes=outcomes,
    retry_outcomes=outcomes,
    ignore_error=st.booleans(),
    rolling=st.none() | rollings,
    abnormal_after=st.none() | st.none() | st.floats(0.5, 20.0),
    abnormal_status=st.sampled_from([9, 14]),
).map(rolling_over_all)
# Hosts with other names than most have: the address of another one elsewhere, two addresses, or none of version 4.
FIRST_MIXED_ID = 901
MIXED_HOSTS = (
    host(1),
    Host(bk_host_id=901, bk_cloud_id=3, ip="10.0.0.1"),
    Host(bk_host_id=902, ip="10.0.9.2", ipv6="fe80::902"),
    Host(bk_host_id=903, ipv6="fe80::903"),
    Host(bk_host_id=904, container_id=500_904, container_name="side"),
    Host(bk_host_id=905, container_id=500_905, container_name="app"),
)
mixed_steps = st.builds(
    StepPlan,
    hosts=st.sampled_from([MIXED_HOSTS, MIXED_HOSTS[:3]]),
    outcomes=outcomes,
    retry_outcomes=outcomes,
    ignore_error=st.booleans(),
)
confirm_steps = st.just(StepPlan(kind=CONFIRM, hosts=0))
steps = st.lists(
    st.one_of(*[script_steps] * 5, mixed_steps, confirm_steps, confirm_steps), min_size=1, max_size=3
)
jobs = st.builds(
    SimulatedJob,
    steps=steps.map(tuple),
    created=st.just(0.0),
    start_task=st.sampled_from([True, True, True, False]),
)

# What people do, some of it through the watched client, some of it elsewhere.
ACTIONS = (
    "add",
    "add",
    "drop",
    "operate",
    "operate",
    "operate",
    "operate elsewhere",
    "operate elsewhere",
    "launch",
    "stop",
    "stop elsewhere",
    "start",
    "nudge",
    "callback",
    "leave",
    "wait",
    "wait",
    "wait until",
    "wait here",
)
CONDITIONS: tuple[bkjob.Condition, ...] = (
    bkjob.FirstFailure(),
    bkjob.HostsDone(0.5),
    bkjob.HostsDone(),
)
OPERATIONS = (2, 2, 2, 8, 8, 3, 6, 9, 10, 11, 12, 13)
ERRORS = ("html", "half", "timeout", "refused", "throttled", "internal", "backing", "credentials")
OTHER_FAULTS = (
    "torn",
    "torn",
    "missing",
    "missing",
    "another job",
    "another job",
    "another scope",
    "forbidden",
    "one step",
    "lagging",
    "lagging",
    "reads",
    "launch",
)
# Reads that fail while others work: of a job with its rows, by time or refused, of every other step, of every step.
HALF_READABLE = ("rows", "rows refused", "one step", "steps")
# What a slow request, or response, takes longer at most: less than what a request is waited for, in seconds.
SLOWEST = 20.0


@frozen(kw_only=True)
class FaultWindow:
    """From *start* on, for *length* seconds, a *share* of answers is spoilt.

    *kind* torn spoils rows only, one step refuses to show every other step, lagging shows steps as before their last
    retry, reads lets every read of a status fail and nothing else, launch lets launches succeed and their responses be
    trouble of a backing service. `HALF_READABLE` lets reads of one kind fail, and no others. With slow request the platform has a request some seconds later; with slow response it
    responds at once, and that is received some seconds later.
    """

    kind: str
    start: float
    length: float
    share: float

    def covers(self, now: float) -> bool:
        """Return whether *now* lies in it."""
        return self.start <= now < self.start + self.length

    @property
    def is_slow(self) -> bool:
        """Whether it only lets responses come later."""
        return self.kind.startswith("slow")


@frozen(kw_only=True)
class WatchPlan:
    """One watch: when it is opened, on what, and how it is read.

    *picks* are pairs of a job's number and a part of it: the job, its first or last step, all steps, job and steps.
    *slow* is how many seconds a second reader takes over each batch. *cut* is (events, seconds, kind): a third reader
    of that kind stops after so many events, and another goes on behind its last one so many seconds later. *resumes*:
    the watch is read behind what an earlier watch delivered. *confirms*: a user confirms each wait that it reports.
    """

    opens: float = 0.0
    picks: tuple[tuple[int, str], ...] = ((0, "job"),)
    linger: float | None = None
    detail_level: bkjob.DetailLevel = bkjob.DetailLevel.EVERY_CHANGE
    slow: float = 0.0
    cut: tuple[int, float, str] | None = None
    resumes: bool = False
    confirms: bool = False


@frozen(kw_only=True)
class History:
    """One random history: the world, what people do and when, what goes wrong, how it is watched.

    *actions* are (second, what, number, which watch). *group_polling* says how steps are read: `small` ones whole; as if they
    were large by `counts`, or with a `guess` of how many hosts to ask for, and jobs of which only the end is wanted by
    lists; then the platform takes its time between two groups of one answer, too. *callbacks* come so many seconds
    after the ends of jobs, some twice and some never; without a number nobody expects any. *restored*: from the second of
    these moments on, the platform is what was backed up at the first. The client has at most *in_flight* requests under way,
    and sends *rate* a second; a gateway lets *quota* requests through, (how many, in so many seconds), and announces it;
    *per_resource*: so many of each kind.
    *anew*: from some second on, one in so many hosts is registered with another id.
    """

    seed: int
    dialect: str
    plans: tuple[SimulatedJob, ...]
    watches: tuple[WatchPlan, ...] = (WatchPlan(),)
    actions: tuple[tuple[float, str, int, int], ...] = ()
    faults: tuple[FaultWindow, ...] = ()
    interval: float | None = None
    latency: float = 0.0
    log_limit: int = field(default=100_000)
    group_polling: str = "small"
    callbacks: float | None = None
    restored: tuple[float, float] | None = None
    in_flight: int = 32
    rate: float | None = None
    quota: tuple[int, int] | None = None
    per_resource: bool = False
    anew: tuple[float, int] | None = None


def site_of(seed: int, latency: float) -> SiteConfig:
    """Return the installation of a history: half of them have the ESB's component of old sites."""
    return SiteConfig(group_read_seconds=0.2 if latency else 0.002, legacy_esb=seed % 2 == 1)


windows = st.builds(
    FaultWindow,
    kind=st.sampled_from([*ERRORS, *OTHER_FAULTS]),
    start=st.floats(0, 60),
    length=st.floats(0.5, 30),
    share=st.floats(0.1, 0.5),
)
slow_windows = st.builds(
    FaultWindow,
    kind=st.sampled_from(["slow request", "slow response"]),
    start=st.floats(0, 90),
    length=st.floats(5, 40),
    share=st.floats(0.1, 1.0),
)
anew = st.none() | st.none() | st.none() | st.none() | st.tuples(st.floats(0, 60), st.integers(1, 3))
slowness = st.just(()) | st.just(()) | st.just(()) | st.tuples(slow_windows)
PARTS = ("job", "job", "first", "last", "steps", "both")
cuts = st.tuples(
    st.integers(1, 25), st.sampled_from([0.0, 20.0]), st.sampled_from(["events", "hosts", "about"])
)
watch_plans = st.builds(
    WatchPlan,
    opens=st.sampled_from([0.0, 0.0, 0.0, 30.0]) | st.floats(0, 90),
    picks=st.lists(st.tuples(st.integers(0, 2), st.sampled_from(PARTS)), min_size=1, max_size=3).map(tuple),
    linger=st.sampled_from([0.0, 0.0, 5.0, 20.0, None]),
    detail_level=st.sampled_from(
        [bkjob.DetailLevel.EVERY_CHANGE, bkjob.DetailLevel.EVERY_CHANGE, *bkjob.DetailLevel]
    ),
    slow=st.sampled_from([0.0, 0.0, 0.0, 7.0]),
    cut=st.none() | cuts,
    resumes=st.sampled_from([False, False, False, True]),
    confirms=st.booleans(),
)
actions = st.lists(
    st.tuples(st.floats(0, 90), st.sampled_from(ACTIONS), st.integers(0, 11), st.integers(0, 2)), max_size=6
).map(lambda actions: tuple(sorted(actions)))
histories = st.builds(
    History,
    seed=st.integers(0, 10_000),
    dialect=st.sampled_from(ALL_DIALECTS),
    plans=st.lists(jobs, min_size=1, max_size=3).map(tuple),
    watches=st.lists(watch_plans, min_size=1, max_size=3).map(tuple),
    actions=actions,
    faults=st.builds(add, st.lists(windows, max_size=2).map(tuple), slowness),
    interval=st.none() | st.floats(0.5, 8.0),
    latency=st.sampled_from([0.0, 0.0, 0.05, 1.5]),
    log_limit=st.sampled_from([100_000, 100_000, 25, 8]),
    group_polling=st.sampled_from(["small", "counts", "counts", "guess"]),
    callbacks=st.sampled_from([None, None, None, 0.0, 0.7, 8.0]),
    in_flight=st.sampled_from([*[32] * 6, 2, 1]),
    rate=st.sampled_from([*[None] * 10, 5.0, 2.0]),
    quota=st.sampled_from([*[None] * 10, (20, 10), (4, 1)]),
    per_resource=st.booleans(),
    anew=anew,
)
