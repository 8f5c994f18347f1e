"""Settings that are changed while a fleet lives: what runners do with them, and what cannot be changed."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

import bkjob_async as bkjob
from bkjob_async.errors import FleetNotFound, UsageError
from bkjob_async.journal.journal import Journal
from bkjob_async.journal.shards import ShardFigures
from bkjob_async.many.fleet import Fleet
from bkjob_async.many.runner.shard import ShardEnd
from bkjob_async.many.runner.shares import first_share
from bkjob_async.many.settings import SettingChanges
from bkjob_async.simulator.world.plans import HANGS, DurationRange, HostOutcome, SimulatedJob, StepPlan
from bkjob_async.simulator.world.world import World
from tests.journal.stores import HERE, Place
from tests.many import changed
from tests.many.fleets import OWN_CREDENTIALS, Clock, Site, site_of
from tests.many.test_budget import in_seconds, most_in_a_second, scopes_by_shard
from tests.many.test_claim import claims_of
from tests.many.test_shard import SLOW, finished, jobs_of
from tests.watch.clients import URLS

in_virtual_time = pytest.mark.looptime

ENDLESS = SimulatedJob(name="endless", steps=(StepPlan(hosts=1, outcomes=(HANGS,)),))
WIDE = SimulatedJob(
    name="wide",
    steps=tuple(
        StepPlan(hosts=400, outcomes=(HostOutcome(duration=DurationRange(5, 60)),)) for _ in range(2)
    ),
)
RATE = 100.0


async def polled_at(rate: float) -> Site:
    """Change the rate of a fleet of two uneven shards after 20 seconds; return it 20 seconds later."""
    async with site_of(shards=2, requests_per_second=RATE, interval=1.0) as site:
        for shard, scope in scopes_by_shard(2).items():
            await site.fleet.add(
                *(site.world.add(evolve(ENDLESS, scope=scope)) for _ in range((1500, 500)[shard]))
            )
            site.run(shard)
        await asyncio.sleep(20)
        await site.fleet.update(requests_per_second=rate)
        await asyncio.sleep(20)
        return site


@in_virtual_time
@pytest.mark.slow
async def test_another_rate_holds_within_three_seconds() -> None:
    """Lower for all runners together, without a new term; the higher one is used."""
    for rate in (20.0, 300.0):
        site = await polled_at(rate)
        times = site.request_times
        changed_at = times[0] + 20.0
        later = [at for at in times if at > changed_at + 3.0]

        assert most_in_a_second(later) <= 1.05 * rate + 1
        assert min(in_seconds(times, changed_at + 8, times[-1])) >= 0.9 * rate - 1
        assert [each.term for each in (await site.fleet.status()).shards] == [1, 1]


@in_virtual_time
@pytest.mark.parametrize(
    "changes",
    [
        {"interval": 0.5},
        {"requests_per_second": 50.0},
        {"detail_level": bkjob.DetailLevel.COALESCED},
        {"url": "https://bkapi.example.org/api/bk-job/other"},
        {"tenant": "other", "interval": 3.0},
    ],
    ids=str,
)
async def test_what_a_client_begins_with_is_followed_without_loss(changes: SettingChanges) -> None:
    """By a new client and watch in the same runner; nothing is lost or comes twice."""
    world = World(1)
    jobs = jobs_of(world, SLOW, 12)
    async with site_of(world, shards=2) as site:
        runners = [site.run(shard) for shard in range(2)]
        await site.fleet.add(*jobs)
        await asyncio.sleep(15)
        await Fleet("night", journal=site.fleet.journal).update(**changes)
        await asyncio.sleep(4)
        terms = [each.term for each in (await site.fleet.status()).shards]
        await asyncio.sleep(100)
        urls = {str(transport.urls[-1]) for transport in site.transports}
        await site.fleet.stop()

        assert terms == [2, 2]
        assert await asyncio.gather(*runners) == [ShardEnd.STOPPED] * 2
        assert await finished(await site.batches()) == {*jobs}
        assert await site.is_as_it_was()
        url = changes.get("url", URLS["gateway-v3"])
        assert all(each.startswith(url) for each in urls)


@in_virtual_time
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"url": "https://elsewhere.example.com"}, "start it with the fleet's URL"),
        ({"credentials": "nowhere:credentials"}, "--credentials nowhere:credentials"),
    ],
)
async def test_a_runner_that_may_not_follow_ends_and_says_who_must_act(
    changes: SettingChanges, said: str
) -> None:
    """Its credentials are for one platform, and what it calls for them is named by its own command."""
    async with site_of(shards=1) as site:
        runner = site.run(0, url=URLS["gateway-v3"])
        await asyncio.sleep(5)
        await site.fleet.update(**changes)

        with pytest.raises(UsageError, match=said):
            await runner
        (shard,) = (await site.fleet.status()).failing
        assert said in str(shard.failure)


@in_virtual_time
@pytest.mark.parametrize("shards", [1, 8])
async def test_a_fleet_keeps_so_many_bytes_however_many_shards_it_has(shards: int) -> None:
    """Beside what is behind the last checkpoint of each shard: less than 256 KiB; in one that is changed, in its term."""
    world, most = World(1), 400_000
    jobs = jobs_of(world, WIDE, 60, scopes=40)
    async with site_of(world, shards=shards, keep=bkjob.Keep(bytes=1 << 30)) as site:
        for shard in range(shards):
            site.run(shard)
        await site.fleet.add(*jobs)
        await asyncio.sleep(200)
        unbounded = (await site.fleet.status()).size
        await site.fleet.update(keep=bkjob.Keep(bytes=most))
        await asyncio.sleep(4)
        status = await site.fleet.status()

        assert unbounded > 2 * most
        assert status.size <= most + shards * (256 << 10)
        assert status.keep.bytes == most
        assert {each.term for each in status.shards} == {1}
        assert await finished(await site.batches()) == {*jobs}


@in_virtual_time
async def test_processes_that_claim_shards_follow_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each shard goes on, in its process or in another one that has room; none is run twice."""
    Clock(monkeypatch)
    world = World(1)
    jobs = jobs_of(world, SLOW, 16)
    async with site_of(world, shards=4) as site:
        keeping = [asyncio.create_task(claims_of(site, seed).keep(3)) for seed in range(2)]
        await site.fleet.add(*jobs)
        await asyncio.sleep(20)
        await site.fleet.update(interval=2.0)
        await asyncio.sleep(10)
        status = await site.fleet.status()
        await asyncio.sleep(100)
        await site.fleet.stop()
        await asyncio.wait(keeping)

        assert [task.exception() for task in keeping] == [None, None]
        assert {each.term for each in status.shards} == {2}
        assert all(each.has_runner for each in status.shards)
        assert [each.refused for each in status.shards] == [0] * 4
        assert await finished(await site.batches()) == {*jobs}
        assert await site.is_as_it_was()


