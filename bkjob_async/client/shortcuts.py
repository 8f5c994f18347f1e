"""Shortcuts that combine operations: run, send, retry, read logs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from bkjob_async.client.caller import Caller, build, surrounded
from bkjob_async.client.operations.base import get_job_instance_status
from bkjob_async.client.operations.batch_logs import GatheredLogs, batch_get_job_instance_ip_log, is_same
from bkjob_async.client.operations.launches import execute_job_plan, fast_execute_script, fast_transfer_file
from bkjob_async.client.operations.operate_step import operate_step_instance
from bkjob_async.client.operations.queries import get_job_instance_log
from bkjob_async.client.watching import Deadline, seconds, wait
from bkjob_async.engine.stream.wait_conditions import Condition, check_condition
from bkjob_async.errors import CallFailed, ErrorDetails, NotFound, UsageError
from bkjob_async.model.base_error import OptionTypes, WrongValue, check_number, check_options, check_type
from bkjob_async.model.operations.base import OperateStepInstance, StepOperation
from bkjob_async.model.operations.launches import FileSource, GlobalVarsLike, RollingConfig
from bkjob_async.model.operations.responses import JobLaunch, StepLogs
from bkjob_async.model.operations.targets import HostLike, TargetsLike, host_keys, targets_of
from bkjob_async.model.ref_input import RefLike
from bkjob_async.model.refs import HostKey, JobRef, Ref, Scope, StepRef
from bkjob_async.model.result import JobResult, StepResult
from bkjob_async.model.snapshot import JobSnapshot, StepSnapshot
from bkjob_async.model.text.printing import first_of
from bkjob_async.observe.to_logging import log_safely, logger
from bkjob_async.wire.tracebacks import hide_arguments

# Failed, abnormal, terminated: the statuses from which the platform allows a retry.
RETRYABLE = frozenset({4, 9, 11})
SHORTEST_WAIT = 0.001


@hide_arguments
@surrounded
async def run_script(
    client: Caller,
    script: str,
    hosts: TargetsLike,
    *,
    account: str | int = "root",
    language: int | None = None,
    parameters: str | None = None,
    timeout: int | None = None,  # noqa: ASYNC109 - the script's, enforced by the platform
    name: str | None = None,
    rolling: RollingConfig | None = None,
    until: Condition | None = None,
    deadline: Deadline = None,
    scope: Scope | None = None,
) -> JobResult:
    """Run a script on *hosts* and wait until it ends.

    Return the result, whether the script succeeded or not; `raise_for_status()` raises when it did not.

    *script* and *parameters* are plain text. *hosts* are `Targets`, or one host or many as `HostKey`,
    `bk_host_id` or `"cloud:ip"`. *account* is an alias or an id, *language* a `ScriptLanguage`, *name* the
    name of the job, *rolling* a `RollingConfig`. *timeout* is the script's, in seconds; *deadline* is seconds
    or a timedelta, counted from the call. *until* ends the wait early, see `wait`. Raises what
    `fast_execute_script` and `wait` raise. Cancelling it never touches the job: the error has a note that names the job, or
    that says that the script may have been started; `launch_script` returns the job first.

    >>> result = await client.run_script("uptime", ["0:10.0.0.1", "0:10.0.0.2"], deadline=600)
    >>> print(result.ok, result.status)
    True SUCCESS
    """
    check_condition(until)
    ends_at = loop_time_after(deadline)
    launched = await launch_script(
        client,
        script,
        hosts,
        account=account,
        language=language,
        parameters=parameters,
        timeout=timeout,
        name=name,
        rolling=rolling,
        scope=scope,
    )
    return await wait_for_launched(client, launched, until, ends_at)


@hide_arguments
async def launch_script(
    client: Caller,
    script: str,
    hosts: TargetsLike,
    *,
    account: str | int = "root",
    language: int | None = None,
    parameters: str | None = None,
    timeout: int | None = None,  # noqa: ASYNC109 - the script's, enforced by the platform
    name: str | None = None,
    rolling: RollingConfig | None = None,
    scope: Scope | None = None,
) -> JobLaunch:
    """Start a script on *hosts*; do not wait for it.

    It is `run_script` up to the launch, with the same arguments: what it returns names the job before there is a result, and
    `wait`, `watch`, `logs` and `retry_failed` take it. Raises what `fast_execute_script` raises. A plan is launched by
    `execute_job_plan`, a transfer by `fast_transfer_file`.

    >>> launch = await client.launch_script("uptime", ["0:10.0.0.1", "0:10.0.0.2"])
    >>> print(launch.ref)
    2:20000000002
    >>> result = await client.wait(launch, deadline=600)
    >>> result.ok
    True
    """
    check_texts(script=script)
    check_options(OPTIONS, language=language, parameters=parameters, name=name, rolling=rolling)
    alias, number = named("account", account)
    return await fast_execute_script(
        client,
        script,
        hosts,
        script_language=language,
        script_param=parameters,
        account_alias=alias,
        account_id=number,
        timeout=timeout,
        task_name=name,
        rolling_config=rolling,
        scope=scope,
    )


@hide_arguments
@surrounded
async def run_plan(
    client: Caller,
    job_plan_id: int,
    variables: GlobalVarsLike = (),
    *,
    until: Condition | None = None,
    deadline: Deadline = None,
    scope: Scope | None = None,
) -> JobResult:
    """Run a job plan and wait until it ends.

    Return the result, whether the plan succeeded or not.

    *variables* maps names to texts or `Targets`. *deadline* is seconds or a timedelta, counted from the call.
    *until* ends the wait early, see `wait`. A plan with a confirmation step waits until a user confirms.
    Raises what `execute_job_plan` and `wait` raise.

    >>> result = await client.run_plan(1000, deadline=3600)
    >>> result.raise_for_status()
    <JobResult 2:20000000002 SUCCESS: 1 step; 3 SUCCESS>
    """
    check_condition(until)
    ends_at = loop_time_after(deadline)
    launched = await execute_job_plan(client, job_plan_id, variables, scope=scope)
    return await wait_for_launched(client, launched, until, ends_at)


@surrounded
async def send_file(
    client: Caller,
    files: str | Iterable[str],
    destination: str,
    hosts: TargetsLike,
    *,
    source: TargetsLike,
    account: str | int = "root",
    source_account: str | int | None = None,
    mode: int | None = None,
    timeout: int | None = None,  # noqa: ASYNC109 - the transfer's, enforced by the platform
    name: str | None = None,
    until: Condition | None = None,
    deadline: Deadline = None,
    scope: Scope | None = None,
) -> JobResult:
    """Send files from hosts to hosts and wait until they arrive.

    Return the result, whether the transfer succeeded or not. *files* are paths on the *source* hosts,
    *destination* is a directory on *hosts*. *account* owns the files on the target hosts, *source_account*
    (by default the same) on the source hosts. *mode* is a `TransferMode`, *name* the name of the job.
    *timeout* is the transfer's, in seconds; *deadline* is seconds or a timedelta, counted from the call.
    *until* ends the wait early, see `wait`. Raises what `fast_transfer_file` and `wait` raise.

    >>> result = await client.send_file("/etc/hosts", "/tmp/", "0:10.0.0.1", source="0:10.0.0.2")
    >>> result.ok
    True
    """
    check_condition(until)
    check_texts(destination=destination)
    check_options(OPTIONS, mode=mode, name=name)
    ends_at = loop_time_after(deadline)
    alias, number = named("account", account)
    theirs = ("account", account) if source_account is None else ("source_account", source_account)
    their_alias, their_number = named(*theirs)
    launched = await fast_transfer_file(
        client,
        FileSource(
            files=files,
            server=build(targets_of, source, "source"),
            account_alias=their_alias,
            account_id=their_number,
        ),
        destination,
        hosts,
        account_alias=alias,
        account_id=number,
        transfer_mode=mode,
        timeout=timeout,
        task_name=name,
        scope=scope,
    )
    return await wait_for_launched(client, launched, until, ends_at)


@surrounded
async def retry_failed(
    client: Caller, result: RefLike | JobResult, *, until: Condition | None = None, deadline: Deadline = None
) -> JobResult:
    """Run the failed hosts of a job or step again and wait.

    Return the result of the retry.

    *result* is what a wait returned, or anything that `job` or `step` takes; then the status of the job is read first,
    as it is for a result from before the end. Each step that failed or was terminated is retried. *deadline* is seconds
    or a timedelta, counted from the call. *until* ends the wait early, see `wait`. Raises `UsageError` when no step
    failed, `NotFound` for a step that the job does not have, and what `get_job_instance_status`,
    `operate_step_instance` and `wait` raise. Not in `gateway-v4` (`NotSupported`). Cancelling it stops no retry that
    was accepted: the error has a note that names the steps.

    >>> result = await client.retry_failed(job, deadline=600)
    >>> result.ok
    True
    """
    check_condition(until)
    client._session.dialect.check_has(OperateStepInstance)
    ends_at = loop_time_after(deadline)
    ref = client._ref(result)
    seen: JobResult | JobSnapshot
    if isinstance(result, JobResult) and result.status.is_finished:
        seen = result
    else:
        seen = await get_job_instance_status(client, ref.job)
    steps = [step.ref for step in seen.steps if step.status.code in RETRYABLE and is_meant(step.ref, ref)]
    if not steps:
        check_step(ref, seen.steps)
        raise UsageError(f"{ref} has no failed step to retry: the job is {seen.status.name}")
    accepted: list[StepRef] = []
    try:
        for step in steps:
            await operate_step_instance(client, step, operation_code=StepOperation.RETRY_FAILED_HOSTS)
            accepted.append(step)
        return await wait(client, ref, until=until, deadline=remaining(ends_at))
    except BaseException as error:
        if accepted:
            again = first_of(accepted)
            note = f"the retry of {again} was accepted, and its hosts run again: client.wait({str(ref)!r})"
            say_what_goes_on(error, ref, note, f"the retry of {again}", "its hosts run on")
        raise


async def logs(
    client: Caller, ref: RefLike, *, hosts: HostLike | Iterable[HostLike] | None = None
) -> tuple[GatheredLogs, ...]:
    """Return the logs of a step, or of every step of a job.

    They are those of all hosts, or of *hosts* only.

    It works in every dialect. A host whose log cannot be read is in `missing` of its step, with the error. One of *hosts*
    that is in no step is in `missing` of each, with `NotFound`. Raises a `CallFailed` when nothing can be read at all, and
    `NotFound` for a step that the job does not have.

    >>> for gathered in await client.logs(step, hosts="0:10.0.0.2"):
    ...     for log in gathered.hosts:
    ...         print(log.host, log.text)
    0:10.0.0.2 no such file
    """
    ref = client._ref(ref)
    keys = None if hosts is None else build(host_keys, hosts)
    job: JobSnapshot | None = None
    if not client._session.dialect.capabilities.log_hosts:
        steps_logs = await get_job_instance_log(client, ref.job)
        gathered = tuple(kept(step, ref.job, keys) for step in steps_logs if is_meant(step.ref, ref))
    else:
        if isinstance(ref, StepRef) and keys:
            steps = [(ref, keys)]
        else:
            job = await get_job_instance_status(client, ref.job, return_ip_result=True)
            steps = hosts_of(job, ref, keys)
        gathered = await logs_of_steps(client, steps)
    if not gathered and isinstance(ref, StepRef):
        job = job or await get_job_instance_status(client, ref.job)
        check_step(ref, job.steps)
    silent = [key for key in keys or () if not any(each.of(key) or key in each.missing for each in gathered)]
    if not silent:
        return gathered
    job = job or await get_job_instance_status(client, ref.job, return_ip_result=True)
    return with_absent(gathered, job, ref, silent)


async def logs_of_steps(
    client: Caller, steps: Sequence[tuple[StepRef, tuple[HostKey, ...]]]
) -> tuple[GatheredLogs, ...]:
    """Return the logs of each step's hosts, which are missing where the step fails; raise if every step failed."""
    gathered: list[GatheredLogs] = []
    errors: list[CallFailed] = []
    for step, hosts in steps:
        try:
            gathered.append(await batch_get_job_instance_ip_log(client, step, hosts=hosts))
        except CallFailed as error:
            errors.append(error)
            gathered.append(GatheredLogs(ref=step, missing=dict.fromkeys(hosts, error)))
    if errors and len(errors) == len(gathered):
        raise errors[0]
    return tuple(gathered)


