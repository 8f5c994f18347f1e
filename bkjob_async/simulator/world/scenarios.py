"""Named scenarios, from which simulated worlds are created."""

from __future__ import annotations

from collections.abc import Callable

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
    JobPlan,
    PlatformDelays,
    Rolling,
    StepPlan,
    exactly,
)
from bkjob_async.simulator.world.world import World

CONFIRM_STEP = StepPlan(kind=CONFIRM, name="confirm", hosts=0)
SLOW = HostOutcome(duration=DurationRange(5.0, 600.0, skew=6.0))
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
    jobs: tuple[JobPlan, ...] = field(default=(), repr=False)
    arrivals: tuple[Arrivals, ...] = field(default=(), repr=False)
    delays: PlatformDelays = field(factory=PlatformDelays, repr=False)
    faults: tuple[str, ...] = ()

    def world(self, seed: int = 0) -> World:
        """Return a world with this scenario."""
        world = World(seed, delays=self.delays)
        self.add_to(world)
        return world

    def add_to(self, world: World) -> None:
        """Add this scenario to a world."""
        for job in self.jobs:
            world.add(job)
        for arrivals in self.arrivals:
            world.add_arrivals(arrivals)


def single_job(name: str, *steps: StepPlan) -> tuple[JobPlan, ...]:
    """Return a single job."""
    return (JobPlan(name=name, steps=steps),)


def all_succeed() -> Scenario:
    """Return three steps on ten hosts that all succeed."""
    steps = (StepPlan(hosts=10), StepPlan(hosts=10, kind=FILE), StepPlan(hosts=2, kind=SQL))
    return Scenario(
        name="all-succeed", summary="three steps, all succeed", jobs=single_job("all succeed", *steps)
    )


def some_fail() -> Scenario:
    """Return a step in which a few hosts fail, each in its own way."""
    fails = {2: FAILS, 5: NO_AGENT, 7: evolve(FAILS, tag="disk full", exit_code=28)}
    step = StepPlan(hosts=12, pinned=fails)
    return Scenario(name="some-fail", summary="3 of 12 hosts fail", jobs=single_job("some fail", step))


def one_hangs() -> Scenario:
    """Return a step in which one host never ends."""
    step = StepPlan(hosts=10, pinned={4: HANGS})
    return Scenario(
        name="one-hangs", summary="one of 10 hosts never ends", jobs=single_job("one hangs", step)
    )


def slow_tail() -> Scenario:
    """Return a step with mostly fast hosts and some very slow ones."""
    step = StepPlan(hosts=200, outcomes=(SLOW,))
    return Scenario(
        name="slow-tail", summary="200 hosts, some take 10 minutes", jobs=single_job("slow", step)
    )


def retry_succeeds() -> Scenario:
    """Return a step that fails, and succeeds when retried."""
    steps = (StepPlan(hosts=6, pinned={1: FAILS, 3: FAILS}), StepPlan(hosts=6))
    return Scenario(
        name="retry-succeeds", summary="2 of 6 hosts fail, a retry succeeds", jobs=single_job("again", *steps)
    )


def rolling() -> Scenario:
    """Return three rolling jobs: one pauses after a failure, one ignores it, one waits for a user."""
    jobs = tuple(
        JobPlan(
            name=f"rolling mode {mode}",
            steps=(StepPlan(hosts=9, rolling=Rolling(sizes=(1, 3, 5), mode=mode), pinned=pinned),),
        )
        for mode, pinned in ((1, {}), (2, {2: FAILS}), (3, {}))
    )
    return Scenario(name="rolling", summary="batches of 1, 3 and 5 hosts, in all three modes", jobs=jobs)


def manual_confirm() -> Scenario:
    """Return a job that waits for a user between two steps."""
    steps = (StepPlan(hosts=3), CONFIRM_STEP, StepPlan(hosts=3))
    return Scenario(name="manual-confirm", summary="a user must confirm", jobs=single_job("confirm", *steps))


def force_stop() -> Scenario:
    """Return a job that runs long enough to be terminated, and stops."""
    long = HostOutcome(duration=exactly(3600.0))
    return Scenario(
        name="force-stop",
        summary="hosts run for an hour, or until terminated",
        jobs=single_job("stop me", StepPlan(hosts=8, outcomes=(long,)), StepPlan(hosts=8)),
    )


