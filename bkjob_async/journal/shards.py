"""What is kept of a fleet in shards beside the journals of its shards; written once, above the keys and logs of any store.

A fleet in shards has settings, and so many shards, each of which is a fleet of its own in the journal: shard 3 of `night`
is the fleet `night/3`, with a term, a head, a log and an inbox. The key space `night` has

| key | value |
| --- | --- |
| `settings` | as they were given last: where there are none, there is no fleet |
| `created` | when, in Unix seconds |
| `stopped` | `1` for a fleet that was stopped, otherwise `0` |
| `removing` | `1` for one that is being removed, `copy` for one that is being copied to, otherwise it is missing |
| `shard:3` | the figures that the runner of the shard reported last: term, targets, active, claim |
| `active`, `claimed` | the sums of these over all shards |
| `failure:3` | what ended the newest runner of the shard; missing while one works |

and the key space `night/3` has the `durations` that runners of the shard measured.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from math import isfinite
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from bkjob_async.errors import FleetNotFound, JournalDamaged, JournalError, JournalUnavailable
from bkjob_async.journal.store import KeyChanges, Keys, Store

_SHARD = re.compile(r"/\d+$")
_FIGURES, _FAILURE = re.compile(r"shard:(\d{1,9})"), re.compile(r"failure:(\d{1,9})")
# Figures are four whole numbers, of less than 64 bits.
_NUMBERS = re.compile(rb"\d{1,18}( \d{1,18}){3}")
# The mark of a fleet that is being copied to; what an earlier version wrote is `1`.
COPYING = b"copy"
# A change is decided on so many times while others change the same keys.
ATTEMPTS = 100

R = TypeVar("R")


class FleetRecord(Struct, frozen=True):
    """A fleet in shards: its *settings*, when it was created (Unix seconds), and what time the store has *now*.

    One that *is_being_removed* is there for nobody but those who remove it.
    """

    settings: bytes
    created: float
    is_stopped: bool
    now: float
    is_being_removed: bool = False


class ShardFigures(Struct, frozen=True):
    """What a runner reported of its shard in *term*: how many *targets* it has, and how many of them are *active*, not over.

    *claim* is the part of the fleet's rate that it asks for, and that it has in what a store returns: whole millionths of a
    request per second.
    """

    term: int = 0
    targets: int = 0
    active: int = 0
    claim: int = 0


class ShardReply(Struct, frozen=True):
    """The answer to a sign of life: the *active* targets of all shards together, and what was *granted* of the claim.

    *settings* are those of the fleet now.
    """

    active: int
    granted: int
    is_stopped: bool
    settings: bytes


class ShardStore:
    """Fleets in shards in any store; errors are those of the store. *fleet* is the name of the fleet, *shard* a number from 0 on.

    What raises `FleetNotFound` for a fleet that there is not does so for one that is being removed.
    """

    def __init__(self, store: Store) -> None:
        """Use *store*; nothing is kept here."""
        self._store = store

    # The fleet ------------------------------------------------------------------------------------------------------

    async def create(self, fleet: str, settings: bytes) -> bytes:
        """Create a fleet unless it exists, and return the settings that it has.

        A fleet that was stopped, and has these settings, is not stopped any more. Raises `FleetNotFound` for one that is
        being removed.
        """
        new = await self._new(settings)

        def decide(keys: Keys) -> tuple[KeyChanges, bytes]:
            if "settings" not in keys:
                return new, settings
            check_usable(keys, fleet)
            return {"stopped": b"0"} if keys["settings"] == settings else {}, keys["settings"]

        # A store that has nothing yet is not read before something is written.
        if await self._store.change_keys(fleet, new, expected={"settings": None}):
            return settings
        return await self._update(fleet, decide)

    async def _new(self, settings: bytes) -> dict[str, bytes]:
        created = f"{await self._store.now():.6f}".encode()
        return {"settings": settings, "created": created, "stopped": b"0", "active": b"0", "claimed": b"0"}

    async def begin_copy(self, fleet: str, settings: bytes) -> float | None:
        """Create a fleet that is there for nobody before `end_copy`, and return when; None where one is there."""
        new = {**await self._new(settings), "removing": COPYING}
        created = float(new["created"])
        try:
            is_new = await self._store.change_keys(fleet, new, expected={"settings": None})
        except BaseException:  # it may have been carried out
            with suppress(JournalError):
                await self.cancel_copy(fleet, created, 0)
            raise
        return created if is_new else None

    async def check_copy(self, fleet: str, created: float) -> None:
        """Raise `FleetNotFound` unless the copy that was begun at this time is still there."""
        check_is_copy(await self._store.keys(fleet, ("settings", "removing", "created")), fleet, created)

    async def end_copy(self, fleet: str, created: float, figures: Mapping[int, ShardFigures]) -> None:
        """Let all use a fleet, with the *figures* of its shards; raises `FleetNotFound` where it was removed meanwhile."""
        active = sum(each.active for each in figures.values())
        changes: KeyChanges = {
            "removing": None,
            "active": b"%d" % active,
            **{f"shard:{shard}": encoded_figures(each) for shard, each in figures.items()},
        }

        def decide(keys: Keys) -> tuple[KeyChanges, None]:
            check_is_copy(keys, fleet, created)
            return changes, None

        await self._update(fleet, decide)

    async def cancel_copy(self, fleet: str, created: float, shards: int) -> None:
        """Take back what was done since `begin_copy`, in so many *shards*; nothing where another has the name by now."""
        record = await self.record(fleet)
        if record is None or (record.is_being_removed and record.created == created):
            await self.remove(fleet, shards)

    async def record(self, fleet: str) -> FleetRecord | None:
        """Return a fleet's record, None where there is no such fleet."""
        keys = await self._store.keys(fleet)
        if "settings" not in keys:
            return None
        created, now = seconds_in(keys, "created", fleet), await self._store.now()
        return FleetRecord(keys["settings"], created, is_stopped(keys), now, "removing" in keys)

    async def change_settings(self, fleet: str, change: Callable[[bytes], bytes]) -> None:
        """Store what *change* returns for the settings that the fleet has; raises `FleetNotFound`, and what *change* raises."""

        def decide(keys: Keys) -> tuple[KeyChanges, None]:
            check_usable(keys, fleet)
            return {"settings": change(keys["settings"])}, None

        await self._update(fleet, decide)

    async def stop(self, fleet: str) -> None:
        """Record that the fleet is to stop; raises `FleetNotFound`."""

        def decide(keys: Keys) -> tuple[KeyChanges, None]:
            check_usable(keys, fleet)
            return {"stopped": b"1"}, None

        await self._update(fleet, decide)

    async def begin_removal(self, fleet: str) -> None:
        """Record that the fleet is being removed; raises `FleetNotFound` where there is none. Harmless when repeated."""

        def decide(keys: Keys) -> tuple[KeyChanges, None]:
            if "settings" not in keys:
                raise no_such_fleet(fleet)
            return {"removing": b"1"}, None

        await self._update(fleet, decide)

    async def remove(self, fleet: str, shards: int) -> None:
        """Remove what is kept of a fleet of so many *shards*, whose removal has begun; harmless when repeated."""
        for shard in range(shards):
            name = shard_name(fleet, shard)
            await self._store.forget(name)
            await self._store.change_keys(name, {"durations": None}, expected={})

        def decide(keys: Keys) -> tuple[KeyChanges, bool]:
            is_left = bool(keys) and ("removing" in keys or "settings" not in keys)
            return dict.fromkeys(keys) if is_left else {}, is_left

        while await self._update(fleet, decide):
            pass  # again, for something may have been stored in between

    # What runners report --------------------------------------------------------------------------------------------

    async def report(
        self,
        fleet: str,
        shard: int,
        figures: ShardFigures,
        *,
        limit: int = 0,
        condition: Callable[[str], str] = str,
    ) -> ShardReply:
        """Record a sign of life of the runner of a shard, and its *figures*.

        So much of the claim is granted that the claims of all shards together do not exceed *limit*. *condition* returns
        what the store is to have in place of what it has as the failure of the shard, empty text for nothing. Raises
        `Superseded` or `StoreBehind` for another term than that of the shard, and `FleetNotFound`.
        """
        name, failure, newest = f"shard:{shard}", f"failure:{shard}", figures.term

        def decide(keys: Keys) -> tuple[KeyChanges, ShardReply | int]:
            check_usable(keys, fleet)
            before = figures_in(keys, name, fleet)
            if before.term > newest:
                return {}, before.term
            active, claimed = number_in(keys, "active", fleet), number_in(keys, "claimed", fleet)
            active, others = active - before.active + figures.active, claimed - before.claim
            granted = granted_of(figures.claim, limit, others)
            changes = {
                failure: condition(text_in(keys, failure)).encode() or None,
                name: encoded_figures(replace(figures, claim=granted)),
                "active": b"%d" % active,
                "claimed": b"%d" % (others + granted),
            }
            return changes, ShardReply(active, granted, is_stopped(keys), keys["settings"])

        names = ("settings", "removing", "stopped", "active", "claimed", name, failure)
        while True:
            await self._store.give_sign_of_life(shard_name(fleet, shard), term=figures.term)
            reply = await self._update(fleet, decide, names)
            if isinstance(reply, ShardReply):
                return reply
            # Figures of a later term: either that has begun since, or the shard's log has lost it.
            newest = reply

    async def figures(self, fleet: str) -> Mapping[int, ShardFigures]:
        """Return the newest figures of each shard that ever had a runner."""
        keys = await self._store.keys(fleet)
        return {shard: figures_in(keys, name, fleet) for shard, name in names_in(keys, _FIGURES)}

    async def put_failure(self, fleet: str, shard: int, text: str) -> None:
        """Store what ended the runner of a shard; empty text for a runner that works. Nothing where there is no fleet."""
        changes = {f"failure:{shard}": text.encode() or None}
        await self._update(fleet, lambda keys: (changes if "settings" in keys else {}, None))

    async def failures(self, fleet: str) -> Mapping[int, str]:
        """Return what ended the newest runner of each shard where something did."""
        keys = await self._store.keys(fleet)
        return {shard: text_in(keys, name) for shard, name in names_in(keys, _FAILURE)}

    async def put_durations(self, fleet: str, shard: int, durations: bytes) -> None:
        """Store the durations that the runner of a shard measured, in place of what it had.

        Nothing where there is no fleet, or where it is being removed.
        """
        keys = await self._store.keys(fleet, ("settings", "removing"))
        if "settings" not in keys or "removing" in keys:
            return
        await self._store.change_keys(shard_name(fleet, shard), {"durations": durations}, expected={})

    async def durations(self, fleet: str, shard: int) -> bytes | None:
        """Return the durations that the runners of a shard measured, None for none."""
        return (await self._store.keys(shard_name(fleet, shard))).get("durations")

    async def _update(
        self, fleet: str, decide: Callable[[Keys], tuple[KeyChanges, R]], names: Sequence[str] = ()
    ) -> R:
        """Make the changes that *decide* returns for the keys of a fleet; return what it returns with them.

        It is given the keys that have one of *names*, or all. Where another process was quicker, it decides again;
        raises `JournalUnavailable` where others always are.
        """
        for _ in range(ATTEMPTS):
            keys = await self._store.keys(fleet, names)
            changes, result = decide(keys)
            expected = {name: keys.get(name) for name in ("settings", "removing", *changes)}
            if all(keys.get(name) == value for name, value in changes.items()) or (
                await self._store.change_keys(fleet, changes, expected=expected)
            ):
                return result
        raise JournalUnavailable(f"what is kept of the fleet {fleet!r} changes all the time; try again later")


