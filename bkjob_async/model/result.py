"""Results of jobs and steps, and the error `JobFailed` for one without success."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import Self

from attrs import field, frozen

from bkjob_async.model.base_error import BkJobError
from bkjob_async.model.refs import JobRef, Ref, StepRef
from bkjob_async.model.snapshot import HostSnapshot, Times, sealed_hosts
from bkjob_async.model.status import Phase, RunStatus
from bkjob_async.model.text import html
from bkjob_async.model.text.printing import counted, first_of_many, printable, tally


@frozen(kw_only=True)
class StepResult:
    """How one step ended, in its latest execution.

    *hosts* counts hosts by phase; *failed* holds every host that finished without success, *unfinished* every host that
    has not finished. A step that was stopped or skipped may be over with unfinished hosts. *hosts_visible* is False
    where the dialect shows no host of this step (confirmations, containers).

    *ref* is the step, *status* its status and *is_finished* whether that is final: a step that never began
    has not ended itself. *name* and *times* are the platform's, *execute_count* is the execution, from 0.
    *execution_seconds* is how long polls saw this execution run, None where its begin or its end was not seen; journals do
    not keep it.
    """

    ref: StepRef
    status: RunStatus
    is_finished: bool
    name: str = ""
    execute_count: int = 0
    times: Times = field(factory=Times)
    hosts: Mapping[Phase, int] = field(factory=dict, hash=False)
    failed: Sequence[HostSnapshot] = field(default=(), converter=sealed_hosts)
    unfinished: Sequence[HostSnapshot] = field(default=(), converter=sealed_hosts)
    hosts_visible: bool = True
    execution_seconds: float | None = field(default=None, eq=False)

    @property
    def execution_start(self) -> datetime | None:
        """When this execution began, None where that is not known.

        The platform keeps the start of the first execution (see `Times`). That of a later one is its end less
        *execution_seconds*: right by the time between two polls.
        """
        if self.execute_count == 0:
            return self.times.start_time
        if self.times.end_time is None or self.execution_seconds is None:
            return None
        return self.times.end_time - timedelta(seconds=self.execution_seconds)

    def __str__(self) -> str:
        return printable(
            f"{self.ref} {self.status.name}" + _hosts_in_short(self.hosts, self.failed, self.unfinished)
        )

    def __repr__(self) -> str:
        return f"<StepResult {self}>"

    def _repr_html_(self) -> str:
        hosts = ((self.ref, host) for host in chain(self.failed, self.unfinished))
        title = f"{self.ref} {self.status.name} {self.name}"
        return html.page(
            title, self.hosts, failed=hosts, failed_count=len(self.failed) + len(self.unfinished)
        )


@frozen(kw_only=True)
class JobResult:
    """How a watched job or step ended: its own status and its steps'.

    For a step target *steps* holds that step alone. *ok* follows the status of the target itself, so an
    ignored error in a step does not make a successful job fail.

    *ref* is the target, *status* its status. *name* and *times* are the platform's.
    """

    ref: Ref
    status: RunStatus
    name: str = ""
    times: Times = field(factory=Times)
    steps: tuple[StepResult, ...] = ()

    @property
    def job(self) -> JobRef:
        """The job instance that this is about."""
        return self.ref.job

    @property
    def ok(self) -> bool:
        """Whether the status is SUCCESS (3), and nothing else."""
        return self.status.is_success

    @property
    def failed(self) -> tuple[tuple[StepRef, HostSnapshot], ...]:
        """Every host that finished without success, with the step it failed in."""
        return tuple((step.ref, host) for step in self.steps for host in step.failed)

    @property
    def unfinished(self) -> tuple[tuple[StepRef, HostSnapshot], ...]:
        """Every host that has not finished, with its step."""
        return tuple((step.ref, host) for step in self.steps for host in step.unfinished)

    @property
    def hosts(self) -> Mapping[Phase, int]:
        """How many hosts ended in each phase, over all steps."""
        total: Counter[Phase] = Counter()
        for step in self.steps:
            total.update(step.hosts)
        return dict(total)

    def __str__(self) -> str:
        hosts = _hosts_in_short(self.hosts, *_without_success(self.steps))
        return printable(
            f"{self.ref} {self.status.name}: {counted(len(self.steps), 'step')}{hosts.replace(': ', '; ', 1)}"
        )

    def __repr__(self) -> str:
        return f"<JobResult {self}>"

    def _repr_html_(self) -> str:
        hosts = ((step.ref, host) for step in self.steps for host in chain(step.failed, step.unfinished))
        title = f"{self.ref} {self.status.name} {self.name}"
        return html.page(title, self.hosts, self.steps, hosts, sum(map(len, _without_success(self.steps))))

    def raise_for_status(self) -> Self:
        """Return the result itself when it is `ok`; raise `JobFailed` when it is not."""
        if not self.ok:
            raise JobFailed(self)
        return self


def _without_success(steps: Sequence[StepResult]) -> list[Sequence[HostSnapshot]]:
    """Return the hosts that did not succeed, those that failed first."""
    return [*(step.failed for step in steps), *(step.unfinished for step in steps)]


def _hosts_in_short(hosts: Mapping[Phase, int], *unsuccessful: Sequence[HostSnapshot]) -> str:
    """Return counts of hosts by phase, and the first hosts that did not succeed."""
    text = f": {tally(hosts)}" if hosts else ""
    names = (row.host for rows in unsuccessful for row in rows)
    count = sum(map(len, unsuccessful))
    return text + (f"; not well: {first_of_many(names, count)}" if count else "")


class JobFailed(BkJobError):
    """The job ended with another status than success."""

    def __init__(self, result: JobResult) -> None:
        """Keep the whole *result*."""
        super().__init__(result)
        self.result = result

    def __str__(self) -> str:
        result, count = self.result, sum(map(len, _without_success(self.result.steps)))
        return printable(f"{result.ref} ended {result.status.name}, {counted(count, 'host')} did not succeed")
