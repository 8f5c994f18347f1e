"""Failed hosts, grouped by their cause."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from attrs import define, field, frozen

from bkjob_async.model.refs import HostKey, JobRef, StepRef
from bkjob_async.model.result import JobResult, StepResult
from bkjob_async.model.snapshot import HostSnapshot
from bkjob_async.model.status import HostStatus
from bkjob_async.model.text.printing import counted, first_of_many, printable

MAX_GROUPS = 8
MAX_HOSTS = 3


@frozen
class Cause:
    """Why hosts failed, as far as the platform says: status, tag and exit code."""

    status: HostStatus
    tag: str
    exit_code: int | None

    def __str__(self) -> str:
        code = "" if self.exit_code is None else f", exit code {self.exit_code}"
        tag = f", tag {self.tag!r}" if self.tag else ""
        return printable(f"{self.status.name}{code}{tag}")


@define
class HostsByCause:
    """The hosts that failed for one cause: how many, the first of them, and the step of the first."""

    cause: Cause
    step: StepRef
    count: int = 0
    hosts: list[HostKey] = field(factory=list)
    jobs: dict[JobRef, None] = field(factory=dict)

    def __str__(self) -> str:
        """Return one line: how many hosts, why, which, in which jobs."""
        jobs = first_of_many(self.jobs, len(self.jobs))
        hosts = first_of_many(self.hosts, self.count)
        return f"{counted(self.count, 'host')} {self.cause}: {hosts} (in {jobs})"


@define
class Failures:
    """The failed hosts of any number of results; a step counts once."""

    groups: dict[Cause, HostsByCause] = field(factory=dict)
    _steps: set[StepRef] = field(factory=set)

    def add(self, result: JobResult) -> Iterator[None]:
        """Add the failed hosts of a result, a thousand at a time; iterate to do so."""
        for step in result.steps:
            if step.ref not in self._steps:
                self._steps.add(step.ref)
                yield from self._add_step(step)

    def _add_step(self, step: StepResult) -> Iterator[None]:
        for number, host in enumerate(step.failed, 1):
            if has_failed(host):
                self._add_host(step.ref, host)
            if not number % 1000:
                yield

    def _add_host(self, step: StepRef, host: HostSnapshot) -> None:
        cause = Cause(host.status, host.tag or "", host.exit_code)
        group = self.groups.get(cause)
        if group is None:
            group = self.groups[cause] = HostsByCause(cause, step)
        group.count += 1
        group.jobs[step.job] = None
        if len(group.hosts) < MAX_HOSTS:
            group.hosts.append(host.host)

    @property
    def largest(self) -> Sequence[HostsByCause]:
        """The groups with most hosts, in that order."""
        return sorted(self.groups.values(), key=lambda group: -group.count)[:MAX_GROUPS]

    @property
    def not_shown(self) -> int:
        """How many groups `largest` leaves out."""
        return max(0, len(self.groups) - MAX_GROUPS)


def has_failed(host: HostSnapshot) -> bool:
    """Return True for a host that has finished, without success."""
    return host.status.is_finished and not host.status.is_success


def last_lines(text: str, count: int) -> list[str]:
    """Return the last *count* lines that are not empty, safe to print."""
    # The end of a long log is enough, even if its lines are long.
    lines = [line for line in text[-64 * 1024 :].splitlines() if line.strip()]
    return [printable(line) for line in lines[-count:]]


def results_in(failed: Iterable[JobResult]) -> Failures:
    """Return the failures of some results, at once."""
    failures = Failures()
    for result in failed:
        for _ in failures.add(result):
            pass
    return failures
