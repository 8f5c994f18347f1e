"""Random histories of one fleet that is watched in several lives, each of them a process of its own."""

from __future__ import annotations

from attrs import evolve, field, frozen
from hypothesis import strategies as st

from bkjob_async.simulator.world.hosts import Host
from bkjob_async.simulator.world.plans import JobPlan, StepPlan
from tests.watch.clients import ALL_DIALECTS
from tests.watch.histories import (
    QUICK,
    TAGGED,
    FaultWindow,
    jobs,
    outcomes,
    windows,
)

# When the last life ends, in seconds.
END = 260.0


@frozen(kw_only=True)
class Life:
    """One process: how many *seconds* it lasts, and how many it takes until the next begins.

    It *ends* in order, is killed, or is killed when a record was stored and the answer has not come. Its reader keeps
    the cursor of every event, or of every batch; it has read all but *unread* of the events when it ends.
    """

    seconds: float
    pause: float
    ends: str = "killed"
    reads: str = "events"
    unread: int = 0


@frozen(kw_only=True)
class Resumption:
    """One random history: the world, what users do and when, what goes wrong, and the lives of the fleet.

    *actions* are (second, what, number). *companion*: in each life another watch of the same client follows the jobs.
    *checkpoints*: they are written as soon as there is a record behind the last one. *kept* is how many records are.
    """

    seed: int
    dialect: str
    plans: tuple[JobPlan, ...]
    lives: tuple[Life, ...]
    parts: tuple[str, ...] = ("job",)
    actions: tuple[tuple[float, str, int], ...] = ()
    faults: tuple[FaultWindow, ...] = ()
    interval: float | None = None
    latency: float = 0.0
    group_polling: str = "small"
    companion: bool = False
    checkpoints: bool = False
    log_limit: int = field(default=100_000)


lives = st.lists(
    st.builds(
        Life,
        seconds=st.floats(0.01, 30.0),
        pause=st.sampled_from([0.0, 0.0, 3.0]) | st.floats(0.0, 25.0),
        ends=st.sampled_from(["in order", "killed", "killed", "answer lost"]),
        reads=st.sampled_from(["events", "events", "batches"]),
        unread=st.sampled_from([0, 0, 1, 3, 20]),
    ),
    max_size=11,
).map(tuple)

large = JobPlan(steps=(StepPlan(hosts=120, outcomes=(QUICK, TAGGED)), StepPlan(hosts=3)))
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
    mixed_hosts.map(lambda step: JobPlan(steps=(step,), created=0.0)),
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


def with_whole_jobs_shared(history: Resumption) -> Resumption:
    """Return the history without the other watch, unless whole jobs alone are watched.

    A step that is a target by itself, in a job that another watch follows, may be reported again by the next process: see
    what docs/journal.md does not promise.
    """
    has_steps = set(history.parts) != {"job"} or any(what == "add" for _, what, _ in history.actions)
    return evolve(history, companion=history.companion and not has_steps)


resumptions = st.builds(
    Resumption,
    seed=st.integers(0, 10_000),
    dialect=st.sampled_from(ALL_DIALECTS),
    plans=st.lists(plans, min_size=1, max_size=3).map(tuple),
    lives=lives,
    parts=st.lists(
        st.sampled_from(["job", "job", "first", "last", "steps", "both"]), min_size=1, max_size=3
    ).map(tuple),
    actions=actions,
    faults=st.lists(windows, max_size=1).map(tuple) | st.just(()),
    interval=st.none() | st.floats(0.5, 8.0),
    latency=st.sampled_from([0.0, 0.0, 0.05, 1.5]),
    group_polling=st.sampled_from(["small", "small", "counts"]),
    companion=st.sampled_from([False, False, False, True]),
    checkpoints=st.booleans(),
    log_limit=st.sampled_from([100_000, 100_000, 8]),
).map(with_whole_jobs_shared)
