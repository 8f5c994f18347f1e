"""What every store promises of its key spaces: they are read whole, and changed if they are as expected."""

from __future__ import annotations

import asyncio

import pytest

from bkjob_async.errors import JournalTooNew, NotAJournal
from bkjob_async.journal.redis.store import space_keys
from bkjob_async.journal.store import Store
from tests.journal.redis_server import RedisServer
from tests.journal.stores import HERE, Place, opened, records


async def filled(place: Place) -> Store:
    """Return a store that has a key space."""
    store = place.open()
    assert await store.change_keys("night", {"a": b"1", "b": b"\0\xff"}, expected={})
    return store


async def test_keys_come_back_as_they_were_written(place: Place) -> None:
    """Every byte, also none at all; in another process, and in no other space."""
    store = await filled(place)
    await store.change_keys("day", {"a": b"", "long name: with / signs": b"x" * 100_000}, expected={})

    assert await place.open().keys("night") == {"a": b"1", "b": b"\0\xff"}
    assert await place.open().keys("day") == {"a": b"", "long name: with / signs": b"x" * 100_000}
    assert await store.keys("other") == {}
    assert await store.keys("night", ["b", "c"]) == {"b": b"\0\xff"}
    assert await store.keys("other", ["b", "c"]) == {}


async def test_a_change_sets_some_keys_and_removes_others(place: Place) -> None:
    """Those that it does not name stay."""
    store = await filled(place)

    assert await store.change_keys("night", {"a": None, "c": b"3", "never": None}, expected={})

    assert await store.keys("night") == {"b": b"\0\xff", "c": b"3"}


@pytest.mark.parametrize(
    ("expected", "is_made"),
    [
        ({"a": b"1"}, True),
        ({"a": b"1", "b": b"\0\xff", "c": None}, True),
        ({"a": b"2"}, False),
        ({"a": b""}, False),
        ({"a": None}, False),
        ({"c": b""}, False),
        ({"a": b"1", "b": b"other"}, False),
    ],
)
async def test_a_change_is_made_where_all_is_as_expected(
    place: Place, expected: dict[str, bytes | None], *, is_made: bool
) -> None:
    """Otherwise nothing is, though the keys that it changes are others."""
    store = await filled(place)

    assert await store.change_keys("night", {"b": b"new", "d": b"4"}, expected=expected) is is_made

    assert await store.keys("night") == (
        {"a": b"1", "b": b"new", "d": b"4"} if is_made else {"a": b"1", "b": b"\0\xff"}
    )


async def test_an_empty_value_is_not_a_missing_one(place: Place) -> None:
    """Neither where it is found nor where it is expected."""
    store = place.open()
    assert not await store.change_keys("night", {"a": b"1"}, expected={"a": b""})
    assert await store.change_keys("night", {"a": b""}, expected={"a": None})
    assert not await store.change_keys("night", {"a": b"1"}, expected={"a": None})

    assert await store.change_keys("night", {"a": b"1"}, expected={"a": b""})


async def test_of_changes_that_race_each_builds_on_the_one_before(place: Place) -> None:
    """Whoever was slower reads again: no count is lost."""

    async def count(store: Store) -> None:
        for _ in range(5):
            while True:
                found = (await store.keys("night")).get("n")
                more = b"%d" % (int(found or 0) + 1)
                if await store.change_keys("night", {"n": more}, expected={"n": found}):
                    break

    store = await filled(place)
    await asyncio.gather(*(count(place.open()) for _ in range(6)))

    assert (await store.keys("night"))["n"] == b"30"


async def test_a_space_without_keys_can_be_used_again(place: Place) -> None:
    """Its last key was removed; a log of the same name is another thing."""
    store = await filled(place)
    await store.open("night", HERE, take_over=True)
    await store.append("night", term=1, head=0, records=records(1), targets=1)
    assert await store.change_keys("night", {"a": None, "b": None}, expected={})
    assert await store.keys("night") == {}

    assert await store.change_keys("night", {"a": b"1"}, expected={"a": None, "b": None})
    await store.forget("night")

    assert await store.keys("night") == {"a": b"1"}


async def test_the_time_of_the_store_goes_on(place: Place) -> None:
    """It is that of signs of life."""
    store = place.open()
    before = await store.now()
    await store.open("night", HERE, take_over=True)
    (fleet,) = await store.fleets()

    assert before - 0.1 <= fleet.last_seen <= await store.now() + 0.1


async def test_a_hash_of_another_program_or_version_is_left_alone(redis_server: RedisServer) -> None:
    """It is neither read nor changed; a space without keys has no key."""
    redis_server.flush()
    async with opened(redis_server.url) as place:
        store = place.open()
        with redis_server.client() as client:
            client.hset(space_keys("night")[0], "name", "value")
            client.hset(space_keys("day")[0], mapping={"format": "9", "a": "1"})
            for space, error in (("night", NotAJournal), ("day", JournalTooNew)):
                with pytest.raises(error):
                    await store.keys(space)
                with pytest.raises(error):
                    await store.change_keys(space, {"a": b"2"}, expected={})
            assert client.hgetall(space_keys("day")[0]) == {b"format": b"9", b"a": b"1"}
            await store.change_keys("other", {"a": b"2"}, expected={})
            await store.change_keys("other", {"a": None}, expected={})
            assert sorted(client.keys()) == [b"{bkjob:day}:shards", b"{bkjob:night}:shards"]
