"""Poll views for tests of the engine."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from attrs import frozen

from bkjob_async.engine.folding.diff import Missed, diff
from bkjob_async.engine.host_table.table import HostTable
from bkjob_async.engine.stream.cursor import PollStamp, place
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.model.events import Batch, Event
from bkjob_async.model.poll_view import GroupPollView, JobPollView, Outcome, StepPollView
from bkjob_async.model.refs import HostKey, JobRef, Ref, Scope
from bkjob_async.model.snapshot import HostSnapshot
from bkjob_async.model.status import host_status
from tests.engine.applied import apply_step

JOB = JobRef(Scope.biz(2), 100)


@frozen(kw_only=True)
class Row:
    """One host row of a response."""

    status: int
    bk_host_id: int | None = None
    bk_cloud_id: int | None = 0
    ip: str | None = None
    ipv6: str | None = None
    container_id: int | None = None
    container_name: str | None = None
    tag: str | None = None
    exit_code: int | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None

    def outcome(self) -> Outcome:
        """Return how the host ended."""
        return self.exit_code, self.start_time, self.end_time

    def details(self) -> HostSnapshot:
        """Return the model's reading of the row."""
        key = HostKey(bk_host_id=self.bk_host_id, bk_cloud_id=self.bk_cloud_id, ip=self.ip)
        status = host_status(self.status)
        return HostSnapshot(host=key, status=status, tag=self.tag or "", exit_code=self.exit_code)


def host(number: int, status: int) -> Row:
    """Return the row of host *number*, named by id and address."""
    return Row(status=status, bk_host_id=number, ip=f"10.0.0.{number}", exit_code=status % 7)


def step(
    status: int, rows: Sequence[Row] | None = None, *, number: int = 200, run: int = 0, complete: bool = True
) -> StepPollView:
    """Return a view of a step; *rows* None is a response that says nothing of hosts."""
    return StepPollView(
        step_instance_id=number,
        status=status,
        execute_count=run,
        groups=None if rows is None else (GroupPollView(size=len(rows), rows=rows),),
        complete=rows is not None and complete,
    )


def job(status: int, *steps: StepPollView, finished: bool | None = None) -> JobPollView:
    """Return a view of a job."""
    return JobPollView(status=status, finished=finished, steps=steps)


def at(now: float) -> PollStamp:
    """Return the time *now*; places in the stream follow the time."""
    sequence = int(now * 1000) + 1
    return PollStamp(now, sequence, f"{sequence}-test")


def batch_of(reported: Iterable[Event], stamp: PollStamp) -> Batch:
    """Return what a poll has reported as the batch that readers are given."""
    events = tuple(reported)
    place(events, stamp.cursor, stamp.at)
    return Batch(stamp.sequence, events, stamp.cursor, at=stamp.at, size=len(events))


def present(
    state: JobState, targets: Collection[Ref], *, since: int = 0, skipped: bool = False
) -> list[Event]:
    """Return the events that whoever begins to watch *targets* is given of their present state.

    With *since*, and *skipped*, those that a reader is given which was behind from then on.
    """
    return list(diff(Missed(since, skipped), state, targets))


# More codes than a byte could name.
STRANGE_CODES = range(10_000, 10_300)


def show_strange_codes() -> None:
    """Show so many strange codes that one which is not among them is beyond what a byte could name."""
    for code in STRANGE_CODES:
        hosts_of(Row(status=code, bk_host_id=1))


def hosts_of(*rows: Row) -> HostTable:
    """Return the hosts of a step as they are known behind a response with these rows."""
    state = JobState(JOB)
    state.add_target(JOB.step(200))
    apply_step(state, step(2, rows), at(1.0))
    return state.step(200).hosts
