"""Read all that was recorded in a journal, as values of JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import bkjob_async as bkjob
from tests.recorded.story import MANY, NAME, SHORT


async def read_all(url: str, gone: str, place: str) -> dict[str, Any]:
    """Return what each fleet reports; *gone* is a cursor of what is not kept any more, *place* one of the fleet in shards."""
    async with bkjob.open_journal(url) as journal, bkjob.Fleet(MANY, journal=url) as fleet:
        whole = [batch async for batch in journal.follow(NAME, live=False)]
        present = [batch async for batch in journal.follow(SHORT, live=False)]
        skipped = [batch async for batch in journal.follow(SHORT, after=gone, live=False)]
        async with fleet.reader(live=False) as reader:
            shards = [batch async for batch in reader]
        async with fleet.reader(after=place, live=False) as reader:
            behind = [batch async for batch in reader]
        settings = await fleet.settings()
    return {
        NAME: {"batches": [batch.cursor for batch in whole], "events": events_of(whole)},
        SHORT: {"present": events_of(present), "after": gone, "skipped": events_of(skipped)},
        MANY: {
            "events": in_order(shards),
            "after": place,
            "behind": in_order(behind),
            "url": settings.url,
            "shards": settings.placement.shards,
        },
    }


def events_of(batches: Iterable[bkjob.Batch]) -> list[dict[str, Any]]:
    """Return the events of batches."""
    return [bkjob.event_to_json(event) for batch in batches for event in batch.events]


def in_order(batches: Iterable[bkjob.Batch]) -> list[dict[str, Any]]:
    """Return the events of several shards, which are read side by side, in the order of their text."""
    return sorted(events_of(batches), key=json.dumps)


def says_as_much(now: Any, before: Any) -> bool:
    """Return True if a value of JSON says all that it said *before*; it may have more keys."""
    if isinstance(before, dict):
        return isinstance(now, dict) and all(
            key in now and says_as_much(now[key], value) for key, value in before.items()
        )
    if isinstance(before, list):
        return isinstance(now, list) and len(now) == len(before) and all(map(says_as_much, now, before))
    return bool(now == before)
