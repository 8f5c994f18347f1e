"""Exchange with other shards how long runs of a name take."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import msgspec

from bkjob_async.client.client import JobClient
from bkjob_async.errors import JournalDamaged, JournalError, UsageError
from bkjob_async.many.fleet import Fleet

# A round asks so many other shards at most; the next one goes on behind them.
ASKED_AT_ONCE = 16
# The first exchange of durations, and the time between two.
FIRST_EXCHANGE_SECONDS, EXCHANGE_SECONDS = 10.0, 600.0

logger = logging.getLogger("bkjob_async")


def shards_to_ask(own: int, shards: int, round_number: int) -> Sequence[int]:
    """Return which shards are asked in a round, so that in some rounds all others are."""
    others = [(own + distance) % shards for distance in range(1, shards)]
    if len(others) <= ASKED_AT_ONCE:
        return others
    start = round_number * ASKED_AT_ONCE % len(others)
    return [others[(start + number) % len(others)] for number in range(ASKED_AT_ONCE)]


class DurationExchange:
    """Stores the durations that the *client* of a *shard* of so many *shards* measured, and takes over those that other shards measured better."""

    def __init__(self, fleet: Fleet, shard: int, shards: int, client: JobClient) -> None:
        self._fleet = fleet
        self._shard = shard
        self._shards = shards
        self._client = client
        self._rounds = 0
        self._exchange_at: float | None = None
        self._exchanging: asyncio.Task[None] | None = None

    async def store(self) -> None:
        """Store the durations; where the store cannot, the next exchange does."""
        try:
            data = msgspec.msgpack.encode(self._client.export_durations())
            await self._fleet.journal.shards.put_durations(self._fleet.name, self._shard, data)
        except JournalError as error:
            logger.debug(
                "the durations of shard %s/%d were not stored: %s", self._fleet.name, self._shard, error
            )

    def go_on(self, now: float) -> None:
        """Exchange from time to time, in a task: signs of life must not wait for so many answers. Raise what ended one."""
        exchanging, exchange_at = self._exchanging, self._exchange_at
        if exchanging is not None and exchanging.done():
            self._exchanging = None
            exchanging.result()
        elif exchange_at is None:
            self._exchange_at = now + FIRST_EXCHANGE_SECONDS
        elif exchanging is None and now >= exchange_at:
            self._exchange_at = now + EXCHANGE_SECONDS
            self._exchanging = asyncio.get_running_loop().create_task(self.exchange())

    async def aclose(self) -> None:
        """End an exchange that is under way; raise what ended it before."""
        exchanging, self._exchanging = self._exchanging, None
        if exchanging is not None:
            exchanging.cancel()
            await asyncio.wait([exchanging])
            if not exchanging.cancelled():
                exchanging.result()

    async def exchange(self) -> None:
        """Store the durations, and take over those that some other shards measured better."""
        await self.store()
        for other in shards_to_ask(self._shard, self._shards, self._rounds):
            try:
                found = await self._fleet.journal.shards.durations(self._fleet.name, other)
                if found is not None:
                    self._client.import_durations(decoded(found))
            except (JournalError, UsageError) as error:
                logger.debug(
                    "the durations of shard %d of %s were not read: %s", other, self._fleet.name, error
                )
            await asyncio.sleep(0)
        self._rounds += 1


def decoded(data: bytes) -> dict[str, Any]:
    """Return durations from their bytes; raise `JournalDamaged`."""
    try:
        return msgspec.msgpack.decode(data, type=dict[str, Any])
    except (msgspec.DecodeError, ValueError) as error:
        raise JournalDamaged("the durations of a shard cannot be read") from error