def check_step(ref: Ref, steps: Sequence[StepSnapshot | StepResult]) -> None:
    """Raise `NotFound` for a step that is none of *steps*, those of its job."""
    if isinstance(ref, StepRef) and all(step.ref != ref for step in steps):
        names = ", ".join(str(step.ref.step_instance_id) for step in steps) or "none"
        message = f"{ref.job} has no step {ref.step_instance_id}; its steps are {names}"
        raise NotFound(ErrorDetails(operation="get_job_instance_status", message=message))


def hosts_of(
    job: JobSnapshot, ref: Ref, keys: tuple[HostKey, ...] | None
) -> list[tuple[StepRef, tuple[HostKey, ...]]]:
    """Return the selected steps, with their selected hosts."""
    found = []
    for step in job.steps:
        some = tuple(host for host in hosts_in(step) if keys is None or any(is_same(host, k) for k in keys))
        if some and is_meant(step.ref, ref):
            found.append((step.ref, some))
    return found


def with_absent(
    gathered: tuple[GatheredLogs, ...], job: JobSnapshot, ref: Ref, silent: Sequence[HostKey]
) -> tuple[GatheredLogs, ...]:
    """Return the logs with those of *silent* hosts as missing that are in no step, as far as steps list their hosts."""
    steps = [step for step in job.steps if is_meant(step.ref, ref)]
    known = [host for step in steps for host in hosts_in(step)]
    absent = [key for key in silent if not any(is_same(key, host) for host in known)]
    if not absent or not known:
        return gathered
    message = f"the host is in no step of {ref}" if isinstance(ref, JobRef) else f"the host is not in {ref}"
    missing = dict.fromkeys(absent, NotFound(ErrorDetails(operation="logs", message=message, sent=False)))
    by_step = {each.ref: each for each in gathered}
    whole = [by_step.get(step.ref) or GatheredLogs(ref=step.ref, name=step.name) for step in steps]
    return tuple(replace(each, missing={**each.missing, **missing}) for each in whole)


