"""What was recorded: a platform whose jobs are the same in every run, and what was done to them."""

from __future__ import annotations

import asyncio

from attrs import evolve

import bkjob_async as bkjob
from bkjob_async.testing import (
    HANGS,
    DurationRange,
    HostOutcome,
    Rolling,
    SimulatedJob,
    Simulator,
    StepPlan,
)
from bkjob_async.testing import hosts as hosts_of
from tests.client.clients import client_of

# A fleet that keeps everything, one that keeps its present state and little else, and one in shards.
NAME, SHORT, MANY = "night", "short", "wide"
SHARDS = 2
# Seconds of the world until each watch is left, the last of which leaves a job behind that runs on.
FIRST_ENDS, SECOND_ENDS, ALL_OVER = 6.0, 14.0, 400.0
CREDENTIALS = f"{__name__}:credentials"

_quick = HostOutcome(start_delay=DurationRange(0.5, 0.5), duration=DurationRange(1.0, 1.0))
_slow = evolve(_quick, duration=DurationRange(3.0, 3.0))
_fails = evolve(_slow, status=104, exit_code=1, tag="disk full")
_long = evolve(_quick, duration=DurationRange(60.0, 60.0))


def credentials() -> bkjob.AppCredentials:
    """Return what the runners of the fleet in shards sign with."""
    return bkjob.AppCredentials(bk_app_code="tests", bk_app_secret="not-to-be-seen", bk_username="admin")


def platform() -> Simulator:
    """Return the platform at its beginning: a job of two steps, one that fails, one in batches, one that runs on."""
    simulator = Simulator(at_once=True)
    names = hosts_of(6)
    plans = (
        StepPlan(name="fetch", hosts=names, outcomes=(_quick, _slow)),
        StepPlan(name="unpack", hosts=4, outcomes=(_slow,)),
    )
    simulator.add(SimulatedJob(name="deploy", steps=plans))
    failing = StepPlan(name="check", hosts=3, outcomes=(_fails, _quick, _slow), retry_outcomes=(_quick,))
    simulator.add(SimulatedJob(name="verify", steps=(failing,)))
    rolling = StepPlan(name="restart", hosts=6, outcomes=(_quick,), rolling=Rolling(sizes=(2, 2, 2)))
    simulator.add(SimulatedJob(name="restart in batches", steps=(rolling,)))
    simulator.add(
        SimulatedJob(name="long", steps=(StepPlan(name="copy", hosts=3, outcomes=(_quick, _long)),))
    )
    simulator.add(SimulatedJob(name="hangs", steps=(StepPlan(hosts=2, outcomes=(HANGS,)),)))
    return simulator


async def until(simulator: Simulator, seconds: float) -> None:
    """Sleep until the world has come so far."""
    await asyncio.sleep(seconds - simulator.clock.now())


async def record_watches(simulator: Simulator, url: str, name: str, keep: bkjob.Keep) -> str:
    """Watch the jobs in two lives; leave the second while a job still runs. Return the cursor of the first batch."""
    deploy, verify, restart, long, _ = simulator.refs
    unknown = bkjob.JobRef(deploy.scope, 4711)
    async with (
        bkjob.open_journal(url, keep=keep) as journal,
        client_of(simulator, interval=0.5) as (client, _),
    ):
        refs: list[bkjob.Ref] = [deploy, *simulator.steps(verify), verify, unknown]
        async with client.watch(refs, journal=journal, name=name, deadline=60) as watch:
            first = await anext(aiter(watch.batches()))
            await until(simulator, FIRST_ENDS)
        async with client.watch([restart, long], journal=journal, name=name, deadline=60) as watch:
            await asyncio.sleep(1)
            await client.operate_step_instance(simulator.steps(verify)[0], operation_code=8)
            watch.drop(unknown)
            with simulator.fault("internal-error", times=40):
                await asyncio.sleep(1.5)
            await until(simulator, SECOND_ENDS)
    return first.cursor


async def record_fleet(simulator: Simulator, url: str) -> str:
    """Run a fleet in shards, and stop it; return the cursor of a reader that read about half of it."""
    deploy, verify, restart, long, hangs = simulator.refs
    async with bkjob.Fleet(MANY, journal=url, shards=SHARDS) as fleet:
        await fleet.create(url="http://sim/api/bk-job/prod", credentials=CREDENTIALS, wide={deploy.scope: 2})
        runners = [
            asyncio.create_task(
                bkjob.run_shard(fleet, shard, credentials=CREDENTIALS, transport=simulator.transport())
            )
            for shard in range(SHARDS)
        ]
        await fleet.add(deploy, verify, restart, long)
        await asyncio.sleep(6)
        await fleet.stop()
        await asyncio.gather(*runners)
        await fleet.add(hangs)  # waits in the inbox
        async with fleet.reader(live=False) as reader:
            batches = 0
            async for _ in reader:
                batches += 1
                if batches == 4:
                    return reader.cursor
    raise AssertionError("nothing was reported")
