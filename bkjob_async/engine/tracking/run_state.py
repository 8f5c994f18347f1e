"""The state that jobs and steps have in common: plain data, and when they are over.

Whether it is over is one decision, `stage_of`, by what was announced and what a response shows:

| announced | shown | details | an operation | stage |
| --- | --- | --- | --- | --- |
| open | open | | | open |
| open | final | to come, within the bound | | settling |
| open | final | settled | since | settling |
| open | final | settled | none since | over |
| open | final | to come, or an operation since, and the bound has passed | | over |
| over | the same | | since | settling |
| over | the same | | none since | over |
| over | open, another status, another execution | | | reopened |

*Details* are the host rows of a step, and the steps of a job. *An operation since*: what is shown may be from before it.
What is open, settling or reopened is polled on.
"""

from __future__ import annotations

from enum import Enum
from functools import lru_cache
from typing import Generic, NamedTuple, TypeVar

from msgspec import Struct

from bkjob_async.engine.tracking.packed_times import NO_TIMES, unpacked_times
from bkjob_async.model.refs import JobRef, StepRef
from bkjob_async.model.snapshot import Times

NOT_STARTED, RUNNING, WAITING = 1, 2, 7

R = TypeVar("R", JobRef, StepRef)


class AnnouncedState(NamedTuple):
    """What readers were given of a job or step; *code* is None before the first event."""

    code: int | None
    execute_count: int
    finished: bool


NOT_ANNOUNCED = AnnouncedState(None, 0, finished=False)


@lru_cache(maxsize=4096)
def announced_state(code: int, execute_count: int = 0, *, finished: bool) -> AnnouncedState:
    """Return the state of a step or job that readers were given, as one object shared by all in the same state."""
    return AnnouncedState(code, execute_count, finished)


class Stage(Enum):
    """How far a job or step is."""

    OPEN = "open"
    SETTLING = "settling"
    OVER = "over"
    REOPENED = "reopened"


def stage_of(
    *,
    was_over: bool,
    is_final: bool,
    is_same: bool = True,
    has_details: bool = True,
    is_doubtful: bool = False,
    is_overdue: bool = False,
) -> Stage:
    """Return the stage of a job or step, which *was_over* as announced, and is shown *is_final* in the *is_same* status.

    *has_details*: its details have settled. *is_doubtful*: an operation was made since it was shown active. *is_overdue*: the
    bound has passed within which its details come.
    """
    if was_over:
        if not (is_final and is_same):
            return Stage.REOPENED
        return Stage.SETTLING if is_doubtful else Stage.OVER
    if not is_final:
        return Stage.OPEN
    return Stage.OVER if is_overdue or (has_details and not is_doubtful) else Stage.SETTLING


class RunState(Struct, Generic[R], eq=False, gc=False):
    """What is known of one run of a job or a step.

    `status_code` is the last one that the platform showed, `announced` what was announced to readers, in batch
    `announced_sequence`. They differ while a final status settles. It was seen running since `running_since`. `active_at` is
    when it was last seen unfinished or changed.
    """

    ref: R
    name: str = ""
    status_code: int | None = None
    announced: AnnouncedState = NOT_ANNOUNCED
    announced_sequence: int = 0
    epoch: int = 0
    active_at: float | None = None
    running_since: float | None = None
    raw_times: bytes = NO_TIMES

    def retract_end(self, sequence: int) -> None:
        """Take back, in batch *sequence*, that it was announced finished; readers that missed that batch are told later."""
        code, execute_count, _ = self.announced
        if code is not None:
            self.announced = announced_state(code, execute_count, finished=False)
            self.announced_sequence = sequence

    @property
    def times(self) -> Times:
        """When it was created, started and ended, as read with its last new status."""
        return unpacked_times(self.raw_times)