def skip() -> Scenario:
    """Return a job with two hosts that cannot be stopped, so that the step must be skipped."""
    step = StepPlan(hosts=8, pinned={1: IGNORES_STOP, 2: IGNORES_STOP})
    return Scenario(
        name="skip",
        summary="two hosts ignore the termination; skip the step",
        jobs=single_job("skip me", step, StepPlan(hosts=8)),
    )


def ten_thousand_hosts() -> Scenario:
    """Return one step on ten thousand hosts."""
    step = StepPlan(hosts=10_000, outcomes=(HostOutcome(duration=DurationRange(2.0, 120.0, skew=2.0)),))
    return Scenario(name="ten-thousand-hosts", summary="one step, 10 000 hosts", jobs=single_job("big", step))


def thousand_small_jobs() -> Scenario:
    """Return a thousand jobs of a few hosts, started within a minute."""
    steps = (StepPlan(hosts=5, outcomes=FAILS_SOMETIMES),)
    jobs = tuple(JobPlan(name=f"small {n}", steps=steps, created=n * 0.06) for n in range(1000))
    return Scenario(name="thousand-small-jobs", summary="1 000 jobs of 5 hosts", jobs=jobs)


def mixed_fleet() -> Scenario:
    """Return jobs of all kinds that are started repeatedly and archived later."""
    gone = 1800.0
    small = JobPlan(name="small", steps=(StepPlan(hosts=3, outcomes=FAILS_SOMETIMES),), archived_after=gone)
    file = JobPlan(
        name="files", steps=(StepPlan(kind=FILE, hosts=20), StepPlan(hosts=20)), archived_after=gone
    )
    rolls = JobPlan(
        name="rolling",
        steps=(StepPlan(hosts=12, rolling=Rolling(sizes=(2, 4, 6), mode=2), outcomes=FAILS_SOMETIMES),),
        archived_after=gone,
    )
    slow = JobPlan(name="slow", steps=(StepPlan(hosts=50, outcomes=(SLOW,)),), archived_after=gone)
    big = JobPlan(name="big", steps=(StepPlan(hosts=500, outcomes=(SLOW,)),), archived_after=gone)
    plans = ((10.0, small), (4.0, file), (2.0, rolls), (2.0, slow), (0.2, big))
    return Scenario(
        name="mixed-fleet",
        summary="jobs of all kinds keep coming",
        arrivals=(Arrivals(plans=plans, every=DurationRange(1.0, 7.0)),),
    )


def chaos() -> Scenario:
    """Return jobs in which everything happens that can happen."""
    outcomes = (
        evolve(SUCCEEDS, weight=0.7),
        evolve(FAILS, weight=0.1),
        evolve(NO_AGENT, weight=0.05),
        evolve(SLOW, weight=0.1),
        evolve(FAILS, status=103, exit_code=None, weight=0.03),
        evolve(HANGS, weight=0.02),
    )
    jobs = tuple(
        JobPlan(name=f"chaos {n}", steps=steps, created=n * 1.5)
        for n in range(40)
        for steps in [
            (
                StepPlan(hosts=5 + n, outcomes=outcomes),
                StepPlan(hosts=9, kind=FILE, outcomes=outcomes, ignore_error=True),
                StepPlan(hosts=8, rolling=Rolling(sizes=(2, 6), mode=1 + n % 3), outcomes=outcomes),
                StepPlan(hosts=5, abnormal_after=3.0 if n % 7 == 0 else None),
            )[n % 2 :]
        ]
    )
    return Scenario(
        name="chaos",
        summary="40 jobs, everything that can happen, with faults",
        jobs=jobs,
        faults=UNRELIABLE_NETWORK,
    )


SCENARIOS: dict[str, Callable[[], Scenario]] = {
    "all-succeed": all_succeed,
    "some-fail": some_fail,
    "one-hangs": one_hangs,
    "slow-tail": slow_tail,
    "retry-succeeds": retry_succeeds,
    "rolling": rolling,
    "manual-confirm": manual_confirm,
    "force-stop": force_stop,
    "skip": skip,
    "ten-thousand-hosts": ten_thousand_hosts,
    "thousand-small-jobs": thousand_small_jobs,
    "mixed-fleet": mixed_fleet,
    "chaos": chaos,
}


def scenario_by_name(name: str) -> Scenario:
    """Return a scenario by its name; raise a KeyError that lists the names there are."""
    if name not in SCENARIOS:
        raise KeyError(f"no such scenario: {name}; there are: {', '.join(SCENARIOS)}")
    return SCENARIOS[name]()
