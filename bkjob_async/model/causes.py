"""Failed hosts by cause: which hosts failed with the same status, tag and exit code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from attrs import define, field, frozen

from bkjob_async.model.refs import HostKey, JobRef, StepRef
from bkjob_async.model.result import JobResult, StepResult
from bkjob_async.model.snapshot import HostSnapshot
from bkjob_async.model.status import HostStatus
from bkjob_async.model.text.printing import counted, first_of_many, printable

MAX_HOSTS = 3


@frozen(kw_only=True)
class HostsByCause:
    """The hosts that failed for one cause, as far as the platform says: status, tag and exit code.

    *status* is that of the hosts. *count* counts a host once for each step; *hosts* are the first three of them. *step*
    is the step of the first, *jobs* are the jobs of all. *tag* is "" for none, *exit_code* is None where the platform
    gave none.
    """

    status: HostStatus
    tag: str = ""
    exit_code: int | None = None
    count: int = 0
    hosts: tuple[HostKey, ...] = ()
    step: StepRef
    jobs: tuple[JobRef, ...] = ()

    @property
    def cause(self) -> str:
        """The cause as text: `SCRIPT_NOT_ZERO_EXIT_CODE, exit code 1, tag 'disk'`."""
        code = "" if self.exit_code is None else f", exit code {self.exit_code}"
        tag = f", tag {self.tag!r}" if self.tag else ""
        return printable(f"{self.status.name}{code}{tag}")

    def __str__(self) -> str:
        jobs = first_of_many(self.jobs, len(self.jobs))
        hosts = first_of_many(self.hosts, self.count)
        return f"{counted(self.count, 'host')} {self.cause}: {hosts} (in {jobs})"


def hosts_by_cause(results: Iterable[JobResult] | JobResult) -> tuple[HostsByCause, ...]:
    """Return the failed hosts of one result or many by cause, the largest group first; a step counts once.

    >>> for group in bkjob.hosts_by_cause(await client.wait(job)):
    ...     print(group)
    1 host SCRIPT_NOT_ZERO_EXIT_CODE, exit code 1: 0:10.0.0.2 (in 2:20000000001)
    """
    grouping = Grouping()
    for result in (results,) if isinstance(results, JobResult) else results:
        for _ in grouping.add(result):
            pass
    return grouping.groups


@define
class Grouping:
    """The failed hosts of any number of results; a step counts once."""

    _found: dict[tuple[HostStatus, str, int | None], _Group] = field(factory=dict, init=False)
    _steps: set[StepRef] = field(factory=set, init=False)

    def add(self, result: JobResult) -> Iterator[None]:
        """Add the failed hosts of a result, a thousand at a time; iterate to do so."""
        for step in result.steps:
            if step.ref not in self._steps:
                self._steps.add(step.ref)
                yield from self._add_step(step)

    def _add_step(self, step: StepResult) -> Iterator[None]:
        for number, host in enumerate(step.failed, 1):
            if has_failed(host):
                cause = host.status, host.tag or "", host.exit_code
                self._found.setdefault(cause, _Group(step.ref)).add(step.ref, host)
            if not number % 1000:
                yield

    @property
    def groups(self) -> tuple[HostsByCause, ...]:
        """The groups, those with most hosts first."""
        found = sorted(self._found.items(), key=lambda item: -item[1].count)
        return tuple(
            HostsByCause(
                status=status,
                tag=tag,
                exit_code=exit_code,
                count=group.count,
                hosts=tuple(group.hosts),
                step=group.step,
                jobs=tuple(group.jobs),
            )
            for (status, tag, exit_code), group in found
        )


@define
class _Group:
    """What is known of one cause so far."""

    step: StepRef
    count: int = field(default=0, init=False)
    hosts: list[HostKey] = field(factory=list, init=False)
    jobs: dict[JobRef, None] = field(factory=dict, init=False)

    def add(self, step: StepRef, host: HostSnapshot) -> None:
        """Add a host of a step."""
        self.count += 1
        self.jobs[step.job] = None
        if len(self.hosts) < MAX_HOSTS:
            self.hosts.append(host.host)


def has_failed(host: HostSnapshot) -> bool:
    """Return True for a host that has finished, without success."""
    return host.status.is_finished and not host.status.is_success
