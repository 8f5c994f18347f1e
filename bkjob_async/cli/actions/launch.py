"""Launch a job, and watch it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import PurePath
from typing import Any

from bkjob_async import FileSource, JobClient, OutcomeUnknown, ScriptLanguage, Targets, UsageError, to_json
from bkjob_async.cli.configuration.connection import client_of
from bkjob_async.cli.configuration.targets import hosts_from, read_text
from bkjob_async.cli.dispatch import report_error
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.cli.lines import json_text, write_note, write_out
from bkjob_async.cli.watching.options import WatchFlags
from bkjob_async.cli.watching.recording import follow_begun, journal_of_begun
from bkjob_async.cli.watching.resuming import next_command, scope_options
from bkjob_async.configuration.settings import Settings
from bkjob_async.responses import JobLaunch

Send = Callable[[JobClient], Awaitable[JobLaunch]]

SHELL, BAT, PERL, PYTHON, POWERSHELL = ScriptLanguage
# By the suffixes of files, and by how the names of interpreters begin.
SUFFIXES = {
    ".sh": SHELL,
    ".bash": SHELL,
    ".bat": BAT,
    ".cmd": BAT,
    ".pl": PERL,
    ".py": PYTHON,
    ".ps1": POWERSHELL,
}
INTERPRETERS = {"perl": PERL, "python": PYTHON, "pwsh": POWERSHELL}


async def send_script(
    settings: Settings,
    flags: WatchFlags,
    *,
    file: str,
    hosts: Sequence[str],
    account: str,
    language: str | None,
    parameters: str | None,
    seconds: int | None,
    name: str | None,
    **watched: Any,
) -> ExitCode:
    """Launch the script in a file, or from stdin."""
    if file == "-" and "-" in hosts:
        raise UsageError("the script or the hosts come from stdin, not both")
    script = read_text(file)
    if not script.strip():
        raise UsageError(f"{file} is an empty script")
    alias, number = account_of(account)
    task_name = readable(name or ("bkjob script" if file == "-" else PurePath(file).name))
    send = partial(
        JobClient.fast_execute_script,
        script_content=script,
        target_server=hosts_from(hosts),
        script_language=language_of(file, script, language),
        script_param=None if parameters is None else readable(parameters),
        account_alias=alias,
        account_id=number,
        timeout=seconds,
        task_name=task_name,
    )
    return await launch(settings, flags, send, task_name, **watched)


async def send_plan(
    settings: Settings,
    flags: WatchFlags,
    *,
    plan: int,
    variables: Sequence[str],
    variable_files: Sequence[str],
    variable_hosts: Sequence[str],
    **watched: Any,
) -> ExitCode:
    """Launch a plan with its variables, given as NAME=VALUE, NAME=FILE and NAME=HOSTS."""
    values: dict[str, str | Targets] = dict(named_values(variables, "--var"))
    for name, file in named_values(variable_files, "--var-file"):
        values[name] = read_text(file).rstrip("\n")
    for name, hosts in named_values(variable_hosts, "--var-hosts"):
        values[name] = Targets(hosts=hosts_from([hosts]))
    send = partial(JobClient.execute_job_plan, job_plan_id=plan, global_var_list=values)
    return await launch(settings, flags, send, **watched)


async def send_files(
    settings: Settings,
    flags: WatchFlags,
    *,
    files: Sequence[str],
    source: Sequence[str],
    destination: str,
    hosts: Sequence[str],
    account: str,
    seconds: int | None,
    name: str | None,
    **watched: Any,
) -> ExitCode:
    """Launch a file transfer; both sides use the same account."""
    alias, number = account_of(account)
    task_name = readable(name or f"send {PurePath(files[0]).name}")
    sent = FileSource(
        files=[*map(readable, files)], server=hosts_from(source), account_alias=alias, account_id=number
    )
    send = partial(
        JobClient.fast_transfer_file,
        file_source_list=sent,
        file_target_path=readable(destination),
        target_server=hosts_from(hosts),
        account_alias=alias,
        account_id=number,
        timeout=seconds,
        task_name=task_name,
    )
    return await launch(settings, flags, send, task_name, **watched)


async def launch(
    settings: Settings,
    flags: WatchFlags,
    send: Send,
    task_name: str | None = None,
    *,
    fleet: str | None,
    detach: bool,
) -> ExitCode:
    """Call *send* once; write the ref of the job to stdout, or watch it. Jobs with a *task_name* can be found by it."""
    journal = await journal_of_begun(settings, fleet, flags, detach=detach)
    named = [] if task_name is None else ["--name", task_name]
    find = next_command(["jobs", "--since", "10m"], (), settings, [*scope_options(settings), *named])
    async with client_of(settings, interval=flags.interval) as client:
        if client.scope is None:
            raise UsageError("in which scope? give --biz or --biz-set")
        try:
            launched = await send(client)
        except OutcomeUnknown as error:
            report_error(error)
            write_note(f"look for it: {find}")
            return ExitCode.OUTCOME_UNKNOWN
        except asyncio.CancelledError:
            write_note(f"the launch was being sent, and may run: {find}")
            raise
        if detach:
            write_out(as_line(launched, as_json=flags.as_json))
            return ExitCode.ALL_SUCCEEDED
        write_note(f"launched {launched.ref} {launched.name}".rstrip())
        return await follow_begun(client, settings, [launched.ref], flags, journal=journal, name=fleet)


def as_line(launched: JobLaunch, *, as_json: bool) -> str:
    """Return what was launched as its ref, or as JSON."""
    return json_text(to_json(launched)) if as_json else str(launched.ref)


# What stands on the command line --------------------------------------------------------------------------------------


def readable(text: str) -> str:
    """Return an argument as text that can be sent: bytes that the locale could not read are taken for UTF-8."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def language_of(file: str, text: str, given: str | None) -> ScriptLanguage:
    """Return what a script is written in: as *given*, by its suffix, by the interpreter that it names, else shell."""
    if given is not None:
        return ScriptLanguage[given.upper()]
    by_suffix = SUFFIXES.get(PurePath(file).suffix.lower())
    if by_suffix is not None:
        return by_suffix
    first = text.split("\n", 1)[0]
    words = first.removeprefix("#!").split() if first.startswith("#!") else []
    names = [PurePath(word).name for word in words]
    found = (code for name in names for key, code in INTERPRETERS.items() if name.startswith(key))
    return next(found, SHELL)


def account_of(text: str) -> tuple[str | None, int | None]:
    """Return an account as an alias or an id."""
    return (None, int(text)) if text.isdecimal() else (text, None)


def named_values(pairs: Iterable[str], option: str) -> Iterator[tuple[str, str]]:
    """Yield the names and values of NAME=VALUE texts; raise `UsageError`, which does not repeat the value."""
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not name or not equals:
            raise UsageError(f"{option} is NAME=VALUE, not {name!r:.40}")
        yield readable(name), readable(value)
