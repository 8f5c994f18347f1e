"""Watch targets until they are over."""

from __future__ import annotations

from collections.abc import Sequence

from bkjob_async import FleetNotFound, UsageError, open_journal
from bkjob_async.cli.configuration.connection import client_of
from bkjob_async.cli.configuration.journals import Recorded, recorded_in
from bkjob_async.cli.configuration.options import scope_of
from bkjob_async.cli.configuration.settings import Settings
from bkjob_async.cli.configuration.targets import targets_from
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.cli.watching.follow import follow
from bkjob_async.cli.watching.options import WatchFlags
from bkjob_async.cli.watching.resuming import WatchRequest


async def watch(
    settings: Settings, flags: WatchFlags, *, name: str | None, targets: Sequence[str]
) -> ExitCode:
    """Show a watch of the targets that were named, and of those of the fleet *name*."""
    recorded = recorded_in(settings, name)
    if recorded is not None and name is None:
        raise UsageError("under which name is it recorded? give --name, by which it is continued")
    if not targets:
        if recorded is None:
            raise UsageError("which jobs? give targets, or --name for those of a journal")
        await check_fleet(recorded)
    request = WatchRequest(
        refs=targets_from(targets, scope_of(settings)),
        words=tuple(targets),
        journal=None if recorded is None else recorded.journal,
        name=name,
    )
    async with client_of(settings, interval=flags.interval) as client:
        return await follow(client, settings, request, flags)


async def check_fleet(recorded: Recorded) -> None:
    """Raise `FleetNotFound` or `UsageError` where the journal has no targets to go on with: a name may be misspelt."""
    async with open_journal(recorded.journal) as journal:
        found = next((fleet for fleet in await journal.fleets() if fleet.name == recorded.name), None)
        if found is None:
            raise FleetNotFound(f"there is no fleet {recorded.name!r}")
        if not found.targets:
            raise UsageError(f"the fleet {recorded.name!r} has no targets: give some")
