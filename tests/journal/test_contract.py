"""What every store promises: terms, compare and append, pages, checkpoints, keeping, forgetting."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest

from bkjob_async.errors import FleetBusy, Superseded
from bkjob_async.journal.keep import Keep
from bkjob_async.journal.redis.store import RedisStore, keys_of
from bkjob_async.journal.store import Checkpoint, Store
from bkjob_async.model.journal_errors import StoreBehind
from tests.journal.redis_server import RedisServer
from tests.journal.stores import HERE, LONG_AGO, THERE, Place, opened, records


async def numbers(store: Store, name: str = "night", after: int = 0) -> list[int]:
    """Return the numbers of all records behind *after*, page by page."""
    found: list[int] = []
    while True:
        page = await store.read(name, found[-1] if found else after)
        if not page.records:
            return found
        found += [record.sequence for record in page.records]


# Opening ------------------------------------------------------------------------------------------------------------


async def test_the_first_opening_begins_term_one(place: Place) -> None:
    """A new fleet has no head and was never heard of."""
    opened = await place.open().open("night", HERE, take_over=False)

    assert (opened.term, opened.head, opened.silence) == (1, 0, None)


async def test_each_opening_begins_the_next_term_at_the_head(place: Place) -> None:
    """What was stored is found by the next process, with how long nobody wrote."""
    first, second = place.open(), place.open()
    await first.open("night", HERE, take_over=True)
    await first.append("night", term=1, head=0, records=records(3, 7), targets=2)

    opened = await second.open("night", THERE, take_over=True)

    assert (opened.term, opened.head) == (2, 7)
    assert opened.silence is not None
    assert 0 <= opened.silence < 10
    assert (await place.open().open("other", THERE, take_over=True)).term == 1


async def test_a_fleet_that_is_held_is_busy(place: Place) -> None:
    """Whoever does not take over learns who holds it; its holder is not disturbed."""
    first = place.open()
    await first.open("night", HERE, take_over=True)

    with pytest.raises(FleetBusy, match="process 11 on here") as caught:
        await place.open().open("night", THERE, take_over=False)

    assert (caught.value.host, caught.value.pid, caught.value.seconds < 10) == ("here", 11, True)
    await first.append("night", term=1, head=0, records=records(1), targets=1)


@pytest.mark.parametrize("place", ["memory", "sqlite"], indirect=True)
async def test_a_clock_that_is_set_back_keeps_nobody_alive(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A holder that lives gives a sign of life soon; one that died gave its last in the future."""
    store = place.open()
    await store.open("night", HERE, take_over=True)
    yesterday = time.time() - 86_400
    monkeypatch.setattr(time, "time", lambda: yesterday)

    assert (await place.open().open("night", THERE, take_over=False)).term == 2
    with pytest.raises(FleetBusy, match="there"):
        await store.open("night", HERE, take_over=False)


async def test_a_clock_of_redis_that_is_set_back_keeps_nobody_alive(redis_server: RedisServer) -> None:
    """The same by the clock of the server."""
    redis_server.flush()
    async with opened(redis_server.url) as place:
        store = place.open()
        await store.open("night", HERE, take_over=True)
        assert isinstance(store, RedisStore)
        await store._client.command("HSET", keys_of("night")[0], "last_seen", f"{time.time() + 86_400:.6f}")

        assert (await place.open().open("night", THERE, take_over=False)).term == 2


async def test_a_fleet_that_was_released_is_not_busy(place: Place) -> None:
    """A clean end lets the next process in at once; an end of an earlier term says nothing."""
    first, second = place.open(), place.open()
    await first.open("night", HERE, take_over=True)
    await first.release("night", term=1)

    assert (await second.open("night", THERE, take_over=False)).term == 2

    await first.release("night", term=1)
    await first.release("unknown", term=1)
    with pytest.raises(FleetBusy, match="there"):
        await first.open("night", HERE, take_over=False)


async def test_many_processes_open_at_once(place: Place) -> None:
    """Every term is given once."""
    stores = [place.open() for _ in range(8)]

    opened = await asyncio.gather(*(store.open("night", HERE, take_over=True) for store in stores))

    assert sorted(each.term for each in opened) == [*range(1, 9)]


async def test_the_next_term_is_behind_one_that_its_holder_knows(place: Place) -> None:
    """The store may have lost that one, and all of the fleet."""
    store = place.open()

    assert (await store.open("night", HERE, take_over=True, after_term=3)).term == 4
    assert (await store.open("night", HERE, take_over=True, after_term=3)).term == 5
    assert (await store.open("night", HERE, take_over=True, after_term=8)).term == 9
    await store.append("night", term=9, head=0, records=records(1), targets=1)


