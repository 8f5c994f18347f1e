"""Random histories of one kind each, for bugs that show in that kind more often than elsewhere."""

from __future__ import annotations

from functools import partial
from typing import Any

from attrs import evolve
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from bkjob_async.model.detail_level import DetailLevel
from bkjob_async.simulator.world.codes import CONFIRM, FILE
from bkjob_async.simulator.world.plans import (
    HANGS,
    IGNORES_STOP,
    DurationRange,
    Rolling,
    SimulatedJob,
    StepPlan,
)
from tests.watch.clients import ALL_DIALECTS
from tests.watch.histories import (
    ERRORS,
    FAILS,
    HALF_READABLE,
    KILLED,
    LONG,
    QUICK,
    TAGGED,
    FaultWindow,
    History,
    WatchPlan,
    jobs,
    watch_plans,
)

CAN_OPERATE = tuple(dialect for dialect in ALL_DIALECTS if dialect != "gateway-v4")


def of(
    *plans: SimulatedJob, dialects: tuple[str, ...] = ALL_DIALECTS, **options: Any
) -> SearchStrategy[History]:
    """Return histories of these jobs; *options* are strategies."""
    kind = partial(st.builds, History, seed=st.integers(0, 10_000), dialect=st.sampled_from(dialects))
    return kind(**{"plans": st.just(plans), **options})


def watched(*watches: WatchPlan) -> SearchStrategy[tuple[WatchPlan, ...]]:
    """Return these watches."""
    return st.just(watches)


def at(low: float, high: float, *actions: tuple[float, str, int, int]) -> SearchStrategy[Any]:
    """Return actions that begin at some moment; each is (seconds later, what, number, which watch)."""
    return st.floats(low, high).map(
        lambda moment: tuple((moment + later, *action) for later, *action in actions)
    )


failing = SimulatedJob(steps=(StepPlan(hosts=3, outcomes=(FAILS,)),))
failing_first = SimulatedJob(
    steps=(StepPlan(hosts=3, outcomes=(FAILS,)), StepPlan(hosts=2, outcomes=(LONG,)))
)
hanging_last = SimulatedJob(
    steps=(StepPlan(hosts=3, outcomes=(QUICK, FAILS)), StepPlan(hosts=2, outcomes=(HANGS,)))
)
FOR_EVER = WatchPlan(linger=None)

retried = of(failing, dialects=CAN_OPERATE, actions=at(20, 90, (0, "operate", 0, 0)))
skipped = of(
    SimulatedJob(steps=(StepPlan(hosts=3, outcomes=(IGNORES_STOP,)), StepPlan(hosts=1))),
    dialects=CAN_OPERATE,
    actions=at(5, 60, (0, "stop", 0, 0), (4, "operate", 10, 0)),
)
# All hosts have failed between two batches, and the step shows that its error is ignored.
rolled = of(
    SimulatedJob(
        steps=(
            StepPlan(kind=FILE, hosts=2, outcomes=(FAILS,), rolling=Rolling(sizes=(2, 2, 2), mode=2, kind=2)),
        )
    ),
    interval=st.floats(0.2, 0.4),
)
slowly_read = of(
    plans=st.lists(jobs, min_size=9, max_size=9).map(tuple),
    watches=st.sampled_from([0.5, 3.0]).map(
        lambda slow: (WatchPlan(slow=slow, picks=tuple((n, "job") for n in range(9))),)
    ),
    log_limit=st.just(8),
)

