"""A store in a Redis server or cluster, for processes of several machines."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from bkjob_async.errors import FleetBusy, JournalDamaged, JournalError, JournalTooNew, NotAJournal
from bkjob_async.journal.fleet_row import superseded
from bkjob_async.journal.keep import KEEP, Keep, Keeps
from bkjob_async.journal.redis import scripts
from bkjob_async.journal.redis.client import RedisClient
from bkjob_async.journal.redis.replies import (
    data_of,
    entry_id,
    entry_number,
    fields_of,
    hash_of,
    list_of,
    reading,
    seconds_of,
    text_of,
    whole_number,
)
from bkjob_async.journal.store import (
    ALIVE_SECONDS,
    INBOX_PAGE,
    PAGE_BYTES,
    Checkpoint,
    FleetEntry,
    Holder,
    InboxEntry,
    KeyChanges,
    Keys,
    Opened,
    Page,
    StoredRecord,
    check_size,
)
from bkjob_async.journal.urls import RedisPlace
from bkjob_async.model.journal_errors import StoreBehind

# Seconds that one waiting read blocks; a connection waits no longer than for any other response.
BLOCK_SECONDS = 1.0

# In a cluster, heads are looked at so many at a time, again after so many seconds, and less often where nothing happens.
ASKED_AT_ONCE = 16
FIRST_PAUSE, LAST_PAUSE = 0.05, 0.5

MAX_RECORDS = 1000
# One call removes old records in so many portions at most; the next goes on.
PORTIONS = 1000


class RedisStore:
    """Fleets in Redis: what is written is as safe as the server makes it.

    With append-only files (`appendfsync always`) nothing that was reported is lost when the server is restarted. A
    failover to a replica may lose the newest writes; the holder notices that and stores them again.
    """

    def __init__(self, place: RedisPlace, keep: Keep = KEEP) -> None:
        """Prepare; raises `UsageError` where redis-py is not installed. Nothing is sent."""
        self._place = place
        self.keeps = Keeps(keep)
        self._client = RedisClient(place)

    def __repr__(self) -> str:
        return f"<RedisStore {self._place}>"

    async def aclose(self) -> None:
        """Close all connections; harmless when repeated."""
        await self._client.aclose()

    # Writing --------------------------------------------------------------------------------------------------------

    async def open(self, name: str, holder: Holder, *, take_over: bool, after_term: int = 0) -> Opened:
        """Take the fleet *name* for *holder*, and begin its next term."""
        found = await self._run(
            scripts.OPEN, name, holder.host, holder.pid, int(take_over), ALIVE_SECONDS, after_term
        )
        with self._reading():
            term, head, silence = found
            return Opened(whole_number(term), whole_number(head), seconds_of(silence) if silence else None)

    async def append(
        self,
        name: str,
        *,
        term: int,
        head: int,
        records: Sequence[StoredRecord],
        targets: int,
        taken_up: int = 0,
    ) -> None:
        """Append *records*, all or none, behind number *head*, and remove what they take up from the inbox."""
        rows = (value for record in records for value in (record.sequence, repr(record.time), record.data))
        newest_entry = entry_id(taken_up) if taken_up else ""
        await self._run(scripts.APPEND, name, term, head, targets, newest_entry, *rows)

    async def write_checkpoint(
        self, name: str, checkpoint: Checkpoint, *, term: int, all_behind: int | None = None
    ) -> None:
        """Replace the fleet's checkpoint, and remove what is older than it and not kept any more."""
        count = 0
        for portion in portions(checkpoint.parts) or [[]]:
            await self._run(scripts.PUT_PARTS, name, term, count, *portion)
            count += len(portion)
        behind = "" if all_behind is None else all_behind
        await self._run(scripts.USE_PARTS, name, term, checkpoint.sequence, count, behind)
        await self._remove_oldest(name, term)

    async def give_sign_of_life(self, name: str, *, term: int) -> int:
        """Record that the holder lives, and remove what has become too old; return the head."""
        found = await self._run(scripts.GIVE_SIGN_OF_LIFE, name, term)
        await self._remove_oldest(name, term)
        with self._reading():
            return whole_number(found[0])

    async def release(self, name: str, *, term: int) -> None:
        """Record that the holder has ended."""
        await self._run(scripts.RELEASE, name, term)

    async def forget(self, name: str) -> None:
        """Remove a fleet with all it has; only its term is kept for a while, so that its holder is refused."""
        await self._run(scripts.FORGET, name)

    async def _remove_oldest(self, name: str, term: int) -> None:
        """Remove what is not kept any more, in portions between which others write."""
        keep = self.keeps.of(name)
        for _ in range(PORTIONS):
            # By the server's clock: that of this machine may be ahead, and would remove what others wrote.
            removed = await self._run(scripts.REMOVE_OLDEST, name, term, keep.age.total_seconds(), keep.bytes)
            with self._reading():
                if not whole_number(removed[0]):
                    return

    # Reading --------------------------------------------------------------------------------------------------------

    async def checkpoint(self, name: str, *, text: bytes = b"") -> Checkpoint | None:
        """Return the fleet's checkpoint, None where there is none or no such fleet."""
        sequence = b""
        parts: list[bytes] = []
        size = 0
        while True:
            facts = await self._run(scripts.READ_PARTS, name, len(parts), PAGE_BYTES, sequence, text)
            with self._reading():
                found = data_of(facts[0])
                if not found:
                    return None
                more = [data_of(part) for part in list_of(facts[1])]
                if sequence not in (b"", found):  # replaced meanwhile
                    parts, size = [], 0
                else:
                    parts += more
                    page = max(whole_number(facts[2]), sum(map(len, more)))
                    size += page
                    check_size(name, size)
                    if page < PAGE_BYTES:
                        return Checkpoint(whole_number(found), parts)
            sequence = found

    async def read(self, name: str, after: int, *, limit: int = MAX_RECORDS, text: bytes = b"") -> Page:
        """Return the records behind number *after*, at most *limit* of them."""
        facts = await self._run(scripts.READ, name, after + 1, min(limit, MAX_RECORDS), PAGE_BYTES, text)
        with self._reading():
            removed_to, rows = facts
            records = [
                StoredRecord(
                    whole_number(data_of(number).partition(b"-")[0]), seconds_of(made_at), data_of(data)
                )
                for number, made_at, data in map(list_of, list_of(rows))
            ]
            return Page(records, whole_number(removed_to))

    async def wait_any(self, places: Mapping[str, int], *, seconds: float) -> Collection[str]:
        """Return the fleets that have a record behind their number, none after so many *seconds*.

        A server lets one connection wait for all of them. In a cluster they lie in many slots, and several are asked one by
        one.
        """
        loop = asyncio.get_running_loop()
        end, pause = loop.time() + seconds, FIRST_PAUSE
        by_heads = len(places) > 1 and await self._client.is_cluster()
        while True:
            remaining = end - loop.time()
            found = await (
                self._heads_behind(places) if by_heads else self._streams_behind(places, remaining)
            )
            if found or remaining <= 0:
                return found
            if by_heads:
                await asyncio.sleep(min(pause, remaining))
                pause = min(pause * 1.5, LAST_PAUSE)

    async def _streams_behind(self, places: Mapping[str, int], seconds: float) -> list[str]:
        """Return the fleets whose streams have a record behind their number; wait for one a moment."""
        names = {keys_of(name)[1]: name for name in places}
        block = ("BLOCK", max(1, int(1000 * min(seconds, BLOCK_SECONDS)))) if seconds > 0 else ()
        numbers = (f"{after}-0" for after in places.values())
        found: Any = await self._client.command("XREAD", "COUNT", 1, *block, "STREAMS", *names, *numbers)
        with self._reading():
            rows = found.items() if isinstance(found, dict) else list_of(found or [])
            return [names[text_of(key)] for key, _ in rows]

    async def _heads_behind(self, places: Mapping[str, int]) -> list[str]:
        """Return the fleets whose heads lie behind their number."""
        found: list[str] = []
        asked = [*places.items()]
        for start in range(0, len(asked), ASKED_AT_ONCE):
            some = asked[start : start + ASKED_AT_ONCE]
            commands = (self._client.command("HGET", keys_of(name)[0], "head") for name, _ in some)
            heads = await asyncio.gather(*commands)
            with self._reading():
                found += [
                    name
                    for (name, after), head in zip(some, heads, strict=True)
                    if whole_number(head or 0) > after
                ]
        return found

    async def fleets(self) -> Sequence[FleetEntry]:
        """Return all fleets, by name."""
        keys = await self._client.keys(keys_of("*")[0])
        names = sorted(key.removeprefix("{bkjob:").removesuffix("}:fleet") for key in keys)
        return [fleet for fleet in [await self.fleet(name) for name in names] if fleet is not None]

    async def fleet(self, name: str) -> FleetEntry | None:
        """Return one fleet, None where there is no such fleet."""
        found = await self._client.command("HGETALL", keys_of(name)[0])
        with self._reading():
            facts = hash_of(found)
            return entry_of(name, facts) if facts and b"forgotten" not in facts else None

    # Inboxes --------------------------------------------------------------------------------------------------------

    async def put(self, name: str, entries: Sequence[bytes]) -> None:
        """Put *entries* into the inbox of a fleet."""
        await self._run(scripts.PUT_INTO_INBOX, name, *entries)

    async def inbox(self, name: str, after: int) -> Sequence[InboxEntry]:
        """Return the entries of an inbox behind number *after*, at most `INBOX_PAGE`."""
        rows = await self._client.command(
            "XRANGE", keys_of(name)[-1], entry_id(after + 1), "+", "COUNT", INBOX_PAGE
        )
        found: list[InboxEntry] = []
        with self._reading():
            for number, fields in map(fields_of, list_of(rows)):
                entry = InboxEntry(entry_number(number), data_of(fields[1]))
                if entry.number <= after:  # who reads on behind it would be given it for ever
                    raise JournalDamaged("the entries of an inbox are not in order")
                found.append(entry)
                after = entry.number
        return found

    async def inbox_size(self, name: str) -> int:
        """Return how many entries wait in an inbox."""
        size = await self._client.command("XLEN", keys_of(name)[-1])
        with self._reading():
            return whole_number(size)

    # Keys -----------------------------------------------------------------------------------------------------------

    async def keys(self, space: str, names: Sequence[str] = ()) -> Keys:
        """Return the keys of a space that have one of *names*, or all."""
        key, names = space_keys(space)[0], ("format", *names) if names else ()
        found = await (
            self._client.command("HMGET", key, *names) if names else self._client.command("HGETALL", key)
        )
        with self._reading():
            if names:
                pairs = zip(names, list_of(found), strict=True)
                facts = {name: data_of(value) for name, value in pairs if value is not None}
            else:
                facts = {name.decode(): value for name, value in hash_of(found).items()}
            version = whole_number(facts.pop("format", 0))
            if version > scripts.FORMAT or (facts and not version):
                raise not_usable(b"new" if version else b"foreign", [version], key, str(self._place))
            return facts

    async def change_keys(self, space: str, changes: KeyChanges, *, expected: KeyChanges) -> bool:
        """Set and remove keys, if those that are *expected* are there."""
        words = [
            word
            for name, value in (*expected.items(), *changes.items())
            for word in (name, int(value is not None), value or b"")
        ]
        found = await self._run(scripts.CHANGE_KEYS, space, len(expected), *words, keys=space_keys(space))
        with self._reading():
            return whole_number(found[0]) == 1

    async def now(self) -> float:
        """Return the time of the server, in a cluster that of one of them."""
        response = await self._client.run(scripts.TELL_TIME, ["{bkjob:}:clock"], ())
        with self._reading():
            return seconds_of(response)

    # The scripts' responses -----------------------------------------------------------------------------------------

    async def _run(self, script: str, name: str, *arguments: Any, keys: Sequence[str] = ()) -> list[Any]:
        """Run a script for a fleet, or on other *keys*; return what it says, or raise the error that it names."""
        keys = keys or keys_of(name)
        response = await self._client.run(script, keys, arguments)
        shown = str(self._place)
        with self._reading():
            said, *facts = list_of(response)
            if said == b"ok":
                return facts
            if said == b"superseded":
                holder = Holder(text_of(facts[1]), whole_number(facts[2])) if facts[1] else None
                raise superseded(name, int(arguments[0]), whole_number(facts[0]), holder)
            if said == b"behind":
                term, head = whole_number(facts[0]), whole_number(facts[1])
                raise StoreBehind(
                    f"the store has the records of {name!r} up to {head}", term=term, head=head, journal=shown
                )
            if said == b"busy":
                host, pid, seconds = text_of(facts[0]), whole_number(facts[1]), seconds_of(facts[2])
                raise FleetBusy(name, host=host, pid=pid, seconds=seconds, journal=shown)
            raise not_usable(said, facts, keys[0], shown)

    def _reading(self) -> AbstractContextManager[None]:
        """Read a response within this."""
        return reading(str(self._place))


