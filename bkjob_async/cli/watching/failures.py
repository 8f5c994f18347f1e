"""Failed hosts by cause, and what is said of them at the end of a watch: a few lines of their logs, the next command."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import bkjob_async as bkjob
from bkjob_async.cli.configuration.operable import can_operate_steps
from bkjob_async.cli.lines import write_note
from bkjob_async.cli.watching.resuming import next_command
from bkjob_async.configuration.settings import Settings
from bkjob_async.model.causes import Grouping
from bkjob_async.model.text.printing import printable

MAX_GROUPS = 8
LOG_LINES = 5
# Logs are a help, not the matter: they are left out when the platform is slow.
LOG_SECONDS = 5.0
MAX_LINE = 200


def last_lines(text: str, count: int) -> list[str]:
    """Return the last *count* lines that are not empty, safe to print."""
    # The end of a long log is enough, even if its lines are long.
    lines = [line for line in text[-64 * 1024 :].splitlines() if line.strip()]
    return [printable(line) for line in lines[-count:]]


# At the end of a watch ------------------------------------------------------------------------------------------------


async def report_failures(
    client: bkjob.JobClient, settings: Settings, results: Sequence[bkjob.JobResult]
) -> None:
    """Write the failed hosts of *results* to stderr, and how to retry them where that can be done; nothing where there are none."""
    grouping = Grouping()
    for result in results:
        for _ in grouping.add(result):
            await asyncio.sleep(0)
    groups = grouping.groups
    if groups:
        write_note("failed hosts by cause:")
    async for line in described(client, groups):
        write_note(f"  {line}")
    if refs := [result.ref for result in results]:
        write_note(f"next: {next_command(['logs'], refs, settings, ['--failed'])}")
        if can_operate_steps(settings):
            write_note(f"      {next_command(['retry'], refs, settings)}")


async def described(client: bkjob.JobClient, groups: Sequence[bkjob.HostsByCause]) -> AsyncIterator[str]:
    """Yield the lines about each group, and how many groups are left out."""
    largest = groups[:MAX_GROUPS]
    logs = await asyncio.gather(*(log_of(client, group) for group in largest))
    for group, lines in zip(largest, logs, strict=True):
        yield str(group)
        for line in lines:
            yield f"    {group.hosts[0]} | {line[:MAX_LINE]}"
    if len(groups) > MAX_GROUPS:
        yield f"… and {len(groups) - MAX_GROUPS} more causes"


async def log_of(client: bkjob.JobClient, group: bkjob.HostsByCause) -> list[str]:
    """Return the last lines of the log of a group's first host; none where it cannot be read soon."""
    try:
        async with asyncio.timeout(LOG_SECONDS):
            steps = await client.logs(group.step, hosts=group.hosts[0])
    except (bkjob.BkJobError, TimeoutError):
        return []
    return [line for step in steps for log in step.hosts for line in last_lines(bare_text(log), LOG_LINES)]


def bare_text(log: bkjob.responses.HostLog) -> str:
    """Return the log of a script, or of the files of a transfer without their names."""
    return "\n".join(filter(None, (log.text, *(file.text for file in log.files))))
