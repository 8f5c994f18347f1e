"""Runners of shards against the simulator, in virtual time: what they take up, how they end, what they never do."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from typing import Any

import pytest
from attrs import evolve

import bkjob_async as bkjob
from bkjob_async.errors import JournalUnavailable
from bkjob_async.journal.journal import Journal
from bkjob_async.journal.shards import ShardReply, shard_name
from bkjob_async.journal.store import Holder
from bkjob_async.many.fleet import Fleet
from bkjob_async.many.runner.duration_exchange import decoded
from bkjob_async.many.runner.shard import ShardEnd, run_shard
from bkjob_async.simulator.world.plans import (
    FAILS,
    HANGS,
    SUCCEEDS,
    DurationRange,
    HostOutcome,
    SimulatedJob,
    StepPlan,
)
from bkjob_async.simulator.world.world import World
from tests.many.fleets import OWN_CREDENTIALS, site_of

pytestmark = pytest.mark.looptime

SHORT = SimulatedJob(name="short", steps=(StepPlan(hosts=3), StepPlan(hosts=2, outcomes=(SUCCEEDS, FAILS))))
ENDLESS = SimulatedJob(name="endless", steps=(StepPlan(hosts=1, outcomes=(HANGS,)),))
SLOW = SimulatedJob(
    name="slow", steps=(StepPlan(hosts=4, outcomes=(HostOutcome(duration=DurationRange(20, 60)),)),)
)

SOON = SimulatedJob(
    name="soon",
    steps=(StepPlan(hosts=4, outcomes=(HostOutcome(duration=DurationRange(8, 14)),)),),
)


def jobs_of(world: World, plan: SimulatedJob, count: int, scopes: int = 5) -> list[bkjob.JobRef]:
    """Add so many jobs in several scopes."""
    return [world.add(evolve(plan, scope=bkjob.Scope.biz(2 + number % scopes))) for number in range(count)]


async def finished(site_batches: list[bkjob.Batch]) -> set[bkjob.Ref]:
    """Return the targets that finished."""
    return {e.ref for batch in site_batches for e in batch.events if isinstance(e, bkjob.Finished)}


async def test_a_fleet_is_watched_to_its_ends() -> None:
    """All that happens to jobs in several shards comes from one reader, as it was."""
    world = World(1)
    jobs = jobs_of(world, SHORT, 12)
    async with site_of(world) as site:
        runners = [site.run(shard) for shard in range(4)]
        await site.fleet.add(*jobs)
        seen: set[bkjob.Ref] = set()
        async with site.fleet.reader() as reader:
            async for batch in reader:
                seen |= {event.ref for event in batch.events if isinstance(event, bkjob.Finished)}
                if len(seen) == len(jobs):
                    break
        await site.fleet.stop()
        ends = await asyncio.gather(*runners)

        assert ends == [ShardEnd.STOPPED] * 4
        assert await site.is_as_it_was()


async def test_what_is_added_is_recorded_within_two_seconds() -> None:
    """From another process; the inbox is empty then, and the entry was removed by the append that recorded it."""
    world = World(1)
    async with site_of(world, shards=1) as site:
        site.run(0)
        await asyncio.sleep(5.3)
        other = Fleet("night", journal=site.fleet.journal)
        (job,) = jobs_of(world, ENDLESS, 1)
        await other.add(job, f"{job}")
        assert (await site.fleet.status()).shards[0].waiting == 1
        await asyncio.sleep(2.0)

        assert (await site.fleet.status()).shards[0].waiting == 0
        entry = await site.fleet.journal.store.fleet("night/0")
        assert entry is not None
        assert entry.targets == 1


async def test_what_is_added_before_there_is_a_runner_waits() -> None:
    """And many of them come in order: added, dropped, added again."""
    world = World(1)
    jobs = jobs_of(world, ENDLESS, 200, scopes=1)
    async with site_of(world, shards=1) as site:
        await site.fleet.add(*jobs)
        await site.fleet.drop(*jobs[50:])
        await site.fleet.add(*jobs[100:110])
        assert (await site.fleet.status()).shards[0].waiting == 3
        site.run(0)
        await asyncio.sleep(4)

        (shard,) = (await site.fleet.status()).shards
        assert (shard.targets, shard.active, shard.waiting) == (60, 60, 0)


async def test_another_runner_takes_the_shard_over() -> None:
    """The later one wins, the earlier hears of it though nothing moves, and that is counted."""
    world = World(1)
    jobs = jobs_of(world, SLOW, 3, scopes=1)
    async with site_of(world, shards=1) as site:
        first = site.run(0)
        await site.fleet.add(*jobs)
        await asyncio.sleep(12)
        second = site.run(0)

        assert await asyncio.wait_for(first, 3.5) is ShardEnd.SUPERSEDED
        await asyncio.sleep(120)
        (shard,) = (await site.fleet.status()).shards
        assert (shard.term, shard.targets, shard.active) == (2, 3, 0)
        assert shard.refused  # its sign of life, and the append that finds out why
        resumed = [e for b in await site.batches() for e in b.events if isinstance(e, bkjob.Resumed)]
        assert [event.term for event in resumed] == [2]
        await site.fleet.stop()
        assert await second is ShardEnd.STOPPED
        assert await site.is_as_it_was()


async def test_what_was_not_recorded_is_taken_up_by_the_next_runner() -> None:
    """A runner that dies between reading the inbox and its append has taken nothing out of it."""
    world = World(1)
    (job,) = jobs_of(world, SLOW, 1)
    async with site_of(world, shards=1) as site:
        first = site.run(0)
        await asyncio.sleep(3.0)
        store = site.fleet.journal.store
        append = store.append

        async def refuse(*_arguments: object, **_named: object) -> None:
            raise JournalUnavailable("nothing is written any more")

        store.append = refuse  # type: ignore[method-assign]
        await site.fleet.add(job)
        await asyncio.sleep(4.0)
        assert site.transports[0].requests > 0  # it is polled already
        assert (await site.fleet.status()).shards[0].waiting == 1
        first.cancel()
        await asyncio.wait([first])
        store.append = append  # type: ignore[method-assign]

        site.run(0)
        await asyncio.sleep(70)
        (shard,) = (await site.fleet.status()).shards
        assert (shard.targets, shard.active, shard.waiting) == (1, 0, 0)
        assert await site.is_as_it_was()


async def test_a_runner_that_wakes_after_a_takeover_writes_nothing() -> None:
    """It polls, and its append is refused by the store: nobody has to reach it or to cancel it."""
    world = World(1)
    jobs = jobs_of(world, SOON, 2, scopes=1)
    async with site_of(world, shards=1, interval=1.0) as site:
        first = site.run(0)
        await site.fleet.add(*jobs)
        await asyncio.sleep(5)
        store = site.fleet.journal.store
        await store.open(shard_name("night", 0), Holder("elsewhere", 1), take_over=True)
        before = await store.read(shard_name("night", 0), 0)
        asked = site.transports[0].requests

        async def be_unheard(*_arguments: object, **_named: object) -> ShardReply:
            raise JournalUnavailable("signs of life are not answered: only the append can be refused")

        store.give_sign_of_life = be_unheard  # type: ignore[method-assign,assignment]

        assert await asyncio.wait_for(first, 9.0) is ShardEnd.SUPERSEDED
        assert site.transports[0].requests > asked
        assert (await store.read(shard_name("night", 0), 0)) == before
        entry = await store.fleet(shard_name("night", 0))
        assert entry is not None
        assert (entry.refused, entry.holder.host) == (1, "elsewhere")


async def test_polling_pauses_while_the_store_does_not_answer(caplog: pytest.LogCaptureFixture) -> None:
    """After ten seconds; when it answers again polling goes on, and nothing was lost."""
    world = World(1)
    (job,) = jobs_of(world, SLOW, 1)
    async with site_of(world, shards=1, interval=1.0) as site:
        site.run(0)
        await site.fleet.add(job)
        await asyncio.sleep(6.0)
        shards = site.fleet.journal.shards
        report = shards.report

        async def be_away(*_arguments: object, **_named: object) -> ShardReply:
            raise JournalUnavailable("away")

        shards.report = be_away  # type: ignore[method-assign]
        await asyncio.sleep(13.0)
        asked = site.transports[0].requests
        await asyncio.sleep(20.0)
        assert site.transports[0].requests == asked
        shards.report = report  # type: ignore[method-assign]
        await asyncio.sleep(60.0)

        assert site.transports[0].requests > asked
        assert await site.is_as_it_was()
        assert [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING] == [
            "the journal has not answered for 10 s: polling of shard night/0 pauses"
        ]


async def test_stopping_ends_all_runners_soon() -> None:
    """Within five seconds, whatever they wait for; a runner that starts later ends at once."""
    world = World(1)
    async with site_of(world, shards=8) as site:
        runners = [site.run(shard) for shard in range(8)]
        await site.fleet.add(*jobs_of(world, ENDLESS, 100))
        await asyncio.sleep(7)
        await site.fleet.stop()
        stopped_at = asyncio.get_running_loop().time()

        assert set(await asyncio.gather(*runners)) == {ShardEnd.STOPPED}
        assert asyncio.get_running_loop().time() - stopped_at <= 5
        assert await site.run(3) is ShardEnd.STOPPED
        assert (await site.fleet.status()).held == ()


async def test_a_stopped_fleet_that_is_created_again_goes_on() -> None:
    """With its targets."""
    world = World(1)
    async with site_of(world, shards=1) as site:
        runner = site.run(0)
        await site.fleet.add(*jobs_of(world, SLOW, 2))
        await asyncio.sleep(5)
        await site.fleet.stop()
        await runner
        settings = await site.fleet.settings()

        await site.fleet.create(url=settings.url, credentials=settings.credentials)
        site.run(0)
        await asyncio.sleep(70)

        assert (await site.fleet.status()).targets == 2
        assert await site.is_as_it_was()


async def test_a_cancelled_runner_stores_what_it_reported_and_leaves_the_shard() -> None:
    """As a process does that is told to end."""
    world = World(1)
    async with site_of(world, shards=1) as site:
        runner = site.run(0)
        await site.fleet.add(*jobs_of(world, ENDLESS, 2))
        await asyncio.sleep(5)
        runner.cancel()
        await asyncio.wait([runner])

        assert runner.cancelled()
        (shard,) = (await site.fleet.status()).shards
        assert (shard.is_held, shard.targets) == (False, 2)


async def test_a_newer_version_s_entry_ends_the_runner() -> None:
    """Rather than being left out."""
    async with site_of(shards=1) as site:
        runner = site.run(0)
        await site.fleet.journal.store.put("night/0", [b"\x91\x02"])

        with pytest.raises(bkjob.JournalTooNew):
            await runner


async def test_durations_are_exchanged() -> None:
    """A shard learns from another how long runs of a name take, where that saw more of them."""
    world = World(1)
    scope = bkjob.Scope.biz(2)
    async with site_of(world, shards=2) as site:
        await site.fleet.add(*(world.add(evolve(SHORT, scope=scope)) for _ in range(12)))
        shard = (await site.fleet.settings()).placement.shard_of(bkjob.JobRef(scope, 1))
        site.run(shard)
        await asyncio.sleep(700)
        other = site.run(1 - shard)
        await asyncio.sleep(12)
        await site.fleet.stop()
        assert await other is ShardEnd.STOPPED

        store = site.fleet.journal.shards
        learnt, taken = [decoded(await store.durations("night", each) or b"") for each in (shard, 1 - shard)]
        assert {name[1] for name in learnt["names"]} == {"short"}
        assert sorted(taken["names"], key=str) == sorted(learnt["names"], key=str)


async def test_a_clock_that_is_set_back_hides_no_shard_without_a_runner(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its last sign of life lies in the future then, and says nothing of today."""
    async with site_of(shards=2) as site:
        site.run(0)
        dead = site.run(1)
        await asyncio.sleep(5)
        dead.cancel()
        await asyncio.sleep(1)
        yesterday = time.time() - 86_400 - asyncio.get_running_loop().time()
        monkeypatch.setattr(time, "time", lambda: yesterday + asyncio.get_running_loop().time())
        await asyncio.sleep(5)
        status = await site.fleet.status()

        assert [shard.shard for shard in status.unplaced] == [1]
        assert [shard.shard for shard in status.held] == [0]


