"""Watch targets until they are over."""

from __future__ import annotations

from collections.abc import Sequence

from bkjob_async import UsageError
from bkjob_async.cli.configuration.connection import client_of
from bkjob_async.cli.configuration.journals import recorded_in
from bkjob_async.cli.configuration.options import scope_of
from bkjob_async.cli.configuration.settings import Settings
from bkjob_async.cli.configuration.targets import targets_from
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.cli.watching.follow import WatchRequest, follow
from bkjob_async.cli.watching.options import WatchFlags


async def watch(settings: Settings, flags: WatchFlags, name: str | None, words: Sequence[str]) -> ExitCode:
    """Show a watch of the targets that *words* name, and of those of the fleet *name*."""
    recorded = recorded_in(settings, name)
    if not words and recorded is None:
        raise UsageError("which jobs? give targets, or --name for those of a journal")
    request = WatchRequest(
        refs=targets_from(words, scope_of(settings)),
        words=tuple(words),
        journal=None if recorded is None else recorded.journal,
        name=name,
    )
    async with client_of(settings, interval=flags.interval) as client:
        return await follow(client, settings, request, flags)
