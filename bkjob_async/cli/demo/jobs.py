"""The jobs of the demo, the outcomes of their hosts, and how long earlier runs of them took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from attrs import evolve

from bkjob_async.engine.scheduling.duration_stats import DurationTable
from bkjob_async.engine.tracking.run_state import RUNNING
from bkjob_async.simulator.world.codes import FILE
from bkjob_async.simulator.world.hosts import hosts
from bkjob_async.simulator.world.plans import DurationRange, HostOutcome, SimulatedJob, StepPlan
from bkjob_async.simulator.world.world import World

# Hosts of later jobs wait longer, as they do on a busy platform.
QUEUE = 5.0
EARLIER_RUNS = 3

SENT = HostOutcome(duration=DurationRange(0.5, 4.0, skew=2.0), log="sent\n")
RESTARTED = HostOutcome(
    start_delay=DurationRange(0.0, 1.0), duration=DurationRange(0.5, 5.0, skew=2.0), log="restarted\n"
)
BROKEN = HostOutcome(
    status=104,
    duration=DurationRange(0.5, 3.0),
    tag="port in use",
    exit_code=1,
    log="bind: address already in use\n",
)
NO_AGENT = HostOutcome(status=18, exit_code=None, error_code=117, log="")
SLOW = HostOutcome(duration=DurationRange(11.0, 11.0), log="restarted, at last\n")

SERVICES = (
    "login",
    "lobby",
    "match",
    "chat",
    "mail",
    "guild",
    "shop",
    "pay",
    "rank",
    "push",
    "audit",
    "gate",
)


def make_plans(jobs: int, hosts_each: int, seed: int) -> list[SimulatedJob]:
    """Return the plans of all jobs; the first one fails and is retried.

    The second has a slow host, the third an error that is ignored; of the others, every sixth fails.
    """
    random = Random(seed)  # noqa: S311 - not for secrets
    return [job(number, jobs, hosts_each, random) for number in range(jobs)]


def job(number: int, jobs: int, hosts_each: int, random: Random) -> SimulatedJob:
    """Return one job: send a package, then restart a service."""
    targets = hosts(hosts_each, first=1 + number * hosts_each)
    wait = QUEUE * number / jobs
    sent = evolve(SENT, start_delay=DurationRange(wait, wait + 2.0))
    send = StepPlan(name="send package", kind=FILE, hosts=targets, outcomes=(sent,))
    restart = StepPlan(name="restart", hosts=targets, outcomes=(RESTARTED,), retry_outcomes=(RESTARTED,))
    if number == 0:
        restart = evolve(restart, pinned=dict.fromkeys(some(hosts_each, random), BROKEN))
    elif number == 1:
        restart = evolve(restart, pinned={random.randrange(hosts_each): SLOW})
    elif number == 2:
        send = evolve(send, pinned={random.randrange(hosts_each): NO_AGENT}, ignore_error=True)
    elif number % 6 == 5:
        restart = evolve(restart, pinned=dict.fromkeys(some(hosts_each, random), BROKEN))
    name = f"deploy {SERVICES[number % len(SERVICES)]}-{number // len(SERVICES) + 1}"
    return SimulatedJob(name=name, steps=(send, restart))


def some(hosts_each: int, random: Random) -> list[int]:
    """Return the positions of a few of a step's hosts."""
    return random.sample(range(hosts_each), max(1, min(hosts_each, hosts_each // 8)))


def earlier_durations(plans: Sequence[SimulatedJob]) -> Mapping[str, Any]:
    """Return how long three earlier runs of *plans* took, as a client would have learnt it."""
    durations = DurationTable()
    for seed in range(EARLIER_RUNS):
        world = World(seed + 1000)
        refs = [world.add(plan) for plan in plans]
        world.advance_to_end()
        for ref, plan in zip(refs, plans, strict=True):
            moves = world.history([ref]).jobs[ref]
            began = next(at for at, code in moves if code == RUNNING)
            durations.learn(ref.scope, plan.name, None, moves[-1][0] - began)
    return durations.exported()
