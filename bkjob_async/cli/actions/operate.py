"""Operate a step or job: show it, ask for confirmation, send the operation once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import bkjob_async as bkjob
from bkjob_async.cli.configuration.connection import client_of
from bkjob_async.cli.configuration.operable import check_operable
from bkjob_async.cli.configuration.targets import OPERATIONS, target_from, targets_from, word_of
from bkjob_async.cli.dispatch import report_error
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.cli.lines import write_note
from bkjob_async.cli.terminal import confirm
from bkjob_async.cli.watching.options import WatchFlags
from bkjob_async.cli.watching.recording import follow_begun, journal_of_begun
from bkjob_async.cli.watching.resuming import next_command
from bkjob_async.client.shortcuts import RETRYABLE
from bkjob_async.configuration.settings import Settings
from bkjob_async.model.causes import has_failed
from bkjob_async.model.operations.base import OperateJobInstance, OperateStepInstance
from bkjob_async.model.text.printing import counted, first_of, tally


async def retry(
    settings: Settings,
    flags: WatchFlags,
    *,
    targets: Sequence[str],
    all_hosts: bool,
    name: str | None,
    yes: bool,
    detach: bool,
) -> ExitCode:
    """Retry the failed steps of the targets, and watch these."""
    check_operable(settings, OperateStepInstance)
    journal = await journal_of_begun(settings, name, flags, detach=detach)
    refs = targets_from(targets, settings.scope)
    operation = bkjob.StepOperation.RETRY_ALL_HOSTS if all_hosts else bkjob.StepOperation.RETRY_FAILED_HOSTS
    async with client_of(settings, interval=flags.interval) as client:
        # A job and one of its steps name that step twice.
        steps = {step.ref: step for ref in refs for step in await steps_to_retry(client, ref)}.values()
        for step in steps:
            write_note(described(step))
        confirm(f"send {word_of(operation)} to {counted(len(steps), 'step')}?", yes=yes)
        for step in steps:
            code = await send(client, settings, step.ref, operation)
            if code is not ExitCode.ALL_SUCCEEDED:
                return code
        if detach:
            return ExitCode.ALL_SUCCEEDED
        return await follow_begun(client, settings, refs, flags, journal=journal, name=name)


async def steps_to_retry(client: bkjob.JobClient, ref: bkjob.Ref) -> list[bkjob.StepSnapshot]:
    """Return the steps of *ref* that failed, each with its hosts; raise `UsageError` where none did."""
    job = await client.get_job_instance_status(ref.job, return_ip_result=True)
    steps = [step for step in steps_of(job, ref) if step.status.code in RETRYABLE]
    if not steps:
        raise bkjob.UsageError(f"{ref} has no failed step to retry: the job is {job.status.name}")
    return steps


def steps_of(job: bkjob.JobSnapshot, ref: bkjob.Ref) -> list[bkjob.StepSnapshot]:
    """Return the steps of *job* that *ref* names; raise `UsageError` for one that it does not have."""
    if isinstance(ref, bkjob.JobRef):
        return [*job.steps]
    steps = [step for step in job.steps if step.ref == ref]
    if not steps:
        raise bkjob.UsageError(f"{ref.job} has no such step; it has {', '.join(step_names(job))}")
    return steps


async def operate(settings: Settings, *, target: str, operation: str, yes: bool) -> ExitCode:
    """Show a step or job, ask, and send one operation."""
    ref, code = target_from(target, settings.scope), OPERATIONS[operation]
    if isinstance(code, bkjob.JobOperation) and isinstance(ref, bkjob.StepRef):
        raise bkjob.UsageError(f"{operation} is for jobs: name the job, {ref.job}")
    check_operable(
        settings, OperateJobInstance if isinstance(code, bkjob.JobOperation) else OperateStepInstance
    )
    async with client_of(settings) as client:
        job = await client.get_job_instance_status(ref.job, return_ip_result=True)
        if isinstance(ref, bkjob.JobRef) and isinstance(code, bkjob.StepOperation):
            raise bkjob.UsageError(f"{operation} is for steps: name one of {', '.join(step_names(job))}")
        steps = steps_of(job, ref)
        is_step = isinstance(ref, bkjob.StepRef)
        write_note(described(steps[0]) if is_step else f"{job.ref} {job.status.phase} {job.name}")
        confirm(f"send {operation} to {ref}?", yes=yes)
        return await send(client, settings, ref, code)


def step_names(job: bkjob.JobSnapshot) -> list[str]:
    """Return the names of a job's steps with what they do."""
    return [f"{step.ref} ({step.status.phase})" for step in job.steps] or ["none yet"]


def described(step: bkjob.StepSnapshot) -> str:
    """Return a step with its status and hosts in one line; those that failed by name."""
    hosts = step.hosts or ()
    counts: dict[bkjob.Phase, int] = {}
    for row in hosts:
        counts[row.status.phase] = counts.get(row.status.phase, 0) + 1
    failed = [row.host for row in hosts if has_failed(row)]
    named = f"; failed: {first_of(failed)}" if failed else ""
    return f"{step.ref} {step.status.phase} {step.name!r}: {tally(counts) or 'no hosts'}{named}"


async def send(
    client: bkjob.JobClient,
    settings: Settings,
    ref: bkjob.Ref,
    operation: bkjob.StepOperation | bkjob.JobOperation,
) -> ExitCode:
    """Send an operation once; say how to look when nobody knows whether it happened."""
    look = next_command(["status"], [ref], settings)
    try:
        if isinstance(ref, bkjob.StepRef):
            await client.operate_step_instance(ref, operation_code=operation)
        else:
            await client.operate_job_instance(ref, operation)
    except bkjob.OutcomeUnknown as error:
        report_error(error)
        write_note(f"look at it first: {look}")
        return ExitCode.OUTCOME_UNKNOWN
    except asyncio.CancelledError:
        write_note(f"{word_of(operation)} was being sent to {ref}, and may happen: {look}")
        raise
    write_note(f"{word_of(operation)} {ref}: accepted")
    return ExitCode.ALL_SUCCEEDED
