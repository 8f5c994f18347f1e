"""Fleets in shards in a Redis server or cluster.

The keys of a fleet lie in one slot, those of each shard in another: `{bkjob:night}:shards` is a hash of the settings and of
the figures of all shards; `{bkjob:night/3}:inbox` a stream, beside the keys of the journal of shard 3.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from bkjob_async.errors import JournalDamaged, JournalError, JournalTooNew, NotAJournal
from bkjob_async.journal.redis import scripts
from bkjob_async.journal.redis.client import RedisClient
from bkjob_async.journal.redis.replies import (
    checked_number,
    data_of,
    hash_of,
    int_of,
    list_of,
    reading,
    seconds_of,
    whole_number,
)
from bkjob_async.journal.shards import (
    INBOX_PAGE,
    FleetRecord,
    InboxEntry,
    ShardFigures,
    ShardReply,
    fleet_being_removed,
    no_such_fleet,
    shard_name,
)

_ENTRY_BITS = 20
_FIGURES, _FAILURE = re.compile(rb"shard:(\d+)"), re.compile(rb"failure:(\d+)")

# Runs a script of the journal of one fleet, and raises the errors that it names.
RunScript = Callable[..., Awaitable[list[Any]]]

# The hash is a fleet's in shards, of a version that is known here.
_CHECKED = f"""
local known = redis.call('HMGET', KEYS[1], 'format', 'settings', 'stopped', 'removing')
if not known[1] and redis.call('EXISTS', KEYS[1]) == 1 then return {{'foreign'}} end
if known[1] and tonumber(known[1]) > {scripts.FORMAT} then return {{'new', known[1]}} end
"""

# And it exists, or may be created.
_USABLE = (
    _CHECKED
    + """
if known[4] then return {'removing'} end
"""
)

# ARGV: settings.
CREATE = scripts.Script(
    _USABLE
    + f"""
if not known[1] then
  local t = redis.call('TIME')
  redis.call('HSET', KEYS[1], 'format', {scripts.FORMAT}, 'settings', ARGV[1], 'stopped', 0, 'active', 0, 'claimed', 0,
    'created', string.format('%d.%06d', t[1], t[2]))
  return {{'ok', ARGV[1]}}
end
if known[2] == ARGV[1] then redis.call('HSET', KEYS[1], 'stopped', 0) end
return {{'ok', known[2]}}
"""
)

RECORD = scripts.Script(
    _CHECKED
    + """
if not known[1] then return {'none'} end
local t = redis.call('TIME')
local created = redis.call('HGET', KEYS[1], 'created')
return {'ok', known[2], created, known[3], string.format('%d.%06d', t[1], t[2]), known[4] or ''}
"""
)

STOP = scripts.Script(
    _USABLE
    + scripts.EVEN_IF_FULL
    + """
if not known[1] then return {'none'} end
redis.call('HSET', KEYS[1], 'stopped', 1)
return {'ok'}
"""
)

BEGIN_REMOVAL = scripts.Script(
    _CHECKED
    + scripts.EVEN_IF_FULL
    + """
if not known[1] then return {'none'} end
redis.call('HSET', KEYS[1], 'removing', 1)
return {'ok'}
"""
)

REMOVE = scripts.Script(
    _CHECKED
    + """
if known[4] then redis.call('UNLINK', KEYS[1]) end
return {'ok'}
"""
)

# ARGV: number of the shard, term, targets, active, claim, limit of all claims. What an earlier term says counts no more.
# Lua's numbers are exact up to 2^53; %d keeps them from being written as 1e+15.
PUT_FIGURES = scripts.Script(
    _USABLE
    + scripts.EVEN_IF_FULL
    + """
if not known[1] then return {'none'} end
local field, was, had = 'shard:' .. ARGV[1], 0, 0
local old = redis.call('HGET', KEYS[1], field)
if old then
  local term, _, active, claim = string.match(old, '(%d+) (%d+) (%d+) (%d+)')
  was, had = tonumber(active), tonumber(claim)
  if tonumber(term) > tonumber(ARGV[2]) then
    return {'ok', redis.call('HGET', KEYS[1], 'active'), '0', known[3]}
  end
