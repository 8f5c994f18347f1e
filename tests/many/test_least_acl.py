"""The commands that the page on many machines names for users of Redis are enough."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence

import pytest
import redis

import bkjob_async as bkjob
from bkjob_async.simulator.world.world import World
from tests.journal.conftest import PAGE, least_acl, with_user
from tests.journal.redis_server import RedisServer
from tests.many.fleets import site_of
from tests.many.test_shard import SHORT, jobs_of


def commands_of_table() -> list[set[str]]:
    """Return the commands of each row of the table: of those who read, who add as well, who run shards as well."""
    rows = re.findall(
        r"^\| (?:reads|adds|runs)[^|]*\| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE
    )
    return [{name.lower().replace(" ", "|") for name in row.split(", ")} for row in rows]


@pytest.fixture(params=["server", "cluster"])
def server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    """Give an empty server, and one of a cluster; users are removed behind the test."""
    found: RedisServer = request.getfixturevalue(f"redis_{request.param}")
    found.flush()
    yield found
    on_all(found, "ACL", "DELUSER", "runner")


def on_all(server: RedisServer, *words: str) -> None:
    """Send a command to all servers of a cluster."""
    for port in (server.port, *server.others):
        with redis.Redis(port=port) as client:
            client.execute_command(*words)


def allow(server: RedisServer, rows: Sequence[set[str]]) -> None:
    """Make the user that the page makes, with the commands of these rows."""
    words = [word for word in least_acl() if not word.startswith("+")]
    on_all(server, *words, *(f"+{command}" for row in rows for command in sorted(row)))


def test_the_command_of_the_page_gives_what_its_table_says() -> None:
    """No more."""
    given = {word[1:] for word in least_acl() if word.startswith("+")}

    assert given == set().union(*commands_of_table())


async def test_a_user_with_the_least_rights_runs_a_fleet_from_its_creation_to_its_removal(
    server: RedisServer,
) -> None:
    """Of a server of its own, and of a cluster."""
    allow(server, commands_of_table())
    world = World(1)
    async with site_of(world, shards=2, journal=with_user(server.url), interval=0.2) as site:
        runners = [site.run(shard) for shard in range(2)]
        await site.fleet.add(*jobs_of(world, SHORT, 4))
        async with asyncio.timeout(30):
            while not (await site.fleet.status()).active:  # noqa: ASYNC110 - runners
                await asyncio.sleep(0.1)
        batches = await site.batches()
        await site.fleet.stop()
        ends = await asyncio.gather(*runners)
        await site.fleet.forget()

    assert batches
    assert {*ends} == {bkjob.ShardEnd.STOPPED}


async def test_who_reads_needs_no_command_that_writes(server: RedisServer) -> None:
    """And who adds, one; what is refused is named."""
    reads, adds, _ = commands_of_table()
    world = World(1)
    async with site_of(world, shards=2, journal=server.url):
        jobs = jobs_of(world, SHORT, 2)
        allow(server, [reads])
        async with bkjob.Fleet("night", journal=with_user(server.url)) as fleet:
            status = await fleet.status()
            async with fleet.reader(live=False) as reader:
                batches = [batch async for batch in reader]
            fleets = await fleet.journal.fleets()
            with pytest.raises(bkjob.JournalAccessDenied, match="may not run XADD"):
                await fleet.add(*jobs)
            allow(server, [reads, adds])
            await fleet.add(*jobs)
            with pytest.raises(bkjob.JournalAccessDenied, match="may not run HDEL"):
                await fleet.stop()

    assert (len(status.shards), batches, fleets) == (2, [], [])
