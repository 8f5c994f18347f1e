"""Write the logs of hosts, as they are."""

from __future__ import annotations

from collections.abc import Sequence

from bkjob_async import HostKey, JobClient, Ref
from bkjob_async.cli.configuration.connection import client_of
from bkjob_async.cli.configuration.targets import hosts_from, targets_from
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.cli.lines import write_note
from bkjob_async.cli.logs.hosts import HostFilter, KnownHosts, absent_hosts, read_logs, select_hosts
from bkjob_async.cli.logs.lines import LogWriter, last, lines_of, text_of
from bkjob_async.configuration.settings import Settings
from bkjob_async.model.text.printing import counted, first_of

WHOLE_JOB_LOGS = "esb-job"


async def show_logs(
    settings: Settings,
    *,
    targets: Sequence[str],
    hosts: Sequence[str],
    failed: bool,
    tail: int | None,
    as_json: bool,
) -> ExitCode:
    """Write the logs of the targets, a portion of the hosts at a time; of each host the last lines, *tail*."""
    refs = targets_from(targets, settings.scope)
    wanted = HostFilter(hosts_from(hosts), failed)
    with_log = KnownHosts()
    async with client_of(settings) as client:
        selected = [each for ref in refs for each in await select_hosts(client, ref, wanted)]
        writer = LogWriter(as_json=as_json, with_steps=len(selected) > 1)
        in_portions = settings.get("dialect") != WHOLE_JOB_LOGS
        for step, keys in selected:
            async for log in read_logs(client, step, keys, in_portions=in_portions):
                text = text_of(log)
                if text:
                    with_log.add(log.host)
                writer.write(step, log.host, last(lines_of(text), tail))
        absent = await say_absent(client, refs, with_log.without(wanted.keys))
    say_silent(with_log.without(dict.fromkeys(key for _, keys in selected for key in keys)), absent)
    if not selected and not absent:
        write_note("none of these hosts failed" if failed else "none of these hosts has begun")
    return ExitCode.COULD_NOT_WATCH if absent else ExitCode.ALL_SUCCEEDED


async def say_absent(client: JobClient, refs: Sequence[Ref], hosts: Sequence[HostKey]) -> list[HostKey]:
    """Say and return which of some named *hosts* are in none of the targets, as far as these show their hosts."""
    absent = await absent_hosts(client, refs, hosts) if hosts else []
    if absent:
        write_note(
            f"{counted(len(absent), 'host')} not in {first_of(refs)}: {first_of(absent)} "
            "(a step shows its hosts when it begins)"
        )
    return absent


def say_silent(hosts: Sequence[HostKey], absent: Sequence[HostKey]) -> None:
    """Say which hosts have no log, but for those that are *absent*."""
    silent = [host for host in hosts if host not in absent]
    if silent:
        write_note(f"{counted(len(silent), 'host')} without a log: {first_of(silent)}")
