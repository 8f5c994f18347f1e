"""Create the store that the URL of a journal names."""

from __future__ import annotations

from bkjob_async.journal.keep import Keep
from bkjob_async.journal.memory.store import MemoryStore
from bkjob_async.journal.redis.store import RedisStore
from bkjob_async.journal.sqlite.store import SqliteStore
from bkjob_async.journal.store import Store
from bkjob_async.journal.urls import MemoryPlace, Place, SqlitePlace

# The journals in memory, by name: all who open the same one in this process share it.
_in_memory: dict[str, MemoryStore] = {}


def store_at(place: Place, keep: Keep) -> Store:
    """Return a store at this *place*; nothing is opened yet."""
    if isinstance(place, MemoryPlace):
        return _in_memory.setdefault(place.name, MemoryStore(keep))
    if isinstance(place, SqlitePlace):
        return SqliteStore(place, keep)
    return RedisStore(place, keep)
