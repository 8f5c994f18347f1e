"""Show the status of some targets, or what explains it: `bkjob status` and `bkjob explain`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from bkjob_async import ScopeType, TargetStatus, to_json
from bkjob_async.cli.configuration.connection import client_of
from bkjob_async.cli.configuration.operable import can_operate_steps
from bkjob_async.cli.configuration.targets import targets_from, word_of
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.cli.lines import json_text, write_note, write_out
from bkjob_async.cli.tables import step_text, write_table
from bkjob_async.cli.watching.resuming import next_command, waits_for_person
from bkjob_async.configuration.settings import Settings
from bkjob_async.model.text.printing import first_of, printable, tally
from bkjob_async.report.times import seconds_text

HEADER = ("TARGET", "STATUS", "HOSTS", "TIME", "STEP", "NAME")
MAX_CAUSES = 8


async def status(settings: Settings, *, targets: Sequence[str], as_json: bool, deadline: float) -> ExitCode:
    """Write a line for each target."""
    refs = targets_from(targets, settings.scope)
    async with client_of(settings) as client:
        found = await client.status(refs, deadline=deadline)
    if as_json:
        for target in found:
            write_out(json_text(status_json(target)))
    else:
        write_table(HEADER, [*map(status_row, found)])
    return code_of(found, settings)


async def explain(settings: Settings, *, targets: Sequence[str], as_json: bool, deadline: float) -> ExitCode:
    """Write some lines about each target."""
    refs = targets_from(targets, settings.scope)
    async with client_of(settings) as client:
        found = await client.status(refs, deadline=deadline, with_earlier_runs=True)
    for target in found:
        if as_json:
            write_out(json_text(status_json(target)))
        else:
            for line in explanation_lines(target, settings):
                write_out(printable(line))
    return code_of(found, settings)


def code_of(found: Sequence[TargetStatus], settings: Settings) -> ExitCode:
    """Return 0 when all could be read, and in time; say what was not."""
    absent = [target for target in found if target.status is None]
    unread = [target.ref for target in absent if target.lost or target.message]
    unseen = [target.ref for target in absent if not (target.lost or target.message)]
    if unread:
        write_note(f"not readable: {first_of(unread)}")
    if unseen:
        scope = unseen[0].scope
        option = "--biz-set" if scope.type is ScopeType.BIZ_SET else "--biz"
        check = next_command(["check"], (), settings, [option, str(scope.id)])
        write_note(f"not seen before the deadline: {first_of(unseen)}; next: {check}")
        return ExitCode.DEADLINE_PASSED
    return ExitCode.COULD_NOT_WATCH if unread else ExitCode.ALL_SUCCEEDED


def status_row(target: TargetStatus) -> tuple[str, ...]:
    """Return the row of one target."""
    if target.status is None:
        why = target.message or "not seen"
        if target.lost:
            why = f"lost: {target.lost.value.replace('_', ' ')}"
        return (str(target.ref), why, "", "", "", "")
    return (
        str(target.ref),
        target.status.phase,
        tally({phase.lower(): count for phase, count in target.hosts.items()}),
        seconds_text(target.seconds),
        step_text(target.steps),
        target.name,
    )


def status_json(target: TargetStatus) -> dict[str, Any]:
    """Return one target as JSON values: all of it, operations by the words of commands, failures as lines too."""
    waiting = [{"ref": str(step), "operation": word_of(what)} for step, what in target.waiting.items()]
    return {**to_json(target), "waiting": waiting, "failures": failures_of(target)}


def failures_of(target: TargetStatus) -> list[str]:
    """Return the failed hosts of a target by cause, one line each."""
    return [str(group) for group in target.causes[:MAX_CAUSES]]


def explanation_lines(target: TargetStatus, settings: Settings) -> Iterator[str]:
    """Yield what a target does, why it fails, what it waits for, and the next command."""
    yield "  ".join(cell for cell in status_row(target) if cell)
    if target.status is None:
        if target.lost and target.message:  # else it stands there already
            yield f"  {target.message}"
        return
    yield f"  {seen_lately(target)}"
    for step, operation in target.waiting.items():
        yield f"  {waits_for_person(step, word_of(operation), settings)}"
    groups = failures_of(target)
    for line in groups:
        yield f"  {line}"
    if groups:
        yield f"  next: {next_command(['logs'], [target.ref], settings, ['--failed'])}"
        if target.is_finished and can_operate_steps(settings):
            yield f"        {next_command(['retry'], [target.ref], settings)}"


def seen_lately(target: TargetStatus) -> str:
    """Return what it does, and when it is expected to end."""
    if target.ends_in is None:
        return target.because
    half, most = map(seconds_text, target.ends_in)
    return f"{target.because}; expected to end in {half}, 90 % of such runs within {most}"
