"""Named scenarios, from which simulated worlds are created."""

from __future__ import annotations

from attrs import evolve, field, frozen

from bkjob_async.simulator.world.codes import CONFIRM, FILE, SQL
from bkjob_async.simulator.world.plans import (
    FAILS,
    HANGS,
    IGNORES_STOP,
    NO_AGENT,
    SUCCEEDS,
    Arrivals,
    DurationRange,
    HostOutcome,
    PlatformDelays,
    Rolling,
    SimulatedJob,
    StepPlan,
    exactly,
)
from bkjob_async.simulator.world.world import World

CONFIRM_STEP = StepPlan(kind=CONFIRM, name="confirm", hosts=0)
SLOW = HostOutcome(duration=DurationRange(5.0, 600.0, skew=6.0))
RUNS_AN_HOUR = HostOutcome(duration=exactly(3600.0))
UP_TO_TWO_MINUTES = HostOutcome(duration=DurationRange(2.0, 120.0, skew=2.0))
FAILS_SOMETIMES = (evolve(SUCCEEDS, weight=0.9), evolve(FAILS, weight=0.1))

UNRELIABLE_NETWORK = (
    "latency:0.1",
    "bad-gateway:0.03",
    "gateway-timeout:0.02",
    "internal-error:0.02",
    "reset:0.02",
    "half-json:0.02",
    "duplicate-rows:0.02",
    "missing-rows:0.02",
    "unknown-fields:0.1",
)


@frozen(kw_only=True)
class Scenario:
    """The beginning of a world: jobs, arrivals of jobs, the platform's delays, and faults.

    *faults* are written as `NAME:SHARE`; they are applied to responses, outside the world.
    """

    name: str
    summary: str
    jobs: tuple[SimulatedJob, ...] = field(default=(), repr=False)
    arrivals: tuple[Arrivals, ...] = field(default=(), repr=False)
    delays: PlatformDelays = field(factory=PlatformDelays, repr=False)
    faults: tuple[str, ...] = ()

    def add_to(self, world: World) -> None:
        """Add this scenario to a world."""
        for job in self.jobs:
            world.add(job)
        for arrivals in self.arrivals:
            world.add_arrivals(arrivals)


def single_job(name: str, *steps: StepPlan) -> tuple[SimulatedJob, ...]:
    """Return a single job."""
    return (SimulatedJob(name=name, steps=steps),)