def check_usable(keys: Keys, fleet: str) -> None:
    """Raise `FleetNotFound` unless the *keys* are those of a fleet that is not being removed."""
    if "settings" not in keys:
        raise no_such_fleet(fleet)
    if "removing" in keys:
        raise fleet_being_removed(fleet)


def check_is_copy(keys: Keys, fleet: str, created: float) -> None:
    """Raise `FleetNotFound` unless the *keys* are those of a copy that was begun at this time, and is not finished."""
    if keys.get("removing") != COPYING or seconds_in(keys, "created", fleet) != created:
        raise FleetNotFound(f"the fleet {fleet!r} was removed while it was copied to: copy it again")


def is_stopped(keys: Keys) -> bool:
    """Return True where the *keys* are those of a fleet that was stopped."""
    return keys.get("stopped") == b"1"


def names_in(keys: Keys, pattern: re.Pattern[str]) -> list[tuple[int, str]]:
    """Return the number of a shard and the key of each name that has the *pattern*."""
    matches = ((pattern.fullmatch(name), name) for name in keys)
    return [(int(match[1]), name) for match, name in matches if match]


def text_in(keys: Keys, name: str) -> str:
    """Return a text, an empty one for none."""
    return keys.get(name, b"").decode(errors="replace")


def figures_in(keys: Keys, name: str, fleet: str) -> ShardFigures:
    """Return the figures of a shard, those of none where it never had a runner; raise `JournalDamaged`."""
    if name not in keys:
        return ShardFigures()
    if not _NUMBERS.fullmatch(keys[name]):
        raise not_readable(fleet)
    return ShardFigures(*map(int, keys[name].split()))


