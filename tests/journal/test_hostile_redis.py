"""Whatever a server answers, only errors of journals leave, without a secret and in bounded memory."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable

import pytest

import bkjob_async as bkjob
from bkjob_async.errors import BkJobError, JournalDamaged, JournalError, JournalUnavailable
from bkjob_async.journal import store as store_module
from bkjob_async.journal.journal import Journal
from bkjob_async.journal.redis import client as redis_client
from bkjob_async.journal.shards import ShardFigures, ShardStore, shard_name
from bkjob_async.journal.store import Checkpoint, Store
from tests.client.test_secrets import chain, frames, texts
from tests.journal.hostile_redis import ANSWERS, MIB, HostileRedis, hostile_to
from tests.journal.redis_server import RedisServer
from tests.journal.stores import HERE, Place, opened, records

PASSWORD = "j0urnal-passw0rd-7b2e"
NIGHT = shard_name("night", 0)
Call = Callable[[Store], Awaitable[object]]
# What the client sends before the first command of a call.
HANDSHAKE = ("AUTH", "HELLO", "CLIENT", "SELECT", "INFO")


async def follow(store: Store) -> None:
    """Follow a fleet to its end."""
    async for _ in Journal(store).follow(NIGHT, live=False):
        pass


async def read_fleet(store: Store) -> None:
    """Read a fleet in shards to its end."""
    async with bkjob.Fleet("night", journal=Journal(store)).reader(live=False) as reader:
        async for _ in reader:
            pass


CALLS: dict[str, Call] = {
    "open": lambda store: store.open(NIGHT, HERE, take_over=True),
    "open without taking over": lambda store: store.open("other", HERE, take_over=False),
    "append": lambda store: store.append(NIGHT, term=1, head=3, records=records(4), targets=1, taken_up=1),
    "write_checkpoint": lambda store: store.write_checkpoint(NIGHT, Checkpoint(2, [b"state"]), term=1),
    "give_sign_of_life": lambda store: store.give_sign_of_life(NIGHT, term=1),
    "release": lambda store: store.release(NIGHT, term=1),
    "forget": lambda store: store.forget("other"),
    "checkpoint": lambda store: store.checkpoint(NIGHT),
    "read": lambda store: store.read(NIGHT, 0),
    "wait_any": lambda store: store.wait_any({NIGHT: 2}, seconds=0.05),
    "fleets": lambda store: store.fleets(),
    "fleet": lambda store: store.fleet(NIGHT),
    "create": lambda store: ShardStore(store).create("night", b"{}"),
    "record": lambda store: ShardStore(store).record("night"),
    "stop": lambda store: ShardStore(store).stop("night"),
    "begin_removal": lambda store: ShardStore(store).begin_removal("day"),
    "remove": lambda store: ShardStore(store).remove("day", 1),
    "put": lambda store: store.put(shard_name("night", 0), [b"entry"]),
    "inbox": lambda store: store.inbox(shard_name("night", 0), 0),
    "inbox_size": lambda store: store.inbox_size(shard_name("night", 0)),
    "report": lambda store: ShardStore(store).report("night", 0, ShardFigures(1, 5, 3, 7), limit=10),
    "figures": lambda store: ShardStore(store).figures("night"),
    "put_failure": lambda store: ShardStore(store).put_failure("night", 0, "it failed"),
    "failures": lambda store: ShardStore(store).failures("night"),
    "put_durations": lambda store: ShardStore(store).put_durations("night", 0, b"durations"),
    "durations": lambda store: ShardStore(store).durations("night", 0),
    "Journal.follow": follow,
    "Fleet.add": lambda store: bkjob.Fleet("night", journal=Journal(store)).add("2:1"),
    "Fleet.drop": lambda store: bkjob.Fleet("night", journal=Journal(store)).drop("2:1"),
    "Fleet.status": lambda store: bkjob.Fleet("night", journal=Journal(store)).status(),
    "Fleet.reader": read_fleet,
}


async def fill(url: str) -> None:
    """Store a fleet in shards, and another one."""
    async with opened(url) as place, bkjob.Fleet("night", journal=url, shards=1) as fleet:
        store = place.open()
        await fleet.create(url="https://bkapi.example.com/api/bk-job/prod", credentials="a:b")
        await store.open("other", HERE, take_over=True)
        await store.release("other", term=1)
        await store.open(NIGHT, HERE, take_over=True)
        await store.append(NIGHT, term=1, head=0, records=records(1, 2, 3), targets=1)
        await store.write_checkpoint(NIGHT, Checkpoint(2, [b"state"]), term=1)
        await ShardStore(store).report("night", 0, ShardFigures(1, 5, 3, 7), limit=10)
        await store.put(shard_name("night", 0), [b"entry"])


async def error_of(url: str, call: Call) -> BaseException | None:
    """Return what a call raises, with a client of its own; a hung one is an error as well."""
    async with opened(url) as place:
        try:
            async with asyncio.timeout(10):
                await call(place.open())
        except Exception as error:  # noqa: BLE001 - whatever leaves
            return error
    return None


async def wrong_cases(hostile: HostileRedis, call: Call, victims: list[str]) -> list[str]:
    """Return where an answer to one of *victims* led to another error than a journal's, or to a secret in one."""
    wrong = []
    for victim in victims:
        for answer in ANSWERS:
            hostile.victim, hostile.answer = victim, answer
            error = await error_of(hostile.url, call)
            if error is None:
                continue
            shown = [*texts(error), *(text for link in chain(error) for text in frames(link.__traceback__))]
            if any(PASSWORD in text for text in shown):
                wrong.append(f"{victim}: {answer}: the password is in {type(error).__name__}")
            elif not isinstance(error, JournalError):
                wrong.append(f"{victim}: {answer}: {type(error).__name__}: {error!s:.100}")
            elif len(str(error)) > 800:
                wrong.append(f"{victim}: {answer}: {len(str(error))} letters")
    hostile.victim = ""
    return wrong


