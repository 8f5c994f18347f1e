"""What can happen to a journal's Redis server, and what its store says to it."""

from __future__ import annotations

import asyncio
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from bkjob_async.errors import (
    ClientClosed,
    JournalAccessDenied,
    JournalDamaged,
    JournalTooNew,
    JournalUnavailable,
    NotAJournal,
    UsageError,
)
from bkjob_async.journal import follow
from bkjob_async.journal.journal import Journal, open_journal
from bkjob_async.journal.memory.store import MemoryStore
from bkjob_async.journal.redis import client as redis_client
from bkjob_async.journal.redis.store import keys_of
from bkjob_async.journal.store import Checkpoint, Store
from bkjob_async.model.events import HostChanged
from bkjob_async.model.journal_errors import StoreBehind
from tests.journal.recording import Recorder
from tests.journal.redis_server import RedisServer, running
from tests.journal.stores import HERE, THERE, Place, opened, records

PASSWORD = "opensesame"


@pytest.fixture
def durable(tmp_path: Path) -> Iterator[RedisServer]:
    """Give a server that writes every command to its file before it responds."""
    with running(tmp_path, "--appendonly", "yes", "--appendfsync", "always") as server:
        yield server


@pytest.fixture
async def place(redis_server: RedisServer) -> AsyncIterator[Place]:
    """Give an empty server that all tests share."""
    redis_server.flush()
    async with opened(redis_server.url) as place:
        yield place


async def until_available(store: Store, head: int) -> int:
    """Append the record behind *head* again and again, as a watch does; return how often it was refused."""
    refused = 0
    while True:
        try:
            await store.append("night", term=1, head=head, records=records(head + 1), targets=1)
        except JournalUnavailable:
            refused += 1
            await asyncio.sleep(0.05)
        else:
            return refused


async def numbers(store: Store) -> list[int]:
    """Return the numbers of all records."""
    return [record.sequence for record in (await store.read("night", 0)).records]


# Servers that go away -----------------------------------------------------------------------------------------------


async def test_a_restarted_server_has_all_that_it_said(durable: RedisServer) -> None:
    """Killed in the middle of appends and started again, with its append-only file."""
    async with opened(durable.url) as place:
        store = place.open()
        await store.open("night", HERE, take_over=True)
        refused = 0
        for head in range(60):
            if head in (20, 40):
                durable.kill()
                asyncio.get_running_loop().call_later(0.2, durable.start)
            refused += await until_available(store, head)

        assert refused >= 2
        assert await numbers(store) == [*range(1, 61)]


async def test_a_server_without_its_newest_records_is_behind(tmp_path: Path) -> None:
    """The writer learns what is left, of an opening as well, and stores the rest in a new term."""
    with running(tmp_path) as server:
        async with opened(server.url) as place:
            store = place.open()
            await store.open("night", HERE, take_over=True)
            await store.append("night", term=1, head=0, records=records(1, 2), targets=1)
            with server.client() as client:
                client.save()
            await store.open("night", HERE, take_over=True)
            await store.append("night", term=2, head=2, records=records(3, 4), targets=1)
            server.kill()
            server.start()
            with pytest.raises(JournalUnavailable):  # the connection of before
                await numbers(store)

            with pytest.raises(StoreBehind) as caught:
                await store.append("night", term=2, head=4, records=records(5), targets=1)
            with pytest.raises(StoreBehind):
                await store.give_sign_of_life("night", term=2)
            opening = await store.open("night", HERE, take_over=True)
            await store.append("night", term=opening.term, head=2, records=records(3, 4, 5), targets=1)

            assert (caught.value.term, caught.value.head, opening.head) == (1, 2, 2)
            assert await numbers(store) == [1, 2, 3, 4, 5]


