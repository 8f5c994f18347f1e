"""Five lifecycles of a step with many hosts, on the simulated platform; 3 % of the hosts fail."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from benchmarks.scale import scaled
from bkjob_async.model.refs import StepRef
from bkjob_async.simulator.handlers.platform import Platform
from bkjob_async.simulator.handlers.site import SiteConfig
from bkjob_async.simulator.world.plans import HostOutcome, PlatformDelays, SimulatedJob, StepPlan, exactly
from bkjob_async.simulator.world.world import World

HOSTS = scaled(10_000, 200)
POLLS = 200
FAILING = 0.03
CONCURRENT = HOSTS // 20

# When a host starts and when it ends, in polls, from its number and a source of randomness.
Lifecycle = Callable[[int, Random], tuple[float, float]]


def linear(_number: int, dice: Random) -> tuple[float, float]:
    """All start at once and end evenly over the whole time."""
    return dice.uniform(0, 3), dice.uniform(4, POLLS - 3)


def throttled(number: int, dice: Random) -> tuple[float, float]:
    """One host in twenty runs at a time; the others wait."""
    start = (POLLS - 15) * number / HOSTS
    return start, start + dice.uniform(0.5, 1.5) * POLLS * CONCURRENT / HOSTS


def burst(number: int, dice: Random) -> tuple[float, float]:
    """Nine in ten end within a few polls, the others much later."""
    if number % 10:
        return dice.uniform(0, 5), dice.gauss(35, 5)
    straggles = dice.betavariate(1, 2.5) if number else 1.0
    return dice.uniform(0, 5), 40 + straggles * (POLLS - 43)


def late(_number: int, dice: Random) -> tuple[float, float]:
    """Nothing changes for long; then all end at almost the same time."""
    return dice.uniform(0, 0.9), POLLS - 2 - dice.uniform(0, 0.9)


def quick(number: int, dice: Random) -> tuple[float, float]:
    """All end at once, except for one host that keeps the step running."""
    return dice.uniform(0, 0.9), POLLS - 2.5 if number == HOSTS // 2 else 2 + dice.uniform(0, 0.9)


LIFECYCLES: dict[str, Lifecycle] = {
    "linear": linear,
    "throttled": throttled,
    "burst": burst,
    "late": late,
    "quick": quick,
}


def simulated(lifecycle: Lifecycle) -> tuple[Platform, StepRef]:
    """Return a platform with one step that follows *lifecycle* at a poll a second, and the step's ref."""
    platform, (ref,) = simulated_steps(lifecycle, steps=1, hosts=HOSTS)
    return platform, ref


def simulated_steps(lifecycle: Lifecycle, *, steps: int, hosts: int) -> tuple[Platform, list[StepRef]]:
    """Return a platform with that many *steps* of so many *hosts*, each in a job of its own, and their refs."""
    world = World(1, delays=PlatformDelays(event=0.0, dispatch=0.0, step=0.0, job=0.0), at_once=True)
    dice, refs = Random(1), list[StepRef]()
    for _ in range(steps):
        ref = world.add(SimulatedJob(steps=(StepPlan(hosts=hosts, pinned=outcomes(lifecycle, hosts, dice)),)))
        refs.append(world.jobs[ref.job_instance_id].steps[0].ref)
    # A response shows one instant; inconsistent responses are not part of this benchmark.
    return Platform(world, SiteConfig(group_read_seconds=0.0)), refs


def outcomes(lifecycle: Lifecycle, hosts: int, dice: Random) -> dict[int, HostOutcome]:
    """Return what becomes of each host of one step."""
    pinned = {}
    for number in range(hosts):
        start, end = lifecycle(number, dice)
        waits, runs = exactly(max(0.0, start)), exactly(max(0.1, end - max(0.0, start)))
        failing = dice.random() < FAILING
        pinned[number] = HostOutcome(
            start_delay=waits, duration=runs, status=104 if failing else 9, exit_code=2 if failing else 0
        )
    return pinned