# Where watches share a job.
mistaken = of(
    plans=st.lists(jobs, min_size=1, max_size=2).map(tuple),
    faults=st.tuples(
        st.builds(
            FaultWindow,
            kind=st.sampled_from(["another job", "another scope"]),
            start=st.floats(0, 20),
            length=st.just(30.0),
            share=st.just(0.4),
        )
    ),
    watches=watched(WatchPlan(linger=0.0, picks=((0, "job"), (1, "first")))),
)
cut_apart = of(
    plans=st.lists(jobs, min_size=1, max_size=3).map(tuple),
    watches=st.tuples(
        st.builds(
            WatchPlan,
            picks=st.just(((0, "job"), (1, "both"), (2, "first"))),
            cut=st.tuples(st.integers(1, 25), st.just(0.0), st.sampled_from(["events", "hosts", "about"])),
        )
    ),
)
# Longer than an operation is in doubt; the other job lasts until all is quiet again.
retried_unread = of(
    failing,
    SimulatedJob(steps=(StepPlan(hosts=1, outcomes=(evolve(LONG, duration=DurationRange(180.0, 185.0)),)),)),
    dialects=CAN_OPERATE,
    watches=watched(WatchPlan(picks=((0, "job"), (1, "job")), linger=0.0)),
    actions=st.floats(14, 20).map(lambda moment: ((moment, "operate", 0, 0),)),
    faults=st.floats(20, 32).map(
        lambda length: (FaultWindow(kind="reads", start=13.0, length=length, share=1.0),)
    ),
)
retried_step = of(
    failing_first,
    dialects=("gateway-v3",),
    watches=st.sampled_from([0.0, None]).map(lambda n: (WatchPlan(picks=((0, "steps"),), linger=n),)),
    actions=at(20, 60, (0, "operate", 0, 0)),
)
joined_late = of(
    SimulatedJob(steps=(StepPlan(hosts=3, outcomes=(FAILS,), retry_outcomes=(LONG, TAGGED)),)),
    watches=st.floats(40, 60).map(lambda n: (FOR_EVER, WatchPlan(opens=n, linger=0.0))),
    actions=at(20, 38, (0, "operate elsewhere", 0, 0), (20, "wait", 0, 0)),
)
readable_again = of(
    failing,
    faults=st.floats(0, 5).map(lambda n: (FaultWindow(kind="forbidden", start=n, length=40.0, share=1.0),)),
    watches=watched(FOR_EVER, WatchPlan(opens=90.0, linger=0.0)),
)
one_part_over = of(
    hanging_last,
    watches=st.sampled_from(["first", "both"]).map(
        lambda part: (FOR_EVER, WatchPlan(picks=((0, part),), linger=0.0))
    ),
)
never_begun = of(
    failing_first,
    watches=st.sampled_from(["both", "last"]).map(lambda part: (WatchPlan(picks=((0, part),), linger=0.0),)),
)
two_batches = of(
    SimulatedJob(
        steps=(
            StepPlan(hosts=2, outcomes=(FAILS, TAGGED, QUICK), rolling=Rolling(sizes=(1, 1), mode=2, kind=2)),
        )
    ),
)
overlapping = of(
    hanging_last,
    watches=st.floats(0, 30).map(lambda n: (FOR_EVER, WatchPlan(opens=n, picks=((0, "both"),)))),
)
added_step = of(hanging_last, watches=watched(FOR_EVER), actions=at(1, 40, (0, "add", 1, 0)))
added_job = of(
    hanging_last,
    watches=watched(FOR_EVER, WatchPlan(picks=((0, "first"),))),
    actions=at(1, 40, (0, "add", 4, 1)),
)
overflowing = of(
    SimulatedJob(steps=(StepPlan(hosts=7, outcomes=(QUICK, LONG), retry_outcomes=(LONG,)),) * 2),
    SimulatedJob(steps=(StepPlan(hosts=3, outcomes=(QUICK, FAILS)),)),
    SimulatedJob(steps=(StepPlan(hosts=7, outcomes=(QUICK, LONG)),) * 2),
    watches=watched(
        WatchPlan(picks=((0, "job"), (1, "job"), (2, "job"))),
        WatchPlan(picks=((0, "job"), (2, "job")), slow=7.0),
    ),
    log_limit=st.sampled_from([8, 16]),
    actions=at(15, 40, (0, "add", 4, 1)),
)
joined_in_trouble = of(
    hanging_last,
    faults=st.floats(2, 9).map(lambda n: (FaultWindow(kind="half", start=n, length=25.0, share=1.0),)),
    watches=st.floats(12, 25).map(lambda n: (FOR_EVER, WatchPlan(opens=n, linger=None))),
)
lost_for_the_slow = of(
    SimulatedJob(steps=(StepPlan(hosts=7, outcomes=(LONG,)),)),
    SimulatedJob(steps=(StepPlan(hosts=7, outcomes=(QUICK, LONG)),) * 2),
    faults=st.floats(0, 5).map(lambda n: (FaultWindow(kind="forbidden", start=n, length=90.0, share=1.0),)),
    watches=watched(WatchPlan(picks=((0, "job"), (1, "job")), slow=7.0)),
    log_limit=st.sampled_from([8, 16, 25]),
)
dropped_and_added = of(
    SimulatedJob(steps=(StepPlan(hosts=7, outcomes=(QUICK, LONG), retry_outcomes=(LONG,)),) * 2),
    watches=st.sampled_from([0.0, 0.5, 7.0]).map(
        lambda slow: (FOR_EVER, WatchPlan(picks=((0, "both"),), linger=None, slow=slow))
    ),
    log_limit=st.sampled_from([8, 16, 100_000]),
    actions=st.tuples(st.integers(0, 3), st.integers(0, 1), st.floats(0.1, 30)).flatmap(
        lambda n: at(1, 40, (0, "drop", n[0], n[1]), (n[2], "add", (4, 1, 10, 7)[n[0]], n[1]))
    ),
)
# The first step is over while its hosts still stop, one by one: longer than they are waited for.
added_in_slow_stop = of(
    SimulatedJob(
        steps=(
            StepPlan(hosts=7, outcomes=(IGNORES_STOP,), skip_duration=90.0),
            StepPlan(hosts=2, outcomes=(HANGS, LONG)),
        )
    ),
    dialects=CAN_OPERATE,
    watches=st.tuples(st.sampled_from(DetailLevel), st.sampled_from(DetailLevel)).map(
        lambda levels: (
            WatchPlan(linger=None, detail_level=levels[0]),
            WatchPlan(linger=None, detail_level=levels[1], picks=((0, "both"),)),
        )
    ),
    group_polling=st.sampled_from(["small", "counts", "guess"]),
    interval=st.none() | st.floats(0.5, 8.0),
    actions=st.tuples(st.floats(16, 60), st.floats(0, 30), st.sampled_from([1, 4, 7])).flatmap(
        lambda n: at(
            4,
            20,
            (0, "stop elsewhere", 0, 0),
            (4, "operate elsewhere", 10, 0),
            *((4 + n[0], "drop", 0, 1),) * 3,
            (4 + n[0] + n[1], "add", n[2], 1),
        )
    ),
)
dropped_when_lost = of(
    SimulatedJob(steps=(StepPlan(hosts=7, outcomes=(QUICK, LONG)),) * 2),
    SimulatedJob(steps=(StepPlan(hosts=3, outcomes=(QUICK, LONG)),)),
    faults=st.floats(2, 30).map(lambda n: (FaultWindow(kind="forbidden", start=n, length=30.0, share=1.0),)),
    watches=st.sampled_from([0.0, 7.0]).map(
        lambda slow: (WatchPlan(picks=((0, "job"), (0, "first"), (1, "job")), linger=None, slow=slow),)
    ),
    log_limit=st.sampled_from([8, 16, 100_000]),
    actions=st.tuples(st.integers(0, 1), st.floats(0.1, 60)).flatmap(
        lambda n: at(3, 50, (0, "drop", n[0], 0), (n[1], "add", (4, 2)[n[0]], 0))
    ),
)
all_fails = of(
    plans=st.lists(jobs, min_size=1, max_size=3).map(tuple),
    watches=st.integers(1, 3).map(lambda n: (WatchPlan(picks=tuple((k, "job") for k in range(n))),)),
    faults=st.tuples(
        st.builds(
            FaultWindow,
            kind=st.sampled_from(ERRORS),
            start=st.floats(0, 20),
            length=st.just(30.0),
            share=st.sampled_from([0.5, 1.0]),
        )
    ),
    interval=st.none() | st.floats(0.5, 8.0),
)
followed_on = of(
    SimulatedJob(steps=(StepPlan(hosts=5, outcomes=(FAILS, LONG), retry_outcomes=(LONG,)),) * 2),
    watches=watched(FOR_EVER, WatchPlan(picks=((0, "job"), (0, "first")), linger=0.0)),
    log_limit=st.just(8),
    actions=at(20, 90, (0, "operate", 0, 0)),
)
retried_as_linger_ends = of(
    SimulatedJob(steps=(StepPlan(hosts=3, outcomes=(FAILS,), retry_outcomes=(HANGS, LONG)),)),
    watches=st.sampled_from([5.0, 20.0]).map(lambda n: (WatchPlan(linger=n),)),
    actions=at(3, 50, (0, "operate elsewhere", 0, 0)),
)
reopened_in_linger = of(
    SimulatedJob(steps=(StepPlan(hosts=3, outcomes=(FAILS,), retry_outcomes=(HANGS, LONG)),)),
    watches=watched(WatchPlan(linger=20.0)),
    actions=at(12, 25, (0, "operate elsewhere", 0, 0)),
)

