"""Random histories in which responses come late: the platform is slow, or fewer requests are allowed than are due."""

from __future__ import annotations

from hypothesis import strategies as st

from bkjob_async.model.detail_level import DetailLevel
from bkjob_async.simulator.world.plans import HANGS, SimulatedJob, StepPlan
from tests.watch.histories import (
    ACTIONS,
    FAILS,
    HALF_READABLE,
    LONG,
    FaultWindow,
    WatchPlan,
    anew,
    jobs,
    watch_plans,
    windows,
)
from tests.watch.history_kinds import CAN_OPERATE, of

long_slowness = st.builds(
    FaultWindow,
    kind=st.sampled_from(["slow request", "slow response", "slow response"]),
    start=st.floats(0, 60),
    length=st.floats(20, 90),
    share=st.floats(0.5, 1.0),
)
many_actions = st.lists(
    st.tuples(st.floats(0, 100), st.sampled_from(ACTIONS), st.integers(0, 11), st.integers(0, 2)),
    min_size=2,
    max_size=9,
).map(lambda found: tuple(sorted(found)))

# While most responses are under way for seconds, much is done, and watches begin.
slow = of(
    plans=st.lists(jobs, min_size=1, max_size=2).map(tuple),
    watches=st.lists(watch_plans, min_size=1, max_size=3).map(tuple),
    actions=many_actions,
    faults=st.tuples(long_slowness) | st.tuples(long_slowness, windows),
    interval=st.none() | st.floats(0.5, 8.0),
    latency=st.sampled_from([0.0, 0.05]),
    log_limit=st.sampled_from([100_000, 100_000, 25, 8]),
    group_polling=st.sampled_from(["small", "counts", "guess"]),
    callbacks=st.sampled_from([None, None, 0.0, 0.7]),
    in_flight=st.sampled_from([32, 32, 2]),
    anew=anew,
)
# Reads of one kind fail after a long wait, and hold the few permits meanwhile; all others are answered.
unanswered = of(
    plans=st.lists(jobs, min_size=2, max_size=3).map(tuple),
    watches=st.lists(watch_plans, min_size=1, max_size=2).map(tuple),
    actions=many_actions,
    faults=st.tuples(
        st.builds(
            FaultWindow,
            kind=st.sampled_from(HALF_READABLE),
            start=st.floats(0, 10),
            length=st.floats(60, 150),
            share=st.just(1.0),
        ),
        st.builds(
            FaultWindow,
            kind=st.just("slow request"),
            start=st.just(0.0),
            length=st.floats(30, 120),
            share=st.floats(0.3, 0.8),
        ),
    ),
    interval=st.none() | st.floats(0.5, 8.0),
    group_polling=st.sampled_from(["small", "counts", "guess"]),
    in_flight=st.sampled_from([2, 2, 3, 32]),
)
# One silence after the other, about jobs that change little meanwhile.
silent = of(
    plans=st.builds(
        StepPlan,
        hosts=st.integers(1, 3),
        outcomes=st.sampled_from([(HANGS,), (HANGS,), (LONG, HANGS), (FAILS, HANGS)]),
    ).map(lambda step: (SimulatedJob(steps=(step, step)),)),
    watches=st.lists(
        st.builds(
            WatchPlan,
            opens=st.sampled_from([0.0, 0.0, 12.0]),
            picks=st.sampled_from([((0, "job"),), ((0, "job"),), ((0, "both"),), ((0, "first"),)]),
            linger=st.just(None),
            detail_level=st.sampled_from(DetailLevel),
        ),
        min_size=1,
        max_size=2,
    ).map(tuple),
    faults=st.tuples(
        st.builds(
            FaultWindow,
            kind=st.sampled_from(["slow request", "slow response", "slow response", "html", "timeout"]),
            start=st.floats(5, 30),
            length=st.floats(60, 120),
            share=st.sampled_from([0.7, 1.0]),
        )
    ),
    interval=st.none() | st.floats(0.5, 4.0),
    group_polling=st.sampled_from(["small", "small", "small", "counts"]),
)
# A job that does not change at all, and whose responses are all slow, so that a silence follows the other.
silent_again = of(
    SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(HANGS,)),)),
    watches=st.just((WatchPlan(linger=None),)),
    faults=st.tuples(
        st.builds(
            FaultWindow,
            kind=st.sampled_from(["slow request", "slow response"]),
            start=st.floats(5, 30),
            length=st.floats(60, 120),
            share=st.just(1.0),
        )
    ),
    interval=st.floats(0.5, 3.0),
)
# More is due than may be sent.
scarce = of(
    plans=st.lists(jobs, min_size=2, max_size=5).map(tuple),
    watches=st.lists(watch_plans, min_size=1, max_size=3).map(tuple),
    actions=many_actions,
    faults=st.just(()) | st.just(()) | st.tuples(windows),
    interval=st.none() | st.floats(0.2, 2.0),
    latency=st.sampled_from([0.05, 0.4]),
    group_polling=st.sampled_from(["small", "counts", "guess"]),
    callbacks=st.sampled_from([None, None, 0.7]),
    in_flight=st.sampled_from([1, 2, 32]),
    rate=st.sampled_from([None, 5.0, 2.0]),
    quota=st.sampled_from([None, None, (20, 10), (4, 1)]),
    per_resource=st.booleans(),
    anew=anew,
)
operated_meanwhile = of(
    SimulatedJob(steps=(StepPlan(hosts=3, outcomes=(FAILS,), retry_outcomes=(LONG, FAILS)),)),
    dialects=CAN_OPERATE,
    watches=st.sampled_from([0.0, 5.0, None]).map(lambda linger: (WatchPlan(linger=linger),)),
    faults=st.tuples(long_slowness),
    actions=st.floats(12, 60).map(lambda moment: ((moment, "operate", 0, 0),)),
)
