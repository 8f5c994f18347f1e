"""Redis as people run it: Sentinels, several nodes of a cluster, users who may do little, a server that evicts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from bkjob_async.errors import JournalAccessDenied, JournalUnavailable, UsageError
from bkjob_async.journal.journal import open_journal
from bkjob_async.journal.redis.client import refused_command
from tests.journal.redis_sentinel import Sentinel, running_sentinel
from tests.journal.redis_server import RedisServer, running
from tests.journal.stores import HERE, opened, records

PASSWORD = "opensesame"


@pytest.fixture
def sentinel(tmp_path: Path) -> Iterator[Sentinel]:
    """Give a server with a replica, and the Sentinel that knows them."""
    with running_sentinel(tmp_path) as found:
        yield found


@pytest.mark.slow
async def test_a_journal_goes_on_at_the_replica_that_a_sentinel_promotes(sentinel: Sentinel) -> None:
    """The first Sentinel of the URL is away; what the replica had received is there."""
    async with opened(sentinel.url) as place:
        store = place.open()
        await store.open("night", HERE, take_over=True)
        await store.append("night", term=1, head=0, records=records(1, 2), targets=1)
        with sentinel.first.client() as client:
            client.execute_command("WAIT", 1, 5000)
        sentinel.first.kill()
        refused = 0
        async with asyncio.timeout(30):
            while True:
                try:
                    await store.append("night", term=1, head=2, records=records(3), targets=1)
                    break
                except JournalUnavailable:
                    refused += 1
                    await asyncio.sleep(0.1)
        found = [record.sequence for record in (await store.read("night", 0)).records]

    assert refused > 0
    assert found == [1, 2, 3]
    assert sentinel.port_of_server() == sentinel.replica.port


async def test_sentinels_that_are_away_are_named_without_the_password() -> None:
    """The error says who must act."""
    journal = open_journal(f"redis+sentinel://me:{PASSWORD}@127.0.0.1:1,127.0.0.1:2/night")

    with pytest.raises(JournalUnavailable, match=r"127\.0\.0\.1:1,127\.0\.0\.1:2/night") as caught:
        await journal.fleets()
    await journal.aclose()

    assert PASSWORD not in f"{caught.value} {caught.value!r}"


async def test_a_cluster_is_found_by_any_of_its_nodes(redis_cluster: RedisServer) -> None:
    """The first of the URL is away."""
    redis_cluster.flush()
    journal = open_journal(
        f"redis://127.0.0.1:1,127.0.0.1:{redis_cluster.others[0]},127.0.0.1:{redis_cluster.port}"
    )
    await journal.store.open("night", HERE, take_over=True)
    fleets = await journal.fleets()
    await journal.aclose()

    assert [fleet.name for fleet in fleets] == ["night"]


async def test_several_servers_that_are_no_cluster_are_wrong_usage(redis_server: RedisServer) -> None:
    """Writes would go to whichever answers first."""
    journal = open_journal(f"redis://127.0.0.1:{redis_server.port},127.0.0.1:1")

    with pytest.raises(UsageError, match="redis\\+sentinel://HOST,HOST/SERVICE"):
        await journal.fleets()
    await journal.aclose()


async def test_nodes_that_are_all_away_are_named() -> None:
    """All of them."""
    journal = open_journal("redis://127.0.0.1:1,127.0.0.1:2")

    with pytest.raises(JournalUnavailable, match=r"127\.0\.0\.1:1,127\.0\.0\.1:2"):
        await journal.fleets()
    await journal.aclose()


# Users ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["xadd", "hincrby", "time"])
async def test_a_command_that_is_refused_within_a_script_is_named(
    command: str, redis_server: RedisServer
) -> None:
    """A server names only the line."""
    redis_server.flush()
    with redis_server.client() as client:
        client.execute_command("ACL", "SETUSER", "guest", "on", f">{PASSWORD}", "~*", "+@all")
        try:
            async with opened(redis_server.url.replace("//", f"//guest:{PASSWORD}@")) as place:
                store = place.open()
                await store.open("night", HERE, take_over=True)
                client.execute_command("ACL", "SETUSER", "guest", f"-{command}")
                with pytest.raises(JournalAccessDenied, match=f"may not run {command.upper()}"):
                    await store.append("night", term=1, head=0, records=records(1), targets=1)
        finally:
            client.execute_command("ACL", "DELUSER", "guest")


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("ERR The user executing the script can't run this command. script: 6d, on @user_script:3.", "XADD"),
        (
            "ERR Error running script (call to f_6d): @user_script:3: The user executing the script can't",
            "XADD",
        ),
        ("The user executing the script can't access this key", None),
        ("OOM command not allowed. script: 6d, on @user_script:3.", None),
        ("The user executing the script can't @user_script:1", None),
    ],
)
def test_the_line_says_which_command_it_was(text: str, command: str | None) -> None:
    """In the words of Redis 6 and 7; a call may begin on an earlier line."""
    script = "local a = 1\nredis.call('XADD', KEYS[1],\n  '*', 'a', 'b')\nredis.call('HSET')\n"

    assert refused_command(script, text) == command


# Eviction -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("policy", "warnings"), [("noeviction", 0), ("volatile-lru", 0), ("allkeys-lru", 1)])
async def test_a_server_that_may_remove_any_key_is_warned_of(
    policy: str, warnings: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Once, when it is first used."""
    with running(tmp_path, "--maxmemory-policy", policy) as server:
        journal = open_journal(server.url)
        await journal.fleets()
        await journal.fleets()
        await journal.aclose()

    found = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(found) == warnings
    assert all("set it to noeviction" in text for text in found)
