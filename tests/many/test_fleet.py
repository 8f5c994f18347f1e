"""A fleet in shards, as users have it: created once, the same for every process, read with one cursor."""

from __future__ import annotations

import asyncio
import pickle
from typing import Any
from uuid import uuid4

import pytest
from attrs import evolve

import bkjob_async as bkjob
from bkjob_async.many.runner.shard import run_shard
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.plans import SUCCEEDS, DurationRange, SimulatedJob, StepPlan
from bkjob_async.simulator.world.world import World
from tests.journal.stores import Place
from tests.many.fleets import OWN_CREDENTIALS, site_of
from tests.watch.clients import URLS

SETTINGS: dict[str, Any] = {"url": URLS["gateway-v3"], "credentials": OWN_CREDENTIALS}
QUICK = SimulatedJob(
    name="quick", steps=(StepPlan(hosts=3, outcomes=(evolve(SUCCEEDS, duration=DurationRange(1.0, 20.0)),)),)
)


def fleet_of(journal: str, shards: int | None = 4, name: str = "night") -> bkjob.Fleet:
    """Return a fleet as another process would have it."""
    return bkjob.Fleet(name, journal=journal, shards=shards)


@pytest.fixture
def journal() -> str:
    """Give the URL of an empty journal."""
    return f"memory:{uuid4().hex}"


async def test_creating_a_fleet_again_is_harmless(journal: str) -> None:
    """With the same values, from any process, however they are spelt."""
    wide = {bkjob.Scope.biz(7): 2, bkjob.Scope.biz_set(3): 4}
    await fleet_of(journal).create(**SETTINGS, requests_per_second=200, wide=wide)
    await fleet_of(journal).create(**SETTINGS, requests_per_second=200.0, wide=dict(reversed(wide.items())))

    settings = await fleet_of(journal, shards=None).settings()

    assert (settings.placement.shards, settings.requests_per_second) == (4, 200.0)
    assert settings.placement.wide == wide


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"url": "https://other.example.com"}, r"url='http://simulator.*', not 'https://other.example.com'"),
        ({"requests_per_second": 100}, r"requests_per_second=200.0, not 100.0: Fleet.update"),
        ({"wide": {bkjob.Scope.biz(2): 2}}, r"wide={}, not {'2': 2}: shards and wide are fixed; Fleet.copy"),
        ({"credentials": "a.b:c"}, r"credentials='tests.many.fleets:credentials', not 'a.b:c'"),
        ({"detail_level": bkjob.DetailLevel.END_ONLY}, r"detail_level"),
    ],
)
async def test_other_values_for_a_known_name_are_refused(
    journal: str, other: dict[str, Any], said: str
) -> None:
    """The error has both."""
    await fleet_of(journal).create(**SETTINGS, requests_per_second=200)

    with pytest.raises(bkjob.UsageError, match=said):
        await fleet_of(journal).create(**{**SETTINGS, "requests_per_second": 200, **other})


async def test_another_number_of_shards_is_refused(journal: str) -> None:
    """Where the fleet is created, and wherever it is used."""
    await fleet_of(journal).create(**SETTINGS)

    with pytest.raises(bkjob.UsageError, match=r"shards=4, not 8: shards and wide are fixed; Fleet\.copy"):
        await fleet_of(journal, shards=8).create(**SETTINGS)
    with pytest.raises(bkjob.UsageError, match="shards=4, not 8"):
        await fleet_of(journal, shards=8).add("2:100")
    with pytest.raises(bkjob.UsageError, match="in how many shards"):
        await fleet_of(journal, shards=None).create(**SETTINGS)


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "ftp://platform"},
        {"url": "https://user:opensesame@platform"},
        {"url": "https://platform?token=opensesame"},
        {"credentials": "opensesame"},
        {"credentials": bkjob.AccessToken(access_token="opensesame")},
        {"dialect": "gateway-v9"},
        {"requests_per_second": 0},
        {"requests_per_second": float("inf")},
        {"interval": -1},
        {"dialect": "esb-job", "system": True},
        {"wide": [bkjob.Scope.biz(2)]},
        {"wide": []},
    ],
)
async def test_values_that_cannot_work_are_refused_and_secrets_not_repeated(
    journal: str, wrong: dict[str, Any]
) -> None:
    """Before anything is stored."""
    fleet = fleet_of(journal)
    with pytest.raises(bkjob.UsageError) as caught:
        await fleet.create(**{**SETTINGS, **wrong})

    assert "opensesame" not in str(caught.value)
    assert await fleet.journal.shards.record("night") is None