# Reads of one kind fail for good, and all the rest can be read: in dialects that read a step by itself, or always list hosts.
SHORT = evolve(LONG, duration=DurationRange(2.0, 12.0))
half_readable = of(
    SimulatedJob(
        steps=(StepPlan(hosts=3, outcomes=(QUICK,)), StepPlan(hosts=7, outcomes=(QUICK, SHORT, FAILS)))
    ),
    dialects=("gateway-v3", "gateway-v4", "esb-jobv3", "esb-job"),
    watches=st.tuples(
        st.sampled_from(["job", "first", "last", "steps", "both"]),
        st.sampled_from(["job", "first", "last", "steps", "both"]),
        st.sampled_from(DetailLevel),
        st.sampled_from(DetailLevel),
        st.floats(0, 40),
    ).map(
        lambda n: (
            WatchPlan(linger=0.0, picks=((0, n[0]),), detail_level=n[2]),
            WatchPlan(linger=0.0, picks=((0, n[1]),), detail_level=n[3], opens=n[4]),
        )
    ),
    faults=st.tuples(
        st.builds(
            FaultWindow,
            kind=st.sampled_from(HALF_READABLE),
            start=st.floats(0, 30),
            length=st.just(10_000.0),
            share=st.just(1.0),
        )
    ),
    interval=st.none() | st.floats(0.5, 2.0),
    group_polling=st.sampled_from(["small", "counts", "guess"]),
)