async def test_of_many_that_do_not_take_over_one_gets_the_fleet(place: Place) -> None:
    """The others learn that it is busy."""
    stores = [place.open() for _ in range(8)]

    opened = await asyncio.gather(
        *(store.open("night", HERE, take_over=False) for store in stores), return_exceptions=True
    )

    assert sum(isinstance(each, FleetBusy) for each in opened) == 7


# Compare and append -------------------------------------------------------------------------------------------------


async def test_records_come_back_as_they_were_written(place: Place) -> None:
    """Number, time and every byte."""
    store = place.open()
    await store.open("night", HERE, take_over=True)
    written = records(1, 2, 2**40) + records(2**40 + 1, size=300_000, time=LONG_AGO + 0.125)
    written[1] = type(written[1])(2, 2.5, bytes(range(256)))
    await store.append("night", term=1, head=0, records=written[:2], targets=1)
    await store.append("night", term=1, head=2, records=written[2:], targets=1)

    assert [*(await place.open().read("night", 0)).records] == written


@pytest.mark.parametrize("count", [1, 4, 5, 31, 130, 260])
async def test_an_append_of_many_records_is_as_many_records(place: Place, count: int) -> None:
    """However a store puts them together, each is read by its own number, behind any other."""
    store, written = place.open(), records(*range(3, 3 + 2 * count, 2))
    await store.open("night", HERE, take_over=True)
    await store.append("night", term=1, head=0, records=written, targets=1)

    assert list((await store.read("night", 0)).records) == written
    assert list((await store.read("night", written[-1].sequence - 1)).records) == written[-1:]


@pytest.mark.parametrize("head", [0, 2])
async def test_an_append_of_no_records_counts_the_targets(place: Place, head: int) -> None:
    """Of a fleet without records, too; its head stays, and records follow behind it as before."""
    store = place.open()
    await store.open("night", HERE, take_over=True)
    if head:
        await store.append("night", term=1, head=0, records=records(1, 2), targets=1)
    await store.append("night", term=1, head=head, records=(), targets=7)
    entry = await place.open().fleet("night")

    assert entry is not None
    assert (entry.head, entry.targets) == (head, 7)
    with pytest.raises(StoreBehind):
        await store.append("night", term=1, head=head + 1, records=(), targets=9)
    await store.append("night", term=1, head=head, records=records(3), targets=7)
    assert (await numbers(store))[-1] == 3


async def test_an_append_whose_answer_was_lost_is_repeated(place: Place) -> None:
    """The second one succeeds and stores nothing."""
    store = place.open()
    await store.open("night", HERE, take_over=True)
    for _ in range(3):
        await store.append("night", term=1, head=0, records=records(1, 2), targets=1)

    assert await numbers(store) == [1, 2]


@pytest.mark.parametrize(("head", "last"), [(0, 5), (1, 3), (7, 9), (3, 4)])
async def test_an_append_at_another_head_stores_nothing(place: Place, head: int, last: int) -> None:
    """The writer learns what the store has."""
    store = place.open()
    await store.open("night", HERE, take_over=True)
    await store.append("night", term=1, head=0, records=records(1, 2), targets=1)

    with pytest.raises(StoreBehind) as caught:
        await store.append("night", term=1, head=head, records=records(last), targets=1)

    assert (caught.value.term, caught.value.head) == (1, 2)
    assert await numbers(store) == [1, 2]


async def test_a_term_that_is_over_writes_nothing(place: Place) -> None:
    """Neither records nor checkpoints nor signs of life; every refusal is counted."""
    first, second = place.open(), place.open()
    await first.open("night", HERE, take_over=True)
    await second.open("night", THERE, take_over=True)
    seen = (await second.fleets())[0].last_seen

    with pytest.raises(Superseded, match="process 22 on there") as caught:
        await first.append("night", term=1, head=0, records=records(1), targets=9)
    with pytest.raises(Superseded):
        await first.write_checkpoint("night", Checkpoint(0, [b"x"]), term=1)
    with pytest.raises(Superseded):
        await first.give_sign_of_life("night", term=1)

    (fleet,) = await second.fleets()
    assert (caught.value.term, caught.value.current_term) == (1, 2)
    assert (fleet.refused, fleet.targets, fleet.head, fleet.last_seen) == (3, 0, 0, seen)
    assert await second.checkpoint("night") is None