async def test_a_follower_is_given_what_a_server_has_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once another process writes behind that, under numbers that the follower has seen."""
    monkeypatch.setattr(follow, "WAIT_SECONDS", 0.1)
    monkeypatch.setattr(follow, "RETRY_SECONDS", 0.05)
    with running(tmp_path) as server:
        async with opened(server.url) as place:
            first, other = Recorder(place.open()), Recorder(MemoryStore(), client="99887766")
            await first.open()
            await first.record(4)
            with server.client() as client:
                client.save()
            await first.record(6)
            follower = Journal(place.open()).follow("night")
            for _ in range(10):
                await anext(follower)
            waiting = asyncio.create_task(anext(follower))
            server.kill()
            server.start()
            await other.open()
            await other.record(4)
            other.store = place.open()
            await other.open()
            await other.record(1)

            received = [await waiting]
            while follower.cursor != other.recorded[-1].cursor:
                received.append(await anext(follower))

        changes = [event for batch in received for event in batch.events if isinstance(event, HostChanged)]
        last = {event.host.bk_host_id: event.after.code for event in changes}
        assert [last[number] for number in range(1, 11)] == [9] * 5 + [5] * 5
        assert changes[0].skipped


async def test_a_paused_server_stores_an_append_once(
    durable: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It executes, late, what it was sent before; the repeated append is known again."""
    monkeypatch.setattr(redis_client, "RESPONSE_TIMEOUT", 0.2)
    async with opened(durable.url) as place:
        store = place.open()
        await store.open("night", HERE, take_over=True)
        await store.append("night", term=1, head=0, records=records(1), targets=1)
        durable.signal(signal.SIGSTOP)
        asyncio.get_running_loop().call_later(1.0, durable.signal, signal.SIGCONT)

        refused = await until_available(store, 1)
        for head in range(2, 10):
            await until_available(store, head)

        assert refused >= 2
        assert await numbers(store) == [*range(1, 11)]


@pytest.mark.slow
async def test_a_server_paused_for_five_seconds(durable: RedisServer) -> None:
    """With the time limits that users have."""
    async with opened(durable.url) as place:
        store = place.open()
        await store.open("night", HERE, take_over=True)
        durable.signal(signal.SIGSTOP)
        asyncio.get_running_loop().call_later(5.0, durable.signal, signal.SIGCONT)

        assert await until_available(store, 0) >= 1
        assert await numbers(store) == [1]


async def test_a_server_that_is_away_is_named_without_its_password(tmp_path: Path) -> None:
    """Neither in the error, nor in what led to it, nor in the journal's repr."""
    place = f"redis://me:{PASSWORD}@127.0.0.1:1/2"
    async with opened(place) as journals:
        store = journals.open()
        with pytest.raises(JournalUnavailable, match=r"redis://127.0.0.1:1/2") as caught:
            await store.open("night", HERE, take_over=True)

    assert PASSWORD not in f"{caught.value} {caught.value!r} {caught.value.__cause__!r} {store!r}"


async def test_a_wrong_password_is_not_shown(tmp_path: Path) -> None:
    """The error says who must act; the password is not in it."""
    with running(tmp_path) as server:
        with server.client() as client:
            client.config_set("requirepass", PASSWORD)
        url = server.url.replace("redis://", "redis://:openbarley@")
        async with opened(url) as place:
            with pytest.raises(JournalAccessDenied, match="redis://127") as caught:
                await place.open().fleets()
            assert "password" in str(caught.value)
            assert "tried again" not in str(caught.value)
            assert "openbarley" not in f"{caught.value} {caught.value.__cause__!r}"
        async with opened(server.url.replace("redis://", f"redis://:{PASSWORD}@")) as place:
            assert await place.open().fleets() == []


async def test_a_user_who_may_not_write_is_refused(tmp_path: Path) -> None:
    """The user and its password are right, but commands that write are refused."""
    with running(tmp_path) as server:
        with server.client() as client:
            client.execute_command(
                "ACL", "SETUSER", "guest", "on", f">{PASSWORD}", "~*", "+@all", "-hset", "-eval", "-evalsha"
            )
        async with opened(server.url.replace("redis://", f"redis://guest:{PASSWORD}@")) as place:
            with pytest.raises(JournalAccessDenied, match="redis://127"):
                await place.open().open("night", HERE, take_over=True)


async def test_a_full_server_is_unavailable_until_there_is_room(tmp_path: Path) -> None:
    """What it refused was not stored; what it has can be read."""
    with running(tmp_path, "--maxmemory-policy", "noeviction") as server:
        async with opened(server.url) as place:
            store = place.open()
            await store.open("night", HERE, take_over=True)
            await store.append("night", term=1, head=0, records=records(1), targets=1)
            with server.client() as client:
                client.config_set("maxmemory", 1)
                with pytest.raises(JournalUnavailable, match="maxmemory"):
                    await store.append("night", term=1, head=1, records=records(2), targets=1)
                assert await numbers(store) == [1]
                client.config_set("maxmemory", 0)
            await store.append("night", term=1, head=1, records=records(2), targets=1)

            assert await numbers(store) == [1, 2]


