"""A fleet in shards: create it, add and drop targets, read what is reported, from any process."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self, Unpack

from bkjob_async.engine.journaling.inbox_entries import MAX_TARGETS, entries_of
from bkjob_async.errors import JournalDamaged, UsageError
from bkjob_async.journal.journal import Journal, open_journal
from bkjob_async.journal.keep import Keep
from bkjob_async.journal.shards import (
    FleetRecord,
    ShardFigures,
    fleet_being_removed,
    is_shard_name,
    no_such_fleet,
    shard_name,
)
from bkjob_async.journal.store import FleetEntry, Store, StoredRecord
from bkjob_async.journal.urls import MAX_NAME, check_fleet_name
from bkjob_async.many.concurrently import run_concurrently
from bkjob_async.many.management.copying import copy_fleet
from bkjob_async.many.management.removal import remove_fleet
from bkjob_async.many.placement import Placement
from bkjob_async.many.reader import FleetReader
from bkjob_async.many.settings import FleetSettings, SettingChanges
from bkjob_async.many.status import FleetStatus, ShardCondition, ShardStatus, shortened
from bkjob_async.model.base_error import WrongType
from bkjob_async.model.detail_level import DetailLevel
from bkjob_async.model.ref_input import RefLike, as_ref
from bkjob_async.model.refs import Ref, Scope
from bkjob_async.model.snapshot import JobSnapshot, StepSnapshot
from bkjob_async.wire.tracebacks import hide_call_arguments

# A name leaves room for the number of a shard behind it.
LONGEST_NAME = MAX_NAME - 5
# So many targets of a shard are sent at once: some entries of its inbox.
PUT_AT_ONCE = 20 * MAX_TARGETS
# Targets are sorted into shards so many at a time, so that others of the event loop have their turn.
SORTED_AT_ONCE = 5000


class Fleet:
    """Targets in so many shards, each of which one process anywhere runs; all that they share is a journal.

    Create it with `create`, give it targets with `add`, and read what is reported with `reader`, from any process.
    *journal* is what `open_journal` takes or returns. *shards*, from 1 to 1024, is needed to create the fleet and is
    fixed then; other processes may leave it out. A shard is run by `run_shard`, by `keep_placed` of
    `bkjob_async.many.on_dask`, or by `bkjob fleet run`. Leave a fleet with `aclose`, or open it with `async with`, to
    close the journal that its URL opened.
    """

    @hide_call_arguments
    def __init__(self, name: str, *, journal: str | Journal, shards: int | None = None) -> None:
        """Name the fleet; nothing is read or written yet. Raises `UsageError` for a name or URL that cannot be."""
        self.name = checked_name(name)
        self._shards = None if shards is None else Placement(shards=shards).shards
        if not isinstance(journal, str | Journal):
            raise WrongType(f"journal is a URL or a Journal, not {type(journal).__name__}")
        self._is_own = isinstance(journal, str)
        self._url = journal if isinstance(journal, str) else None
        self.journal = open_journal(journal) if isinstance(journal, str) else journal

    @property
    def journal_url(self) -> str | None:
        """The URL that was given, which may hold a password; None for a journal."""
        return self._url

    def __repr__(self) -> str:
        return f"<Fleet {self.name!r} in {self.journal!r}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the journal if a URL was given; harmless when repeated. The fleet goes on."""
        if self._is_own:
            await self.journal.aclose()

    # Settings -------------------------------------------------------------------------------------------------------

    async def create(
        self,
        *,
        url: str,
        credentials: str,
        dialect: str = "gateway-v3",
        requests_per_second: float | None = None,
        interval: float | None = None,
        detail_level: DetailLevel = DetailLevel.EVERY_CHANGE,
        wide: Mapping[Scope, int] | None = None,
        system: bool | None = None,
        acting_user: str | None = None,
        tenant: str | None = None,
        keep: Keep | None = None,
    ) -> None:
        """Create the fleet, or start it again after `stop`; harmless when repeated with the same values.

        *credentials* names a function, `module:function`, which every runner imports and calls; it may be async.
        Runners are given the same name by their command or environment, unless it is
        `bkjob_async.many.environment:credentials`. *requests_per_second* is what all runners may send together. *wide*
        spreads a scope that is too large for one shard over several, by job id. *dialect*, *interval*, *system*,
        *acting_user* and *tenant* are those of `connect`, and *detail_level* that of a watch. *keep* says how much of
        the past is kept of the whole fleet, by default what the journals of its runners keep of one: its bytes are
        shared equally by the shards. Raises `UsageError` for values that cannot work, and for others than those that
        the fleet has: `update` changes them, but *wide* and the number of shards only `copy`.
        """
        if self._shards is None:
            raise UsageError("in how many shards? Fleet(name, journal=..., shards=16).create(...)")
        given = FleetSettings(
            url=url,
            dialect=dialect,
            credentials=credentials,
            requests_per_second=requests_per_second,
            interval=interval,
            detail_level=detail_level,
            system=system,
            acting_user=acting_user,
            tenant=tenant,
            keep=keep,
            placement=Placement(shards=self._shards, wide={} if wide is None else wide),
        )
        given.check_dialect()
        known = FleetSettings.decode(await self.journal.shards.create(self.name, given.encode()))
        differences = [*given.differences(known)]
        if differences:
            remedy = (
                "Fleet.update or `bkjob fleet set` changes it"
                if given.placement == known.placement
                else "shards and wide are fixed; Fleet.copy or `bkjob fleet copy OLD NEW` makes another fleet of this one"
            )
            raise UsageError(f"the fleet {self.name!r} has {'; '.join(differences)}: {remedy}")

    async def update(self, **changes: Unpack[SettingChanges]) -> None:
        """Change settings of the fleet while it lives, by the names of `create`; what is not given stays as it is.

        Stored when this returns. Runners take it up with their next sign of life, within about two seconds: another
        rate or *keep* at once, anything else by a new client and watch behind the records of the old ones, so that no
        event is lost or repeated. A runner that may not use another *url* or *credentials* ends with `UsageError`. None
        means the default, as in `create`. Raises `FleetNotFound`, and `UsageError` for values that cannot work, and for
        *shards* and *wide*, for which `copy` makes another fleet.
        """
        await self._read()
        await self.journal.shards.change_settings(
            self.name, lambda data: FleetSettings.decode(data).changed(changes).encode()
        )

    async def copy(self, other: Fleet, *, wide: Mapping[Scope, int] | None = None) -> None:
        """Create the fleet *other*, which names its shards and its journal, with the targets of this one.

        It has the same settings, *wide* where that is given, what waits in inboxes, and what was reported of each
        target: a reader of it is first given the present, and its runners tell what has changed since. Runners of this
        fleet may live meanwhile, and go on: what is added or dropped, or reported, from now on is in this fleet alone.
        Raises `UsageError` where there is a fleet of that name, and `FleetNotFound`, also where one of both is removed
        meanwhile. Nobody can use the copy before this returns; what was made of it is removed again after an error, and
        where a process was killed, or the store is away, `forget` removes it. It needs memory for all targets at once.
        """
        if not isinstance(other, Fleet):
            raise WrongType(f"the copy is a Fleet(name, journal=..., shards=32), not {other!r:.60}")
        if other._shards is None:
            raise UsageError("in how many shards? fleet.copy(Fleet(name, journal=..., shards=32))")
        _, settings = await self._read()
        placement = Placement(shards=other._shards, wide=settings.placement.wide if wide is None else wide)
        await copy_fleet(self.journal.store, self.name, other.journal.store, other.name, placement)

    async def settings(self) -> FleetSettings:
        """Return what the fleet has now; raise `FleetNotFound`, and `UsageError` for another number of shards."""
        return (await self._read())[1]

    async def _read(self) -> tuple[FleetRecord, FleetSettings]:
        record = await self.journal.shards.record(self.name)
        if record is None:
            raise no_such_fleet(self.name)
        if record.is_being_removed:
            raise fleet_being_removed(self.name)
        settings = FleetSettings.decode(record.settings)
        if self._shards not in (None, settings.placement.shards):
            raise UsageError(
                f"the fleet {self.name!r} has shards={settings.placement.shards}, not {self._shards}"
            )
        return record, settings

    # Targets --------------------------------------------------------------------------------------------------------

    async def add(self, *refs: RefLike) -> None:
        """Add targets, refs or the text of refs; they are stored when this returns, and watched about two seconds later.

        Those that the fleet has already are left as they are. After an error some may have been added; repeat the call.
        """
        await self._put(refs, added=True)

    async def drop(self, *refs: RefLike) -> None:
        """Drop targets for good; what is not a target is ignored. Stored when this returns, like `add`."""
        await self._put(refs, added=False)

    async def _put(self, refs: Sequence[RefLike], *, added: bool) -> None:
        found = [as_ref(ref) for ref in refs]
        # Read each time: the fleet may have been removed, and created anew with other shards.
        placement, store = (await self.settings()).placement, self.journal.store
        shards: dict[int, list[Ref]] = {}
        for start in range(0, len(found), SORTED_AT_ONCE):
            for shard, some in placement.by_shard(found[start : start + SORTED_AT_ONCE]).items():
                shards.setdefault(shard, []).extend(some)
            await asyncio.sleep(0)

        async def put(shard: int, some: list[Ref]) -> None:
            for start in range(0, len(some), PUT_AT_ONCE):
                try:
                    entries = [*entries_of(some[start : start + PUT_AT_ONCE], added=added)]
                except OverflowError:
                    raise UsageError("an id of a target is larger than any of the platform's") from None
                await store.put(shard_name(self.name, shard), entries)

        await run_concurrently(put(shard, some) for shard, some in shards.items())
        await self._read()  # a removal that began before these were stored took them with it

    # Reading --------------------------------------------------------------------------------------------------------

    def reader(self, *, after: str | None = None, live: bool = True) -> FleetReader:
        """Return a reader of the batches of all shards, in the order of each; open it with `async with`.

        *after* is the `cursor` of an earlier reader, in any process; None or empty text means the beginning of what is
        kept, and `now` the place behind all that was reported when the reader is opened. With *live* it waits for more
        until it is left, otherwise it stops at the end. What a shard does not keep any more comes as in
        `Journal.follow`. Opening it raises `FleetNotFound`, and `UsageError` for another cursor.
        """
        return FleetReader(self.journal.store, self.name, self._count_shards, after=after, live=live)

    async def _count_shards(self) -> int:
        return (await self.settings()).placement.shards

    async def snapshot(self, ref: RefLike) -> JobSnapshot | StepSnapshot | None:
        """Return a target as it was last reported, None before anything was; raise `FleetNotFound`."""
        target, placement = as_ref(ref), (await self.settings()).placement
        name = shard_name(self.name, placement.shard_of(target))
        is_known = await self.journal.store.fleet(name) is not None
        return await self.journal.snapshot(name, target) if is_known else None

    async def status(self) -> FleetStatus:
        """Return the fleet and its shards as the store knows them; a shard that is damaged there has that as its failure."""
        (record, settings), store, in_shards = await self._read(), self.journal.store, self.journal.shards
        figures, failures = await in_shards.figures(self.name), await in_shards.failures(self.name)

        async def status_of(shard: int) -> ShardStatus:
            name = shard_name(self.name, shard)
            entry, newest, damage = await newest_of(store, name)
            seen = (record.created,) if entry is None else (record.created, entry.last_seen)
            of_shard = figures.get(shard, ShardFigures())
            term = 0 if entry is None else entry.term
            said = ShardCondition.decode(failures.get(shard, "")).in_term(term)
            return ShardStatus(
                shard=shard,
                targets=of_shard.targets,
                active=of_shard.active,
                waiting=await store.inbox_size(name),
                term=term,
                holder=None if entry is None else entry.holder,
                is_held=entry is not None and entry.is_held,
                # A sign of life from the future is one from before the clock was set back.
                silence=min(abs(record.now - moment) for moment in seen),
                refused=0 if entry is None else entry.refused,
                failure=damage or said.failure,
                appended=None if newest is None else abs(record.now - newest.time),
                unstored=said.unstored,
                store_trouble=said.store,
                platform_trouble=said.platform,
                size=0 if entry is None else entry.size,
            )

        shards = await run_concurrently(map(status_of, range(settings.placement.shards)))
        return FleetStatus(
            name=self.name,
            url=settings.url,
            is_stopped=record.is_stopped,
            keep=settings.keep or store.keeps.of_others,
            shards=tuple(shards),
        )

    async def stop(self) -> None:
        """End all runners; each learns of it within about two seconds, and stores what it has reported.

        Targets and journals stay. `create` with the same values lets runners begin again.
        """
        await self.journal.shards.stop(self.name)

    async def is_stopped(self) -> bool:
        """Return True where the fleet was stopped."""
        return (await self._read())[0].is_stopped

    async def forget(self) -> None:
        """Remove the fleet with all it has: settings, targets, what was added, and the journals of its shards.

        Stop it first: raises `FleetBusy`, which names the runners, where a shard was held within the last 25 seconds, and
        `FleetNotFound`. A runner that hangs, and wakes later, is refused. When it was interrupted, repeat it.
        """
        await remove_fleet(self.journal.store, self.name)


def checked_name(name: str) -> str:
    """Return *name* if a fleet in shards may be called so; raise `UsageError`."""
    check_fleet_name(name)
    if len(name) > LONGEST_NAME or is_shard_name(name):
        raise UsageError(
            f"{name!r} is no name of a fleet in shards: give at most {LONGEST_NAME} characters,"
            " and no slash before a number at the end"
        )
    return name


async def newest_of(store: Store, name: str) -> tuple[FleetEntry | None, StoredRecord | None, str | None]:
    """Return the entry of a shard and its newest record, None where there is none, and what is damaged of them."""
    entry: FleetEntry | None = None
    try:
        entry = await store.fleet(name)
        page = await store.read(name, entry.head - 1, limit=1) if entry is not None and entry.head else None
    except JournalDamaged as error:
        return entry, None, shortened(f"{type(error).__name__}: {error}")
    return entry, page.records[0] if page is not None and page.records else None, None
