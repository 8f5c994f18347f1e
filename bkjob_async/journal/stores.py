"""Create the store that the URL of a journal names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkjob_async.journal.keep import Keep
from bkjob_async.journal.store import Store
from bkjob_async.journal.urls import MemoryPlace, Place, SqlitePlace

if TYPE_CHECKING:
    from bkjob_async.journal.memory.store import MemoryStore

# The journals in memory, by name: all who open the same one in this process share it.
_in_memory: dict[str, MemoryStore] = {}


def store_at(place: Place, keep: Keep) -> Store:
    """Return a store at this *place*; nothing is opened yet."""
    # Imported when one is chosen: a client without a journal needs none of them.
    if isinstance(place, MemoryPlace):
        from bkjob_async.journal.memory.store import MemoryStore  # noqa: PLC0415 - see above

        return _in_memory.setdefault(place.name, MemoryStore(keep))
    if isinstance(place, SqlitePlace):
        from bkjob_async.journal.sqlite.store import SqliteStore  # noqa: PLC0415

        return SqliteStore(place, keep)
    from bkjob_async.journal.redis.store import RedisStore  # noqa: PLC0415

    return RedisStore(place, keep)
