"""How a target stands at one look."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from attrs import field, frozen

from bkjob_async.model.causes import HostsByCause
from bkjob_async.model.events import LostReason
from bkjob_async.model.operations.base import StepOperation
from bkjob_async.model.refs import Ref, StepRef
from bkjob_async.model.status import Phase, RunStatus
from bkjob_async.model.text.printing import printable, tally


@frozen(kw_only=True)
class StepStatus:
    """A step of a job at one look.

    *ref* is the step, *name* its name, *status* its status, *execute_count* its execution, from 0. *hosts* counts its hosts by
    phase.
    """

    ref: StepRef
    name: str
    status: RunStatus
    execute_count: int
    hosts: Mapping[Phase, int] = field(factory=dict, hash=False)


@frozen(kw_only=True)
class TargetStatus:
    """A job or step at one look: how it stands, why, and what it waits for; see `JobClient.status`.

    *ref* is the target. *status* is None where it could not be read: then *lost* is why it never can be, and *message*
    says what went wrong, "" where the time was over before anything was seen; all else is empty. *name* is the
    platform's, *is_finished*: the status is final. *hosts* counts hosts by phase, over all steps; *steps* are those of
    a job that were seen. *start_time* is when it began, *seconds* for how long it has been running, or ran; None where
    that is not known.

    *because* says in a few words what it does. *ends_in* is in how many seconds half and 90 % of such runs are over,
    None where fewer than three earlier runs are known. *waiting* are the steps that wait for a person, each with the
    operation that lets it go on. *causes* are the failed hosts by cause, the largest group first.
    """

    ref: Ref
    name: str = ""
    status: RunStatus | None
    is_finished: bool = False
    lost: LostReason | None = None
    message: str = ""
    hosts: Mapping[Phase, int] = field(factory=dict, hash=False)
    start_time: datetime | None = None
    seconds: float | None = None
    steps: tuple[StepStatus, ...] = ()
    because: str = ""
    ends_in: tuple[float, float] | None = None
    waiting: Mapping[StepRef, StepOperation] = field(factory=dict, hash=False)
    causes: tuple[HostsByCause, ...] = ()

    def __str__(self) -> str:
        if self.status is None:
            why = "not seen" if self.lost is None else f"lost: {self.lost.value.replace('_', ' ')}"
            return printable(f"{self.ref} {why}" + (f": {self.message}" if self.message else ""))
        hosts = f": {tally(self.hosts)}" if self.hosts else ""
        return printable(f"{self.ref} {self.status.name}{hosts}; {self.because}")