end
local others = tonumber(redis.call('HGET', KEYS[1], 'claimed')) - had
local granted = math.max(0, math.min(tonumber(ARGV[5]), tonumber(ARGV[6]) - others))
local shown = string.format('%d', granted)
redis.call('HSET', KEYS[1], field, ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. ARGV[4] .. ' ' .. shown)
redis.call('HINCRBY', KEYS[1], 'claimed', string.format('%d', granted - had))
return {'ok', redis.call('HINCRBY', KEYS[1], 'active', string.format('%d', tonumber(ARGV[4]) - was)), shown, known[3]}
"""
)


# ARGV: number of the shard, text or nothing.
PUT_FAILURE = scripts.Script(
    _CHECKED
    + """
if not known[1] then return {'ok'} end
redis.call('HDEL', KEYS[1], 'failure:' .. ARGV[1])
if ARGV[2] ~= '' then redis.call('HSET', KEYS[1], 'failure:' .. ARGV[1], ARGV[2]) end
return {'ok'}
"""
)


class RedisShards:
    """Fleets in shards in Redis, through the client of a store."""

    def __init__(self, client: RedisClient, run_script: RunScript, shown: str) -> None:
        """Use the *client* of a store; *run_script* runs the scripts of its journals. *shown* names it in errors."""
        self._client = client
        self._run_script = run_script
        self._shown = shown

    async def create(self, fleet: str, settings: bytes) -> bytes:
        """Create a fleet unless it exists, and return the settings that it has."""
        found = await self._run(CREATE, fleet, settings)
        with reading(self._shown):
            return data_of(found[0])

    async def record(self, fleet: str) -> FleetRecord | None:
        """Return a fleet's record, None where there is no such fleet."""
        found = await self._run(RECORD, fleet, may_be_missing=True)
        if not found:
            return None
        with reading(self._shown):
            settings, created, stopped, now, removing = found
            return FleetRecord(
                data_of(settings), seconds_of(created), stopped == b"1", seconds_of(now), removing == b"1"
            )

    async def stop(self, fleet: str) -> None:
        """Record that the fleet is to stop."""
        await self._run(STOP, fleet)

    async def begin_removal(self, fleet: str) -> None:
        """Record that the fleet is being removed."""
        await self._run(BEGIN_REMOVAL, fleet)

    async def remove(self, fleet: str, shards: int) -> None:
        """Remove what is kept of a fleet of so many *shards* beside their journals."""
        for shard in range(shards):
            name = shard_name(fleet, shard)
            await self._client.command("UNLINK", inbox_key(name), durations_key(name))
        await self._run(REMOVE, fleet)

    async def put(self, fleet: str, shard: int, entries: Sequence[bytes]) -> None:
        """Append *entries* to the inbox of a shard."""
        await self._run_script(scripts.PUT_INTO_INBOX, shard_name(fleet, shard), *entries)

    async def inbox(self, fleet: str, shard: int, after: int) -> Sequence[InboxEntry]:
        """Return the entries behind number *after*, at most `INBOX_PAGE`."""
        words = ("XRANGE", inbox_key(shard_name(fleet, shard)), entry_id(after + 1), "+", "COUNT", INBOX_PAGE)
        rows = await self._client.command(*words)
        found: list[InboxEntry] = []
        with reading(self._shown):
            for number, fields in map(fields_of, list_of(rows)):
                entry = InboxEntry(entry_number(number), data_of(fields[1]))
                if entry.number <= after:  # who reads on behind it would be given it for ever
                    raise JournalDamaged("the entries of an inbox are not in order")
                found.append(entry)
                after = entry.number
        return found

    async def inbox_size(self, fleet: str, shard: int) -> int:
        """Return how many entries wait in the inbox of a shard."""
        size = await self._client.command("XLEN", inbox_key(shard_name(fleet, shard)))
        with reading(self._shown):
            return whole_number(size)

    async def report(self, fleet: str, shard: int, figures: ShardFigures, *, limit: int = 0) -> ShardReply:
        """Record a sign of life of the runner of a shard, and its *figures*."""
        life = await self._run_script(scripts.GIVE_SIGN_OF_LIFE, shard_name(fleet, shard), figures.term)
        reported = (figures.term, figures.targets, figures.active, figures.claim)
        found = await self._run(PUT_FIGURES, fleet, shard, *reported, limit)
        with reading(self._shown):
            active, granted, stopped = found
            return ShardReply(
                whole_number(active), whole_number(granted), stopped == b"1", whole_number(life[0])
            )

    async def figures(self, fleet: str) -> Mapping[int, ShardFigures]:
        """Return the newest figures of each shard that ever had a runner."""
        found: dict[int, ShardFigures] = {}
        facts = await self._facts(fleet)
        with reading(self._shown):
            for name, value in facts.items():
                if shard := _FIGURES.fullmatch(name):
                    words = value.split()
                    if len(words) != len(ShardFigures.__struct_fields__):
                        raise JournalDamaged(f"the figures of the shards of {fleet!r} cannot be read")
                    found[whole_number(shard[1])] = ShardFigures(*map(whole_number, words))
        return found

    async def put_failure(self, fleet: str, shard: int, text: str) -> None:
        """Store what ended the runner of a shard; empty text for a runner that works."""
        await self._run(PUT_FAILURE, fleet, shard, text)

    async def failures(self, fleet: str) -> Mapping[int, str]:
        """Return what ended the newest runner of each shard where something did."""
        matches = ((_FAILURE.fullmatch(name), text) for name, text in (await self._facts(fleet)).items())
        with reading(self._shown):
            return {whole_number(match[1]): text.decode(errors="replace") for match, text in matches if match}

    async def _facts(self, fleet: str) -> dict[bytes, bytes]:
        """Return the hash of a fleet."""
        found = await self._client.command("HGETALL", shards_key(fleet))
        with reading(self._shown):
            return hash_of(found)

    async def put_durations(self, fleet: str, shard: int, durations: bytes) -> None:
        """Store the durations that the runner of a shard measured."""
        await self._client.command("SET", durations_key(shard_name(fleet, shard)), durations)

    async def durations(self, fleet: str, shard: int) -> bytes | None:
        """Return the durations that the runners of a shard measured, None for none."""
        found = await self._client.command("GET", durations_key(shard_name(fleet, shard)))
        with reading(self._shown):
            return None if found is None else data_of(found)

    async def _run(
        self, script: scripts.Script, fleet: str, *arguments: Any, may_be_missing: bool = False
    ) -> list[Any]:
        """Run a script on the hash of a fleet; return what it says, or raise the error that it names."""
        response = await self._client.run(script, [shards_key(fleet)], arguments)
        with reading(self._shown):
            said, *facts = list_of(response)
            if said == b"ok":
                return facts
            if said == b"none":
                if may_be_missing:
                    return []
                raise no_such_fleet(fleet)
            if said == b"removing":
                raise fleet_being_removed(fleet)
            raise not_readable(said, facts, shards_key(fleet), self._shown)