async def test_a_term_that_the_store_does_not_know_was_lost(place: Place) -> None:
    """An opening that was lost with the newest writes, or the fleet as a whole."""
    store = place.open()
    with pytest.raises(StoreBehind) as caught:
        await store.append("night", term=3, head=5, records=records(6), targets=1)
    assert (caught.value.term, caught.value.head) == (0, 0)

    await store.open("night", HERE, take_over=True)
    await store.append("night", term=1, head=0, records=records(2), targets=1)
    with pytest.raises(StoreBehind) as caught:
        await store.append("night", term=3, head=5, records=records(6), targets=1)
    assert (caught.value.term, caught.value.head) == (1, 2)
    assert (await store.fleets())[0].refused == 0


async def test_writers_that_race_store_each_number_once(place: Place) -> None:
    """Takeovers in the middle of appends leave one unbroken row of records."""
    stored: list[int] = []

    async def write(worker: int) -> None:
        store = place.open()
        for _ in range(3):
            opened = await store.open("night", HERE, take_over=True)
            head = opened.head
            for _ in range(5):
                try:
                    await store.append(
                        "night", term=opened.term, head=head, records=records(head + 1), targets=worker
                    )
                except Superseded:
                    break
                head += 1
                stored.append(head)

    await asyncio.gather(*(write(worker) for worker in range(4)))

    assert sorted(stored) == [*range(1, len(stored) + 1)]
    assert await numbers(place.open()) == sorted(stored)


# Reading ------------------------------------------------------------------------------------------------------------


async def test_pages_follow_each_other(place: Place) -> None:
    """At most so many records each, and no more than a megabyte or so."""
    store = place.open()
    await store.open("night", HERE, take_over=True)
    await store.append("night", term=1, head=0, records=records(*range(1, 1501)), targets=1)
    await store.append("night", term=1, head=1500, records=records(1501, 1502, 1503, size=700_000), targets=1)

    assert len((await store.read("night", 0)).records) == 1000
    assert [r.sequence for r in (await store.read("night", 41, limit=2)).records] == [42, 43]
    assert [r.sequence for r in (await store.read("night", 1500)).records] == [1501, 1502]
    assert await numbers(store) == [*range(1, 1504)]
    assert len((await store.read("night", 1503)).records) == 0


async def test_what_does_not_have_a_text_may_stay_in_the_store(place: Place) -> None:
    """What has it comes, in order; the last of a page says where the next one begins."""
    store = place.open()
    await store.open("night", HERE, take_over=True)
    await store.append("night", term=1, head=0, records=records(*range(1, 1501), size=2000), targets=1)
    parts = [b"%d;" % number * 1000 for number in range(1, 1501)]
    await store.write_checkpoint("night", Checkpoint(1, parts), term=1)

    checkpoint = await store.checkpoint("night", text=b";1234;")
    whole, some = await store.read("night", 0), await store.read("night", 0, text=b"34.")
    none = await store.read("night", 0, text=b"%")

    assert checkpoint is not None
    assert len(checkpoint.parts) == len(parts)
    assert checkpoint.parts[1233] == parts[1233]
    assert [each for each in some.records if b"34." in each.data] == [
        each for each in whole.records if each.sequence % 100 == 34
    ]
    last = whole.records[-1].sequence
    assert (some.records[-1].sequence, none.records[-1].sequence) == (last, last)


async def test_a_reader_waits_for_the_next_record(place: Place) -> None:
    """Until another process has stored one, or for as long as it wants to."""
    writer, reader = place.open(), place.open()
    await writer.open("night", HERE, take_over=True)
    started = time.monotonic()
    await reader.wait_any({"night": 0}, seconds=0.05)
    waited = time.monotonic() - started

    waiting = asyncio.create_task(reader.wait_any({"night": 0}, seconds=30))
    await asyncio.sleep(0.05)
    early = waiting.done()
    await writer.append("night", term=1, head=0, records=records(1), targets=1)
    await waiting
    await reader.wait_any({"night": 0}, seconds=30)

    assert waited >= 0.04
    assert not early
    assert await numbers(reader) == [1]


async def test_a_fleet_that_is_not_there_has_nothing(place: Place) -> None:
    """No records, no checkpoint, no entry; waiting for it ends in time."""
    store = place.open()
    await store.open("other", HERE, take_over=True)
    await store.wait_any({"night": 0}, seconds=0.01)

    page = await store.read("night", 0)
    assert (len(page.records), page.removed_to) == (0, 0)
    assert await store.checkpoint("night") is None
    assert [fleet.name for fleet in await store.fleets()] == ["other"]
    assert await store.fleet("night") is None


