"""Five lives of a step of many hosts, on the simulated platform; 3 % of the hosts fail."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from bkjob_async.model.refs import StepRef
from bkjob_async.simulator.handlers.context import SiteConfig
from bkjob_async.simulator.handlers.platform import Platform
from bkjob_async.simulator.world.plans import HostOutcome, JobPlan, PlatformDelays, StepPlan, exactly
from bkjob_async.simulator.world.world import World

HOSTS = 10_000
LOOKS = 200
FAILING = 0.03
AT_ONCE = 500

# When a host starts and when it ends, in looks, by its number and the dice.
Life = Callable[[int, Random], tuple[float, float]]


def linear(_number: int, dice: Random) -> tuple[float, float]:
    """All run from the beginning, and end evenly over the whole time."""
    return dice.uniform(0, 3), dice.uniform(4, LOOKS - 3)


def throttled(number: int, dice: Random) -> tuple[float, float]:
    """No more than 500 run at once; the others wait their turn."""
    turn = (LOOKS - 15) * number / HOSTS
    return turn, turn + dice.uniform(0.5, 1.5) * LOOKS * AT_ONCE / HOSTS


def burst(number: int, dice: Random) -> tuple[float, float]:
    """Nine of ten end within some looks, the others straggle."""
    if number % 10:
        return dice.uniform(0, 5), dice.gauss(35, 5)
    straggles = dice.betavariate(1, 2.5) if number else 1.0
    return dice.uniform(0, 5), 40 + straggles * (LOOKS - 43)


def late(_number: int, dice: Random) -> tuple[float, float]:
    """Nothing moves for long; then all end at almost the same moment."""
    return dice.uniform(0, 0.9), LOOKS - 2 - dice.uniform(0, 0.9)


def quick(number: int, dice: Random) -> tuple[float, float]:
    """All end at once, but for one that holds the step up."""
    return dice.uniform(0, 0.9), LOOKS - 2.5 if number == HOSTS // 2 else 2 + dice.uniform(0, 0.9)


LIVES: dict[str, Life] = {
    "linear": linear,
    "throttled": throttled,
    "burst": burst,
    "late": late,
    "quick": quick,
}


def lived(life: Life) -> tuple[Platform, StepRef]:
    """Return a platform whose one step lives so, a look a second, and the step's name."""
    dice = Random(1)
    pinned = {}
    for number in range(HOSTS):
        start, end = life(number, dice)
        waits, runs = exactly(max(0.0, start)), exactly(max(0.1, end - max(0.0, start)))
        failing = dice.random() < FAILING
        pinned[number] = HostOutcome(
            start_delay=waits, duration=runs, status=104 if failing else 9, exit_code=2 if failing else 0
        )
    world = World(1, delays=PlatformDelays(event=0.0, dispatch=0.0, step=0.0, job=0.0), at_once=True)
    ref = world.add(JobPlan(steps=(StepPlan(hosts=HOSTS, pinned=pinned),)))
    # Answers are of one moment: what a torn one costs is another question.
    platform = Platform(world, SiteConfig(group_read_seconds=0.0))
    return platform, world.jobs[ref.job_instance_id].steps[0].ref
