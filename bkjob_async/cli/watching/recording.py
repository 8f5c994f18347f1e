"""Record the watch of jobs that a command launches or retries; the journal is tried before anything is sent."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import bkjob_async as bkjob
from bkjob_async.cli.configuration.journals import Recorded
from bkjob_async.cli.configuration.settings import Settings
from bkjob_async.cli.lines import write_note
from bkjob_async.cli.watching.follow import WatchRequest
from bkjob_async.cli.watching.resuming import next_command
from bkjob_async.journal.store import ALIVE_SECONDS
from bkjob_async.journal.urls import Place, SqlitePlace, parse_journal_url


async def try_journal(recorded: Recorded | None) -> None:
    """Raise `JournalError` where the journal cannot be read, `FleetBusy` where another process watches the fleet.

    Once a job runs, that would be too late.
    """
    if recorded is None or can_be_made(parse_journal_url(recorded.journal)):
        return
    async with bkjob.open_journal(recorded.journal) as journal:
        fleets = await journal.fleets()
    for fleet in fleets:
        silence = time.time() - fleet.last_seen
        if fleet.name == recorded.name and fleet.is_held and silence < ALIVE_SECONDS:
            holder = fleet.holder
            raise bkjob.FleetBusy(fleet.name, host=holder.host, pid=holder.pid, seconds=silence)


def can_be_made(place: Place) -> bool:
    """Return True for a file that is not there yet; raise `UsageError` where nobody could make it."""
    if not isinstance(place, SqlitePlace) or Path(place.path).exists():
        return False
    folder = Path(place.path).parent
    if not os.access(folder, os.W_OK):
        raise bkjob.UsageError(f"no journal can be made in {folder}: it is no folder that you may write")
    return True


def request_of(refs: Sequence[bkjob.Ref], recorded: Recorded | None) -> WatchRequest:
    """Return what is watched, and where it is recorded: by default under the name of the first target."""
    if recorded is None:
        return WatchRequest(refs=tuple(refs))
    return WatchRequest(refs=tuple(refs), journal=recorded.journal, name=recorded.name or str(refs[0]))


@contextmanager
def telling_that_jobs_run(refs: Sequence[bkjob.Ref], settings: Settings) -> Iterator[None]:
    """Say how jobs are watched that were started, where the journal of their watch fails."""
    try:
        yield
    except bkjob.JournalError:
        write_note(f"the jobs go on; watch them without a journal: {next_command(['watch'], refs, settings)}")
        raise
