"""Show the status of some targets, or what explains it: `bkjob status` and `bkjob explain`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from bkjob_async import JobSnapshot, Phase, Ref, ScopeType, StepSnapshot, Watch
from bkjob_async.cli.actions.earlier_runs import earlier_runs, time_left
from bkjob_async.cli.actions.read_targets import ReadTargets, read_targets
from bkjob_async.cli.configuration.connection import client_of
from bkjob_async.cli.configuration.targets import targets_from
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.cli.lines import json_text, write_note, write_out
from bkjob_async.cli.phases import BAD, counts_json
from bkjob_async.cli.tables import write_table
from bkjob_async.cli.times import seconds_text
from bkjob_async.cli.watching.failures import results_in
from bkjob_async.cli.watching.outcome import CONTINUING
from bkjob_async.cli.watching.resuming import next_command
from bkjob_async.configuration.settings import Settings
from bkjob_async.engine.scheduling.duration_stats import DurationTable
from bkjob_async.model.status import status_to_json
from bkjob_async.model.text.printing import first_of, printable, tally

HEADER = ("TARGET", "STATUS", "HOSTS", "TIME", "STEP", "NAME")
PLAUSIBLE = timedelta(days=30)


async def status(settings: Settings, *, targets: Sequence[str], as_json: bool, deadline: float) -> ExitCode:
    """Write a line for each target."""
    refs = targets_from(targets, settings.scope)
    async with client_of(settings) as client, read_targets(client, refs, deadline) as state:
        if as_json:
            for ref in refs:
                write_out(json_text(status_json(state, ref)))
        else:
            write_table(HEADER, [status_row(state, ref) for ref in refs])
        return code_of(state, refs, settings)


async def explain(settings: Settings, *, targets: Sequence[str], as_json: bool, deadline: float) -> ExitCode:
    """Write some lines about each target."""
    refs = targets_from(targets, settings.scope)
    async with client_of(settings) as client, read_targets(client, refs, deadline) as state:
        running = [seen for ref in refs if (seen := running_job(state, ref)) is not None]
        earlier = await earlier_runs(client, running, datetime.now(UTC))
        for ref in refs:
            ends_in = expected_end(state, ref, earlier)
            if as_json:
                write_out(json_text({**status_json(state, ref), **explanation_json(state, ref, ends_in)}))
            else:
                for line in explanation_lines(state, ref, settings, ends_in):
                    write_out(printable(line))
        return code_of(state, refs, settings)


def running_job(state: ReadTargets, ref: Ref) -> JobSnapshot | None:
    """Return a job that is not over."""
    seen = state.watch.snapshot(ref)
    return seen if isinstance(seen, JobSnapshot) and not seen.is_finished else None


def expected_end(state: ReadTargets, ref: Ref, earlier: DurationTable) -> tuple[float, float] | None:
    """Return in how many seconds half and 90 % of such runs are over: as the client learned, else by *earlier* runs."""
    job = running_job(state, ref)
    if job is None:
        return None
    return state.watch.explain(ref).ends_in or time_left(earlier, job, elapsed(state.watch, job) or 0.0)


def code_of(state: ReadTargets, refs: Sequence[Ref], settings: Settings) -> ExitCode:
    """Return 0 when all could be read, and in time; say what was not."""
    unread = [*state.outcome.lost, *state.unread()]
    if unread:
        write_note(f"not readable: {first_of(unread)}")
        return ExitCode.COULD_NOT_WATCH
    if not state.is_late:
        return ExitCode.ALL_SUCCEEDED
    unseen = [ref for ref in refs if state.watch.snapshot(ref) is None]
    if unseen:
        scope = unseen[0].scope
        option = "--biz-set" if scope.type is ScopeType.BIZ_SET else "--biz"
        check = next_command(["check"], (), settings, [option, str(scope.id)])
        write_note(f"not seen before the deadline: {first_of(unseen)}; next: {check}")
    return ExitCode.DEADLINE_PASSED


def status_row(state: ReadTargets, ref: Ref) -> tuple[str, ...]:
    """Return the row of one target."""
    seen = state.watch.snapshot(ref)
    if seen is None:
        lost = state.lost(ref)
        trouble = state.outcome.state.trouble.get(ref)
        why = "not seen" if trouble is None else trouble.message
        if lost:
            why = f"lost: {lost.reason.value.replace('_', ' ')}"
        return (str(ref), why, "", "", "", "")
    hosts = tally({phase.lower(): count for phase, count in state.watch.counts(ref).items() if count})
    return (
        str(ref),
        seen.status.phase,
        hosts,
        seconds_text(elapsed(state.watch, seen)),
        present_step(seen),
        seen.name,
    )


def present_step(seen: JobSnapshot | StepSnapshot) -> str:
    """Return which step of a job is at work or was last: `2/3 deploy`."""
    steps = seen.steps if isinstance(seen, JobSnapshot) else ()
    begun = [number for number, step in enumerate(steps, 1) if step.status.phase is not Phase.PENDING]
    if not begun:
        return ""
    return f"{begun[-1]}/{len(steps)} {steps[begun[-1] - 1].name}".rstrip()


def elapsed(watch: Watch, seen: JobSnapshot | StepSnapshot, now: datetime | None = None) -> float | None:
    """Return for how many seconds it has been running, or ran.

    Where the platform's clock is another one, it is the time since it was first seen running.
    """
    if seen.is_finished:
        return seen.times.total_time
    if seen.times.start_time is not None:
        since = (now or datetime.now(UTC)) - seen.times.start_time
        if timedelta(0) <= since <= PLAUSIBLE:
            return since.total_seconds()
    return watch.explain(seen.ref).running_for


def status_json(state: ReadTargets, ref: Ref) -> dict[str, Any]:
    """Return one target as JSON values."""
    seen = state.watch.snapshot(ref)
    if seen is None:
        lost = state.lost(ref)
        return {"ref": str(ref), "status": None, "lost": lost.reason.value if lost else None}
    steps = seen.steps if isinstance(seen, JobSnapshot) else ()
    started = seen.times.start_time
    return {
        "ref": str(ref),
        "name": seen.name,
        "status": status_to_json(seen.status),
        "is_finished": seen.is_finished,
        "hosts": counts_json(state.watch.counts(ref)),
        "start_time": started.isoformat() if started else None,
        "seconds": elapsed(state.watch, seen),
        "steps": [
            {
                "ref": str(step.ref),
                "name": step.name,
                "status": status_to_json(step.status),
                "execute_count": step.execute_count,
                "hosts": counts_json(state.watch.counts(step.ref)),
            }
            for step in steps
        ],
    }


def explanation_lines(
    state: ReadTargets, ref: Ref, settings: Settings, ends_in: tuple[float, float] | None
) -> Iterator[str]:
    """Yield what a target does, why it fails, what it waits for, and the next command."""
    yield "  ".join(cell for cell in status_row(state, ref) if cell)
    if state.watch.snapshot(ref) is None:
        lost = state.lost(ref)
        yield f"  {lost.message or lost.reason.value}" if lost else "  it could not be read"
        return
    yield f"  {seen_lately(state.watch, ref, ends_in)}"
    for step, operation in waiting_steps(state, ref):
        yield f"  {step} waits for a person: {next_command(['operate'], [step], settings, [operation])}"
    groups = failures_of(state.watch, ref)
    for line in groups:
        yield f"  {line}"
    if groups:
        yield f"  next: {next_command(['logs'], [ref], settings, ['--failed'])}"
        if state.outcome.ends.get(ref) is not None:
            yield f"        {next_command(['retry'], [ref], settings)}"


def seen_lately(watch: Watch, ref: Ref, ends_in: tuple[float, float] | None) -> str:
    """Return why it is polled or not, and when it is expected to end."""
    if ends_in is None:
        return watch.explain(ref).because
    half, most = map(seconds_text, ends_in)
    return f"{watch.explain(ref).because}; expected to end in {half}, 90 % of such runs within {most}"


def waiting_steps(state: ReadTargets, ref: Ref) -> list[tuple[Ref, str]]:
    """Return the steps of a target that wait for a person, with what lets them go on."""
    seen = state.watch.snapshot(ref)
    steps = seen.steps if isinstance(seen, JobSnapshot) else () if seen is None else (seen,)
    return [(step.ref, CONTINUING[step.status.code]) for step in steps if step.status.code in CONTINUING]


def failures_of(watch: Watch, ref: Ref) -> list[str]:
    """Return the failed hosts of a target by cause, one line each."""
    if not BAD & {phase for phase, count in watch.counts(ref).items() if count}:
        return []
    result = watch.progress(ref)
    return [str(group) for group in results_in([result]).largest] if result is not None else []


def explanation_json(state: ReadTargets, ref: Ref, ends_in: tuple[float, float] | None) -> dict[str, Any]:
    """Return why a target stands as it does, as JSON values."""
    if state.watch.snapshot(ref) is None:
        return {}
    known = state.watch.explain(ref)
    return {
        "because": known.because,
        "ends_in": None if ends_in is None else list(ends_in),
        "waiting": [{"ref": str(step), "operation": what} for step, what in waiting_steps(state, ref)],
        "failures": failures_of(state.watch, ref),
    }