async def wait_for_launched(
    client: Caller, launched: JobLaunch, until: Condition | None, ends_at: float | None
) -> JobResult:
    """Wait for a job whose id nobody else has; an error that does not name it has a note that does."""
    ref = launched.ref
    try:
        return await wait(client, ref, until=until, deadline=remaining(ends_at))
    except BaseException as error:
        note = f"the job {ref} was launched, and goes on: client.wait({str(ref)!r})"
        say_what_goes_on(error, ref, note, f"the job {ref}, launched by this call,", "the job goes on")
        raise


def say_what_goes_on(error: BaseException, ref: Ref, note: str, what: str, goes_on: str) -> None:
    """Give *error* a *note* unless it names *ref*; log where the wait for *what* was cancelled, and what *goes_on*."""
    if str(ref) not in str(error):
        error.add_note(note)
    if isinstance(error, asyncio.CancelledError):
        log_safely(logger, logging.WARNING, "the wait for %s was cancelled; %s", what, goes_on)


def loop_time_after(deadline: Deadline) -> float | None:
    """Return the loop's time at which a *deadline* passes, None for none."""
    delay = seconds(deadline)
    return None if delay is None else asyncio.get_running_loop().time() + delay


def remaining(ends_at: float | None) -> float | None:
    """Return the seconds left, more than 0, so that the wait itself raises `DeadlineExceeded`."""
    return None if ends_at is None else max(SHORTEST_WAIT, ends_at - asyncio.get_running_loop().time())


