"""A command that is cancelled while redis-py closes connections leaves none of them open."""

from __future__ import annotations

import asyncio
import gc
import warnings
from typing import Any

import pytest
import redis.asyncio

import bkjob_async as bkjob
from bkjob_async.journal.redis.client import RedisClient
from bkjob_async.journal.urls import RedisPlace, parse_journal_url
from tests.journal.redis_server import RedisServer


async def test_a_first_command_that_is_cancelled_leaves_no_connection_open(
    redis_cluster: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection over which it learnt that there is a cluster is being closed just then."""
    assert await cancelled_while_closing(redis_cluster.url, monkeypatch)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always", ResourceWarning)
        gc.collect()

    assert [str(warning.message) for warning in seen] == []


async def cancelled_while_closing(url: str, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Cancel a command when redis-py begins to close a connection; return True when it ended as cancelled."""
    place = parse_journal_url(url)
    assert isinstance(place, RedisPlace)
    client = RedisClient(place)
    close = redis.asyncio.Redis.aclose

    async def close_while_cancelled(of: Any) -> None:
        command.cancel()
        await close(of)

    monkeypatch.setattr(redis.asyncio.Redis, "aclose", close_while_cancelled)
    command = asyncio.ensure_future(client.command("GET", "a"))
    await asyncio.wait([command])
    await client.aclose()
    return command.cancelled()


async def test_a_journal_that_is_closed_while_it_connects_stays_closed(redis_server: RedisServer) -> None:
    """The first command ends with it, and leaves no connection."""
    journal = bkjob.open_journal(redis_server.url)
    command = asyncio.create_task(journal.fleets())
    await asyncio.sleep(0)
    await journal.aclose()
    with pytest.raises(bkjob.ClientClosed):
        await command
    await asyncio.sleep(0.05)
    with redis_server.client() as client:
        assert len(client.client_list()) == 1  # its own
