"""The exit code of a watch, from its events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attrs import define, field

from bkjob_async import (
    DeadlineExceeded,
    Event,
    Finished,
    HostChanged,
    JobChanged,
    JobResult,
    Lost,
    Ref,
    Reopened,
    Stalled,
    StepChanged,
    Trouble,
)
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.model.text.printing import first_of

SIGHT = HostChanged | StepChanged | JobChanged | Finished
# The statuses that wait for a person, and the operation that lets the step go on.
CONTINUING = {7: "confirm-continue", 15: "rolling-continue"}
REFUSALS = ("NotAuthenticated", "ApplicationNotAllowed")


@define
class Outcome:
    """The end of each target so far, taken from the events; *failures* are those without success.

    *waiting* has each step that waits for a person, with the operation that lets it go on. *hopeless* says why nothing
    will be seen, if so; *trouble* is the last that was reported.
    """

    ends: dict[Ref, Finished | Lost] = field(factory=dict, init=False)
    failures: dict[Ref, JobResult] = field(factory=dict, init=False)
    waiting: dict[Ref, str] = field(factory=dict, init=False)
    anything_seen: bool = field(default=False, init=False)
    host_failed: bool = field(default=False, init=False)
    hopeless: str = field(default="", init=False)
    trouble: str = field(default="", init=False)

    def apply(self, event: Event) -> None:
        """Record one event."""
        if isinstance(event, SIGHT):
            self.anything_seen = True
        if isinstance(event, Trouble):
            self.trouble = event.message
        if isinstance(event, StepChanged):
            self.waiting.pop(event.ref, None)
            if event.after.code in CONTINUING:
                self.waiting[event.ref] = CONTINUING[event.after.code]
        if isinstance(event, Finished | Lost):
            self._end(event)
        elif isinstance(event, Reopened):
            self.ends.pop(event.ref, None)
            self.failures.pop(event.ref, None)
        elif self._is_hopeless(event):
            self.hopeless = event.message if isinstance(event, Trouble) else str(event)

    def add_earlier(self, ends: Mapping[Ref, JobResult | Lost]) -> None:
        """Add the ends of targets that an earlier process saw, and of which no event came since."""
        for ref, end in ends.items():
            if ref not in self.ends:
                self._end(end if isinstance(end, Lost) else Finished(ref=ref, result=end))

    def _end(self, event: Finished | Lost) -> None:
        self.ends[event.ref] = event
        self.failures.pop(event.ref, None)
        if isinstance(event, Finished) and not event.result.ok:
            self.failures[event.ref] = event.result

    def _is_hopeless(self, event: Event) -> bool:
        """Return True when *event* shows that the watch will never see anything.

        After the first successful poll, trouble is temporary. Before it, refused credentials and a platform
        that sent no response until `Stalled` are the caller's mistake.
        """
        if self.anything_seen:
            return False
        refused = isinstance(event, Trouble) and event.ref is None and event.error in REFUSALS
        return refused or isinstance(event, Stalled)

    def unfinished(self, targets: Iterable[Ref]) -> list[Ref]:
        """Return those of *targets* that have not ended, in the order of their ids."""
        return sorted(
            (ref for ref in targets if ref not in self.ends), key=lambda ref: (ref.job_instance_id, str(ref))
        )

    @property
    def lost(self) -> list[Ref]:
        """The targets that cannot be read any more."""
        return [ref for ref, end in self.ends.items() if isinstance(end, Lost)]

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of a watch that has ended."""
        if self.failures:
            return ExitCode.SOMETHING_FAILED
        return ExitCode.COULD_NOT_WATCH if self.lost else ExitCode.ALL_SUCCEEDED

    def __str__(self) -> str:
        well = len(self.ends) - len(self.failures) - len(self.lost)
        parts = [f"{well} succeeded"]
        for word, refs in (("failed", [*self.failures]), *self._lost_by_reason().items()):
            if refs:
                parts.append(f"{len(refs)} {word} ({first_of(refs)})")
        return "; ".join(parts)

    def _lost_by_reason(self) -> dict[str, list[Ref]]:
        lost: dict[str, list[Ref]] = {}
        for ref, end in self.ends.items():
            if isinstance(end, Lost):
                lost.setdefault(f"lost, {end.reason.value.replace('_', ' ')}", []).append(ref)
        return lost

    def at_deadline(self, error: DeadlineExceeded) -> str:
        """Return what there is to say when the time is over; where nothing was ever seen, why."""
        why = f"; nothing was seen: {self.trouble}" if self.trouble and not self.anything_seen else ""
        return f"{self}; {error}{why}"