async def test_wrong_shards_and_credentials_are_usage_errors() -> None:
    """They say what there is."""
    async with site_of(shards=4) as site:
        with pytest.raises(bkjob.UsageError, match="has the shards 0 to 3, not 4"):
            await run_shard(site.fleet, 4)
    async with site_of(shards=1, credentials="tests.many.fleets:nobody") as site:
        with pytest.raises(bkjob.UsageError, match=r"no function .*nobody"):
            await site.run(0)
    async with site_of(shards=1, credentials="tests.nowhere:credentials") as site:
        with pytest.raises(bkjob.UsageError, match="install the module"):
            await site.run(0)


async def test_a_function_that_only_the_journal_names_is_not_imported() -> None:
    """The error says what to add to the command of the runner, where the function is known."""
    sys.modules.pop("tests.many.lure", None)
    async with site_of(shards=1, credentials="tests.many.lure:credentials") as site:
        with pytest.raises(
            bkjob.UsageError, match=r"add --credentials tests\.many\.lure:credentials"
        ) as refused:
            await run_shard(site.fleet, 0)
        with pytest.raises(bkjob.UsageError, match="nothing was imported"):
            await run_shard(site.fleet, 0, credentials=OWN_CREDENTIALS)
        with pytest.raises(bkjob.UsageError, match="names the function") as no_name:
            await run_shard(site.fleet, 0, credentials="opensesame")
        failure = (await site.fleet.status()).shards[0].failure or ""

    assert "BKJOB_CREDENTIALS=tests.many.lure:credentials" in str(refused.value)
    assert "opensesame" not in str(no_name.value)
    assert "credentials= names the function" in failure
    assert "tests.many.lure" not in sys.modules


