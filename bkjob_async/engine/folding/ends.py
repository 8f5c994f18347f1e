"""How the targets of a stream ended."""

from __future__ import annotations

from attrs import define, field

from bkjob_async.model.events import Event, Finished, JobChanged, Lost, Reopened, StepChanged
from bkjob_async.model.refs import Ref


@define(eq=False)
class Ends:
    """The last end of each target that has not run since, *by_target*.

    | event | the end of its target |
    | --- | --- |
    | `Finished`, `Lost` | is this event |
    | `Reopened` | is no more |
    | `JobChanged`, `StepChanged` that is not final | is no more: a reader that is late is not given what was dropped |
    """

    by_target: dict[Ref, Finished | Lost] = field(factory=dict, init=False)

    def apply(self, event: Event) -> None:
        """Apply the next event; those of other kinds say nothing about ends."""
        if isinstance(event, Finished | Lost):
            self.by_target[event.ref] = event
        elif isinstance(event, Reopened) or (
            isinstance(event, JobChanged | StepChanged) and not event.is_finished
        ):
            self.by_target.pop(event.ref, None)
