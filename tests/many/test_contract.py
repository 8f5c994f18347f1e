"""What every store promises to fleets in shards."""

from __future__ import annotations

import asyncio

import pytest

from bkjob_async.errors import FleetNotFound, Superseded
from bkjob_async.journal.shards import ShardFigures, ShardStore, shard_name
from bkjob_async.journal.store import INBOX_PAGE, Store
from bkjob_async.model.journal_errors import StoreBehind
from tests.journal.stores import HERE, THERE, Place, records

FLEET = "night"


async def inbox_of(store: Store, shard: int, after: int = 0) -> list[bytes]:
    """Return the entries in an inbox, page by page."""
    found: list[bytes] = []
    while page := await store.inbox(shard_name(FLEET, shard), after):
        found += [entry.data for entry in page]
        after = page[-1].number
    return found


async def created(place: Place) -> Store:
    """Return a store with a fleet in it."""
    store = place.open()
    await ShardStore(store).create(FLEET, b"settings")
    return store


async def test_the_first_settings_are_those_of_the_fleet(place: Place) -> None:
    """Whoever creates it again is reported what it was created with."""
    first, second = place.open(), place.open()

    assert await ShardStore(first).create(FLEET, b"one") == b"one"
    assert await ShardStore(second).create(FLEET, b"two") == b"one"

    record = await ShardStore(second).record(FLEET)
    assert record is not None
    assert (record.settings, record.is_stopped) == (b"one", False)
    assert 0 <= record.now - record.created < 10
    assert await ShardStore(second).record("other") is None


async def test_a_fleet_is_stopped_until_it_is_created_again_as_it_was(place: Place) -> None:
    """Other settings do not start it."""
    store = await created(place)

    async def is_stopped() -> bool:
        record = await ShardStore(store).record(FLEET)
        assert record is not None
        return record.is_stopped

    await ShardStore(store).stop(FLEET)
    assert await is_stopped()
    await ShardStore(store).create(FLEET, b"other settings")
    assert await is_stopped()
    await ShardStore(store).create(FLEET, b"settings")
    assert not await is_stopped()
    with pytest.raises(FleetNotFound):
        await ShardStore(store).stop("other")


async def test_entries_wait_in_order_until_an_append_takes_them_up(place: Place) -> None:
    """Those behind the number that the append names stay, and so do those of other shards."""
    store, other = await created(place), place.open()
    sent = [f"{number}".encode() for number in range(2 * INBOX_PAGE + 5)]
    await store.put(shard_name(FLEET, 3), sent[:7])
    await other.put(shard_name(FLEET, 3), sent[7:])
    await other.put(shard_name(FLEET, 4), [b"of another shard"])
    assert await inbox_of(store, 3) == sent
    assert await store.inbox_size(shard_name(FLEET, 3)) == len(sent)

    name = shard_name(FLEET, 3)
    await store.open(name, HERE, take_over=True)
    read = await store.inbox(shard_name(FLEET, 3), 0)
    taken_up = read[9].number
    await store.append(name, term=1, head=0, records=records(1), targets=10, taken_up=taken_up)

    assert await inbox_of(other, 3) == sent[10:]
    assert await inbox_of(other, 3, read[11].number) == sent[12:]
    assert await inbox_of(other, 4) == [b"of another shard"]
    last = (await store.inbox(shard_name(FLEET, 3), 0))[0].number
    assert last > taken_up


async def test_a_repeated_append_takes_nothing_else_up(place: Place) -> None:
    """What was added in between stays."""
    store, name = await created(place), shard_name(FLEET, 0)
    await store.open(name, HERE, take_over=True)
    await store.put(shard_name(FLEET, 0), [b"first"])
    (entry,) = await store.inbox(shard_name(FLEET, 0), 0)
    for _ in range(2):
        await store.append(name, term=1, head=0, records=records(1), targets=1, taken_up=entry.number)
        await store.put(shard_name(FLEET, 0), [b"later"])

    assert await inbox_of(store, 0) == [b"later", b"later"]


@pytest.mark.parametrize("head", [0, 5])
async def test_an_append_that_is_refused_takes_nothing_up(place: Place, head: int) -> None:
    """A runner that was superseded, and one at another head."""
    store, name = await created(place), shard_name(FLEET, 0)
    await store.open(name, HERE, take_over=True)
    await store.put(shard_name(FLEET, 0), [b"added"])
    (entry,) = await store.inbox(shard_name(FLEET, 0), 0)
    if not head:
        await place.open().open(name, THERE, take_over=True)

    with pytest.raises(StoreBehind if head else Superseded):
        await store.append(
            name, term=1, head=head, records=records(head + 1), targets=1, taken_up=entry.number
        )

    assert await inbox_of(store, 0) == [b"added"]


