"""Reading the state of a fleet from its store, without blocking the event loop for long."""

from __future__ import annotations

import asyncio

from bkjob_async.engine.journaling.fold import Fold
from bkjob_async.journal.store import Store

# So many records, or one part of a checkpoint, are applied before other tasks run.
RECORDS_AT_ONCE = 20


async def load_fold(store: Store, name: str) -> Fold:
    """Return the state of a fleet: its checkpoint, and all records behind it."""
    while True:
        fold = Fold()
        checkpoint = await store.checkpoint(name)
        if checkpoint is not None:
            for part in checkpoint.parts:
                fold.load(part)
                await asyncio.sleep(0)
        if await _apply_records(store, name, fold):
            return fold


async def _apply_records(store: Store, name: str, fold: Fold) -> bool:
    """Apply all records behind the fold; return False where some of them were removed behind a newer checkpoint."""
    after = fold.sequence
    while True:
        page = await store.read(name, after)
        if page.removed_to > after:
            return False
        if not page.records:
            return True
        for number, record in enumerate(page.records):
            fold.apply(record.data)
            if number % RECORDS_AT_ONCE == 0:
                await asyncio.sleep(0)
        after = page.records[-1].sequence
