"""The cursor of a reader of all shards: one text of the cursors of each."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bkjob_async.errors import UsageError

_CURSOR = re.compile(r"(?P<shards>\d+);(?P<places>(\d+:[\w.-]+(,\d+:[\w.-]+)*)?)")


def fleet_cursor(shards: int, cursors: Mapping[int, str]) -> str:
    """Return one cursor for those of the shards; empty text before the first batch."""
    places = ",".join(f"{shard}:{cursor}" for shard, cursor in sorted(cursors.items()) if cursor)
    return f"{shards};{places}" if places else ""


def shard_cursors(cursor: str | None, shards: int) -> dict[int, str]:
    """Return the cursor of each shard; raise `UsageError` for text that is not a cursor of so many *shards*."""
    if not cursor:
        return {}
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise UsageError(
            f"{cursor!r:.60} is not a cursor of a fleet's reader: store reader.cursor, not that of a batch or an event"
        )
    if int(found["shards"]) != shards:
        raise UsageError(
            f"this cursor is of a fleet of {found['shards']} shards; this one has {shards} shards"
        )
    places = [place.partition(":") for place in found["places"].split(",") if place]
    cursors = {int(shard): place for shard, _, place in places}
    if len(cursors) < len(places) or any(shard >= shards for shard in cursors):
        raise UsageError("this cursor names a shard twice, or one that there is not")
    return cursors
