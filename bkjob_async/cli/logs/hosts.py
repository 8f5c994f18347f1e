"""Select the hosts whose logs are read, and read their logs in portions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from itertools import islice

from attrs import define, field, frozen

import bkjob_async as bkjob
from bkjob_async.cli.lines import write_note
from bkjob_async.client.operations.batch_logs import is_same
from bkjob_async.model.causes import has_failed

# Ten thousand hosts may have logged a gigabyte: so many are read and written before the next.
PORTION = 500


@frozen
class HostFilter:
    """Selects hosts: *keys*, all without any, and only those that *failed*."""

    keys: tuple[bkjob.HostKey, ...] = ()
    failed: bool = False

    def takes(self, host: bkjob.HostKey) -> bool:
        """Return True for a host that is named, by any of its names."""
        return not self.keys or any(is_same(host, key) for key in self.keys)

    def takes_row(self, row: bkjob.HostSnapshot) -> bool:
        """Return True for a host that is named, and has failed if it must."""
        return self.takes(row.host) and (has_failed(row) or not self.failed)


@define
class KnownHosts:
    """Hosts that can be looked up by any of their names; how many there are makes no difference."""

    _names: set[tuple[object, ...]] = field(factory=set, init=False)

    def add(self, host: bkjob.HostKey) -> None:
        """Add a host with all names that *host* has."""
        self._names.update(names_of(host))

    def without(self, hosts: Iterable[bkjob.HostKey]) -> list[bkjob.HostKey]:
        """Return those of *hosts* that were not added."""
        return [host for host in hosts if self._names.isdisjoint(names_of(host))]


def names_of(host: bkjob.HostKey) -> list[tuple[object, ...]]:
    """Return each of the names by which the platform may tell a host apart."""
    cloud = host.bk_cloud_id or 0
    names = ((host.bk_host_id,), (cloud, host.ip), (cloud, host.ipv6), ("container", host.container_id))
    return [name for name in names if name[-1]]


async def absent_hosts(
    client: bkjob.JobClient, refs: Sequence[bkjob.Ref], hosts: Iterable[bkjob.HostKey]
) -> list[bkjob.HostKey]:
    """Return those of *hosts* that no step of *refs* shows."""
    return hosts_not_in([step for ref in refs for step in await steps_of(client, ref)], hosts)


def hosts_not_in(steps: Iterable[bkjob.StepSnapshot], hosts: Iterable[bkjob.HostKey]) -> list[bkjob.HostKey]:
    """Return those of *hosts* that are in none of *steps*; none where a step does not show its hosts."""
    known = KnownHosts()
    for step in steps:
        if step.hosts is None:
            return []
        for row in step.hosts:
            known.add(row.host)
    return known.without(hosts)


async def steps_of(client: bkjob.JobClient, ref: bkjob.Ref) -> Sequence[bkjob.StepSnapshot]:
    """Return the steps that *ref* names, with their hosts; raise `TargetLost` where its job has no such step."""
    job = await client.get_job_instance_status(ref.job, return_ip_result=True)
    steps = [step for step in job.steps if isinstance(ref, bkjob.JobRef) or step.ref == ref]
    if isinstance(ref, bkjob.StepRef) and not steps:
        raise bkjob.TargetLost(ref, bkjob.LostReason.NOT_FOUND.value, "its job has no such step")
    return steps


async def select_hosts(
    client: bkjob.JobClient, ref: bkjob.Ref, hosts: HostFilter
) -> list[tuple[bkjob.StepRef, tuple[bkjob.HostKey, ...]]]:
    """Return the steps of *ref* with those of their hosts that are asked for."""
    if isinstance(ref, bkjob.StepRef) and hosts.keys and not hosts.failed:
        return [(ref, hosts.keys)]
    selected = []
    for step in await steps_of(client, ref):
        rows = (row.host for row in step.hosts or () if hosts.takes_row(row))
        keys = tuple(dict.fromkeys(rows))
        if keys:
            selected.append((step.ref, keys))
    return selected


async def read_logs(
    client: bkjob.JobClient, step: bkjob.StepRef, hosts: Sequence[bkjob.HostKey], *, in_portions: bool
) -> AsyncIterator[bkjob.responses.HostLog]:
    """Yield the log of each host, in the order of *hosts* within a portion; say whose log cannot be read.

    *in_portions* is False for a dialect that has only the logs of whole jobs.
    """
    for portion in portions(hosts, PORTION if in_portions else max(1, len(hosts))):
        for gathered in await client.logs(step, hosts=portion):
            order = {host: number for number, host in enumerate(portion)}
            for log in sorted(gathered.hosts, key=lambda log: order.get(log.host, len(order))):
                yield log
            for host, error in gathered.missing.items():
                if error.details.operation == "logs":
                    continue  # it is in no step: the command says so of all such hosts together
                # The platform's own words, else the whole text.
                write_note(f"{step} {host}: the log cannot be read: {error.details.message or error}")


def portions(hosts: Sequence[bkjob.HostKey], size: int) -> Iterator[tuple[bkjob.HostKey, ...]]:
    """Yield *hosts* in tuples of at most *size*."""
    rest = iter(hosts)
    while portion := tuple(islice(rest, size)):
        yield portion