@pytest.fixture(autouse=True)
def _short_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_client, "RESPONSE_TIMEOUT", 0.5)


@pytest.mark.parametrize("name", CALLS)
async def test_only_errors_of_journals_leave(name: str, redis_server: RedisServer) -> None:
    """For each command of each call, and each answer to it."""
    redis_server.flush()
    async with hostile_to(redis_server, PASSWORD) as hostile:
        await fill(hostile.url)
        hostile.asked.clear()
        first = await error_of(hostile.url, CALLS[name])
        asked = [*dict.fromkeys(hostile.asked)]

        wrong = await wrong_cases(hostile, CALLS[name], [each for each in asked if each not in HANDSHAKE])

    assert first is None or isinstance(first, BkJobError)
    assert wrong == []


async def test_no_answer_to_the_first_commands_lets_another_error_leave(redis_server: RedisServer) -> None:
    """Nor shows the password, which goes with one of them."""
    redis_server.flush()
    async with hostile_to(redis_server, PASSWORD) as hostile:
        await fill(hostile.url)
        asked = [*dict.fromkeys(hostile.asked)]

        wrong = await wrong_cases(hostile, CALLS["fleet"], [each for each in asked if each in HANDSHAKE])

    assert {"AUTH", "INFO"} <= {*asked}
    assert wrong == []


async def test_a_cancelled_first_command_shows_no_password(redis_server: RedisServer) -> None:
    """Frames of the Redis client hold it."""
    async with hostile_to(redis_server, PASSWORD) as hostile, opened(hostile.url) as place:
        hostile.victim, hostile.answer = "AUTH", "a part of an answer"
        task = asyncio.create_task(place.open().fleet(NIGHT))
        while "AUTH" not in hostile.asked:  # noqa: ASYNC110 - of another task
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as cancelled:
            await task

    links = chain(cancelled.value)
    assert [text for link in links for text in frames(link.__traceback__) if PASSWORD in text] == []


async def test_a_checkpoint_without_end_is_read_up_to_the_largest_that_is_written(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By those who open the fleet as by those who follow it."""
    monkeypatch.setattr(store_module, "MAX_CHECKPOINT", 8 * MIB)
    redis_server.flush()
    async with hostile_to(redis_server, PASSWORD) as hostile:
        await fill(hostile.url)
        hostile.victim, hostile.answer = "READ_PARTS", "a checkpoint without end"
        for call in (CALLS["checkpoint"], follow):
            hostile.asked.clear()
            error = await error_of(hostile.url, call)

            assert isinstance(error, JournalDamaged)
            assert "the checkpoint of 'night/0' has more than 8 MiB" in str(error)
            assert hostile.asked.count("READ_PARTS") == 9


MEMORY = """
import asyncio, resource, sys
from bkjob_async.errors import JournalUnavailable
from tests.journal.stores import opened

async def main():
    async with opened(sys.argv[1]) as place:
        store = place.open()
        await store.fleet("other")
        print("ready", flush=True)
        sys.stdin.readline()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            await store.fleet("night/0")
        except JournalUnavailable as error:
            print(error, file=sys.stderr)
        print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10, flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize("answer", ["a flood of text", "a flood of elements"])
async def test_a_promised_flood_costs_less_than_64_mib(answer: str, redis_server: RedisServer) -> None:
    """500 MB, which the server sends as fast as they are read."""
    redis_server.flush()
    async with hostile_to(redis_server, PASSWORD) as hostile:
        await fill(hostile.url)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", MEMORY, hostile.url, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdin is not None
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        hostile.victim, hostile.answer = "HGETALL", answer
        process.stdin.write(b"\n")
        mebibytes = int(await process.stdout.readline())
        await process.wait()

    assert mebibytes < 64


async def test_a_flood_is_refused_as_unavailable(redis_server: RedisServer) -> None:
    """The error says what was refused."""
    redis_server.flush()
    async with hostile_to(redis_server, PASSWORD) as hostile, opened(hostile.url) as place:
        hostile.victim, hostile.answer = "HGETALL", "a large text"
        with pytest.raises(JournalUnavailable, match="more than 16 MiB is refused"):
            await place.open().fleet(NIGHT)


@pytest.mark.parametrize("place", ["redis", "redis-socket", "redis-cluster"], indirect=True)
async def test_a_value_that_is_too_large_is_refused_by_each_kind_of_server(place: Place) -> None:
    """Servers of a cluster that are found later have the limit, too."""
    shards = ShardStore(place.open())
    await shards.create("night", b"{}")
    await shards.put_durations("night", 0, b"x" * (17 * MIB))
    await shards.put_durations("night", 1, b"x" * (15 * MIB))

    with pytest.raises(JournalUnavailable, match="more than 16 MiB is refused"):
        await shards.durations("night", 0)
    assert len(await shards.durations("night", 1) or b"") == 15 * MIB
