"""The exit code of a watch, from its events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attrs import define, field

import bkjob_async as bkjob
from bkjob_async.cli.configuration.targets import word_of
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.client.looking import CONTINUING
from bkjob_async.model.text.printing import first_of

SIGHT = bkjob.StepChanged | bkjob.JobChanged | bkjob.Finished
REFUSALS = ("NotAuthenticated", "ApplicationNotAllowed")


@define
class Outcome:
    """The end of each target so far, taken from the batches, as the *state* has it; *failures* are those without success.

    *hopeless* says why nothing will be seen, if so; *trouble* is the last that was reported.
    """

    state: bkjob.StreamState = field(factory=lambda: bkjob.StreamState(jobs=False), init=False)
    failures: dict[bkjob.Ref, bkjob.JobResult] = field(factory=dict, init=False)
    anything_seen: bool = field(default=False, init=False)
    host_failed: bool = field(default=False, init=False)
    hopeless: str = field(default="", init=False)
    trouble: str = field(default="", init=False)

    def apply(self, batch: bkjob.Batch) -> None:
        """Record the events of one batch."""
        events = [event for event in batch.events if not isinstance(event, bkjob.HostChanged)]
        self.anything_seen = self.anything_seen or len(batch.events) > len(events)
        self.state.apply(batch)
        for event in events:
            if isinstance(event, SIGHT):
                self.anything_seen = True
            elif isinstance(event, bkjob.Trouble):
                self.trouble = event.message
            if self._is_hopeless(event):
                self.hopeless = event.message if isinstance(event, bkjob.Trouble) else str(event)
            if event.ref is not None:
                self._note_end(event.ref)

    def _note_end(self, ref: bkjob.Ref) -> None:
        end = self.ends.get(ref)
        if isinstance(end, bkjob.Finished) and not end.result.ok:
            self.failures[ref] = end.result
        else:
            self.failures.pop(ref, None)

    def add_earlier(self, ends: Mapping[bkjob.Ref, bkjob.JobResult | bkjob.Lost]) -> None:
        """Add the ends of targets that an earlier process saw, and of which no event came since."""
        earlier = [
            end if isinstance(end, bkjob.Lost) else bkjob.Finished(ref=ref, result=end)
            for ref, end in ends.items()
            if ref not in self.ends
        ]
        self.apply(bkjob.Batch(0, tuple(earlier)))

    @property
    def ends(self) -> Mapping[bkjob.Ref, bkjob.Finished | bkjob.Lost]:
        """How each target ended that has not run since."""
        return self.state.ends

    @property
    def waiting(self) -> Mapping[bkjob.Ref, str]:
        """Each step that waits for a person, with the operation that lets it go on."""
        waiting = self.state.waiting
        return {
            step: word_of(CONTINUING[status.code])
            for step, status in waiting.items()
            if status.code in CONTINUING
        }

    def _is_hopeless(self, event: bkjob.Event) -> bool:
        """Return True when *event* shows that the watch will never see anything.

        After the first successful poll, trouble is temporary. Before it, refused credentials and a platform
        that sent no response until `Stalled` are the caller's mistake.
        """
        if self.anything_seen:
            return False
        refused = isinstance(event, bkjob.Trouble) and event.ref is None and event.error in REFUSALS
        return refused or isinstance(event, bkjob.Stalled)

    def unfinished(self, targets: Iterable[bkjob.Ref]) -> list[bkjob.Ref]:
        """Return those of *targets* that have not ended, in the order of their ids."""
        return sorted(
            (ref for ref in targets if ref not in self.ends), key=lambda ref: (ref.job_instance_id, str(ref))
        )

    @property
    def lost(self) -> list[bkjob.Ref]:
        """The targets that cannot be read any more."""
        return [ref for ref, end in self.ends.items() if isinstance(end, bkjob.Lost)]

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

    def _lost_by_reason(self) -> dict[str, list[bkjob.Ref]]:
        lost: dict[str, list[bkjob.Ref]] = {}
        for ref, end in self.ends.items():
            if isinstance(end, bkjob.Lost):
                lost.setdefault(f"lost, {end.reason.value.replace('_', ' ')}", []).append(ref)
        return lost

    def at_deadline(self, error: bkjob.DeadlineExceeded) -> str:
        """Return what there is to say when the time is over; where nothing was ever seen, why."""
        if self.anything_seen or not self.trouble:
            return f"{self}; {error}"
        why = "" if error.trouble is not None else f": {self.trouble}"  # *error* says it already
        return f"{self}; {error}; nothing was seen{why}"
