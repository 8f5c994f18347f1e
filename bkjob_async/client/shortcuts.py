"""What people want in one line: run, send, retry, read logs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from bkjob_async.client.batch_logs import GatheredLogs, is_same
from bkjob_async.client.caller import Caller, stated
from bkjob_async.client.commands import (
    execute_job_plan,
    fast_execute_script,
    fast_transfer_file,
    operate_step_instance,
)
from bkjob_async.client.queries import (
    batch_get_job_instance_ip_log,
    get_job_instance_log,
    get_job_instance_status,
)
from bkjob_async.client.watching import Deadline, seconds, wait
from bkjob_async.engine.stream.wait_conditions import Condition
from bkjob_async.errors import UsageError
from bkjob_async.model.operations.base import StepOperation
from bkjob_async.model.operations.launches import FileSource, GlobalVarsLike, RollingConfig
from bkjob_async.model.operations.responses import StepLogs
from bkjob_async.model.operations.targets import HostLike, TargetsLike, host_keys
from bkjob_async.model.ref_input import RefLike
from bkjob_async.model.refs import HostKey, JobRef, Ref, Scope, StepRef
from bkjob_async.model.result import JobResult
from bkjob_async.model.snapshot import StepSnapshot
from bkjob_async.wire.tracebacks import hide_arguments

# Failed, abnormal, terminated: what the platform lets run again.
RETRYABLE = frozenset({4, 9, 11})
SHORTEST = 0.001


@hide_arguments
async def run_script(
    client: Caller,
    script: str,
    hosts: TargetsLike,
    *,
    account: str | int = "root",
    language: int | None = None,
    parameters: str | None = None,
    timeout: int | None = None,  # noqa: ASYNC109 - the script's, carried by the platform
    name: str | None = None,
    rolling: RollingConfig | None = None,
    until: Condition | None = None,
    deadline: Deadline = None,
    scope: Scope | None = None,
) -> JobResult:
    """Run a script on *hosts* and wait; return how it ended, well or not: `result.raise_for_status()` raises.

    *script* and *parameters* are plain text; *account* is an alias or an id. *timeout* is the script's, in
    seconds; *deadline* is this wait's, from the call. Raises what `fast_execute_script` and `wait` raise. Leaving
    or cancelling the wait never touches the job.
    """
    ends_at = loop_time_after(deadline)
    alias, number = named(account)
    launched = await fast_execute_script(
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
    return await wait(client, launched.ref, until=until, deadline=remaining(ends_at))


@hide_arguments
async def run_plan(
    client: Caller,
    job_plan_id: int,
    variables: GlobalVarsLike = (),
    *,
    until: Condition | None = None,
    deadline: Deadline = None,
    scope: Scope | None = None,
) -> JobResult:
    """Run a job plan and wait; return how it ended, well or not.

    *variables* maps names to texts or `Targets`; *deadline* is seconds from the call. A plan that waits for a
    person waits as long. Raises what `execute_job_plan` and `wait` raise.
    """
    ends_at = loop_time_after(deadline)
    launched = await execute_job_plan(client, job_plan_id, variables, scope=scope)
    return await wait(client, launched.ref, until=until, deadline=remaining(ends_at))


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
    timeout: int | None = None,  # noqa: ASYNC109 - the transfer's, carried by the platform
    name: str | None = None,
    until: Condition | None = None,
    deadline: Deadline = None,
    scope: Scope | None = None,
) -> JobResult:
    """Send *files* of the *source* hosts to a *destination* path on *hosts* and wait; return how it ended.

    *account* owns the files where they arrive, *source_account* (the same, unless given) where they are; *mode*
    is a `TransferMode`. *deadline* is seconds from the call. Raises what `fast_transfer_file` and `wait` raise.
    """
    ends_at = loop_time_after(deadline)
    alias, number = named(account)
    their_alias, their_number = named(account if source_account is None else source_account)
    launched = await fast_transfer_file(
        client,
        FileSource(files=files, server=source, account_alias=their_alias, account_id=their_number),
        destination,
        hosts,
        account_alias=alias,
        account_id=number,
        transfer_mode=mode,
        timeout=timeout,
        task_name=name,
        scope=scope,
    )
    return await wait(client, launched.ref, until=until, deadline=remaining(ends_at))


async def retry_failed(
    client: Caller, result: RefLike | JobResult, *, until: Condition | None = None, deadline: Deadline = None
) -> JobResult:
    """Run the failed hosts of a job or step again and wait; return how it ended then.

    *result* is how a wait ended, or anything that `job` or `step` takes: then the platform is asked first where the
    job stands. Each step that failed or was terminated is retried. *deadline* is seconds from the call. Raises
    `UsageError` when no step failed, and what `get_job_instance_status`, `operate_step_instance` and `wait` raise.
    Not in `gateway-v4` (`NotSupported`).
    """
    ends_at = loop_time_after(deadline)
    ref = client._ref(result)
    seen = result if isinstance(result, JobResult) else await get_job_instance_status(client, ref.job)
    steps = [step.ref for step in seen.steps if step.status.code in RETRYABLE and is_meant(step.ref, ref)]
    if not steps:
        raise UsageError(f"{ref} has no failed step to retry: the job is {seen.status.name}")
    for step in steps:
        await operate_step_instance(client, step, operation_code=StepOperation.RETRY_FAILED_HOSTS)
    return await wait(client, ref, until=until, deadline=remaining(ends_at))


async def logs(
    client: Caller, ref: RefLike, *, hosts: HostLike | Iterable[HostLike] | None = None
) -> tuple[GatheredLogs, ...]:
    """Return the logs of a step, or of every step of a job that has hosts; of all hosts, or of *hosts* only.

    In every dialect, by whichever questions it has; one host that cannot be read is `missing` from its step's
    logs, with its error. Raises a `CallFailed` when nothing can be read at all.
    """
    ref = client._ref(ref)
    keys = None if hosts is None else stated(host_keys, hosts)
    if not client._session.dialect.capabilities.log_hosts:
        told = await get_job_instance_log(client, ref.job)
        return tuple(kept(step, ref.job, keys) for step in told if is_meant(step.ref, ref))
    steps = [(ref, keys)] if isinstance(ref, StepRef) and keys else await hosts_of(client, ref, keys)
    return tuple([await batch_get_job_instance_ip_log(client, step, hosts=some) for step, some in steps])


async def hosts_of(
    client: Caller, ref: Ref, keys: tuple[HostKey, ...] | None
) -> list[tuple[StepRef, tuple[HostKey, ...]]]:
    """Return the steps that are meant, and their hosts that are."""
    job = await get_job_instance_status(client, ref.job, return_ip_result=True)
    found = []
    for step in job.steps:
        some = tuple(host for host in hosts_in(step) if keys is None or any(is_same(host, k) for k in keys))
        if some and is_meant(step.ref, ref):
            found.append((step.ref, some))
    return found


def loop_time_after(deadline: Deadline) -> float | None:
    """Return the loop's time at which a *deadline* passes, None for none."""
    delay = seconds(deadline)
    return None if delay is None else asyncio.get_running_loop().time() + delay


