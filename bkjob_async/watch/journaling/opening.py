"""Whose a fleet is that a writer opens, and what it has then."""

from __future__ import annotations

from bkjob_async.engine.journaling.jobs import MakeJob
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.errors import Superseded
from bkjob_async.journal.loading import LoadedFleet, load_fleet, signs_of_life
from bkjob_async.journal.store import Opened, Store, own_holder
from bkjob_async.model.journal_errors import StoreBehind

# A holder gives a sign of life after so many seconds; one that is silent for ten has no runner.
LIFE_SECONDS = 2.0


async def load_opened(
    store: Store, name: str, opened: Opened, make_job: MakeJob = JobState
) -> LoadedFleet | None:
    """Return the state of a fleet as it was *opened*; None where another term must begin.

    The store may lose records in between, or have lost an opening before and give its term out again: then who had it
    may append in between. Both are ended by another term.
    """
    async with signs_of_life(store, name, opened.term, every=LIFE_SECONDS):
        loaded = await load_fleet(store, name, make_job)
    if loaded.fold.sequence == opened.head:
        return loaded
    try:
        head = await store.give_sign_of_life(name, term=opened.term)
    except Superseded:
        return loaded  # the first append is told, too
    except StoreBehind as error:
        head = error.head if error.term == opened.term else -1  # it has lost records, but not its head
    return loaded if head == opened.head else None


async def check_own(store: Store, name: str, term: int, attempts: int) -> None:
    """Raise `Superseded` if another process has opened the fleet since *term*, or if it was forgotten.

    This process may have opened it as well, in so many *attempts* whose answers it does not have.
    """
    try:
        await store.give_sign_of_life(name, term=term)
    except StoreBehind:
        return
    except Superseded:
        entry = await store.fleet(name)
        if entry is None or entry.term > term + attempts or entry.holder != own_holder():
            raise