ROLLING_JOBS = tuple(
    SimulatedJob(
        name=f"rolling mode {mode}",
        steps=(StepPlan(hosts=9, rolling=Rolling(sizes=(1, 3, 5), mode=mode), pinned=pinned),),
    )
    for mode, pinned in ((1, {}), (2, {2: FAILS}), (3, {}))
)
SMALL_JOBS = tuple(
    SimulatedJob(name=f"small {n}", steps=(StepPlan(hosts=5, outcomes=FAILS_SOMETIMES),), created=n * 0.06)
    for n in range(1000)
)
# Jobs of all kinds, by their weights.
MIXED_PLANS = tuple(
    (weight, SimulatedJob(name=name, steps=steps, archived_after=1800.0))
    for weight, name, steps in (
        (10.0, "small", (StepPlan(hosts=3, outcomes=FAILS_SOMETIMES),)),
        (4.0, "files", (StepPlan(kind=FILE, hosts=20), StepPlan(hosts=20))),
        (
            2.0,
            "rolling",
            (StepPlan(hosts=12, rolling=Rolling(sizes=(2, 4, 6), mode=2), outcomes=FAILS_SOMETIMES),),
        ),
        (2.0, "slow", (StepPlan(hosts=50, outcomes=(SLOW,)),)),
        (0.2, "big", (StepPlan(hosts=500, outcomes=(SLOW,)),)),
    )
)
ANYTHING = (
    evolve(SUCCEEDS, weight=0.7),
    evolve(FAILS, weight=0.1),
    evolve(NO_AGENT, weight=0.05),
    evolve(SLOW, weight=0.1),
    evolve(FAILS, status=103, exit_code=None, weight=0.03),
    evolve(HANGS, weight=0.02),
)
CHAOTIC_JOBS = tuple(
    SimulatedJob(
        name=f"chaos {n}",
        steps=(
            StepPlan(hosts=5 + n, outcomes=ANYTHING),
            StepPlan(hosts=9, kind=FILE, outcomes=ANYTHING, ignore_error=True),
            StepPlan(hosts=8, rolling=Rolling(sizes=(2, 6), mode=1 + n % 3), outcomes=ANYTHING),
            StepPlan(hosts=5, abnormal_after=3.0 if n % 7 == 0 else None),
        )[n % 2 :],
        created=n * 1.5,
    )
    for n in range(40)
)
SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            name="all-succeed",
            summary="three steps, all succeed",
            jobs=single_job(
                "all succeed", StepPlan(hosts=10), StepPlan(hosts=10, kind=FILE), StepPlan(hosts=2, kind=SQL)
            ),
        ),
        Scenario(
            name="some-fail",
            summary="3 of 12 hosts fail",
            jobs=single_job(
                "some fail",
                StepPlan(
                    hosts=12, pinned={2: FAILS, 5: NO_AGENT, 7: evolve(FAILS, tag="disk full", exit_code=28)}
                ),
            ),
        ),
        Scenario(
            name="one-hangs",
            summary="one of 10 hosts never ends",
            jobs=single_job("one hangs", StepPlan(hosts=10, pinned={4: HANGS})),
        ),
        Scenario(
            name="slow-tail",
            summary="200 hosts, some take 10 minutes",
            jobs=single_job("slow", StepPlan(hosts=200, outcomes=(SLOW,))),
        ),
        Scenario(
            name="retry-succeeds",
            summary="2 of 6 hosts fail, a retry succeeds",
            jobs=single_job("again", StepPlan(hosts=6, pinned={1: FAILS, 3: FAILS}), StepPlan(hosts=6)),
        ),
        Scenario(
            name="rolling", summary="batches of 1, 3 and 5 hosts, in all three modes", jobs=ROLLING_JOBS
        ),
        Scenario(
            name="manual-confirm",
            summary="a user must confirm",
            jobs=single_job("confirm", StepPlan(hosts=3), CONFIRM_STEP, StepPlan(hosts=3)),
        ),
        Scenario(
            name="force-stop",
            summary="hosts run for an hour, or until terminated",
            jobs=single_job("stop me", StepPlan(hosts=8, outcomes=(RUNS_AN_HOUR,)), StepPlan(hosts=8)),
        ),
        Scenario(
            name="skip",
            summary="two hosts ignore the termination; skip the step",
            jobs=single_job(
                "skip me", StepPlan(hosts=8, pinned={1: IGNORES_STOP, 2: IGNORES_STOP}), StepPlan(hosts=8)
            ),
        ),
        Scenario(
            name="ten-thousand-hosts",
            summary="one step, 10 000 hosts",
            jobs=single_job("big", StepPlan(hosts=10_000, outcomes=(UP_TO_TWO_MINUTES,))),
        ),
        Scenario(name="thousand-small-jobs", summary="1 000 jobs of 5 hosts", jobs=SMALL_JOBS),
        Scenario(
            name="mixed-fleet",
            summary="jobs of all kinds keep coming",
            arrivals=(Arrivals(plans=MIXED_PLANS, every=DurationRange(1.0, 7.0)),),
        ),
        Scenario(
            name="chaos",
            summary="40 jobs, everything that can happen, with faults",
            jobs=CHAOTIC_JOBS,
            faults=UNRELIABLE_NETWORK,
        ),
    )
}


def scenario_by_name(name: str) -> Scenario:
    """Return a scenario by its name; raise a KeyError that lists the names there are."""
    if name not in SCENARIOS:
        raise KeyError(f"no such scenario: {name}; there are: {', '.join(SCENARIOS)}")
    return SCENARIOS[name]