async def test_changes_are_stored_beside_what_stays(place: Place) -> None:
    """None is the default; a fleet that is changed twice has both; it is stopped or not as before."""
    fleet, other = (Fleet("night", journal=Journal(place.open()), shards=shards) for shards in (4, None))
    given: dict[str, Any] = {
        "url": "https://one.example.com",
        "credentials": OWN_CREDENTIALS,
        "requests_per_second": 20.0,
    }
    await fleet.create(**given)
    await other.update(interval=2.0, detail_level=bkjob.DetailLevel.END_ONLY)
    await fleet.stop()
    await fleet.update(requests_per_second=None, url="https://two.example.com")

    settings = await other.settings()
    assert (settings.url, settings.requests_per_second, settings.interval) == (
        "https://two.example.com",
        None,
        2.0,
    )
    assert (settings.detail_level, settings.placement.shards) == (bkjob.DetailLevel.END_ONLY, 4)
    assert await other.is_stopped()
    with pytest.raises(UsageError, match=r"two.example.com', not .*one.example.com.* `bkjob fleet set`"):
        await fleet.create(**given)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"shards": 8}, "fleet copy OLD NEW --shards N"),
        ({"wide": {}}, "fleet copy OLD NEW"),
        ({"rate": 3.0}, "requests_per_second, interval"),
        ({"requests_per_second": -1.0}, "requests_per_second is a positive number"),
        ({"requests_per_second": 1e13}, "from 1e-09 to 1e+12"),
        ({"interval": 10**400}, "from 1e-09 to 1e+12"),
        ({"detail_level": "every-change"}, "EVERY_CHANGE, not 'every-change'"),
        ({"tenant": 5}, "tenant goes into a header"),
        ({"url": "ftp://x"}, "must be absolute: http"),
        ({"url": "http://x/\ud800"}, "as text"),
        ({"keep": 3}, "Keep(bytes=100"),
        ({"dialect": "esb-job", "acting_user": "admin"}, "acting_user"),
        ({"credentials": "secret"}, "names the function"),
    ],
    ids=lambda value: f"{value}"[:60],
)
async def test_what_cannot_be_is_refused_and_changes_nothing(
    place: Place, changes: dict[str, object], said: str
) -> None:
    """With the remedy."""
    fleet = Fleet("night", journal=Journal(place.open()), shards=4)
    await fleet.create(url="https://one.example.com", credentials=OWN_CREDENTIALS)
    before = await fleet.settings()

    with pytest.raises(UsageError, match=re.escape(said)):
        await fleet.update(**changes)  # type: ignore[arg-type]

    assert await fleet.settings() == before


