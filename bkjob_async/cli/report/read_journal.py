"""What was told of a fleet in a journal, applied to the model of a run."""

from __future__ import annotations

import bkjob_async as bkjob
from bkjob_async.cli.report.read_events import apply_events
from bkjob_async.cli.report.run_model import RunModel
from bkjob_async.journal.loading import load_checkpoint
from bkjob_async.journal.store import Store


async def read_journal(run: RunModel, url: str, name: str) -> None:
    """Apply what was told of the fleet *name* so far.

    Where its first records are not kept any more, it begins with what they amounted to at the last checkpoint.
    """
    async with bkjob.open_journal(url) as journal:
        cursor = await begin_with_checkpoint(run, journal.store, name)
        follower = journal.follow(name, after=cursor, live=False)
        async for batch in follower:
            run.set_time(follower.time or 0.0)
            apply_events(run, batch.events)


async def begin_with_checkpoint(run: RunModel, store: Store, name: str) -> str | None:
    """Apply the last checkpoint if records before it are gone; return the cursor behind it, None for the beginning."""
    if not (await store.read(name, 0, limit=1)).removed_to:
        return None
    fold, _ = await load_checkpoint(store, name)
    if not fold.facts.terms:
        return None
    run.set_time(fold.facts.time)
    apply_events(run, fold.present(0, "", skipped=False))
    return f"{fold.sequence}-{fold.facts.terms[-1].client}"