# What shortcuts take under names of their own, and how that is written.
OPTIONS: OptionTypes = {
    "language": (int, "language=ScriptLanguage.SHELL"),
    "parameters": (str, "parameters='--all'"),
    "name": (str, "name='restart nginx'"),
    "rolling": (RollingConfig, "rolling=RollingConfig(...)"),
    "mode": (int, "mode=TransferMode.STRICT"),
}


def check_texts(**given: object) -> None:
    """Raise `UsageError` for what is no text, or an empty one."""
    for name, value in given.items():
        check_type(name, value, str)
        if not str(value).strip():
            raise WrongValue(f"{name} must not be empty")


def named(name: str, account: str | int) -> tuple[str | None, int | None]:
    """Return an account as an alias or an id; raise `UsageError`."""
    if isinstance(account, str):
        check_texts(**{name: account})
        return account, None
    check_type(name, account, str | int, f"{name}='root'")
    check_number(name, account, 1)
    return None, account


def hosts_in(step: StepSnapshot) -> tuple[HostKey, ...]:
    """Return the hosts of a step, each once; batches or responses may name one twice."""
    return tuple(dict.fromkeys(row.host for row in step.hosts or ()))


def is_meant(step: StepRef | None, ref: Ref) -> bool:
    """Return True for the requested step, or a step of the requested job."""
    return isinstance(ref, JobRef) or step is None or step == ref


def kept(step: StepLogs, job: JobRef, keys: tuple[HostKey, ...] | None) -> GatheredLogs:
    """Return a step's logs of the requested hosts."""
    rows = tuple(row for row in step.hosts if keys is None or any(is_same(row.host, key) for key in keys))
    if step.ref is None:
        raise UsageError(f"the answer about {job} does not name its steps: use get_job_instance_log")
    return GatheredLogs(ref=step.ref, name=step.name, hosts=rows)