# A lagging replica, callbacks, conditions.
lagging = of(
    SimulatedJob(
        steps=(StepPlan(hosts=3, outcomes=(FAILS,), retry_outcomes=(LONG, FAILS)), StepPlan(hosts=2))
    ),
    dialects=CAN_OPERATE,
    watches=watched(WatchPlan(picks=((0, "both"),), linger=None)),
    faults=st.floats(25, 45).map(
        lambda start: (FaultWindow(kind="lagging", start=start, length=25.0, share=0.4),)
    ),
    actions=at(20, 30, (0, "operate", 0, 0)),
)
retried_later = st.builds(
    StepPlan,
    hosts=st.integers(1, 5),
    outcomes=st.sampled_from([(FAILS,), (FAILS, QUICK), (LONG, FAILS)]),
    retry_outcomes=st.sampled_from([(HANGS,), (LONG,), (FAILS,), (HANGS, QUICK)]),
    ignore_error=st.booleans(),
).map(lambda step: SimulatedJob(steps=(step, step), created=0.0))
restored = of(
    plans=st.lists(jobs | retried_later, min_size=1, max_size=2).map(tuple),
    watches=st.lists(watch_plans, min_size=1, max_size=2).map(tuple),
    actions=st.lists(
        st.tuples(
            st.floats(0, 120),
            st.sampled_from(
                [
                    *["operate", "operate elsewhere"] * 2,
                    "stop elsewhere",
                    "start",
                    "nudge",
                    "wait",
                    "add",
                    "drop",
                ]
            ),
            # An "add" of each third number would be a job that the backup does not have.
            st.integers(0, 11).map(lambda number: number + (number % 3 == 0)),
            st.integers(0, 2),
        ),
        min_size=1,
        max_size=8,
    ).map(lambda found: tuple(sorted(found))),
    interval=st.none() | st.floats(0.5, 8.0),
    latency=st.sampled_from([0.0, 0.05, 1.5]),
    log_limit=st.sampled_from([100_000, 100_000, 25, 8]),
    group_polling=st.sampled_from(["small", "counts", "guess"]),
    restored=st.tuples(st.floats(0, 40), st.floats(20, 90)).map(lambda moments: tuple(sorted(moments))),
)
called_back = of(
    SimulatedJob(steps=(StepPlan(hosts=3, outcomes=(IGNORES_STOP, QUICK)), StepPlan(hosts=1))),
    dialects=CAN_OPERATE,
    callbacks=st.sampled_from([0.0, 0.7]),
    actions=at(
        5, 60, (0, "stop", 0, 0), (4, "operate", 10, 0), (5, "callback", 0, 0), (6.1, "callback", 0, 0)
    ),
)
waited_for_again = of(
    SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(FAILS,), retry_outcomes=(LONG,)),)),
    dialects=CAN_OPERATE,
    watches=watched(FOR_EVER),
    latency=st.just(1.5),
    actions=at(25, 60, (0, "operate", 0, 0), (2.8, "wait here", 0, 0), (2.8, "wait here", 0, 1)),
)
waited_for = of(
    SimulatedJob(steps=(StepPlan(hosts=5, outcomes=(LONG, FAILS, QUICK)),)),
    actions=st.integers(0, 2).flatmap(lambda n: at(0, 20, (0, "wait until", 0, n), (3, "wait until", 2, n))),
)