async def test_numbers_of_entries_are_not_given_again(place: Place) -> None:
    """A runner that has read up to one of them misses none that comes later."""
    store, name = await created(place), shard_name(FLEET, 0)
    await store.open(name, HERE, take_over=True)
    numbers = []
    for round_number in range(4):
        await store.put(shard_name(FLEET, 0), [b"added"])
        (entry,) = await store.inbox(shard_name(FLEET, 0), 0)
        numbers.append(entry.number)
        await store.append(
            name,
            term=1,
            head=round_number,
            records=records(round_number + 1),
            targets=1,
            taken_up=entry.number,
        )

    assert numbers == sorted(set(numbers))


async def test_a_sign_of_life_tells_and_hears_of_all_shards(place: Place) -> None:
    """Figures replace those of before; those of a shard without a runner stay."""
    store, other = await created(place), place.open()
    for shard in (0, 1):
        await store.open(shard_name(FLEET, shard), HERE, take_over=True)

    assert (await ShardStore(store).report(FLEET, 0, ShardFigures(1, 10, 7))).active == 7
    assert (await ShardStore(other).report(FLEET, 1, ShardFigures(1, 5, 5))).active == 12
    assert (await ShardStore(store).report(FLEET, 0, ShardFigures(1, 10, 2))).active == 7
    assert await ShardStore(other).figures(FLEET) == {0: ShardFigures(1, 10, 2), 1: ShardFigures(1, 5, 5)}
    assert await ShardStore(other).figures("other") == {}


async def test_claims_are_granted_as_far_as_the_others_leave(place: Place) -> None:
    """A claim that gets smaller leaves room for others at their next sign of life; large numbers stay exact."""
    store, large = await created(place), 3 * 10**15
    for shard in (0, 1):
        await store.open(shard_name(FLEET, shard), HERE, take_over=True)

    async def granted(shard: int, claim: int) -> int:
        reported = await ShardStore(store).report(FLEET, shard, ShardFigures(1, 1, 1, claim), limit=large)
        return reported.granted

    assert await granted(0, large) == large
    assert await granted(1, 7) == 0
    assert await granted(0, large - 5) == large - 5
    assert await granted(1, 7) == 5
    assert await granted(1, 2) == 2
    assert (await ShardStore(store).figures(FLEET))[0].claim == large - 5


async def test_a_sign_of_life_says_that_the_fleet_was_stopped(place: Place) -> None:
    """By whatever process."""
    store, other = await created(place), place.open()
    await store.open(shard_name(FLEET, 0), HERE, take_over=True)
    assert not (await ShardStore(store).report(FLEET, 0, ShardFigures(1))).is_stopped

    await ShardStore(other).stop(FLEET)

    assert (await ShardStore(store).report(FLEET, 0, ShardFigures(1))).is_stopped


async def test_a_runner_of_an_earlier_term_tells_nothing(place: Place) -> None:
    """It hears that it was superseded though nothing moved, and that is counted."""
    first, second = await created(place), place.open()
    name = shard_name(FLEET, 0)
    await first.open(name, HERE, take_over=True)
    await ShardStore(first).report(FLEET, 0, ShardFigures(1, 4, 4))
    await second.open(name, THERE, take_over=True)
    await ShardStore(second).report(FLEET, 0, ShardFigures(2, 3, 3))

    with pytest.raises(Superseded, match="process 22 on there"):
        await ShardStore(first).report(FLEET, 0, ShardFigures(1, 9, 9))

    assert await ShardStore(second).figures(FLEET) == {0: ShardFigures(2, 3, 3)}
    entry = await second.fleet(name)
    assert entry is not None
    assert entry.refused == 1


async def test_a_term_that_the_store_lost_is_reported_as_such(place: Place) -> None:
    """As an append is."""
    store = await created(place)

    with pytest.raises(StoreBehind):
        await ShardStore(store).report(FLEET, 0, ShardFigures(3))


async def test_a_sign_of_life_for_no_fleet_says_so(place: Place) -> None:
    """A shard's journal alone is no fleet in shards."""
    store = await created(place)
    await store.open(shard_name("other", 0), HERE, take_over=True)

    with pytest.raises(FleetNotFound, match="other"):
        await ShardStore(store).report("other", 0, ShardFigures(1))


async def test_figures_of_a_term_that_the_log_has_lost_are_replaced(place: Place) -> None:
    """As where one server of a cluster has gone back: the runner that has the shard counts, and is given what it claims."""
    store = await created(place)
    await store.open(shard_name(FLEET, 0), HERE, take_over=True)
    before = {"shard:0": b"7 100 90 5", "active": b"90", "claimed": b"5"}
    await store.change_keys(FLEET, before, expected={})

    reply = await ShardStore(store).report(FLEET, 0, ShardFigures(1, 3, 2, 4), limit=10)

    assert (reply.active, reply.granted) == (2, 4)
    assert await ShardStore(store).figures(FLEET) == {0: ShardFigures(1, 3, 2, 4)}


