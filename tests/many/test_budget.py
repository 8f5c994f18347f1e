"""All runners together stay within the rate of the fleet, and use it; in virtual time, counted by the simulator's transport."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from inspect import iscoroutinefunction
from typing import Any

import pytest
from attrs import evolve

import bkjob_async as bkjob
from bkjob_async.journal.journal import Journal
from bkjob_async.journal.memory.store import MemoryStore
from bkjob_async.many.fleet import Fleet
from bkjob_async.many.placement import Placement
from bkjob_async.simulator.world.plans import HANGS, DurationRange, HostOutcome, SimulatedJob, StepPlan
from bkjob_async.simulator.world.world import World
from tests.many.fleets import Site, site_of
from tests.watch.clients import client_of

pytestmark = [pytest.mark.looptime, pytest.mark.slow]

ENDLESS = SimulatedJob(name="endless", steps=(StepPlan(hosts=1, outcomes=(HANGS,)),))
PARTS = (1400, 200, 200, 200)
RATE = 100.0


def scopes_by_shard(shards: int) -> dict[int, bkjob.Scope]:
    """Return a scope that lies in each shard."""
    placement, found = Placement(shards=shards), dict[int, bkjob.Scope]()
    for number in range(2, 1000):
        scope = bkjob.Scope.biz(number)
        found.setdefault(placement.shard_of(bkjob.JobRef(scope, 1)), scope)
    return found


def most_in_a_second(times: list[float]) -> int:
    """Return the largest number of requests in any second."""
    return max(bisect_left(times, at + 1.0) - number for number, at in enumerate(times))


def in_seconds(times: list[float], since: float, until: float) -> list[int]:
    """Return how many requests there were in each whole second."""
    return [
        bisect_left(times, since + second + 1) - bisect_left(times, since + second)
        for second in range(int(until - since))
    ]


async def add_unevenly(site: Site) -> None:
    """Add 70, 10, 10 and 10 % of 2 000 jobs to four shards."""
    for shard, scope in scopes_by_shard(4).items():
        await site.fleet.add(*(site.world.add(evolve(ENDLESS, scope=scope)) for _ in range(PARTS[shard])))


@pytest.mark.parametrize("are_added_first", [True, False])
async def test_uneven_shards_share_one_rate(*, are_added_first: bool) -> None:
    """Never over 105 in a second, and at least 90 once ten seconds have passed."""
    async with site_of(shards=4, requests_per_second=RATE, interval=1.0) as site:
        if are_added_first:
            await add_unevenly(site)
        for shard in range(4):
            site.run(shard)
        if not are_added_first:
            await asyncio.sleep(7.3)
            await add_unevenly(site)
        await asyncio.sleep(30)
        times = site.request_times

        assert most_in_a_second(times) <= 105
        begun = times[0]
        assert min(in_seconds(times, begun + 10, times[-1])) >= 90


async def test_a_takeover_changes_nothing_of_the_rate() -> None:
    """The shard without a runner keeps its share, and the next runner begins with it."""
    async with site_of(shards=4, requests_per_second=RATE, interval=1.0) as site:
        await add_unevenly(site)
        for shard in range(4):
            site.run(shard)
        await asyncio.sleep(20.4)
        site.runners[0].cancel()
        await asyncio.sleep(15)
        others = [[at for at in transport.times if at > 20] for transport in site.transports[1:]]
        taken_over_at = others[0][-1]
        site.run(0)
        await asyncio.sleep(15)
        times = site.request_times

        assert max(map(most_in_a_second, others)) <= 12
        assert most_in_a_second(times) <= 105
        assert min(in_seconds(times, taken_over_at + 1, times[-1])) >= 90


class Way(MemoryStore):
    """The way of one process to a store in this process; it can be cut, at once or when a method is called next."""

    def __init__(self, shared: MemoryStore) -> None:
        super().__init__()
        self._fleets, self._inboxes, self._keys = shared._fleets, shared._inboxes, shared._keys
        self.is_cut = False
        self.cut_at: str | None = None

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name == super().__getattribute__("__dict__").get("cut_at"):
            self.is_cut = True
        if iscoroutinefunction(found) and self.is_cut:
            raise bkjob.JournalUnavailable("cut off")
        return found


@pytest.mark.parametrize("is_cut", [False, True])
async def test_a_takeover_from_a_runner_that_lives_sends_its_part_twice_for_some_seconds(
    *, is_cut: bool
) -> None:
    """Three until it hears of the other one; where it cannot hear ten, and what then waits for its turn. Twice the rate at most."""
    store = MemoryStore()
    async with site_of(shards=2, requests_per_second=20.0, interval=1.0, journal=Journal(store)) as site:
        for scope in scopes_by_shard(2).values():
            await site.fleet.add(*(site.world.add(evolve(ENDLESS, scope=scope)) for _ in range(200)))
        ways = [Way(store) for _ in range(2)]
        for shard, way in enumerate(ways):
            site.run(shard, Fleet("night", journal=Journal(way)))
        await asyncio.sleep(30.7)
        for way in ways:
            way.is_cut = is_cut
        begun = max(site.request_times)
        for shard in range(2):
            site.run(shard)
        await asyncio.sleep(30)
        times = [at for at in site.request_times if at > begun - 5]

    counts = in_seconds(times, begun - 5, times[-1])
    exceeded = [second - 5 for second, count in enumerate(counts) if count > 21]
    assert most_in_a_second(times) <= 42
    assert max(exceeded, default=0) - min(exceeded, default=0) <= (13 if is_cut else 3)


async def test_targets_that_move_to_another_shard_take_their_share_with_them() -> None:
    """Dropped here and added there: within the budget all the time."""
    scopes = scopes_by_shard(2)
    async with site_of(shards=2, requests_per_second=RATE, interval=1.0) as site:
        jobs = [site.world.add(evolve(ENDLESS, scope=scopes[0])) for _ in range(500)]
        await site.fleet.add(*jobs)
        for shard in range(2):
            site.run(shard)
        await asyncio.sleep(20)
        await site.fleet.drop(*jobs[:450])
        await site.fleet.add(*(site.world.add(evolve(ENDLESS, scope=scopes[1])) for _ in range(450)))
        await asyncio.sleep(20)
        counts = in_seconds(
            site.transports[1].times, site.transports[1].times[-1] - 5, site.transports[1].times[-1]
        )

        assert most_in_a_second(site.request_times) <= 105
        assert min(counts) >= 85


async def test_jobs_of_one_scope_are_listed_as_by_one_client() -> None:
    """400 jobs of which only the end matters: sixteen shards send hardly more requests than one client."""
    ending = HostOutcome(duration=DurationRange(60.0, 600.0))
    plan = SimulatedJob(name="ending", steps=(StepPlan(hosts=2, outcomes=(ending,)),))

    alone = World(3)
    jobs = [alone.add(plan) for _ in range(400)]
    async with (
        client_of(alone, latency=0.02) as (client, transport),
        client.watch(jobs, detail_level=bkjob.DetailLevel.END_ONLY) as watch,
    ):
        await watch.results()
        one_client = transport.requests

    world = World(3)
    jobs = [world.add(plan) for _ in range(400)]
    async with site_of(world, shards=16, detail_level=bkjob.DetailLevel.END_ONLY) as site:
        await site.fleet.add(*jobs)
        for shard in range(16):
            site.run(shard)
        await asyncio.sleep(10)
        while (await site.fleet.status()).active:  # noqa: ASYNC110 - the store sets no event
            await asyncio.sleep(1)
        requests = sum(transport.requests for transport in site.transports)

    print(f"one client {one_client}, sixteen shards {requests}: {requests / one_client:.3f}")
    assert requests <= 1.1 * one_client
