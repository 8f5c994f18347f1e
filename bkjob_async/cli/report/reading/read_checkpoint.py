"""The last checkpoint of a fleet, applied to the model of a run."""

from __future__ import annotations

from bkjob_async.cli.report.reading.read_events import apply_events
from bkjob_async.cli.report.reading.run_model import RunModel
from bkjob_async.journal.loading import load_checkpoint
from bkjob_async.journal.store import Store


async def apply_checkpoint(run: RunModel, store: Store, name: str, after: int) -> int:
    """Apply what changed behind record number *after*; return the number of the last record in the checkpoint."""
    fold, _ = await load_checkpoint(store, name)
    if fold.facts.terms:
        run.set_time(fold.facts.time)
        apply_events(run, fold.present(after + 1 if after else 0, "", skipped=after > 0))
    return fold.sequence
