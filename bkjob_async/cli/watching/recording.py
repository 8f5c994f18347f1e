"""Record the watch of jobs that a command launches or retries; the journal is tried before anything is sent."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

import bkjob_async as bkjob
from bkjob_async.cli.configuration.journals import recording_journal
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.cli.lines import write_note
from bkjob_async.cli.watching.follow import follow
from bkjob_async.cli.watching.options import WatchFlags
from bkjob_async.cli.watching.resuming import WatchRequest, next_command
from bkjob_async.configuration.settings import Settings
from bkjob_async.journal.store import ALIVE_SECONDS
from bkjob_async.journal.urls import Place, SqlitePlace, parse_journal_url


async def journal_of_begun(
    settings: Settings, name: str | None, flags: WatchFlags, *, detach: bool
) -> str | None:
    """Return the URL of the journal that will record the watch of jobs that are begun now, None for none.

    Raises `JournalError` where the journal cannot be read, `FleetBusy` where another process watches the fleet: once a
    job runs, that would be too late. Raises `UsageError` for jobs that are not watched, *detach*, where it is said how
    that watch would end.
    """
    if detach and (flags.deadline or flags.fail_fast or flags.fail_on_waiting or flags.web is not None):
        raise bkjob.UsageError(
            "what is not watched has no --deadline, --fail-fast, --fail-on-waiting or --web: leave it out, or --detach"
        )
    url = recording_journal(settings, name)
    if url is None:
        return None
    if detach:
        raise bkjob.UsageError("nothing is recorded of what is not watched: leave out --detach or --journal")
    if can_be_made(parse_journal_url(url)):
        return url
    async with bkjob.open_journal(url) as journal:
        fleets = await journal.fleets()
    for fleet in fleets:
        silence = time.time() - fleet.last_seen
        if fleet.name == name and fleet.is_held and silence < ALIVE_SECONDS:
            holder = fleet.holder
            raise bkjob.FleetBusy(fleet.name, host=holder.host, pid=holder.pid, seconds=silence)
    return url


def can_be_made(place: Place) -> bool:
    """Return True for a file that is not there yet; raise `UsageError` where nobody could make it."""
    if not isinstance(place, SqlitePlace) or Path(place.path).exists():
        return False
    folder = Path(place.path).parent
    if not os.access(folder, os.W_OK):
        raise bkjob.UsageError(f"no journal can be made in {folder}: it is no folder that you may write")
    return True


async def follow_begun(
    client: bkjob.JobClient,
    settings: Settings,
    refs: Sequence[bkjob.Ref],
    flags: WatchFlags,
    *,
    journal: str | None,
    name: str | None,
) -> ExitCode:
    """Show a watch of jobs that were begun, recorded under the name of the first by default; return the exit code."""
    fleet = None if journal is None else name or str(refs[0])
    request = WatchRequest(refs=tuple(refs), journal=journal, name=fleet)
    try:
        return await follow(client, settings, request, flags)
    except bkjob.JournalError:
        write_note(f"the jobs go on; watch them without a journal: {next_command(['watch'], refs, settings)}")
        raise