# As the platform's own classes speak: steps without any rows, rows of all batches at once, trouble behind a launch.
VERY_LONG = evolve(LONG, duration=DurationRange(150.0, 185.0))
ends_without_rows = of(
    SimulatedJob(steps=(StepPlan(kind=CONFIRM, hosts=0), StepPlan(hosts=2, outcomes=(VERY_LONG, FAILS)))),
    watches=st.sampled_from(["first", "steps", "both"]).map(
        lambda part: (WatchPlan(linger=0.0, picks=((0, part),)), WatchPlan(linger=0.0, picks=((0, "first"),)))
    ),
    # It is confirmed or refused.
    actions=st.tuples(st.floats(1, 20), st.sampled_from([6, 6, 6, 7])).map(
        lambda n: ((n[0], "operate elsewhere", n[1], 0),)
    ),
)
sent_in_batches = of(
    plans=st.builds(
        StepPlan,
        kind=st.just(FILE),
        hosts=st.integers(1, 4),
        outcomes=st.sampled_from([(FAILS, QUICK), (TAGGED, LONG, FAILS), (QUICK,), (FAILS, KILLED, LONG)]),
        retry_outcomes=st.sampled_from([(QUICK,), (FAILS, LONG)]),
        rolling=st.builds(
            Rolling, sizes=st.sampled_from([(1, 1), (1, 1, 1)]), mode=st.integers(1, 3), kind=st.just(2)
        ),
    ).map(lambda step: (SimulatedJob(steps=(step,)),)),
    watches=st.lists(watch_plans, min_size=1, max_size=2).map(tuple),
    actions=st.lists(
        st.tuples(
            st.floats(0, 90),
            st.sampled_from(["operate", "operate elsewhere", "operate elsewhere", "stop elsewhere"]),
            # Retries, and the next batch.
            st.sampled_from([0, 3, 11, 11]),
            st.integers(0, 1),
        ),
        max_size=4,
    ).map(lambda found: tuple(sorted(found))),
    interval=st.none() | st.floats(0.5, 4.0),
    latency=st.sampled_from([0.0, 0.0, 0.05, 1.5]),
    group_polling=st.sampled_from(["small", "counts", "guess"]),
)
launched_unseen = of(
    SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(LONG,)),)),
    watches=st.sampled_from([0.0, 20.0]).map(lambda linger: (WatchPlan(linger=linger),)),
    faults=st.just((FaultWindow(kind="lagging", start=0.0, length=60.0, share=0.0),)),
    interval=st.none() | st.floats(0.5, 4.0),
    latency=st.sampled_from([0.0, 0.05]),
    actions=at(1, 30, (0, "launch", 0, 0), (5, "launch", 0, 0)),
)
launched_in_trouble = of(
    SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(LONG,)),)),
    watches=st.sampled_from([0.0, 20.0]).map(lambda linger: (WatchPlan(linger=linger),)),
    faults=st.tuples(
        st.builds(
            FaultWindow,
            kind=st.sampled_from(["launch", "launch", "launch", *ERRORS]),
            start=st.floats(0, 5),
            length=st.floats(5, 40),
            share=st.sampled_from([0.3, 1.0]),
        )
    ),
    actions=at(1, 30, (0, "launch", 0, 0), (5, "launch", 0, 0)),
    latency=st.sampled_from([0.0, 0.05]),
)
# A job may not be read for so long that it is lost for who watches it; others come when it can be read again.
lost_for_some = of(
    plans=st.lists(
        st.just(
            SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(LONG,)), StepPlan(hosts=1, outcomes=(FAILS,))))
        )
        | jobs,
        min_size=1,
        max_size=2,
    ).map(tuple),
    watches=st.tuples(
        st.builds(WatchPlan, picks=st.just(((0, "job"),)) | st.just(((0, "both"),)), linger=st.none()),
        st.builds(
            WatchPlan,
            opens=st.floats(5, 80),
            picks=st.sampled_from(
                [((0, "job"),), ((0, "steps"),), ((0, "both"),), ((1, "job"), (0, "last"))]
            ),
            linger=st.none() | st.just(20.0),
            resumes=st.booleans(),
        ),
    ),
    actions=st.lists(
        st.tuples(
            st.floats(5, 100),
            st.sampled_from(["wait here", "wait here", "add", "drop", "operate", "nudge"]),
            st.integers(0, 11),
            st.integers(0, 2),
        ),
        max_size=6,
    ).map(lambda actions: tuple(sorted(actions))),
    faults=st.tuples(
        st.builds(
            FaultWindow,
            kind=st.just("forbidden"),
            start=st.floats(0, 20),
            length=st.floats(20, 50),
            share=st.just(1.0),
        )
    ),
)