async def test_credentials_go_to_no_other_platform() -> None:
    """Whoever can write the journal could name one of their own."""
    async with site_of(shards=1, credentials="tests.nowhere:credentials") as site:
        with pytest.raises(bkjob.UsageError, match=r"polls .* and this runner has the credentials of"):
            await run_shard(site.fleet, 0, credentials=site.credentials, url="https://bkapi.example.com/prod")
        own = f"{(await site.fleet.settings()).url}/"
        with pytest.raises(bkjob.UsageError, match="install the module"):
            await run_shard(site.fleet, 0, credentials=site.credentials, url=own)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"fleet": None}, "fleet must be Fleet, not NoneType"),
        ({"url": 5}, r"url must be text \(str\) or None, not int"),
        ({"journal_timeout": "x"}, "journal_timeout must be a number or None, not str"),
        ({"observers": 5}, r"observers are several: observers=\[...\], not int"),
        ({"transport": 5}, "transport must have the methods send and aclose"),
    ],
)
async def test_arguments_of_other_types_run_no_shard(options: dict[str, Any], said: str) -> None:
    """The call is wrong, and not the fleet: nothing is stored of it."""
    async with site_of(shards=1) as site:
        with pytest.raises(bkjob.WrongType, match=said):
            await run_shard(**{"fleet": site.fleet, "shard": 0, "credentials": site.credentials, **options})
        assert (await site.fleet.status()).shards[0].failure is None


