"""`bkjob journal`: the fleets in a journal, and what was told of them, without the platform."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import click

from bkjob_async import FleetEntry, Journal, open_journal
from bkjob_async.cli.configuration.environment import VARIABLE, journal_url
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.cli.lines import json_line, plain_line, write_note, write_out
from bkjob_async.cli.running import run_to_end
from bkjob_async.model.printing import counted, printable

HELP = f"""\b
URL is sqlite:///PATH, redis://HOST, rediss://HOST or redis+unix:///SOCKET. Without it, the environment's
{VARIABLE} is used; a URL with a password is taken from there only.
"""

url_argument = click.argument("url", required=False)
name_option = click.option("--name", required=True, metavar="NAME", help="The name of the fleet.")
after_option = click.option("--after", metavar="CURSOR", help="Begin behind this cursor.")
json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON objects, one a line.")


@click.group(name="journal", epilog=HELP)
def journal_command() -> None:
    """Read what watches with --journal told."""


@journal_command.command(name="show", epilog=HELP)
@url_argument
@json_option
def show_command(*, url: str | None, as_json: bool) -> ExitCode:
    """List the fleets: targets, term, who holds each, and its last sign of life."""
    return run_to_end(show(open_journal(journal_url(url)), as_json=as_json))


@journal_command.command(name="follow", epilog=HELP)
@url_argument
@name_option
@after_option
@json_option
def follow_command(*, url: str | None, name: str, after: str | None, as_json: bool) -> ExitCode:
    """Write what was told of a fleet, and what is told later, until interrupted."""
    return run_to_end(follow(open_journal(journal_url(url)), name, after, as_json=as_json, live=True))


@journal_command.command(name="export", epilog=HELP)
@url_argument
@name_option
@after_option
def export_command(*, url: str | None, name: str, after: str | None) -> ExitCode:
    """Write what was told of a fleet as JSON, one event a line, and end."""
    return run_to_end(follow(open_journal(journal_url(url)), name, after, as_json=True, live=False))


async def show(journal: Journal, *, as_json: bool) -> ExitCode:
    """Write a line for each fleet."""
    async with journal:
        fleets = await journal.fleets()
    for line in map(fleet_json, fleets) if as_json else fleet_lines(fleets, time.time()):
        write_out(line)
    write_note(counted(len(fleets), "fleet"))
    return ExitCode.ALL_SUCCEEDED


async def follow(journal: Journal, name: str, after: str | None, *, as_json: bool, live: bool) -> ExitCode:
    """Write a line for each event of the fleet *name*."""
    line, count = json_line if as_json else plain_line, 0
    async with journal:
        async for batch in journal.follow(name, after=after, live=live):
            for event in batch.events:
                write_out(line(event))
                count += 1
    write_note(counted(count, "event"))
    return ExitCode.ALL_SUCCEEDED


def fleet_lines(fleets: Sequence[FleetEntry], now: float) -> list[str]:
    """Return the fleets as a table of text."""
    rows = [("FLEET", "TARGETS", "TERM", "HELD BY", "LAST SEEN", "BYTES")]
    rows += [
        (
            printable(fleet.name),
            str(fleet.targets),
            str(fleet.term),
            printable(f"{fleet.holder.host}:{fleet.holder.pid}") if fleet.is_held else "nobody",
            f"{max(0.0, now - fleet.last_seen):.0f} s ago",
            str(fleet.size),
        )
        for fleet in fleets
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def fleet_json(fleet: FleetEntry) -> str:
    """Return a fleet as one JSON object."""
    return json.dumps(
        {
            "name": fleet.name,
            "targets": fleet.targets,
            "term": fleet.term,
            "head": fleet.head,
            "host": fleet.holder.host,
            "pid": fleet.holder.pid,
            "is_held": fleet.is_held,
            "last_seen": datetime.fromtimestamp(fleet.last_seen, UTC).isoformat(timespec="milliseconds"),
            "size": fleet.size,
            "refused": fleet.refused,
        }
    )
