"""Operations that read logs, lists and variables, and calls without a class of their own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Literal, Self

from attrs import Factory, evolve, field, frozen

from bkjob_async.model.base_error import UsageError, WrongValue, check_type, in_range, one_of
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

# How long a page is where nobody says it, and how long one can be.
USUAL_PAGE, LONGEST_PAGE = 100, 1000
# Version 3 has no page of job instances that starts later; older ones are reached by an earlier end of the time span.
LAST_START = 1000
_NAME = re.compile(r"[A-Za-z0-9_]+(/[A-Za-z0-9_]+)*")


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


def page_length(given: int | None) -> int:
    """Return the length of a page, the usual one for None and 0."""
    return given or USUAL_PAGE


@frozen(kw_only=True)
class ListQuery:
    """A request for one page of a list: *length* items at most, 1 to 1000, from *start* on, which counts from 0."""

    start: int = field(default=0, validator=in_range(0))
    length: int = field(default=20, validator=in_range(1, LONGEST_PAGE))

    def after(self, page: Page[Any]) -> Self | None:
        """Return the query for the page after *page*, None after the last one."""
        start = page.next_start
        return None if start is None or start <= self.start else evolve(self, start=start)


@frozen(kw_only=True)
class GetJobInstanceList(ListQuery, Operation[Page[JobInstance]]):
    """Return the job instances created in a span of time, newest first, for `async for`; each once.

    *scope* owns the jobs. *create_time_start* and *create_time_end* carry a zone; outside version 4 the platform takes 30
    days at most. *job_instance_id* makes the platform ignore every other filter. *job_cron_id* names the cron, *operator*
    the user who launched them; *job_name* is a part of their name, *ip* the address of one of their hosts. *launch_mode*
    is a `LaunchMode`, *type* a `TaskType`, *status* a run code. *start* counts items from 0, and *length* is that of the
    page. Not in `esb-job`: iterating then raises `NotSupported`, as it raises every `CallFailed`. Document:
    `get_job_instance_list`.

    >>> begin = datetime(2025, 12, 31, tzinfo=UTC)
    >>> jobs = client.get_job_instance_list(begin, begin + timedelta(days=2))
    >>> [job.name async for job in jobs]
    ['restart nginx']
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
    # How long a page may be differs: each dialect checks it.
    length: int = field(default=20, converter=page_length, validator=in_range(1))

    def after(self, page: Page[JobInstance]) -> Self | None:
        """Return the query for the page after *page*, None after the last one.

        Raises `UsageError` where the platform lists no more jobs.
        """
        start = page.next_start
        if start is None or self.job_instance_id is not None:
            return None
        if start <= LAST_START:
            return evolve(self, start=start)
        oldest = min((item.times.create_time for item in page.items if item.times.create_time), default=None)
        if oldest is None or oldest >= self.create_time_end:
            raise UsageError("the platform lists no more jobs of this time span: ask for a shorter one")
        return evolve(self, start=0, create_time_end=oldest)


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


def _is_name(_call: object, _attribute: object, name: str) -> None:
    check_type("the name of an operation", name, str)
    if _NAME.fullmatch(name) is None:
        raise WrongValue(
            f"the name of an operation must match {_NAME.pattern}, such as 'get_job_instance_status', not {name!r:.60}"
        )


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

    name: str = field(validator=_is_name)
    parameters: Mapping[str, Any] = field(factory=dict, repr=False)
    method: Literal["GET", "POST"] = field(default="POST", validator=one_of(("GET", "POST")))
    scope: Scope | None = None
    repeatable: bool = field(default=Factory(_reads_only, takes_self=True))