async def test_fleets_are_listed(place: Place) -> None:
    """With their targets, who holds them, and when they were last heard of."""
    store = place.open()
    for name in ("夜间", "day", "a/b c"):
        await store.open(name, HERE, take_over=True)
    await store.append("day", term=1, head=0, records=records(4, 5, size=50), targets=7)
    await store.release("a/b c", term=1)

    fleets = {fleet.name: fleet for fleet in await place.open().fleets()}

    assert await store.fleet("day") == fleets["day"]
    assert [*fleets] == sorted(fleets) == ["a/b c", "day", "夜间"]
    day = fleets["day"]
    assert (day.targets, day.term, day.head, day.holder, day.size) == (7, 1, 5, HERE, 100)
    assert day.is_held
    assert not fleets["a/b c"].is_held
    assert abs(day.last_seen - time.time()) < 10


# Checkpoints, keeping and forgetting --------------------------------------------------------------------------------


async def test_a_checkpoint_of_records_that_were_lost_is_refused(place: Place) -> None:
    """Who loads it would go on from what no reader of the records was given."""
    store = place.open()
    await store.open("night", HERE, take_over=True)
    await store.append("night", term=1, head=0, records=records(1, 2), targets=1)

    with pytest.raises(StoreBehind):
        await store.write_checkpoint("night", Checkpoint(3, [b"state"]), term=1)
    assert await store.checkpoint("night") is None
    await store.write_checkpoint("night", Checkpoint(2, [b"state"]), term=1)


async def test_a_checkpoint_replaces_the_one_before(place: Place) -> None:
    """All of its parts come back, however many and large."""
    store = place.open()
    await store.open("night", HERE, take_over=True)
    await store.append("night", term=1, head=0, records=records(1, 2), targets=1)
    await store.write_checkpoint("night", Checkpoint(1, [b"one", b"\0\xff"]), term=1)
    small = await place.open().checkpoint("night")
    parts = [bytes([number % 256]) * 5000 for number in range(1500)]
    await store.write_checkpoint("night", Checkpoint(2, parts), term=1)
    large = await place.open().checkpoint("night")
    await store.write_checkpoint("night", Checkpoint(2, []), term=1)

    assert small is not None
    assert (small.sequence, [*small.parts]) == (1, [b"one", b"\0\xff"])
    assert large is not None
    assert (large.sequence, [*large.parts]) == (2, parts)
    empty = await store.checkpoint("night")
    assert empty is not None
    assert [*empty.parts] == []


@pytest.mark.parametrize(
    ("keep", "kept"),
    [
        (Keep(age=timedelta(days=1)), [3, 4, 5]),
        (Keep(age=timedelta(days=10_000), bytes=250), [4, 5]),
        (Keep(age=timedelta(days=10_000), bytes=1), [4, 5]),
        (Keep(age=timedelta(days=10_000)), [1, 2, 3, 4, 5]),
    ],
)
async def test_old_records_behind_the_checkpoint_are_removed(
    place: Place, keep: Keep, kept: list[int]
) -> None:
    """By age or by size; none that the checkpoint does not hold, and a reader knows which."""
    store = place.open(keep)
    await store.open("night", HERE, take_over=True)
    old, new = records(1, 2, size=100, time=LONG_AGO), records(3, 4, 5, size=100, time=time.time())
    await store.append("night", term=1, head=0, records=old + new, targets=1)
    before = await numbers(store)
    await store.write_checkpoint("night", Checkpoint(3, [b"state"]), term=1)

    page = await place.open().read("night", 0)
    (fleet,) = await store.fleets()
    assert before == [1, 2, 3, 4, 5]
    assert [record.sequence for record in page.records] == kept
    assert page.removed_to == kept[0] - 1
    assert (fleet.size, fleet.head) == (100 * len(kept), 5)


async def test_how_much_is_kept_may_be_set_for_one_fleet(place: Place) -> None:
    """From its next sign of life on; others are kept as the store was told."""
    store = place.open(Keep(bytes=400))
    store.keeps.set("night", Keep(bytes=250))
    for name in ("day", "night"):
        await store.open(name, HERE, take_over=True)
        made = records(*range(1, 6), size=100, time=time.time())
        await store.append(name, term=1, head=0, records=made, targets=1)
        await store.write_checkpoint(name, Checkpoint(5, [b"state"]), term=1)

    assert {fleet.name: fleet.size for fleet in await store.fleets()} == {"day": 400, "night": 200}
    store.keeps.set("night", Keep(bytes=100))
    await store.give_sign_of_life("night", term=1)
    assert {fleet.name: fleet.size for fleet in await store.fleets()} == {"day": 400, "night": 100}


