"""Read the logs of many hosts in parts, and name those that failed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from attrs import evolve
from msgspec import Struct, field

from bkjob_async.client.caller import Caller, build
from bkjob_async.errors import CallFailed, InvalidRequest, InvalidResponse, NotSupported, PlatformTrouble
from bkjob_async.model.operations.queries import BatchGetJobInstanceIpLog, split_log_request
from bkjob_async.model.operations.responses import HostLog, StepLogs
from bkjob_async.model.operations.targets import HostLike, host_keys
from bkjob_async.model.ref_input import RefLike
from bkjob_async.model.refs import HostKey, Scope, StepRef

# So many requests are under way at once.
MOST_REQUESTS = 4
# Dividing a part of 500 with one bad host takes 18 requests; a step whose every request is rejected must not
# take 1000.
MAX_DIVISIONS = 40
DIVIDE_ON = (InvalidRequest, PlatformTrouble, InvalidResponse)

SendRequest = Callable[[BatchGetJobInstanceIpLog], Awaitable[StepLogs]]


class GatheredLogs(Struct, frozen=True, kw_only=True):
    """The logs of a step's hosts, in no order.

    *missing* has each host whose log could not be read, with the error; a host that has logged nothing is in
    neither.

    *ref* is the step, *name* its name, *hosts* has a log of each host.
    """

    ref: StepRef
    name: str = ""
    hosts: tuple[HostLog, ...] = ()
    missing: Mapping[HostKey, CallFailed] = field(default_factory=dict)

    def of(self, host: HostKey) -> HostLog | None:
        """Return the log of *host*, None when there is none; any of its names will do."""
        return next((log for log in self.hosts if is_same(log.host, host)), None)


async def batch_get_job_instance_ip_log(
    client: Caller,
    job_instance_id: RefLike,
    step_instance_id: int | None = None,
    *,
    hosts: HostLike | Iterable[HostLike],
    scope: Scope | None = None,
    request_timeout: float | None = None,
) -> GatheredLogs:
    """Return the logs of any number of hosts of a step.

    They are requested in parts as large as the platform accepts (500, in version 4 50), a few at a time. A
    part that is rejected is divided until the bad host is alone: `missing` then has it with its error, and
    the others have their logs. Not in `esb-job` (`NotSupported`). Raises a `CallFailed` only when every
    request failed. Documents: `batch_get_job_instance_ip_log`, `batch_get_job_instance_execute_object_log`.

    >>> gathered = await client.batch_get_job_instance_ip_log(step, hosts=[1, 2, 3])
    >>> len(gathered.hosts), gathered.missing
    (3, {})
    """
    ref = client.step(job_instance_id, step_instance_id, scope=scope)
    at_once = client._session.dialect.capabilities.log_hosts
    keys = build(host_keys, hosts)
    if not at_once:
        client._session.dialect.encode(BatchGetJobInstanceIpLog(ref=ref, hosts=keys))
        raise NotSupported(f"{client._session.dialect.name} has no logs of many hosts")

    async def ask(query: BatchGetJobInstanceIpLog) -> StepLogs:
        return await client._call(query, request_timeout)

    return await gather_logs(ask, ref, keys, at_once=at_once)


class LogCollection(Struct, eq=False):
    """The logs received so far, and how often a part may still be divided."""

    ask: SendRequest
    slots: asyncio.Semaphore
    divisions: int = MAX_DIVISIONS
    hosts: list[HostLog] = field(default_factory=list)
    missing: dict[HostKey, CallFailed] = field(default_factory=dict)

    async def read(self, part: BatchGetJobInstanceIpLog, group: asyncio.TaskGroup) -> None:
        """Request a part; divide one that failed into two of the *group*, or record its hosts as missing."""
        try:
            async with self.slots:
                answer = await self.ask(part)
        except CallFailed as error:
            half = len(part.hosts) // 2
            if half and self.divisions and isinstance(error, DIVIDE_ON):
                self.divisions -= 1
                for hosts in (part.hosts[:half], part.hosts[half:]):
                    group.create_task(self.read(evolve(part, hosts=hosts), group))
            else:
                self.missing.update(dict.fromkeys(part.hosts, error))
        else:
            self.hosts += answer.hosts


async def gather_logs(
    ask: SendRequest, ref: StepRef, hosts: Sequence[HostKey], *, at_once: int
) -> GatheredLogs:
    """Return the logs of all *hosts*, at most *at_once* per request; raise if every request failed."""
    collection = LogCollection(ask, asyncio.Semaphore(MOST_REQUESTS))
    try:
        async with asyncio.TaskGroup() as group:
            for part in split_log_request(ref, hosts, at_once=at_once):
                group.create_task(collection.read(part, group))
    except ExceptionGroup as errors:  # an error of one stops all, and is raised as itself
        raise errors.exceptions[0] from None
    if collection.missing and not collection.hosts:
        raise next(iter(collection.missing.values()))
    return GatheredLogs(ref=ref, hosts=tuple(collection.hosts), missing=collection.missing)


def is_same(one: HostKey, other: HostKey) -> bool:
    """Return True for two names of the same host or container: one member that is equal in both is enough."""
    if one.container_id is not None or other.container_id is not None:
        return one.container_id == other.container_id
    if one.bk_host_id and other.bk_host_id:
        return one.bk_host_id == other.bk_host_id
    if (one.bk_cloud_id or 0) != (other.bk_cloud_id or 0):
        return False
    return bool((one.ip and one.ip == other.ip) or (one.ipv6 and one.ipv6 == other.ipv6))