@pytest.mark.parametrize(
    "own", ["https://ops:opensesame@bkapi.example.com/prod", "https://h/prod?token=opensesame"]
)
async def test_a_secret_in_the_url_of_a_runner_is_neither_shown_nor_stored(own: str) -> None:
    """The error says which URL is wrong; everybody who may read the journal sees it."""
    async with site_of(shards=1) as site:
        with pytest.raises(
            bkjob.UsageError, match=r"own URL \(url=, or BKJOB_URL\).*no user, password"
        ) as refused:
            await run_shard(site.fleet, 0, credentials=site.credentials, url=own)
        failure = (await site.fleet.status()).shards[0].failure or ""

    assert "opensesame" not in str(refused.value)
    assert "BKJOB_URL" in failure
    assert "opensesame" not in failure


async def test_credentials_may_come_from_an_async_function() -> None:
    """It is called where the runner is."""
    world = World(1)
    async with site_of(world, shards=1, credentials="tests.many.fleets:credentials_from_afar") as site:
        site.run(0)
        await site.fleet.add(*jobs_of(world, SHORT, 1))
        await asyncio.sleep(120)

        assert await site.is_as_it_was()


async def test_a_journal_object_is_not_closed_by_the_fleet() -> None:
    """Whoever opened it closes it."""
    journal = bkjob.open_journal("memory:shared")
    assert isinstance(journal, Journal)
    async with Fleet("night", journal=journal, shards=2) as fleet:
        await fleet.create(url="https://bkapi.example.com/api/bk-job/prod", credentials="a.b:c")
    assert await journal.shards.record("night") is not None