def keys_of(name: str) -> tuple[str, ...]:
    """Return the keys of a fleet; what stands between the braces puts them into one slot of a cluster."""
    parts = ("fleet", "records", "checkpoint", "checkpoint-being-written", "inbox")
    return tuple(f"{{bkjob:{name}}}:{part}" for part in parts)


def space_keys(space: str) -> tuple[str, str]:
    """Return the key of a key space, and that under which earlier versions kept durations."""
    return f"{{bkjob:{space}}}:shards", f"{{bkjob:{space}}}:durations"


def portions(parts: Sequence[bytes]) -> list[list[bytes]]:
    """Return *parts* in portions of about a megabyte."""
    found: list[list[bytes]] = []
    size = PAGE_BYTES
    for part in parts:
        if size >= PAGE_BYTES:
            found.append([])
            size = 0
        found[-1].append(part)
        size += len(part)
    return found


def entry_of(name: str, facts: dict[bytes, bytes]) -> FleetEntry:
    """Return a fleet as the list shows it."""
    if not facts.keys() >= {b"term", b"host", b"pid", b"last_seen", b"held"}:
        raise JournalDamaged(f"what the key of {name!r} holds cannot be read")
    return FleetEntry(
        name=name,
        targets=whole_number(facts.get(b"targets", 0)),
        term=whole_number(facts[b"term"]),
        head=whole_number(facts.get(b"head", 0)),
        holder=Holder(text_of(facts[b"host"]), whole_number(facts[b"pid"])),
        last_seen=seconds_of(facts[b"last_seen"]),
        size=whole_number(facts.get(b"size", 0)),
        is_held=facts[b"held"] == b"1",
        refused=whole_number(facts.get(b"refused", 0)),
    )


def not_usable(said: bytes, facts: Sequence[Any], key: str, shown: str) -> JournalError:
    """Return the error of a script that found another version, or a *key* of another program; *shown* names the journal."""
    if said == b"new":
        return JournalTooNew(
            f"its version is {whole_number(facts[0])}, this package knows {scripts.FORMAT}", journal=shown
        )
    if said == b"lost":
        return JournalDamaged(
            f"the key {text_of(facts[0])} is gone, and with it the state of a fleet: a server may not evict keys of journals",
            journal=shown,
        )
    if said != b"foreign":
        raise ValueError(said)
    return NotAJournal(f"the key {key} belongs to another program", journal=shown)
