"""Failed hosts by cause, and what is said of them at the end of a watch: a few lines of their logs, the next command."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence

from attrs import define, field, frozen

import bkjob_async as bkjob
from bkjob_async.cli.lines import write_note
from bkjob_async.cli.watching.resuming import next_command
from bkjob_async.configuration.settings import Settings
from bkjob_async.model.text.printing import counted, first_of_many, printable

MAX_GROUPS = 8
MAX_HOSTS = 3
LOG_LINES = 5
# Logs are a help, not the matter: they are left out when the platform is slow.
LOG_SECONDS = 5.0
MAX_LINE = 200


@frozen
class Cause:
    """Why hosts failed, as far as the platform says: status, tag and exit code."""

    status: bkjob.HostStatus
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
    step: bkjob.StepRef
    count: int = 0
    hosts: list[bkjob.HostKey] = field(factory=list)
    jobs: dict[bkjob.JobRef, None] = field(factory=dict)

    def __str__(self) -> str:
        """Return one line: how many hosts, why, which, in which jobs."""
        jobs = first_of_many(self.jobs, len(self.jobs))
        hosts = first_of_many(self.hosts, self.count)
        return f"{counted(self.count, 'host')} {self.cause}: {hosts} (in {jobs})"


@define
class Failures:
    """The failed hosts of any number of results; a step counts once."""

    groups: dict[Cause, HostsByCause] = field(factory=dict)
    _steps: set[bkjob.StepRef] = field(factory=set)

    def add(self, result: bkjob.JobResult) -> Iterator[None]:
        """Add the failed hosts of a result, a thousand at a time; iterate to do so."""
        for step in result.steps:
            if step.ref not in self._steps:
                self._steps.add(step.ref)
                yield from self._add_step(step)

    def _add_step(self, step: bkjob.StepResult) -> Iterator[None]:
        for number, host in enumerate(step.failed, 1):
            if has_failed(host):
                self._add_host(step.ref, host)
            if not number % 1000:
                yield

    def _add_host(self, step: bkjob.StepRef, host: bkjob.HostSnapshot) -> None:
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


def has_failed(host: bkjob.HostSnapshot) -> bool:
    """Return True for a host that has finished, without success."""
    return host.status.is_finished and not host.status.is_success


def last_lines(text: str, count: int) -> list[str]:
    """Return the last *count* lines that are not empty, safe to print."""
    # The end of a long log is enough, even if its lines are long.
    lines = [line for line in text[-64 * 1024 :].splitlines() if line.strip()]
    return [printable(line) for line in lines[-count:]]


def results_in(failed: Iterable[bkjob.JobResult]) -> Failures:
    """Return the failures of some results, at once."""
    failures = Failures()
    for result in failed:
        for _ in failures.add(result):
            pass
    return failures


# At the end of a watch ------------------------------------------------------------------------------------------------


async def report_failures(
    client: bkjob.JobClient, settings: Settings, results: Sequence[bkjob.JobResult]
) -> None:
    """Write the failed hosts of *results* to stderr, and how to retry them; nothing where there are none."""
    failures = Failures()
    for result in results:
        for _ in failures.add(result):
            await asyncio.sleep(0)
    if failures.groups:
        write_note("failed hosts by cause:")
    async for line in described(client, failures):
        write_note(f"  {line}")
    if refs := [result.ref for result in results]:
        write_note(f"next: {next_command(['logs'], refs, settings, ['--failed'])}")
        write_note(f"      {next_command(['retry'], refs, settings)}")


async def described(client: bkjob.JobClient, failures: Failures) -> AsyncIterator[str]:
    """Yield the lines about each group, and how many groups are left out."""
    largest = failures.largest
    logs = await asyncio.gather(*(log_of(client, group) for group in largest))
    for group, lines in zip(largest, logs, strict=True):
        yield str(group)
        for line in lines:
            yield f"    {group.hosts[0]} | {line[:MAX_LINE]}"
    if failures.not_shown:
        yield f"… and {failures.not_shown} more causes"


async def log_of(client: bkjob.JobClient, group: HostsByCause) -> list[str]:
    """Return the last lines of the log of a group's first host; none where it cannot be read soon."""
    try:
        async with asyncio.timeout(LOG_SECONDS):
            steps = await client.logs(group.step, hosts=group.hosts[0])
    except (bkjob.BkJobError, TimeoutError):
        return []
    return [line for step in steps for log in step.hosts for line in last_lines(bare_text(log), LOG_LINES)]


def bare_text(log: bkjob.responses.HostLog) -> str:
    """Return the log of a script, or of the files of a transfer without their names."""
    return "\n".join(filter(None, (log.text, *(file.text for file in log.files))))
