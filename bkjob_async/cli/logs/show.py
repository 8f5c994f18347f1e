"""Write the logs of hosts, as they are."""

from __future__ import annotations

from collections.abc import Sequence

from bkjob_async.cli.configuration.connection import client_of
from bkjob_async.cli.configuration.options import scope_of
from bkjob_async.cli.configuration.settings import Settings
from bkjob_async.cli.configuration.targets import hosts_from, targets_from
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.cli.lines import write_note
from bkjob_async.cli.logs.hosts import HostFilter, read_logs, select_hosts
from bkjob_async.cli.logs.lines import LogWriter, text_of
from bkjob_async.cli.logs.request import LogRequest
from bkjob_async.cli.logs.tail import last, lines_of

WHOLE_JOB_LOGS = "esb-job"


async def show_logs(settings: Settings, words: Sequence[str], request: LogRequest) -> ExitCode:
    """Write the logs of the targets, a portion of the hosts at a time."""
    refs = targets_from(words, scope_of(settings))
    hosts = HostFilter(hosts_from(request.hosts), request.failed)
    async with client_of(settings) as client:
        selected = [each for ref in refs for each in await select_hosts(client, ref, hosts)]
        writer = LogWriter(as_json=request.as_json, with_steps=len(selected) > 1)
        in_portions = settings.get("dialect") != WHOLE_JOB_LOGS
        for step, keys in selected:
            async for log in read_logs(client, step, keys, in_portions=in_portions):
                writer.write(step, log.host, last(lines_of(text_of(log)), request.tail))
    if not selected:
        write_note("none of these hosts failed" if request.failed else "none of these hosts has begun")
    return ExitCode.ALL_SUCCEEDED
