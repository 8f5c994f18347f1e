"""Lazy events of hosts: created when they are read, and the same ones for all readers."""

from bkjob_async.engine.host_table.changes import StatusChange, StatusChanges
from bkjob_async.engine.stream.event_log import MAX_LAZY_BATCHES, EventLog
from bkjob_async.engine.stream.lazy_events import (
    MAX_DROPPED_PARTS,
    EventOrLazy,
    LazyEventList,
    LazyHostEvents,
)
from bkjob_async.model.events import Batch, HostChanged, InSync, JobChanged
from bkjob_async.model.poll_view import HostRow
from bkjob_async.model.refs import HostKey
from bkjob_async.model.status import host_status, run_status
from tests.engine.poll_views import JOB, Row, host

STEP = JOB.step(200)
RUNS = JobChanged(ref=JOB, before=None, after=run_status(2), is_finished=False)


def moves(*numbers: int) -> tuple[LazyHostEvents, list[int]]:
    """Return moves of these hosts, and the list of those that became events so far."""
    made: list[int] = []

    def event(move: StatusChange) -> HostChanged:
        made.append(move.place)
        key = HostKey(bk_host_id=move.place + 1)
        return HostChanged(ref=STEP, host=key, execute_count=0, before=None, after=host_status(move.after))

    size = len(numbers)
    moved = StatusChanges(numbers, [None] * size, [7] * size, [host(n, 7) for n in numbers])
    return LazyHostEvents(STEP, moved, lambda moves, _: map(event, moves)), made


def test_they_are_like_a_tuple_of_events() -> None:
    """Length, order, slices, equality and hash are those of the tuple."""
    both, _ = moves(1, 2)
    parts: list[EventOrLazy] = [RUNS, both, InSync()]
    events = LazyEventList(parts)
    expected = (RUNS, *both, InSync())

    assert (len(events), tuple(events), events[1:3], events[-1]) == (4, expected, expected[1:3], InSync())
    assert events == expected
    assert expected == events
    assert hash(events) == hash(expected)
    assert Batch(1, events) == Batch(1, expected)
    assert RUNS in events


def test_nothing_is_made_before_it_is_read_and_nothing_twice() -> None:
    """Counting and equal readers cost no further events."""
    both, made = moves(1, 2)
    events, others = LazyEventList([RUNS, both]), LazyEventList([both])
    assert (len(events), made) == (3, [])

    first, second = list(events), list(others)

    assert made == [1, 2]
    assert first[1] is second[0]


def test_a_few_events_that_were_read_are_all_that_is_kept() -> None:
    """Of many it is remembered that they moved together, so that readers of other things pass over them at once."""
    few, many = (
        LazyEventList([RUNS, moves(*range(1, MAX_DROPPED_PARTS))[0]]),
        LazyEventList([RUNS, moves(*range(MAX_DROPPED_PARTS))[0]]),
    )

    assert (list(few), list(many)) == (list(few.parts), [*many.parts[:1], *many.materialize()[1:]])
    assert not any(isinstance(part, LazyHostEvents) for part in few.parts)
    assert isinstance(many.parts[1], LazyHostEvents)


def test_what_nobody_reads_holds_on_to_its_answer_only_for_a_while() -> None:
    """A log that grows makes the events of older batches, so that it holds events and not answers."""
    log = EventLog()
    made = []
    for n in range(MAX_LAZY_BATCHES + 2):
        part, of_this = moves(n)
        made.append(of_this)
        log.append(Batch(n + 1, LazyEventList([part])))

    assert [n for n, of_this in enumerate(made) if of_this] == [0, 1]


def test_rows_can_be_read_in_full_before_the_events() -> None:
    """An answer is asked for its rows once, and let go; the events are as they would have been."""
    asked: list[HostRow] = []

    def named(row: HostRow) -> HostRow:
        asked.append(row)
        return host(row.bk_host_id or 0, 9)

    def event(move: StatusChange) -> HostChanged:
        assert move.row is not None
        key = HostKey(bk_host_id=move.row.bk_host_id, ip=move.row.ip)
        return HostChanged(ref=STEP, host=key, execute_count=0, before=None, after=host_status(move.after))

    moved = LazyHostEvents(
        STEP,
        StatusChanges([0, 1], [7, 7], [9, 9], [Row(status=9, bk_host_id=1)] * 2),
        lambda moves, _: map(event, moves),
        named,
    )

    moved.release_response()
    moved.release_response()

    assert [event.host.ip for event in moved] == ["10.0.0.1"] * 2
    assert len(asked) == 2