async def test_scripts_that_the_server_forgot_are_sent_again(place: Place, redis_server: RedisServer) -> None:
    """As after a restart or a failover."""
    store = place.open()
    await store.open("night", HERE, take_over=True)
    with redis_server.client() as client:
        client.script_flush()
    await store.append("night", term=1, head=0, records=records(1), targets=1)

    assert await numbers(store) == [1]


# Keys that are not ours ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "error"),
    [
        (("SET", keys_of("night")[0], "x"), NotAJournal),
        (("HSET", keys_of("night")[0], "ship", "x"), NotAJournal),
        (("SET", keys_of("night")[1], "x"), NotAJournal),
        (("HSET", keys_of("night")[0], "format", 2, "wings", "x"), JournalTooNew),
    ],
)
async def test_keys_of_other_programs_are_not_touched(
    place: Place, redis_server: RedisServer, command: tuple[Any, ...], error: type
) -> None:
    """Nor are those of a later version."""
    store = place.open()
    with redis_server.client() as client:
        client.execute_command(*command)
        before = client.dump(command[1])

        with pytest.raises(error):
            opening = await store.open("night", HERE, take_over=True)
            await store.append("night", term=opening.term, head=0, records=records(1), targets=1)

        assert client.dump(command[1]) == before


async def test_a_damaged_list_of_fleets_is_an_error(place: Place, redis_server: RedisServer) -> None:
    """A hash that says that it is a journal's, and lacks what belongs to it."""
    with redis_server.client() as client:
        client.hset(keys_of("night")[0], "format", 1)

        with pytest.raises(JournalDamaged, match="night"):
            await place.open().fleets()


async def test_all_keys_of_a_fleet_have_its_tag(place: Place, redis_server: RedisServer) -> None:
    """So a cluster keeps them together; a forgotten fleet leaves one, for a while."""
    store = place.open()
    await store.open("night shift", HERE, take_over=True)
    await store.append("night shift", term=1, head=0, records=records(1), targets=1)
    await store.write_checkpoint("night shift", Checkpoint(1, [b"state"]), term=1)
    with redis_server.client() as client:
        keys = client.keys("*")
        await store.forget("night shift")
        left = client.keys("*")
        lifetime = client.ttl(left[0])
        await store.open("night shift", HERE, take_over=True)

        assert len(keys) == 3
        assert all(key.startswith(b"{bkjob:night shift}:") for key in keys)
        assert len(left) == 1
        assert lifetime > 86_400
        assert client.ttl(left[0]) == -1


# Processes that sleep, connections that are not plain ---------------------------------------------------------------

