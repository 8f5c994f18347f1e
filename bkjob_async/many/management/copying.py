"""Copy a fleet in shards, with its targets and what was reported of them, into a fleet of other shards."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from attrs import evolve

from bkjob_async.engine.journaling.fold import Fold
from bkjob_async.engine.journaling.forms import Term
from bkjob_async.engine.journaling.inbox_entries import entries_of, read_entry
from bkjob_async.engine.scheduling.duration_stats import DurationTable
from bkjob_async.errors import JournalError, UsageError
from bkjob_async.journal.loading import in_slices, load_fleet
from bkjob_async.journal.shards import FleetRecord, ShardFigures, ShardStore, no_such_fleet, shard_name
from bkjob_async.journal.store import Checkpoint, Store, check_size, own_holder
from bkjob_async.many.concurrently import run_concurrently
from bkjob_async.many.placement import Placement
from bkjob_async.many.settings import FleetSettings
from bkjob_async.model.events import Trouble
from bkjob_async.model.refs import Ref


async def copy_fleet(source: Store, fleet: str, target: Store, copy: str, placement: Placement) -> None:
    """Create the fleet *copy* in *target*, with the settings of *fleet* and this *placement*.

    Nobody uses it before it is whole. What was interrupted is removed again, or where that cannot be with `remove_fleet`.
    Raises `UsageError` where there is something of that name, and `FleetNotFound` where there is no fleet to copy, or where
    one of both is removed meanwhile.
    """
    record = await record_of(source, fleet)
    settings = FleetSettings.decode(record.settings)
    in_target = ShardStore(target)
    created = await in_target.begin_copy(copy, evolve(settings, placement=placement).encode())
    if created is None:
        raise UsageError(f"there is a fleet {copy!r} already: give the copy another name, or forget that one")
    has_begun = False
    try:
        await check_nothing_left(target, copy, placement.shards)
        copies = await read_shards(source, fleet, record.created, settings.placement.shards, placement)
        has_begun = True
        await in_target.end_copy(copy, created, await write_shards(target, copy, created, copies))
    except BaseException:
        with suppress(JournalError):
            await in_target.cancel_copy(copy, created, placement.shards if has_begun else 0)
        raise


async def read_shards(source: Store, fleet: str, created: float, shards: int, placement: Placement) -> Copies:
    """Return what the shards of a fleet have, by the shards of its copy; raise `FleetNotFound` where it is removed meanwhile."""
    copies = Copies(placement)
    for shard in range(shards):
        # Before the records: an entry that is taken up in between is in both, and does not count twice.
        entries = await inbox_of(source, shard_name(fleet, shard))
        copies.add((await load_fleet(source, shard_name(fleet, shard))).fold)
        for data in entries:
            copies.add_entry(data)
    if (await record_of(source, fleet)).created != created:
        raise no_such_fleet(fleet)
    return copies


async def write_shards(store: Store, copy: str, created: float, copies: Copies) -> Mapping[int, ShardFigures]:
    """Store the shards of a copy, and return their figures; raise `FleetNotFound` where another has its name by now."""
    in_shards = ShardStore(store)
    for shard, entries in copies.entries.items():
        await in_shards.check_copy(copy, created)
        await store.put(shard_name(copy, shard), entries)
    figures: dict[int, ShardFigures] = {}

    async def write(shard: int, fold: Fold) -> None:
        await in_shards.check_copy(copy, created)
        term = await write_shard(store, shard_name(copy, shard), fold)
        targets = [(job, ref) for job in fold.jobs.values() for ref in job.targets]
        figures[shard] = ShardFigures(term, len(targets), sum(not job.is_over(ref) for job, ref in targets))

    await run_concurrently(write(shard, fold) for shard, fold in copies.finished())
    return figures


class Copies:
    """The states of the shards of a copy, and the *entries* of their inboxes, made of those of the shards of a fleet."""

    def __init__(self, placement: Placement) -> None:
        """Begin without any target."""
        self._placement = placement
        self._folds: dict[int, Fold] = {}
        self.entries: dict[int, list[bytes]] = {}
        self._durations: DurationTable | None = None
        # All numbers of records that states and trouble name are at most this one.
        self._sequence = 1
        self._time = 0.0

    def add(self, fold: Fold) -> None:
        """Take over the targets of a shard, what was reported of each, and the durations that were measured."""
        self._sequence, self._time = max(self._sequence, fold.sequence), max(self._time, fold.facts.time)
        self._take_durations(fold.facts.durations)
        for ref, job in fold.jobs.items():
            self._of(ref).jobs[ref] = job
        for target in fold.facts.joining:
            self._of(target).facts.joining.add(target)
        for trouble in fold.facts.signals(0, skipped=False):
            # That of the platform as a whole is found again, or is over.
            if isinstance(trouble, Trouble) and trouble.ref is not None:
                self._of(trouble.ref).facts.note_signal(trouble)

    def add_entry(self, data: bytes) -> None:
        """Take over an entry that waits in an inbox, behind those that were taken over before."""
        refs, added = read_entry(data)
        for shard, some in self._placement.by_shard(refs).items():
            self.entries.setdefault(shard, []).extend(entries_of(some, added=added))

    def finished(self) -> Iterable[tuple[int, Fold]]:
        """Yield the shards that have targets, each as after its first record."""
        for shard, fold in self._folds.items():
            fold.sequence, fold.facts.time = self._sequence, self._time
            if self._durations is not None:
                fold.facts.durations = self._durations.exported()
            yield shard, fold

    def _of(self, ref: Ref) -> Fold:
        return self._folds.setdefault(self._placement.shard_of(ref), Fold())

    def _take_durations(self, exported: Mapping[str, Any] | None) -> None:
        if exported is None:
            return
        found = DurationTable.imported(exported)
        if self._durations is None:
            self._durations = found
        else:
            self._durations.take(found)


async def write_shard(store: Store, name: str, fold: Fold) -> int:
    """Store the state of a shard as a checkpoint that stands for all records, and return its term.

    Readers are given it as the present.
    """
    opened = await store.open(name, own_holder(), take_over=False)
    fold.facts.terms = [Term(opened.term, secrets.token_hex(4), opened.head, fold.sequence)]
    checkpoint = Checkpoint(fold.sequence, [part async for part in in_slices(fold.parts())])
    check_size(name, checkpoint.size)
    # A checkpoint says nothing of how many targets there are.
    await store.append(name, term=opened.term, head=opened.head, records=(), targets=len(fold.targets))
    await store.write_checkpoint(name, checkpoint, term=opened.term, all_behind=opened.head)
    await store.release(name, term=opened.term)
    return opened.term


async def record_of(store: Store, fleet: str) -> FleetRecord:
    """Return the record of a fleet; raise `FleetNotFound`."""
    record = await ShardStore(store).record(fleet)
    if record is None or record.is_being_removed:
        raise no_such_fleet(fleet)
    return record


async def inbox_of(store: Store, name: str) -> Sequence[bytes]:
    """Return what waits in the inbox of the shard *name*."""
    found: list[bytes] = []
    after = 0
    while page := await store.inbox(name, after):
        found += [entry.data for entry in page]
        after = page[-1].number
    return found


async def check_nothing_left(store: Store, fleet: str, shards: int) -> None:
    """Raise `UsageError` where the store has records of such shards, whose fleet has lost its settings."""
    for name in (shard_name(fleet, shard) for shard in range(shards)):
        if await store.fleet(name) is not None:
            raise UsageError(
                f"there are records of {name!r} already: give the copy another name, or create the fleet {fleet!r} again,"
                " whose settings were lost"
            )