def encoded_figures(figures: ShardFigures) -> bytes:
    """Return the figures of a shard as `figures_in` reads them."""
    return b"%d %d %d %d" % (figures.term, figures.targets, figures.active, figures.claim)


def number_in(keys: Keys, name: str, fleet: str) -> int:
    """Return a whole number, 0 for none; raise `JournalDamaged`."""
    text = keys.get(name, b"0")
    if not text.removeprefix(b"-").isdigit() or len(text) > 20:
        raise not_readable(fleet)
    return int(text)


def seconds_in(keys: Keys, name: str, fleet: str) -> float:
    """Return a time; raise `JournalDamaged`."""
    try:
        seconds = float(keys[name])
    except (KeyError, ValueError):
        raise not_readable(fleet) from None
    if not isfinite(seconds):
        raise not_readable(fleet)
    return seconds


def not_readable(fleet: str) -> JournalDamaged:
    """Return the error of keys that nobody wrote so."""
    return JournalDamaged(f"what the store has of the fleet {fleet!r} in shards cannot be read")


def shard_name(fleet: str, shard: int) -> str:
    """Return the name under which a shard is a fleet in the journal."""
    return f"{fleet}/{shard}"


def is_shard_name(name: str) -> bool:
    """Return True for the name of a shard."""
    return _SHARD.search(name) is not None


def granted_of(claim: int, limit: int, others: int) -> int:
    """Return how much of a *claim* is granted where *others* have so much of the *limit*."""
    return max(0, min(claim, limit - others))


async def no_such_log(store: Store, name: str) -> FleetNotFound:
    """Return the error of a fleet that was never opened; one in shards has a log for each of them, and none itself."""
    if "settings" in await store.keys(name, ("settings",)):
        return FleetNotFound(
            f"the fleet {name!r} is in shards: `bkjob fleet follow {name} --once --json` and Fleet.reader read all of them,"
            f" and {shard_name(name, 0)!r} is the name of the first"
        )
    return FleetNotFound(f"there is no fleet {name!r}")


def no_such_fleet(fleet: str) -> FleetNotFound:
    """Return the error of a fleet in shards that was never created."""
    return FleetNotFound(f"there is no fleet {fleet!r} in shards; create it first")


def fleet_being_removed(fleet: str) -> FleetNotFound:
    """Return the error of a fleet in shards whose removal has begun."""
    return FleetNotFound(
        f"the fleet {fleet!r} is being removed, or copied to; if that was interrupted, forget it"
    )
