"""Clients of the simulated platform in virtual time: requests of whole watches, and how late they see ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from math import exp, log, sqrt
from random import Random
from statistics import NormalDist
from typing import Any, TypeVar

import anyio
import looptime
from attrs import evolve
from msgspec.structs import replace

import bkjob_async as bkjob
from benchmarks.many_clients import MEDIAN, SPREAD_OF_ALL, Lags
from bkjob_async.dialects.gateway.v3 import GATEWAY_V3
from bkjob_async.engine.scheduling.duration_stats import DurationTable
from bkjob_async.simulator.handlers.platform import Platform
from bkjob_async.simulator.servers.in_process import SimulatedTransport
from bkjob_async.simulator.world.plans import DurationRange, HostOutcome, SimulatedJob, StepPlan, exactly
from bkjob_async.simulator.world.world import World

CREDENTIALS = bkjob.AppCredentials(bk_app_code="bench", bk_app_secret="none", bk_username="admin")  # noqa: S106 - made up
PLANS, SPREAD = 20, 0.3
TWENTY_TO_300 = HostOutcome(duration=DurationRange(20.0, 300.0))
T = TypeVar("T")


def in_virtual_time(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run *work* in virtual time."""
    with asyncio.Runner(loop_factory=partial(looptime.new_event_loop, noop_cycles=0)) as runner:
        return runner.run(work())


def connect(transport: SimulatedTransport, **options: Any) -> bkjob.JobClient:
    """Return a client of the simulated platform."""
    return bkjob.connect("http://simulator", CREDENTIALS, transport=transport, **options)


# A job of five steps ---------------------------------------------------------------------------------------------------


def five_steps() -> float:
    """Return the requests of a watch of a job with five steps, divided by those of a polling loop per step."""
    return in_virtual_time(partial(requests_for_five_steps, watched)) / in_virtual_time(
        partial(requests_for_five_steps, looped)
    )


async def requests_for_five_steps(follow: Callable[[bkjob.JobClient, bkjob.JobRef], Awaitable[None]]) -> int:
    """Follow one job of five steps, each with ten hosts and 90 s long; return the number of requests."""
    world = World(1)
    steps = tuple(StepPlan(hosts=10, outcomes=(HostOutcome(duration=exactly(90.0)),)) for _ in range(5))
    ref = world.add(SimulatedJob(steps=steps))
    transport = SimulatedTransport(Platform(world), latency=0.05)
    async with connect(transport, interval=2.0) as client:
        await follow(client, ref)
    return transport.requests


async def watched(client: bkjob.JobClient, ref: bkjob.JobRef) -> None:
    """Wait for the job."""
    await client.wait(ref)


async def looped(client: bkjob.JobClient, ref: bkjob.JobRef) -> None:
    """Poll each step in a loop of its own, with the same interval."""
    snapshot = await client.get_job_instance_status(ref)

    async def loop(step: bkjob.StepRef) -> None:
        while not (await client.get_step_instance_status(step)).is_finished:  # noqa: ASYNC110 - as people write it
            await anyio.sleep(2.0)

    async with anyio.create_task_group() as group:
        for step in snapshot.steps:
            group.start_soon(loop, step.ref)


# Many jobs under a rate limit -------------------------------------------------------------------------------------------------


def fleet_under_a_limit(*, live: int, limit: float, interval: float | None) -> Lags:
    """Return how late ends are seen with *live* jobs at a time, after ten earlier runs of each plan."""
    return in_virtual_time(partial(lags_of_a_fleet, live, limit, interval))


async def lags_of_a_fleet(live: int, limit: float, interval: float | None) -> Lags:
    """Watch jobs for ten minutes; the lags are those of the last five."""
    world, dice = World(1, at_once=True), Random(1)
    transport = SimulatedTransport(Platform(world), latency=0.05)
    learnt = None if interval is not None else earlier_runs(Random(2))
    lags: list[float] = []
    async with (
        connect(transport, requests_per_second=limit, interval=interval, duration_stats=learnt) as client,
        client.watch([], linger=None, deadline=600.0) as watch,
    ):
        watch.add(*(world.add(one_more(dice)) for _ in range(live)))
        try:
            async for event in watch:
                if isinstance(event, bkjob.StepChanged) and event.is_finished:
                    now = asyncio.get_running_loop().time()
                    ended = world.jobs[event.ref.job_instance_id].steps[0].ended
                    if ended is not None and now > 300.0:
                        lags.append(now - ended)
                elif isinstance(event, bkjob.Finished):
                    watch.drop(event.ref)
                    watch.add(world.add(one_more(dice)))
        except bkjob.DeadlineExceeded:
            pass
    return Lags(lags, transport.requests / 600.0)


def ends_of(jobs: int, *, lists: bool) -> Lags:
    """Return how late the ends of *jobs* jobs started together are seen, and the requests per job."""
    return in_virtual_time(partial(lags_of_ends, jobs, lists))


async def lags_of_ends(jobs: int, lists: bool) -> Lags:  # noqa: FBT001 - `ends_of` names it
    """Watch jobs of 20 to 300 s for their ends only, with or without lists of running jobs."""
    world = World(7)
    refs = [
        world.add(SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(TWENTY_TO_300,)),))) for _ in range(jobs)
    ]
    transport = SimulatedTransport(Platform(world), latency=0.05)
    dialect = GATEWAY_V3
    changed = evolve(
        dialect,
        capabilities=replace(
            dialect.capabilities, list_length=dialect.capabilities.list_length if lists else 0
        ),
    )
    lags: list[float] = []
    async with (
        connect(transport, dialect=changed) as client,
        client.watch(refs, detail_level=bkjob.DetailLevel.END_ONLY) as watch,
    ):
        async for result in watch.as_finished():
            ended = world.jobs[result.ref.job_instance_id].ended or 0.0
            lags.append(asyncio.get_running_loop().time() - ended)
    return Lags(lags, transport.requests / jobs)


def median_of(plan: int) -> float:
    """Return the median duration of a plan."""
    among = sqrt(SPREAD_OF_ALL**2 - SPREAD**2)
    return exp(log(MEDIAN) + among * NormalDist().inv_cdf((plan + 0.5) / PLANS))


def one_more(dice: Random) -> SimulatedJob:
    """Return one more run of a random plan."""
    plan = dice.randrange(PLANS)
    seconds = median_of(plan) * exp(SPREAD * dice.gauss(0.0, 1.0))
    return SimulatedJob(
        name=f"plan {plan}",
        steps=(StepPlan(name="run", hosts=1, outcomes=(HostOutcome(duration=exactly(seconds)),)),),
    )


def earlier_runs(dice: Random) -> dict[str, Any]:
    """Return the duration statistics of ten earlier runs of each plan."""
    durations = DurationTable()
    for plan in range(PLANS):
        for _ in range(10):
            seconds = median_of(plan) * exp(SPREAD * dice.gauss(0.0, 1.0))
            durations.learn(bkjob.Scope.biz(2), f"plan {plan}", "run", seconds)
            durations.learn(bkjob.Scope.biz(2), f"plan {plan}", None, seconds)
    return durations.exported()
