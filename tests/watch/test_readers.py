"""What a reader with a backlog is given, and that readers let other tasks run."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from bkjob_async.engine.stream.cursor import CursorPosition
from bkjob_async.engine.stream.event_list import LazyEventList
from bkjob_async.model.events import Batch, InSync, JobChanged
from bkjob_async.model.refs import JobRef, Scope
from bkjob_async.model.status import run_status
from bkjob_async.model.structures.lazy_tuple import SLICE_SIZE
from bkjob_async.watch.stream.readers import Backlog, Position, Reader, all_events, whole_batch
from tests.engine.stream.test_lazy_events import MANY, moves

FIRST, SECOND = (JobRef(Scope.biz(2), number) for number in (100, 101))


def running(job: JobRef) -> JobChanged:
    """Return the event that a job runs."""
    return JobChanged(ref=job, before=None, after=run_status(2), is_finished=False, cursor="9")


def test_events_of_jobs_that_were_caught_up_with_come_at_once() -> None:
    """The others wait for their turn, and keep the cursor from before it."""
    backlog = Backlog(dict.fromkeys((FIRST, SECOND)), Position(CursorPosition(3, None), "3"), since=4)
    backlog.pop()

    current = backlog.current_part_of(Batch(9, (running(FIRST), running(SECOND), InSync(cursor="9")), "9"))

    assert current is not None
    assert list(current.events) == [running(FIRST)]
    assert [event.cursor for event in current.events] == ["3"]
    assert backlog.current_part_of(Batch(10, (running(SECOND),), "10")) is None
    assert backlog.current_part_of(Batch(11, (replace(running(FIRST), skipped=True),), "11")) is not None


class Stream:
    """Batches that are all there at once."""

    def __init__(self, *batches: Batch) -> None:
        self._batches: Iterator[Batch] = iter(batches)

    async def next_batch(self, _position: Position) -> Batch | None:
        """Return the next batch."""
        return next(self._batches, None)


async def read_with_others(reader: Reader[Any]) -> tuple[list[Any], int]:
    """Return what *reader* is given, and how often another task could run meanwhile."""
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    running = asyncio.create_task(others())
    found = [item async for item in reader]
    running.cancel()
    return found, turns


@pytest.mark.parametrize("select", [all_events, whole_batch])
async def test_a_reader_of_many_events_lets_other_tasks_run(select: Any) -> None:
    """In the middle of a large batch, and behind many small ones; a few small ones are read at once."""
    small = [Batch(n, (InSync(),)) for n in range(2 * SLICE_SIZE + 1)]

    _, in_one = await read_with_others(Reader(Stream(Batch(1, LazyEventList([moves(*MANY)[0]]))), select))
    _, in_many = await read_with_others(Reader(Stream(*small), select))
    _, in_few = await read_with_others(Reader(Stream(*small[:9]), select))

    assert (in_one >= 2, in_many, in_few) == (True, 2, 0)


async def test_a_reader_that_is_cancelled_in_a_large_batch_loses_nothing() -> None:
    """It continues where it was."""
    many, _ = moves(*MANY)
    reader = Reader(Stream(Batch(1, LazyEventList([many]))), all_events)
    first = [await anext(reader) for _ in range(SLICE_SIZE)]

    waiting = asyncio.ensure_future(anext(reader))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])

    assert waiting.cancelled()
    assert [*first, *[event async for event in reader]] == list(many)