def remaining(ends_at: float | None) -> float | None:
    """Return what is left of a deadline: never nothing, so that the wait itself tells that it passed."""
    return None if ends_at is None else max(SHORTEST, ends_at - asyncio.get_running_loop().time())


def named(account: str | int) -> tuple[str | None, int | None]:
    """Return an account as alias or id."""
    return (account, None) if isinstance(account, str) else (None, account)


def hosts_in(step: StepSnapshot) -> tuple[HostKey, ...]:
    """Return the hosts of a step, each once, though batches or answers may name one twice."""
    return tuple(dict.fromkeys(row.host for row in step.hosts or ()))


def is_meant(step: StepRef | None, ref: Ref) -> bool:
    """Whether a step is the one asked for, or one of the job asked for."""
    return isinstance(ref, JobRef) or step is None or step == ref


def kept(step: StepLogs, job: JobRef, keys: tuple[HostKey, ...] | None) -> GatheredLogs:
    """Return a step's logs, of the hosts that were asked for."""
    rows = tuple(row for row in step.hosts if keys is None or any(is_same(row.host, key) for key in keys))
    if step.ref is None:
        raise UsageError(f"the answer about {job} does not name its steps: use get_job_instance_log")
    return GatheredLogs(ref=step.ref, name=step.name, hosts=rows)
