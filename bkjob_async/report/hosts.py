"""Hosts that failed: why, and in which order they are shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from ipaddress import ip_address

from attrs import frozen

from bkjob_async.model.status import host_status
from bkjob_async.report.reading.rows import StepRow, facts_of

Order = tuple[int, int, int, str]


@frozen
class FailedHost:
    """A host that failed in a step."""

    label: str
    step: StepRow
    code: int
    tag: str
    exit_code: int | None
    took: float | None

    @property
    def cause(self) -> tuple[int, str, int | None]:
        """What it has in common with the hosts that failed for the same cause."""
        return self.code, self.tag, self.exit_code


@frozen(kw_only=True)
class FailureGroup:
    """Hosts that failed with the same code, tag and exit code.

    *count* counts a host once for each step; *hosts* are their names in order, each once; *steps* is how many steps.
    """

    code: int
    tag: str
    exit_code: int | None
    count: int
    hosts: tuple[str, ...]
    steps: int

    @property
    def name(self) -> str:
        """The platform's name of the code."""
        return code_name(self.code)


def code_name(code: int) -> str:
    """Return the platform's name of a host's code."""
    return host_status(code).name


def failed_hosts(steps: Iterable[StepRow]) -> list[FailedHost]:
    """Return all hosts that failed, by address, each in the order of its *steps*."""
    found = [
        FailedHost(label, step, row.code, row.tag or "", row.exit_code, row.took)
        for step in steps
        if step.failed
        for label, row in step.hosts.items()
        if facts_of(row.code).is_failed
    ]
    found.sort(key=lambda host: order_of(host.label))
    return found


def failure_groups(failed: Iterable[FailedHost]) -> list[FailureGroup]:
    """Return *failed* hosts grouped by code, tag and exit code, the largest group first."""
    by_cause: dict[tuple[int, str, int | None], list[FailedHost]] = {}
    for host in failed:
        by_cause.setdefault(host.cause, []).append(host)
    groups = [
        FailureGroup(
            code=code,
            tag=tag,
            exit_code=exit_code,
            count=len(hosts),
            hosts=tuple(dict.fromkeys(host.label for host in hosts)),
            steps=len({host.step.key for host in hosts}),
        )
        for (code, tag, exit_code), hosts in by_cause.items()
    ]
    return sorted(groups, key=lambda group: (-group.count, group.code, group.tag, str(group.exit_code)))


@lru_cache(maxsize=1 << 17)
def order_of(label: str) -> Order:
    """Return the place of a host among others: addresses as numbers, IPv4 first, then host ids, then names."""
    cloud, _, address = label.partition(":")
    try:
        found = ip_address(address.strip("[]"))
        return found.version, int(cloud), int(found), ""
    except ValueError:
        pass
    if label.startswith("#") and label[1:].isdecimal():
        return 7, int(label[1:]), 0, ""
    return 8, 0, 0, label


def names_within(groups: Iterable[FailureGroup], room: int) -> Iterator[tuple[FailureGroup, list[str]]]:
    """Yield each group with the names of its hosts that fit into *room* bytes for all groups.

    A group with few hosts is shown whole even when the room was used up by others.
    """
    for group in groups:
        shown: list[str] = []
        for name in group.hosts:
            size = len(name.encode(errors="replace")) + 1
            if room < size and len(shown) >= FEW:
                break
            room -= size
            shown.append(name)
        yield group, shown


# So many names of each group are always shown.
FEW = 20
