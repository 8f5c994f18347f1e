"""What a watch says at its end: the failed hosts by cause, a few lines of their logs, the next command."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from bkjob_async import BkJobError, HostLog, JobClient, JobResult
from bkjob_async.cli.configuration.settings import Settings
from bkjob_async.cli.lines import write_note
from bkjob_async.cli.watching.failures import Failures, HostsByCause, last_lines
from bkjob_async.cli.watching.resuming import next_command

LOG_LINES = 5
# Logs are a help, not the matter: they are left out when the platform is slow.
LOG_SECONDS = 5.0
MAX_LINE = 200


async def report_failures(client: JobClient, settings: Settings, results: Sequence[JobResult]) -> None:
    """Write the failed hosts of *results* to stderr, and how to retry them; nothing where there are none."""
    failures = Failures()
    for result in results:
        for _ in failures.add(result):
            await asyncio.sleep(0)
    if failures.groups:
        write_note("failed hosts by cause:")
    async for line in described(client, failures):
        write_note(f"  {line}")
    if refs := [result.ref for result in results]:
        write_note(f"next: {next_command(['logs'], refs, settings, ['--failed'])}")
        write_note(f"      {next_command(['retry'], refs, settings)}")


async def described(client: JobClient, failures: Failures) -> AsyncIterator[str]:
    """Yield the lines about each group, and how many groups are left out."""
    largest = failures.largest
    logs = await asyncio.gather(*(log_of(client, group) for group in largest))
    for group, lines in zip(largest, logs, strict=True):
        yield str(group)
        for line in lines:
            yield f"    {group.hosts[0]} | {line[:MAX_LINE]}"
    if failures.not_shown:
        yield f"… and {failures.not_shown} more causes"


async def log_of(client: JobClient, group: HostsByCause) -> list[str]:
    """Return the last lines of the log of a group's first host; none where it cannot be read soon."""
    try:
        async with asyncio.timeout(LOG_SECONDS):
            steps = await client.logs(group.step, hosts=group.hosts[0])
    except (BkJobError, TimeoutError):
        return []
    return [line for step in steps for log in step.hosts for line in last_lines(text_of(log), LOG_LINES)]


def text_of(log: HostLog) -> str:
    """Return the log of a script, or of the files of a transfer."""
    return "\n".join([log.text, *(file.text for file in log.files)])