async def test_what_is_kept_is_stored_where_it_is_given(place: Place) -> None:
    """Older versions read the settings that do not say it, and refuse the others."""
    fleet = Fleet("night", journal=Journal(place.open(bkjob.Keep(bytes=4000))), shards=4)
    await fleet.create(url="https://one.example.com", credentials=OWN_CREDENTIALS)
    plain = (await fleet.settings()).encode()
    default = (await fleet.status()).keep
    keep = bkjob.Keep(age=timedelta(hours=3), bytes=5 << 20)
    await fleet.update(keep=keep)
    settings = await fleet.settings()

    assert (b'"version":1' in plain, b"keep" in plain) == (True, False)
    assert b'"version":2' in settings.encode()
    assert default == bkjob.Keep(bytes=4000)
    assert (settings.keep, (await fleet.status()).keep) == (keep, keep)
    assert settings.keep_of_shard(bkjob.Keep()) == bkjob.Keep(age=timedelta(hours=3), bytes=5 << 18)
    await fleet.update(keep=None)
    assert (await fleet.settings()).encode() == plain


async def test_the_longest_age_and_the_highest_rate_are_read_back(place: Place) -> None:
    """By status and runners; the fleet would be lost."""
    fleet = Fleet("night", journal=Journal(place.open()), shards=2)
    keep = bkjob.Keep(age=timedelta.max)
    await fleet.create(
        url="https://one.example.com", credentials=OWN_CREDENTIALS, keep=keep, requests_per_second=1e12
    )
    share = await first_share(fleet, 0, await fleet.settings())
    assert share is not None
    share.on_answer(share.limit, own=1, everyone=1)
    await fleet.journal.store.open("night/0", HERE, take_over=True)
    figures = ShardFigures(1, 1, 1, share.claim)
    await fleet.journal.shards.report("night", 0, figures, limit=share.limit)

    status = await fleet.status()
    assert (status.keep, status.active) == (keep, 1)


async def test_a_fleet_that_there_is_not_cannot_be_changed(place: Place) -> None:
    """Nor is it created by that."""
    journal = Journal(place.open())
    await Fleet("other", journal=journal, shards=1).create(
        url="https://one.example.com", credentials=OWN_CREDENTIALS
    )
    fleet = Fleet("night", journal=journal)

    with pytest.raises(FleetNotFound):
        await fleet.update(interval=2.0)
    with pytest.raises(FleetNotFound):
        await fleet.settings()


@pytest.mark.deep
async def test_processes_follow_what_is_changed_and_those_of_a_copy_go_on(tmp_path: Path) -> None:
    """With a real Redis; what is printed is what an operator would see."""
    seen = await changed.run(tmp_path)

    assert sum(seen.requests["rate"][3:]) <= 5 * (len(seen.requests["rate"]) - 3) + 2
    assert len(seen.of_day) == len({*seen.of_day}) == changed.JOBS
    assert {*seen.of_night} < {*seen.of_day}
