"""What a journal keeps of a fleet beside its jobs: its terms, durations, and trouble that no later state repeats."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from bkjob_async.engine.journaling.forms import VERSION, PartForm, Term
from bkjob_async.engine.stream.cursor import CursorPosition, PollStamp, parse_cursor, place
from bkjob_async.errors import UsageError
from bkjob_async.model.events import Event, Recovered, Trouble
from bkjob_async.model.json_values import event_from_json, event_to_json
from bkjob_async.model.refs import Ref, parse_ref

# So many numbers behind each record are left for batches that are not stored: trouble with the store, and its end.
LOCAL_NUMBERS = 2
# Before everything: a reader is given the whole present, as what it had is not what the store has.
LOST = CursorPosition(-1, None)


class FleetFacts:
    """The terms of a fleet, the durations that were measured, and the newest trouble of each target or its end.

    `durations` is as it was exported; `time` that of the newest record in Unix seconds. `joining` are steps that were added
    when their jobs were targets and reported already: their ends are given once they were read again, however they stand.
    """

    __slots__ = ("_signals", "durations", "joining", "terms", "time")

    def __init__(self) -> None:
        self.terms: list[Term] = []
        self.time = 0.0
        self.durations: Mapping[str, Any] | None = None
        self.joining: set[Ref] = set()
        # Of the platform as a whole by None.
        self._signals: dict[Ref | None, Trouble | Recovered] = {}

    @property
    def outage(self) -> Trouble | None:
        """The trouble with the platform as a whole that was reported last and is not over."""
        outage = self._signals.get(None)
        return outage if isinstance(outage, Trouble) else None

    def note_term(self, term: Term, *, begins: bool) -> None:
        """Note that a record was written in *term*, behind its head; with the first one the term *begins*."""
        last = self.terms[-1] if self.terms else None
        if last is not None and replace(term, first=0) == last:
            self.terms[-1] = term  # a checkpoint has the opening, and not its first record yet
        elif begins or last is None or (last.number, last.client) != (term.number, term.client):
            self.terms.append(term)

    def note_signal(self, event: Trouble | Recovered) -> None:
        """Note that trouble was reported, or its end."""
        self._signals[event.ref] = event

    def forget(self, ref: Ref) -> None:
        """Forget what was reported of a target that was dropped."""
        self._signals.pop(ref, None)
        self.joining.discard(ref)

    def signals(self, since: int, *, skipped: bool) -> Iterator[Event]:
        """Yield trouble, and ends of it, that was reported in record *since* or later."""
        for signal in self._signals.values():
            # A reader that begins here has had no trouble to recover from.
            if is_since(signal, since) and (skipped or isinstance(signal, Trouble)):
                yield replace(signal, skipped=skipped)

    def renew_signals(self, at: PollStamp) -> None:
        """Give the newest trouble, and ends of it, the place of *at*."""
        signals = [*self.signals(0, skipped=True)]
        place(signals, at.cursor, at.at)
        for signal in signals:
            if isinstance(signal, Trouble | Recovered):
                self.note_signal(signal)

    # Checkpoints ----------------------------------------------------------------------------------------------------

    def part(self, sequence: int) -> PartForm:
        """Return the first part of a checkpoint of the records up to number *sequence*."""
        return PartForm(
            VERSION,
            sequence,
            terms=[*self.terms],
            time=self.time,
            outage=None if self.outage is None else event_to_json(self.outage),
            durations=None if self.durations is None else dict(self.durations),
            signals=list(map(event_to_json, self._signals.values())),
            joining=sorted(map(str, self.joining)),
        )

    def load(self, form: PartForm) -> None:
        """Take over what the first part of a checkpoint says; the others say nothing here."""
        if not form.terms:
            return
        self.terms = form.terms
        self.time, self.durations = form.time, form.durations
        self.joining = set(map(parse_ref, form.joining))
        outage = () if form.outage is None else (form.outage,)
        for signal in map(signal_from, (*outage, *form.signals)):
            if isinstance(signal, Trouble | Recovered):
                self.note_signal(signal)


def signal_from(form: dict[str, Any]) -> Event:
    """Return trouble, or its end, from its form in a checkpoint; raise ValueError where it is no event or has no place."""
    signal = event_from_json(form)
    try:
        parse_cursor(signal.cursor)
    except UsageError as error:
        raise ValueError(f"a {signal.kind} without a cursor") from error
    return signal


def is_since(event: Event, sequence: int) -> bool:
    """Return True if *event* was reported in record *sequence* or later."""
    return parse_cursor(event.cursor)[0].sequence >= sequence


def begins_with(terms: Sequence[Term], others: Sequence[Term]) -> bool:
    """Return True if *terms* begin with the *others*, whose first records may not be known."""
    return len(others) <= len(terms) and all(
        other in (term, replace(term, first=0)) for term, other in zip(terms, others, strict=False)
    )


def cursor_behind(terms: Sequence[Term], head: int) -> str:
    """Return the cursor behind record number *head*, empty text before the first."""
    holder = next((term for term in reversed(terms) if term.head < head), None)
    return f"{head}-{holder.client}" if head and holder is not None else ""


def position_in(terms: Sequence[Term], head: int, cursor: str) -> CursorPosition:
    """Return the place that a *cursor* of any holder names in the records up to number *head*.

    A cursor from before the term of its client has had none of them. One behind the records of its term has had all of
    them, or, as `LOST` says, more than there are now: the store has lost some. Raise `UsageError` for a cursor of no holder.
    """
    place, client = parse_cursor(cursor)
    own = [number for number, term in enumerate(terms) if term.client == client]
    if not own:
        raise UsageError(
            f"the cursor {cursor!r} was given out by no process that watched this fleet, or the store has lost all that"
            " it stored; begin without a cursor"
        )
    begun = [number for number in own if terms[number].head <= place.sequence]
    if not begun:
        return CursorPosition(0, None)
    term = terms[begun[-1]]
    end = terms[begun[-1] + 1].head if begun[-1] + 1 < len(terms) else head
    if place.sequence < term.first:
        end = term.head
    if place.sequence <= end:
        return place
    return CursorPosition(end, None) if place.sequence <= end + LOCAL_NUMBERS else LOST
