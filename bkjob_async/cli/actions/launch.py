"""Launch a job, and watch it."""

from __future__ import annotations

import asyncio

from bkjob_async import FileSource, JobClient, JobLaunch, OutcomeUnknown, Targets, UsageError
from bkjob_async.cli.configuration.connection import client_of
from bkjob_async.cli.configuration.journals import recorded_in
from bkjob_async.cli.configuration.launches import (
    FileLaunch,
    Launch,
    PlanLaunch,
    ScriptLaunch,
    account_of,
    language_of,
    named_values,
    readable,
)
from bkjob_async.cli.configuration.settings import Settings
from bkjob_async.cli.configuration.targets import hosts_from, read_text
from bkjob_async.cli.dispatch import report_error
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.cli.lines import json_text, write_note, write_out
from bkjob_async.cli.watching.follow import follow
from bkjob_async.cli.watching.options import WatchFlags
from bkjob_async.cli.watching.recording import request_of, telling_that_jobs_run, try_journal
from bkjob_async.cli.watching.resuming import next_command, scope_options


async def launch(
    settings: Settings, flags: WatchFlags, what: Launch, *, fleet: str | None, detach: bool
) -> ExitCode:
    """Send a launch once; write its ref to stdout, or watch it."""
    recorded = recorded_in(settings, fleet)
    if detach and recorded is not None:
        raise UsageError("nothing is recorded of a job that is not watched: leave out --detach or --journal")
    prepared = prepare(what)
    await try_journal(recorded)
    async with client_of(settings, interval=flags.interval) as client:
        if client.scope is None:
            raise UsageError("in which scope? give --biz or --biz-set")
        try:
            launched = await send(client, what, prepared)
        except OutcomeUnknown as error:
            report_error(error)
            write_note(f"look for it: {how_to_find(what, settings)}")
            return ExitCode.OUTCOME_UNKNOWN
        except asyncio.CancelledError:
            write_note(f"the launch was being sent, and may run: {how_to_find(what, settings)}")
            raise
        if detach:
            write_out(as_line(launched, as_json=flags.as_json))
            return ExitCode.ALL_SUCCEEDED
        write_note(f"launched {launched.ref} {launched.name}".rstrip())
        refs = [launched.ref]
        with telling_that_jobs_run(refs, settings):
            return await follow(client, settings, request_of(refs, recorded), flags)


def prepare(what: Launch) -> str:
    """Return the text of a script, read before anything is sent; empty for other launches."""
    if not isinstance(what, ScriptLaunch):
        return ""
    if what.file == "-" and "-" in what.hosts:
        raise UsageError("the script or the hosts come from stdin, not both")
    script = read_text(what.file)
    if not script.strip():
        raise UsageError(f"{what.file} is an empty script")
    return script


async def send(client: JobClient, what: Launch, script: str) -> JobLaunch:
    """Send a launch; it is never repeated."""
    match what:
        case ScriptLaunch():
            return await send_script(client, what, script)
        case PlanLaunch():
            return await client.execute_job_plan(what.plan, plan_variables(what))
        case FileLaunch():
            return await send_files(client, what)


async def send_script(client: JobClient, what: ScriptLaunch, script: str) -> JobLaunch:
    """Launch a script."""
    alias, number = account_of(what.account)
    return await client.fast_execute_script(
        script,
        hosts_from(what.hosts),
        script_language=language_of(what.file, script, what.language),
        script_param=None if what.parameters is None else readable(what.parameters),
        account_alias=alias,
        account_id=number,
        timeout=what.timeout,
        task_name=what.job_name,
    )


async def send_files(client: JobClient, what: FileLaunch) -> JobLaunch:
    """Launch a file transfer; both sides use the same account."""
    alias, number = account_of(what.account)
    source = FileSource(
        files=[readable(file) for file in what.files],
        server=hosts_from(what.source),
        account_alias=alias,
        account_id=number,
    )
    return await client.fast_transfer_file(
        source,
        readable(what.destination),
        hosts_from(what.hosts),
        account_alias=alias,
        account_id=number,
        timeout=what.timeout,
        task_name=what.job_name,
    )


def plan_variables(what: PlanLaunch) -> dict[str, str | Targets]:
    """Return the variables of a plan by their names; raise `UsageError`."""
    values: dict[str, str | Targets] = dict(named_values(what.variables, "--var"))
    for name, file in named_values(what.variable_files, "--var-file"):
        values[name] = read_text(file).rstrip("\n")
    for name, hosts in named_values(what.variable_hosts, "--var-hosts"):
        values[name] = Targets(hosts=hosts_from([hosts]))
    return values


def as_line(launched: JobLaunch, *, as_json: bool) -> str:
    """Return what was launched as its ref, or as JSON."""
    if not as_json:
        return str(launched.ref)
    step = None if launched.step is None else str(launched.step)
    return json_text({"ref": str(launched.ref), "name": launched.name, "step": step})


def how_to_find(what: Launch, settings: Settings) -> str:
    """Return the command that lists jobs such as this one."""
    name = [] if isinstance(what, PlanLaunch) else ["--name", what.job_name]
    return next_command(["jobs", "--since", "10m"], (), settings, [*scope_options(settings), *name])