@pytest.mark.parametrize("name", ["", "a{b}", "night/3", "x" * 196])
def test_names_leave_room_for_shards(name: str) -> None:
    """A shard is a fleet of its own, under this name, a slash and its number."""
    with pytest.raises(bkjob.UsageError, match="is no name of a fleet"):
        fleet_of("memory:", name=name)


async def test_a_fleet_that_was_never_created_says_so(journal: str) -> None:
    """Whatever is asked of it."""
    fleet = fleet_of(journal)
    with pytest.raises(bkjob.FleetNotFound, match="create it first"):
        await fleet.add("2:100")
    with pytest.raises(bkjob.FleetNotFound):
        await fleet.status()
    with pytest.raises(bkjob.FleetNotFound):
        await fleet.stop()
    with pytest.raises(bkjob.FleetNotFound):
        async with fleet.reader():
            pass
    with pytest.raises(bkjob.FleetNotFound):
        await run_shard(fleet, 0)


async def test_targets_that_are_none_are_refused_before_any_is_added(journal: str) -> None:
    """A bare id has no scope here."""
    fleet = fleet_of(journal)
    await fleet.create(**SETTINGS)
    with pytest.raises(bkjob.UsageError):
        await fleet.add("2:100", 101)
    with pytest.raises(bkjob.UsageError, match="larger than any"):
        await fleet.add(bkjob.JobRef(bkjob.Scope.biz(2), 1 << 70))

    assert sum(shard.waiting for shard in (await fleet.status()).shards) == 0


async def test_a_password_of_the_journal_is_not_shown() -> None:
    """Neither by the fleet nor by what it is made of."""
    fleet = bkjob.Fleet("night", journal="redis://:opensesame@localhost", shards=4)
    assert "opensesame" not in repr(fleet)
    with pytest.raises(TypeError):
        pickle.dumps(fleet)
    await fleet.aclose()


# Reading --------------------------------------------------------------------------------------------------------------


@pytest.mark.looptime
async def test_a_reader_goes_on_behind_its_cursor() -> None:
    """In another process, from any place: nothing is lost and nothing comes twice."""
    world = World(1)
    jobs = [world.add(evolve(QUICK, scope=bkjob.Scope.biz(2 + number % 5))) for number in range(10)]
    async with site_of(world) as site:
        await site.fleet.add(*jobs)
        for shard in range(4):
            site.run(shard)
        await asyncio.sleep(120)
        await site.fleet.stop()
        await asyncio.gather(*site.runners.values())

        whole = {str(event) + event.cursor for batch in await site.batches() for event in batch.events}
        pieces: list[str] = []
        cursor = ""
        while True:
            async with site.fleet.reader(after=cursor, live=False) as reader:
                count = 0
                async for batch in reader:
                    pieces += [str(event) + event.cursor for event in batch.events]
                    count += 1
                    cursor = reader.cursor
                    if count == 3:
                        break
            if not count:
                break

        assert len(pieces) == len(whole)
        assert set(pieces) == whole


async def test_a_reader_is_opened_once_and_refuses_other_cursors(journal: str) -> None:
    """A batch's own cursor names a place in one shard only."""
    fleet = fleet_of(journal)
    await fleet.create(**SETTINGS)
    reader = fleet.reader(live=False)
    with pytest.raises(bkjob.UsageError, match="open the reader"):
        await anext(reader)
    async with reader:
        assert [batch async for batch in reader] == []
        assert reader.cursor == ""
        with pytest.raises(bkjob.UsageError, match="opened once"):
            async with reader:
                pass
    with pytest.raises(bkjob.UsageError, match=r"store reader\.cursor"):
        async with fleet.reader(after="17-0a1b2c3d"):
            pass


