"""Apply the journal of a fleet to the model of a run: its records, and a checkpoint in place of removed ones."""

from __future__ import annotations

from importlib import import_module

from bkjob_async.journal.keep import KEEP
from bkjob_async.journal.store import Store
from bkjob_async.journal.stores import store_at
from bkjob_async.journal.urls import check_fleet_name, parse_journal_url
from bkjob_async.report.reading.read_records import apply_record
from bkjob_async.report.reading.run_model import RunModel


async def read_journal(run: RunModel, store: Store, name: str) -> None:
    """Apply what was reported of the fleet *name* so far, and close the *store*.

    Where its first records are not kept any more, it begins with what they amounted to at the last checkpoint.
    """
    try:
        if await store.fleet(check_fleet_name(name)) is None:
            raise await import_module("bkjob_async.journal.shards").no_such_log(store, name)
        await read_store(run, store, name)
    finally:
        await store.aclose()


def store_of(url: str) -> Store:
    """Return the store at *url*."""
    try:
        place = parse_journal_url(url)
    finally:
        del url  # it may contain a password, and the frames of an error are kept by error trackers
    return store_at(place, KEEP)


async def read_store(run: RunModel, store: Store, name: str) -> None:
    """Apply all records, and the last checkpoint in place of those that are gone."""
    after = 0
    while True:
        page = await store.read(name, after)
        if page.removed_to > after:
            # Checkpoints are rare here, and what reads them takes longer to import than most reports.
            apply_checkpoint = import_module(f"{__package__}.read_checkpoint").apply_checkpoint
            after = max(page.removed_to, await apply_checkpoint(run, store, name, after))
            continue
        if not page.records:
            return
        for record in page.records:
            run.set_time(record.time)
            apply_record(run, record.data)
        after = page.records[-1].sequence
