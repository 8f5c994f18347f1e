"""The entries of a shard's inbox, targets to add or to drop, as bytes; and how far a runner has read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from zlib import crc32

import msgspec
from attrs import define, field

from bkjob_async.errors import JournalDamaged, JournalTooNew
from bkjob_async.journal.store import InboxEntry
from bkjob_async.model.refs import JobRef, Ref, Scope, StepRef

VERSION = 1
# An entry holds so many targets at most: some ten kilobytes.
MAX_TARGETS = 2000
# So many entries are known again after the store has lost its newest writes.
MAX_KNOWN = 10_000

# An array: version, True to add and False to drop, then runs of targets of one scope, in order: the scope, the ids of
# the jobs, the ids of the steps (0 for the job itself), or nothing where all of them are jobs.
Form = tuple[int, bool, list[tuple[str, list[int], list[int] | None]]]

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Form)
_any_decoder = msgspec.msgpack.Decoder(list[Any])


def entries_of(refs: Sequence[Ref], *, added: bool) -> Iterator[bytes]:
    """Yield entries that add *refs*, or drop them, in this order."""
    for start in range(0, len(refs), MAX_TARGETS):
        runs: list[tuple[str, list[int], list[int]]] = []
        scope: Scope | None = None
        jobs: list[int] = []
        steps: list[int] = []
        for ref in refs[start : start + MAX_TARGETS]:
            if ref.scope is not scope:
                scope, jobs, steps = ref.scope, [], []
                runs.append((str(scope), jobs, steps))
            if isinstance(ref, StepRef):
                jobs.append(ref.job.job_instance_id)
                steps.append(ref.step_instance_id)
            else:
                jobs.append(ref.job_instance_id)
                steps.append(0)
        yield _encoder.encode(
            (VERSION, added, [(text, ids, inner if any(inner) else None) for text, ids, inner in runs])
        )


def read_entry(data: bytes) -> tuple[list[Ref], bool]:
    """Return the targets of an entry, and whether they are added; raise `JournalTooNew` or `JournalDamaged`."""
    try:
        _, added, runs = _decoder.decode(data)
        return [ref for run in runs for ref in _refs(*run)], added
    except (msgspec.DecodeError, ValueError, TypeError) as error:
        if _version_of(data) > VERSION:
            raise JournalTooNew("a newer version of this package added targets to the fleet") from error
        raise JournalDamaged(f"an entry of the fleet's inbox cannot be read: {error}") from error


def _refs(text: str, jobs: list[int], steps: list[int] | None) -> Iterator[Ref]:
    scope = Scope.parse(text)
    for job, step in zip(jobs, steps or [0] * len(jobs), strict=True):
        ref = JobRef(scope, job)
        yield ref.step(step) if step else ref


def _version_of(data: bytes) -> int:
    try:
        version = _any_decoder.decode(data)[0]
    except (msgspec.DecodeError, IndexError):
        return 0
    return version if isinstance(version, int) else 0


@define
class InboxPlace:
    """How far a runner has read its inbox, in which *term* of the journal.

    A store that loses its newest writes begins a new term. Entries that were read may be there again then, and the
    numbers of those that were lost are given to others; so the inbox is read again from its beginning, and what was
    read is known by its number and its content.
    """

    term: int
    read_to: int = 0
    _known: dict[int, int] = field(init=False, factory=dict)

    def begin(self, term: int) -> bool:
        """Read from the beginning if this *term* is another one; return whether it is."""
        is_another = term != self.term
        if is_another:
            self.term, self.read_to = term, 0
        return is_another

    def unread(self, entries: Sequence[InboxEntry]) -> list[InboxEntry]:
        """Return those of a page that were not read before; all of them are read now."""
        found: list[InboxEntry] = []
        for entry in entries:
            content = crc32(entry.data)
            if self._known.get(entry.number) != content:
                self._known.pop(entry.number, None)
                self._known[entry.number] = content
                found.append(entry)
        while len(self._known) > MAX_KNOWN:
            del self._known[next(iter(self._known))]
        self.read_to = entries[-1].number
        return found