SLEEPER = """
import asyncio, sys
from bkjob_async.errors import Superseded
from tests.journal.stores import HERE, opened, records

async def main():
    async with opened(sys.argv[1]) as place:
        store = place.open()
        opening = await store.open("night", HERE, take_over=True)
        head = opening.head
        while True:
            try:
                await store.append("night", term=opening.term, head=head, records=records(head + 1), targets=1)
            except Superseded as error:
                print(head, error.term, error.current_term, flush=True)
                return
            head += 1
            if head == 10:
                print("going", flush=True)

asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["redis", "sqlite"])
async def test_a_writer_that_slept_through_a_takeover_stores_nothing(
    kind: str, durable: RedisServer, tmp_path: Path
) -> None:
    """It wakes in the middle of its appends, is refused, and the refusal is counted."""
    url = durable.url if kind == "redis" else f"sqlite:///{tmp_path}/fleet.db"
    sleeper = await asyncio.create_subprocess_exec(sys.executable, "-c", SLEEPER, url, stdout=subprocess.PIPE)
    assert sleeper.stdout is not None
    assert await sleeper.stdout.readline() == b"going\n"
    sleeper.send_signal(signal.SIGSTOP)
    async with opened(url) as place:
        store = place.open()
        opening = await until_opened(store, sleeper)
        new = records(*range(opening.head + 1, opening.head + 6))
        await store.append("night", term=opening.term, head=opening.head, records=new, targets=1)
        await asyncio.sleep(2)
        sleeper.send_signal(signal.SIGCONT)
        said = (await sleeper.stdout.readline()).split()
        await sleeper.wait()

        (fleet,) = await store.fleets()
        assert [int(number) for number in said[1:]] == [opening.term - 1, opening.term]
        # What it had sent before it slept may have been stored without its knowing.
        assert int(said[0]) in (opening.head, opening.head - 1)
        assert fleet.head == new[-1].sequence
        assert fleet.refused >= 1


async def until_opened(store: Store, sleeper: asyncio.subprocess.Process) -> Any:
    """Open the fleet; a process that was stopped within a transaction holds the file, and is stopped elsewhere then."""
    while True:
        try:
            return await store.open("night", THERE, take_over=True)
        except JournalUnavailable:
            sleeper.send_signal(signal.SIGCONT)
            await asyncio.sleep(0.01)
            sleeper.send_signal(signal.SIGSTOP)


async def test_a_connection_can_be_encrypted(tmp_path: Path) -> None:
    """With a certificate of a site's own authority; without it the server is not believed."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    names = {"ca": tmp_path / "ca.pem", "cert": tmp_path / "cert.pem", "key": tmp_path / "key.pem"}
    authority.cert_pem.write_to_path(names["ca"])
    certificate.cert_chain_pems[0].write_to_path(names["cert"])
    certificate.private_key_pem.write_to_path(names["key"])
    options = ["--tls-cert-file", names["cert"], "--tls-key-file", names["key"], "--tls-auth-clients", "no"]
    with running(tmp_path, "--tls-ca-cert-file", str(names["ca"]), *map(str, options)) as server:
        port = server.port + 10_000
        with server.client() as client:
            client.config_set("tls-port", port)
        url = f"rediss://127.0.0.1:{port}"
        async with opened(f"{url}?ssl_ca_certs={names['ca']}") as place:
            await place.open().open("night", HERE, take_over=True)
        async with opened(url) as place:
            with pytest.raises(JournalUnavailable, match="certificate"):
                await place.open().fleets()


@pytest.mark.parametrize("reading", ["fleets", "open"])
async def test_a_server_with_the_certificate_of_another_is_not_sent_the_password(
    tmp_path: Path, reading: str
) -> None:
    """Neither at the first connection nor later; a site that wants no certificate says so in the URL."""
    authority = trustme.CA()
    trusted = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(trusted)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("redis.example.com").configure_cert(context)
    received: list[bytes] = []

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.read(1000))
        writer.close()

    async with await asyncio.start_server(receive, "127.0.0.1", 0, ssl=context) as server:
        host, port = server.sockets[0].getsockname()
        url = f"rediss://:opensesame@{host}:{port}?ssl_ca_certs={trusted}"
        async with opened(url) as place:
            with pytest.raises(JournalUnavailable, match="certificate"):
                await (
                    place.open().fleets()
                    if reading == "fleets"
                    else place.open().open("night", HERE, take_over=True)
                )
        assert received == []
        async with opened(f"rediss://:opensesame@{host}:{port}?ssl_cert_reqs=none") as place:
            with pytest.raises(JournalUnavailable):
                await place.open().fleets()

    assert b"AUTH" in received[0]


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, with the command that installs it."""
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)

    with pytest.raises(UsageError, match=r"pip install 'bkjob-async\[redis\]'"):
        open_journal("redis://localhost")


async def test_a_closed_journal_says_so(place: Place) -> None:
    """The call names the remedy; what ran at that time ends with an error of journals, too."""
    store = place.open()
    await store.open("night", HERE, take_over=True)
    await store.aclose()

    with pytest.raises(ClientClosed, match="open_journal"):
        await store.fleets()


@pytest.mark.parametrize("days", [-30.0, 0.0, 30.0])
async def test_a_writer_whose_clock_is_wrong_removes_what_is_old_and_nothing_else(
    place: Place, days: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server's clock counts; one that is ahead would have removed a week of what runners on other machines wrote."""
    store, now = place.open(), time.time()
    old, young = now - 8 * 86_400.0, now - 6 * 86_400.0
    await store.open("night", HERE, take_over=True)
    made = [*records(1, time=old), *records(2, time=young), *records(3, time=now)]
    await store.append("night", term=1, head=0, records=made, targets=1)
    monkeypatch.setattr(time, "time", lambda: now + days * 86_400.0)
    await store.write_checkpoint("night", Checkpoint(3, [b"all"]), term=1)

    kept = (await store.read("night", 0)).records
    assert [record.sequence for record in kept] == [2, 3]
