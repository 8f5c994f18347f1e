"""Operations that read logs, lists and variables, and calls without a class of their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Literal

from attrs import Factory, field, frozen, validators

from bkjob_async.model.operations.base import Operation, has_zone
from bkjob_async.model.operations.responses import (
    HostLog,
    JobInstance,
    Page,
    StepLogs,
    StepVariables,
)
from bkjob_async.model.operations.targets import HostLike, host_key, host_keys
from bkjob_async.model.refs import HostKey, JobRef, Scope, StepRef


@frozen(kw_only=True)
class GetJobInstanceLog(Operation[tuple[StepLogs, ...]]):
    """Return all logs of a job, by step and host, with status, exit code and times of each.

    *ref* names the job. In `esb-job`. Raises a `CallFailed`, elsewhere `NotSupported`; `logs` works everywhere.
    Document: `get_job_instance_log`.

    >>> for logs in await esb.get_job_instance_log(job):
    ...     print(logs.name, [log.exit_code for log in logs.hosts])
    restart [0, 0, 1]
    """

    name = "get_job_instance_log"

    ref: JobRef


@frozen(kw_only=True)
class GetJobInstanceIpLog(Operation[HostLog]):
    """Return one host's log of a step's latest execution; each call returns the whole text.

    *ref* names the step. *host* is a `HostKey`, a `bk_host_id` or `"cloud:ip"`. In `esb-jobv3` and `gateway-v3`. Raises a
    `CallFailed`, elsewhere `NotSupported`. Document: `get_job_instance_ip_log`.

    >>> log = await client.get_job_instance_ip_log(step, host="0:10.0.0.2")
    >>> print(log.text)
    no such file
    """

    name = "get_job_instance_ip_log"

    ref: StepRef
    host: HostKey = field(converter=host_key)


@frozen(kw_only=True)
class BatchGetJobInstanceIpLog(Operation[StepLogs]):
    """Ask for many hosts' logs of a step, all named the same way: by id, by address, or as containers.

    How many hosts one request may name is `Capabilities.log_hosts`; see `split_log_request`. Documents:
    `batch_get_job_instance_ip_log`, in version 4 `batch_get_job_instance_execute_object_log`.

    *ref* names the step. *hosts* names the hosts.
    """

    name = "batch_get_job_instance_ip_log"

    ref: StepRef
    hosts: tuple[HostKey, ...] = field(converter=host_keys)


def split_log_request(
    ref: StepRef, hosts: Iterable[HostLike], *, at_once: int
) -> Iterator[BatchGetJobInstanceIpLog]:
    """Yield the operations that read the logs of all *hosts*, at most *at_once* in each.

    Each names its hosts in one way only, because the platform ignores the others.
    """
    named: dict[str, list[HostKey]] = {"container": [], "id": [], "address": []}
    for host in host_keys(hosts):
        way = "container" if host.container_id is not None else "id" if host.bk_host_id else "address"
        named[way].append(host)
    for group in named.values():
        for start in range(0, len(group), at_once):
            yield BatchGetJobInstanceIpLog(ref=ref, hosts=group[start : start + at_once])


@frozen(kw_only=True)
class GetJobInstanceList(Operation[Page[JobInstance]]):
    """Ask for one page of the job instances created in a span of time, at most 30 days outside version 4.

    *create_time_start* and *create_time_end* carry a zone. *job_instance_id* makes the platform ignore every
    other filter. *launch_mode*, *type* and *status* take the enumerations' ints. Documents:
    `get_job_instance_list`.

    *scope* owns the jobs. *job_cron_id* names the cron, *operator* the user who launched them; *job_name* is
    a part of their name, *ip* the address of one of their hosts. *start* counts items from 0, and *length* is
    that of the page.
    """

    name = "get_job_instance_list"

    scope: Scope
    create_time_start: datetime = field(validator=has_zone)
    create_time_end: datetime = field(validator=has_zone)
    job_instance_id: int | None = None
    job_cron_id: int | None = None
    operator: str | None = None
    job_name: str | None = None
    launch_mode: int | None = None
    type: int | None = None
    status: int | None = None
    ip: str | None = None
    start: int = field(default=0, validator=validators.ge(0))
    length: int = field(default=20, validator=validators.ge(1))


@frozen(kw_only=True)
class GetJobInstanceGlobalVarValue(Operation[tuple[StepVariables, ...]]):
    """Return the values that a job's text variables had in each step that runs a script.

    *ref* names the job. A job without variables has none. Values may be secret: they are not in the repr. Not in
    `gateway-v4` (`NotSupported`). Raises a `CallFailed`. Document: `get_job_instance_global_var_value`.

    >>> for step in await client.get_job_instance_global_var_value(job):
    ...     print([variable.name for variable in step.variables])
    ['version']
    """

    name = "get_job_instance_global_var_value"

    ref: JobRef


def _reads_only(call: RawCall) -> bool:
    return call.method == "GET"


@frozen(kw_only=True)
class RawCall(Operation[Any]):
    """Call any operation by its name, with the platform's own parameters; the result is the plain `data`.

    *scope* adds the dialect's scope parameters. A GET may be repeated, a POST is sent once, unless
    *repeatable* says otherwise.

    *name* is the platform's name of the operation, *parameters* go into the query of a GET or the JSON body
    of a POST (*method*).
    """

    name: str = field(validator=validators.matches_re(r"[A-Za-z0-9_]+(/[A-Za-z0-9_]+)*"))
    parameters: Mapping[str, Any] = field(factory=dict, repr=False)
    method: Literal["GET", "POST"] = field(default="POST", validator=validators.in_(("GET", "POST")))
    scope: Scope | None = None
    repeatable: bool = field(default=Factory(_reads_only, takes_self=True))
