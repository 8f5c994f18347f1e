"""Read the state of a fleet from its store, without blocking the event loop for long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from msgspec import Struct

from bkjob_async.engine.journaling.fold import Fold
from bkjob_async.engine.journaling.jobs import MakeJob
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.errors import JournalDamaged, JournalError, Superseded
from bkjob_async.journal.store import Store, StoredRecord
from bkjob_async.model.refs import JobRef

# Other tasks run after so many seconds of work.
SLICE_SECONDS = 0.005

T = TypeVar("T")


class LoadedFleet(Struct, frozen=True):
    """The state of a fleet, and the bytes of its checkpoint and of the records behind it."""

    fold: Fold
    checkpoint_size: int
    records_size: int


async def load_fleet(
    store: Store, name: str, make_job: MakeJob = JobState, *, job: JobRef | None = None
) -> LoadedFleet:
    """Return the state of a fleet: its checkpoint, and all records behind it; *make_job* makes the states of jobs.

    With a *job* only what names it is given by the store and decoded: the state has this job as it is, and some others as they
    were at some time.
    """
    text = b"" if job is None else str(job).encode()
    while True:
        fold, size = await load_checkpoint(store, name, make_job, text)
        records_size = await _apply_records(store, name, fold, text)
        if records_size is not None:
            return LoadedFleet(fold, size, records_size)


@asynccontextmanager
async def signs_of_life(store: Store, name: str, term: int, *, every: float) -> AsyncIterator[None]:
    """Give signs of life of the holder in *term* within the context, one *every* so many seconds; no error is raised.

    A large fleet takes longer to load than others wait before they take the fleet from a holder that is silent.
    """

    async def give() -> None:
        while True:
            await asyncio.sleep(every)
            with suppress(JournalError):
                try:
                    await store.give_sign_of_life(name, term=term)
                except Superseded:
                    return

    task = asyncio.create_task(give())
    try:
        yield
    finally:
        task.cancel()


async def load_checkpoint(
    store: Store, name: str, make_job: MakeJob = JobState, text: bytes = b""
) -> tuple[Fold, int]:
    """Return the state of a fleet at its last checkpoint, and the bytes of it; an empty one where there is none.

    Parts that do not have the *text* are left out.
    """
    fold, size = Fold(make_job), 0
    checkpoint = await store.checkpoint(name, text=text)
    if checkpoint is not None:
        size = checkpoint.size
        fold.sequence = checkpoint.sequence
        async for part in in_slices(checkpoint.parts):
            if text in part:
                fold.load(part)
    return fold, size


async def _apply_records(store: Store, name: str, fold: Fold, text: bytes) -> int | None:
    """Apply all records behind the fold and return their size; None where some were removed behind a newer checkpoint."""
    after, size = fold.sequence, 0
    while True:
        page = await store.read(name, after, text=text)
        if page.removed_to > after:
            return None
        check_order(page.records, after, name)
        if not page.records:
            return size
        async for record in in_slices(page.records):
            if text in record.data:
                fold.apply(record.data)
            size += len(record.data)
        after = page.records[-1].sequence


def check_order(records: Sequence[StoredRecord], after: int, name: str) -> None:
    """Raise `JournalDamaged` unless each of the *records* is behind the one before it, the first behind number *after*.

    Who reads on behind the last of them would otherwise be given the same records for ever.
    """
    for record in records:
        if record.sequence <= after:
            raise JournalDamaged(f"record {record.sequence} of the fleet {name!r} stands behind {after}")
        after = record.sequence


async def in_slices(items: Iterable[T]) -> AsyncIterator[T]:
    """Yield *items*, letting other tasks run now and then."""
    end = time.perf_counter() + SLICE_SECONDS
    for item in items:
        yield item
        if time.perf_counter() >= end:
            await asyncio.sleep(0)
            end = time.perf_counter() + SLICE_SECONDS
