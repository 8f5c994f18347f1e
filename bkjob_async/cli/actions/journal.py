"""Read the fleets in a journal, and what was reported of them, without the platform."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime

from bkjob_async import FleetEntry, Journal, open_journal, to_json
from bkjob_async.cli.configuration.journals import journal_url
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.cli.lines import json_text, write_note, write_out
from bkjob_async.cli.tables import table_lines
from bkjob_async.cli.watching.consumers import write_batches
from bkjob_async.configuration.gathering import gather
from bkjob_async.model.text.printing import counted


async def show(*, url: str | None, as_json: bool) -> ExitCode:
    """Write a line for each fleet."""
    async with journal_at(url) as journal:
        fleets = await journal.fleets()
    for line in map(fleet_json, fleets) if as_json else fleet_lines(fleets, time.time()):
        write_out(line)
    write_note(counted(len(fleets), "fleet"))
    return ExitCode.ALL_SUCCEEDED


async def follow(*, url: str | None, name: str, after: str | None, as_json: bool, live: bool) -> ExitCode:
    """Write a line for each event of the fleet *name*."""
    async with journal_at(url) as journal:
        count = await write_batches(journal.follow(name, after=after, live=live), as_json=as_json)
    write_note(counted(count, "event"))
    return ExitCode.ALL_SUCCEEDED


def journal_at(url: str | None) -> Journal:
    """Return the journal at *url*, or that of the environment or the profile."""
    return open_journal(journal_url(gather({"journal": url}, None)))


def fleet_lines(fleets: Sequence[FleetEntry], now: float) -> list[str]:
    """Return the fleets as a table of text."""
    rows = [("FLEET", "TARGETS", "TERM", "HELD BY", "LAST SEEN", "BYTES")]
    rows += [
        (
            fleet.name,
            str(fleet.targets),
            str(fleet.term),
            f"{fleet.holder.host}:{fleet.holder.pid}" if fleet.is_held else "nobody",
            f"{max(0.0, now - fleet.last_seen):.0f} s ago",
            str(fleet.size),
        )
        for fleet in fleets
    ]
    return table_lines(rows)


def fleet_json(fleet: FleetEntry) -> str:
    """Return a fleet as one JSON object: all of it, its holder also by host and process, its time as text."""
    last_seen = datetime.fromtimestamp(fleet.last_seen, UTC).isoformat(timespec="milliseconds")
    holder = {"host": fleet.holder.host, "pid": fleet.holder.pid}
    return json_text({**to_json(fleet), **holder, "last_seen": last_seen})