async def test_a_shard_that_is_forgotten_ends_the_reader(journal: str) -> None:
    """A cursor in it names a place that is no more."""
    fleet = fleet_of(journal, shards=1)
    await fleet.create(**SETTINGS)
    with pytest.raises(bkjob.FleetNotFound):
        async with fleet.reader(after="1;0:17-0a1b2c3d") as reader:
            await anext(reader)


# Over each kind of store, in real time --------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("place", ["sqlite", "redis", "redis-cluster"], indirect=True)
async def test_a_fleet_over_each_store(place: Place) -> None:
    """Two runners, a reader, and somebody who adds: each with connections of its own."""
    simulator = Simulator(seed=1, speed=20.0, at_once=True)
    jobs = [simulator.add(evolve(QUICK, scope=bkjob.Scope.biz(2 + number))) for number in range(4)]
    fleets = [fleet_of(place.url, shards=2) for _ in range(4)]
    await fleets[0].create(**SETTINGS, interval=0.1, requests_per_second=500)
    runners = [
        asyncio.create_task(
            run_shard(fleets[shard], shard, credentials=OWN_CREDENTIALS, transport=simulator.transport())
        )
        for shard in range(2)
    ]
    finished: set[bkjob.Ref] = set()
    async with asyncio.timeout(30), fleets[2].reader() as reader:
        await fleets[3].add(*jobs)
        async for batch in reader:
            finished |= {event.ref for event in batch.events if isinstance(event, bkjob.Finished)}
            if len(finished) == len(jobs):
                break
    await asyncio.sleep(2.2)  # the figures of the next sign of life
    status = await fleets[3].status()
    await fleets[3].stop()
    ends = await asyncio.gather(*runners)
    for fleet in fleets:
        await fleet.aclose()

    assert {end.value for end in ends} == {"stopped"}
    assert (status.targets, len(status.held), sum(shard.waiting for shard in status.shards)) == (4, 2, 0)


async def test_who_reads_a_fleet_in_shards_as_one_journal_is_told_how(place: Place) -> None:
    """It is there, and has one for each shard; of another name there is none."""
    async with bkjob.open_journal(place.url) as journal:
        fleet = bkjob.Fleet("night", journal=journal, shards=2)
        await fleet.create(url=URLS["gateway-v3"], credentials=OWN_CREDENTIALS)

        for name, said in (
            ("night", "'night' is in shards: `bkjob fleet follow night"),
            ("day", "there is no fleet 'day'"),
        ):
            with pytest.raises(bkjob.FleetNotFound, match=said):
                await anext(journal.follow(name, live=False))
            with pytest.raises(bkjob.FleetNotFound, match=said):
                await journal.snapshot(name, "2:100")
            with pytest.raises(bkjob.FleetNotFound, match=said):
                await bkjob.RunReport().read_journal(place.url, name)


@pytest.mark.parametrize("shard", [1.0, True, "1", None, -1, 4])
async def test_what_is_no_number_of_a_shard_is_not_run(shard: Any, journal: str) -> None:
    """A runner of 1.0 would watch nothing, under a name of its own, and nobody would miss it."""
    fleet = fleet_of(journal)
    await fleet.create(**SETTINGS)

    with pytest.raises(bkjob.UsageError, match="has the shards 0 to 3, not"):
        async with asyncio.timeout(2):
            await run_shard(fleet, shard, credentials=OWN_CREDENTIALS)
    assert await fleet.journal.store.fleets() == []


def test_a_journal_that_is_not_given_is_refused_at_once() -> None:
    """As a variable that is not set."""
    missing: Any = None
    with pytest.raises(bkjob.UsageError, match="journal is a URL or a Journal, not NoneType"):
        bkjob.Fleet("night", journal=missing)
