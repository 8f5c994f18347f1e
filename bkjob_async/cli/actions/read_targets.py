"""Read some targets once: a watch until every target was polled."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from attrs import define, field

from bkjob_async import BkJobError, DeadlineExceeded, DetailLevel, JobClient, Lost, Ref, Watch
from bkjob_async.cli.watching.outcome import Outcome


@define
class ReadTargets:
    """An open watch in which every target was read that is not lost; where it *is_late*, as many as could be."""

    watch: Watch
    outcome: Outcome = field(factory=Outcome, init=False)
    is_late: bool = field(default=False, init=False)

    def lost(self, ref: Ref) -> Lost | None:
        """Return why a target cannot be read, None where it can be."""
        end = self.outcome.ends.get(ref)
        return end if isinstance(end, Lost) else None

    def unread(self) -> list[Ref]:
        """Return the targets that could not be read because of some trouble."""
        in_trouble = self.outcome.state.trouble
        return [ref for ref in in_trouble if ref is not None and self.watch.snapshot(ref) is None]


class NothingSeen(BkJobError):
    """The platform could not be read."""


@asynccontextmanager
async def read_targets(client: JobClient, refs: Sequence[Ref], deadline: float) -> AsyncIterator[ReadTargets]:
    """Read all *refs* of an open client, as far as that is possible by the *deadline*; raise `NothingSeen`."""
    # It stays open after all targets are over, so that they can be looked at.
    level = DetailLevel.COALESCED
    async with client.watch(refs, deadline=deadline, linger=None, detail_level=level) as watch:
        state = ReadTargets(watch)
        try:
            await read_once(state)
        except DeadlineExceeded:
            state.is_late = True
        yield state


async def read_once(state: ReadTargets) -> None:
    """Read events until every target was read; raise `NothingSeen` or `DeadlineExceeded`."""
    outcome = state.outcome
    async for batch in state.watch.batches():
        outcome.apply(batch)
        if outcome.hopeless:
            raise NothingSeen(outcome.hopeless)
        if outcome.state.is_in_sync:
            return
