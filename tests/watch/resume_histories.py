"""Random histories of one fleet that is watched in several lives, each of them a process of its own."""

from __future__ import annotations

from attrs import evolve, field, frozen
from hypothesis import strategies as st

from bkjob_async.simulator.world.hosts import Host
from bkjob_async.simulator.world.plans import SimulatedJob, StepPlan
from tests.watch.clients import ALL_DIALECTS
from tests.watch.histories import (
    QUICK,
    TAGGED,
    FaultWindow,
    anew,
    jobs,
    outcomes,
    slowness,
    windows,
)

# When the last life ends, in seconds.
END = 260.0


@frozen(kw_only=True)
class Life:
    """One process: how many *seconds* it lasts, and how many it takes until the next begins.

    It *ends* in order, at the deadline of its watch, is killed, is killed when a record was stored and the answer has
    not come, or goes on while the next one takes the fleet over. Its reader keeps the cursor of every event, or of
    every batch; it has read all but *unread* of the events when it ends. When it begins, the clock on the wall jumps by
    *jump* seconds. After *away* seconds the store takes nothing for some seconds (-1: never). Another watch of the
    client begins so many seconds later than the fleet's (*beside*).
    """

    seconds: float
    pause: float
    ends: str = "killed"
    reads: str = "events"
    unread: int = 0
    jump: float = 0.0
    beside: float = -1.0
    away: float = -1.0


@frozen(kw_only=True)
class Sittings:
    """A reader of the journal in another process, which reads now and then.

    It reads so many *batches*, keeps the cursor of the last one, or of an event in the middle of it, and goes on behind that
    *pause* seconds later.
    """

    batches: int
    pause: float
    reads: str = "batches"


@frozen(kw_only=True)
class Resumption:
    """One random history: the world, what users do and when, what goes wrong, and the lives of the fleet.

    *actions* are (second, what, number). *companion* is what another watch of the same client follows of each job in
    each life, if anything; that one *is_recorded* as another fleet of the same journal, or not. *checkpoints*: they are
    written as soon as there is a record behind the last one. *kept* is how many bytes of records are kept in front of
    them. *sittings*: somebody reads the journal as well. *anew* is as in a history of one life.
    """

    seed: int
    dialect: str
    plans: tuple[SimulatedJob, ...]
    lives: tuple[Life, ...]
    parts: tuple[str, ...] = ("job",)
    actions: tuple[tuple[float, str, int], ...] = ()
    faults: tuple[FaultWindow, ...] = ()
    interval: float | None = None
    latency: float = 0.0
    group_polling: str = "small"
    companion: tuple[str, ...] = ()
    is_recorded: bool = False
    checkpoints: bool = False
    kept: int = 1 << 30
    sittings: Sittings | None = None
    log_limit: int = field(default=100_000)
    anew: tuple[float, int] | None = None


lives = st.lists(
    st.builds(
        Life,
        seconds=st.floats(0.01, 30.0),
        pause=st.sampled_from([0.0, 0.0, 3.0]) | st.floats(0.0, 25.0),
        ends=st.sampled_from(["in order", "deadline", "killed", "killed", "answer lost", "taken over"]),
        reads=st.sampled_from(["events", "events", "batches"]),
        unread=st.sampled_from([0, 0, 1, 3, 20]),
        jump=st.sampled_from([0.0, 0.0, 0.0, 0.0, -3600.0, 1e6]),
        beside=st.sampled_from([-1.0, -1.0, 0.0, 2.0]),
        away=st.sampled_from([-1.0, -1.0, -1.0, 0.0, 1.0, 6.0]),
    ),
    max_size=11,
).map(tuple)

large = SimulatedJob(steps=(StepPlan(hosts=120, outcomes=(QUICK, TAGGED)), StepPlan(hosts=3)))
mixed_hosts = st.builds(
    StepPlan,
    hosts=st.just(
        (
            Host(bk_host_id=1),
            Host(bk_host_id=2, ipv6="fe80::2"),
            Host(bk_host_id=3, container_id=500_003),
            Host(bk_host_id=4, container_id=500_004),
        )
    ),
    outcomes=outcomes,
    retry_outcomes=outcomes,
)
plans = st.one_of(
    jobs,
    jobs,
    jobs,
    st.just(large),
    mixed_hosts.map(lambda step: SimulatedJob(steps=(step,), created=0.0)),
)
actions = st.lists(
    st.tuples(
        st.floats(0, 110),
        st.sampled_from(
            ["operate", "operate", "operate elsewhere", "stop", "start", "add", "add", "drop", "nudge"]
        ),
        st.integers(0, 11),
    ),
    max_size=6,
).map(lambda found: tuple(sorted(found)))


parts = st.lists(
    st.sampled_from(["job", "job", "first", "last", "steps", "both"]), min_size=1, max_size=3
).map(tuple)
sittings = st.builds(
    Sittings,
    batches=st.integers(1, 20),
    pause=st.sampled_from([0.2, 7.0, 40.0]),
    reads=st.sampled_from(["batches", "events"]),
)


def without_strangers(history: Resumption) -> Resumption:
    """Return a history in which no other watch sees hosts first by ids that the fleet's records do not have: it counts them twice."""
    return evolve(history, anew=None) if history.companion else history


resumptions = st.builds(
    Resumption,
    seed=st.integers(0, 10_000),
    dialect=st.sampled_from(ALL_DIALECTS),
    plans=st.lists(plans, min_size=1, max_size=3).map(tuple),
    lives=lives,
    parts=parts,
    actions=actions,
    faults=st.lists(windows, max_size=1).map(tuple) | st.just(()) | slowness,
    interval=st.none() | st.floats(0.5, 8.0),
    latency=st.sampled_from([0.0, 0.0, 0.05, 1.5]),
    group_polling=st.sampled_from(["small", "small", "counts"]),
    companion=st.just(()) | st.just(()) | parts,
    is_recorded=st.booleans(),
    checkpoints=st.booleans(),
    kept=st.sampled_from([1 << 30, 1 << 30, 4000, 1]),
    sittings=st.none() | sittings,
    log_limit=st.sampled_from([100_000, 100_000, 8]),
    anew=anew,
).map(without_strangers)