async def test_records_age_while_the_holder_lives(place: Place) -> None:
    """A sign of life removes what has become too old, any number of records."""
    writer, store = place.open(), place.open(Keep(bytes=100))
    await writer.open("night", HERE, take_over=True)
    await writer.append("night", term=1, head=0, records=records(*range(1, 2700)), targets=1)
    await writer.write_checkpoint("night", Checkpoint(2600, [b"state"]), term=1)

    await store.give_sign_of_life("night", term=1)

    assert await numbers(store) == [*range(2601, 2700)]
    assert (await store.read("night", 0)).removed_to == 2600


async def test_a_checkpoint_in_place_of_all_records_moves_the_head(place: Place) -> None:
    """Readers find that the records are gone, and the writer goes on behind it; however often it is written."""
    store = place.open()
    await store.open("night", HERE, take_over=True)
    await store.append("night", term=1, head=0, records=records(*range(1, 2500)), targets=1)
    await store.write_checkpoint("night", Checkpoint(7, [b"older"]), term=1)

    for _ in range(2):
        await store.write_checkpoint("night", Checkpoint(5000, [b"all"]), term=1, all_behind=2499)

    for after in (0, 100, 2499, 4999, 5000):
        page = await place.open().read("night", after)
        assert ([*page.records], page.removed_to) == ([], 5000)
    assert await store.checkpoint("night") == Checkpoint(5000, [b"all"])
    entry = await store.fleet("night")
    assert entry is not None
    assert (entry.head, entry.size) == (5000, 0)
    await store.append("night", term=1, head=5000, records=records(5001), targets=1)
    assert await numbers(store, after=5000) == [5001]
    assert await numbers(store) == [5001]
    opened = await store.open("night", THERE, take_over=True)
    assert (opened.term, opened.head) == (2, 5001)


@pytest.mark.parametrize("head", [0, 2, 9])
async def test_a_checkpoint_in_place_of_other_records_is_refused(place: Place, head: int) -> None:
    """The store has others than its writer knows: nothing is changed."""
    store = place.open()
    await store.open("night", HERE, take_over=True)
    await store.append("night", term=1, head=0, records=records(1, 2, 3, time=time.time()), targets=1)
    await store.write_checkpoint("night", Checkpoint(2, [b"older"]), term=1)

    with pytest.raises(StoreBehind):
        await store.write_checkpoint("night", Checkpoint(50, [b"all"]), term=1, all_behind=head)

    assert await store.checkpoint("night") == Checkpoint(2, [b"older"])
    assert await numbers(store) == [1, 2, 3]


async def test_a_fleet_that_was_forgotten_is_gone(place: Place) -> None:
    """Its holder is superseded; who opens it again begins at nothing."""
    first, second = place.open(), place.open()
    await first.open("night", HERE, take_over=True)
    await first.open("day", HERE, take_over=True)
    await first.append("night", term=1, head=0, records=records(*range(1, 2500)), targets=1)
    await first.append("day", term=1, head=0, records=records(1), targets=1)
    await first.write_checkpoint("night", Checkpoint(1, [b"state"] * 1200), term=1)

    await second.forget("night")
    await second.forget("night")
    await second.forget("unknown")

    with pytest.raises(Superseded, match="forgotten"):
        await first.append("night", term=1, head=2499, records=records(2500), targets=1)
    assert [fleet.name for fleet in await second.fleets()] == ["day"]
    assert await second.fleet("night") is None
    assert (await numbers(second), await second.checkpoint("night")) == ([], None)
    opened = await second.open("night", THERE, take_over=False)
    assert (opened.head, opened.silence) == (0, None)
    assert opened.term > 1
    await second.append("night", term=opened.term, head=0, records=records(1), targets=1)
    assert await numbers(first) == [1]
    assert await numbers(first, "day") == [1]


async def test_closing_is_harmless_when_repeated(place: Place) -> None:
    """What was stored stays."""
    store = place.open()
    await store.open("night", HERE, take_over=True)
    await store.append("night", term=1, head=0, records=records(1), targets=1)
    await store.aclose()
    await store.aclose()

    assert await numbers(place.open()) == [1]