def not_readable(said: bytes, facts: Sequence[Any], key: str, shown: str) -> JournalError:
    """Return the error of a script that found another version, or a *key* of another program; *shown* names the journal."""
    if said == b"new":
        return JournalTooNew(
            f"its version is {whole_number(facts[0])}, this package knows {scripts.FORMAT}", journal=shown
        )
    if said != b"foreign":
        raise ValueError(said)
    return NotAJournal(f"the key {key} belongs to another program", journal=shown)


def shards_key(fleet: str) -> str:
    """Return the key of a fleet's settings and figures."""
    return f"{{bkjob:{fleet}}}:shards"


def inbox_key(name: str) -> str:
    """Return the key of the inbox of a shard; *name* is the shard's in the journal."""
    return f"{{bkjob:{name}}}:inbox"


def durations_key(name: str) -> str:
    """Return the key of the durations that the runners of a shard measured."""
    return f"{{bkjob:{name}}}:durations"


def entry_id(number: int) -> str:
    """Return the id of an entry in its stream."""
    return f"{number >> _ENTRY_BITS}-{number & (1 << _ENTRY_BITS) - 1}"


def entry_number(entry: Any) -> int:
    """Return the number of the entry with this id: milliseconds and a count, as one."""
    milliseconds, _, count = data_of(entry).partition(b"-")
    return checked_number((int_of(milliseconds) << _ENTRY_BITS) + int_of(count))


def fields_of(row: Any) -> tuple[Any, Sequence[Any]]:
    """Return the id and the fields of an entry of a stream, as a list, however redis-py gives them."""
    number, fields = list_of(row)
    if isinstance(fields, dict):
        ((name, value),) = fields.items()
        return number, (name, value)
    return number, list_of(fields)