async def test_durations_are_kept_by_shard(place: Place) -> None:
    """The newest of each."""
    store, other = await created(place), place.open()
    await store.open(shard_name(FLEET, 0), HERE, take_over=True)
    await ShardStore(store).report(FLEET, 0, ShardFigures(1))
    assert await ShardStore(other).durations(FLEET, 0) is None

    await ShardStore(store).put_durations(FLEET, 0, b"learnt")
    await ShardStore(store).put_durations(FLEET, 0, b"more")

    assert await ShardStore(other).durations(FLEET, 0) == b"more"
    assert await ShardStore(other).durations(FLEET, 1) is None


async def test_a_shard_that_is_forgotten_has_no_inbox(place: Place) -> None:
    """Other shards keep theirs."""
    store = await created(place)
    await store.open(shard_name(FLEET, 0), HERE, take_over=True)
    for shard in (0, 1):
        await store.put(shard_name(FLEET, shard), [b"added"])

    await store.forget(shard_name(FLEET, 0))

    assert (await inbox_of(store, 0), await inbox_of(store, 1)) == ([], [b"added"])


async def test_before_the_first_fleet_in_shards_there_is_nothing(place: Place) -> None:
    """A journal without any may be asked; SQLite's tables for them do not exist yet."""
    store = place.open()
    await store.open("plain", HERE, take_over=True)
    await store.append("plain", term=1, head=0, records=records(1), targets=1, taken_up=7)

    assert await ShardStore(store).record(FLEET) is None
    assert await ShardStore(store).figures(FLEET) == {}
    assert await inbox_of(store, 0) == []
    assert await store.inbox_size(shard_name(FLEET, 0)) == 0
    assert await ShardStore(store).durations(FLEET, 0) is None
    with pytest.raises(FleetNotFound):
        await ShardStore(store).stop(FLEET)


@pytest.mark.parametrize("turns", range(12))
async def test_a_call_that_is_cancelled_ends(place: Place, turns: int) -> None:
    """At whatever moment: a runner that is told to end must not wait on."""
    store = await created(place)
    await store.open(shard_name(FLEET, 0), HERE, take_over=True)

    async def wait_for_ever() -> None:
        while True:
            await store.wait_any({shard_name(FLEET, 0): 0}, seconds=60)

    waiting = asyncio.create_task(wait_for_ever())
    for _ in range(turns):
        await asyncio.sleep(0)
    waiting.cancel()

    await asyncio.wait([waiting], timeout=5)
    assert waiting.cancelled()


async def test_one_call_waits_for_all_shards(place: Place) -> None:
    """It returns those that have something new; where nothing happens, none."""
    store, writer = await created(place), place.open()
    names = [shard_name(FLEET, shard) for shard in range(40)]
    for name in names[:30]:
        await writer.open(name, HERE, take_over=True)
        await writer.append(name, term=1, head=0, records=records(1), targets=1)
    places = {name: 1 if number < 30 else 0 for number, name in enumerate(names)}

    assert [*await store.wait_any(places, seconds=0)] == []
    assert [*await store.wait_any(places, seconds=0.05)] == []
    assert {*await store.wait_any({**places, names[3]: 0, names[7]: 0}, seconds=60)} == {names[3], names[7]}
    waiting = asyncio.create_task(store.wait_any(places, seconds=60))
    await asyncio.sleep(0.1)
    await writer.append(names[9], term=1, head=1, records=records(2), targets=1)
    assert [*await asyncio.wait_for(waiting, 10)] == [names[9]]
    first = asyncio.create_task(store.wait_any(places | {names[9]: 2}, seconds=60))
    await writer.open(names[35], HERE, take_over=True)
    await writer.append(names[35], term=1, head=0, records=records(1), targets=1)
    assert [*await asyncio.wait_for(first, 10)] == [names[35]]


async def test_what_ended_a_runner_is_kept_until_one_works(place: Place) -> None:
    """For each shard; nothing is kept of a fleet that there is not."""
    store, other = await created(place), place.open()
    assert await ShardStore(store).failures(FLEET) == {}
    await ShardStore(store).put_failure(FLEET, 3, "one")
    await ShardStore(store).put_failure(FLEET, 3, "two")
    await ShardStore(store).put_failure(FLEET, 4, "of another")
    await ShardStore(other).put_failure("other", 4, "of no fleet")

    assert await ShardStore(other).failures(FLEET) == {3: "two", 4: "of another"}
    assert await ShardStore(other).failures("other") == {}
    assert await ShardStore(other).record("other") is None
    await ShardStore(other).put_failure(FLEET, 3, "")
    assert await ShardStore(store).failures(FLEET) == {4: "of another"}
