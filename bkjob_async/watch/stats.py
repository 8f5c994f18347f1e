"""A watch in figures, and its targets as last seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from attrs import frozen

from bkjob_async.model.refs import Ref
from bkjob_async.model.snapshot import JobSnapshot, StepSnapshot


@frozen(kw_only=True)
class WatchStats:
    """A watch in figures: its targets, those that are over, events told, questions asked by the client."""

    targets: int
    over: int
    events: int
    polls: int


class LastSeen(Mapping[Ref, JobSnapshot | StepSnapshot | None]):
    """Targets as last seen; each is only put together when it is asked for."""

    def __init__(
        self, refs: Sequence[Ref], snapshot: Callable[[Ref], JobSnapshot | StepSnapshot | None]
    ) -> None:
        """Answer for *refs* by *snapshot*."""
        self._refs = dict.fromkeys(refs)
        self._snapshot = snapshot

    def __getitem__(self, ref: Ref) -> JobSnapshot | StepSnapshot | None:
        self._refs[ref]
        return self._snapshot(ref)

    def __iter__(self) -> Iterator[Ref]:
        return iter(self._refs)

    def __len__(self) -> int:
        return len(self._refs)
