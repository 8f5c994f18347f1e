"""The exit code of a watch, from its events."""

from __future__ import annotations

from attrs import define, field

from bkjob_async import (
    Event,
    Finished,
    HostChanged,
    JobChanged,
    Lost,
    Ref,
    Reopened,
    Stalled,
    StepChanged,
    Trouble,
)
from bkjob_async.cli.exit_codes import ExitCode

SIGHT = HostChanged | StepChanged | JobChanged | Finished
REFUSALS = ("NotAuthenticated", "ApplicationNotAllowed")


@define
class Outcome:
    """The end of each target so far, taken from the events."""

    ends: dict[Ref, Finished | Lost] = field(factory=dict, init=False)
    anything_seen: bool = field(default=False, init=False)

    def apply(self, event: Event) -> None:
        """Record one event."""
        if isinstance(event, SIGHT):
            self.anything_seen = True
        if isinstance(event, Finished | Lost):
            self.ends[event.ref] = event
        elif isinstance(event, Reopened):
            self.ends.pop(event.ref, None)

    def is_hopeless(self, event: Event) -> bool:
        """Return True when *event* shows that the watch will never see anything.

        After the first successful poll, trouble is temporary. Before it, refused credentials and a platform
        that sent no response until `Stalled` are the caller's mistake.
        """
        if self.anything_seen:
            return False
        refused = isinstance(event, Trouble) and event.ref is None and event.error in REFUSALS
        return refused or isinstance(event, Stalled)

    @property
    def failed(self) -> list[Ref]:
        """The targets that ended without success."""
        return [ref for ref, end in self.ends.items() if isinstance(end, Finished) and not end.result.ok]

    @property
    def lost(self) -> list[Ref]:
        """The targets that cannot be read any more."""
        return [ref for ref, end in self.ends.items() if isinstance(end, Lost)]

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of a watch that has ended."""
        if self.failed:
            return ExitCode.SOMETHING_FAILED
        return ExitCode.COULD_NOT_WATCH if self.lost else ExitCode.ALL_SUCCEEDED

    def __str__(self) -> str:
        well = len(self.ends) - len(self.failed) - len(self.lost)
        parts = [f"{well} succeeded"]
        for word, refs in (("failed", self.failed), ("lost", self.lost)):
            if refs:
                shown = ", ".join(str(ref) for ref in refs[:5]) + (", …" if len(refs) > 5 else "")
                parts.append(f"{len(refs)} {word} ({shown})")
        return "; ".join(parts)
