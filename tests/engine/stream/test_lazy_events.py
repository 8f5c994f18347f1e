"""Lazy events of hosts: created when they are read, and the same ones for all readers."""

import pytest
from msgspec.structs import replace

from bkjob_async.engine.host_table.changes import StatusChange, StatusChanges
from bkjob_async.engine.host_table.host_names import HostNames
from bkjob_async.engine.stream.event_list import (
    MAX_DROPPED_PARTS,
    EventOrLazy,
    LazyEventList,
    parts_after,
    split_last,
    with_indexes,
)
from bkjob_async.engine.stream.event_log import MAX_LAZY_BATCHES, EventLog
from bkjob_async.engine.stream.host_columns import MAX_SHARED_SIZE, HostEventColumns, columns_of
from bkjob_async.engine.stream.lazy_events import HostEventsCopy, LazyHostEvents, events_from
from bkjob_async.model.events import Batch, HostChanged, InSync, JobChanged, index_of
from bkjob_async.model.poll_view import HostRow
from bkjob_async.model.refs import HostKey
from bkjob_async.model.status import host_status, run_status
from bkjob_async.model.structures.lazy_tuple import SLICE_SIZE
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
    """A log that grows makes the events of older batches, so that it holds events and not responses."""
    log = EventLog()
    made = []
    for n in range(MAX_LAZY_BATCHES + 2):
        part, of_this = moves(n)
        made.append(of_this)
        log.append(Batch(n + 1, LazyEventList([part])))

    assert [n for n, of_this in enumerate(made) if of_this] == [0, 1]


def test_rows_can_be_read_in_full_before_the_events() -> None:
    """Rows are read from a response once, and it is released; the events are as they would have been."""
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


MANY = range(2 * SLICE_SIZE + 10)


def test_many_events_are_made_a_slice_at_a_time() -> None:
    """Two readers that stand at different places are given the same events, and none is made twice."""
    many, made = moves(*MANY)
    first, second = many.slices(), many.slices()

    begin = next(first)

    assert made == [*range(SLICE_SIZE)]
    both = [[*begin, *(event for each in first for event in each)], [e for each in second for e in each]]
    assert made == [*MANY]
    assert all(one is other for one, other in zip(*both, strict=True))
    assert [len(each) for each in many.slices()] == [SLICE_SIZE, SLICE_SIZE, 10]
    assert list(many) == list(many.materialize()) == both[0]


def test_a_list_is_made_a_slice_at_a_time() -> None:
    """It is what it would be if it was made at once."""
    many, made = moves(*MANY)
    events = LazyEventList([RUNS, many, InSync()])

    sizes = [len(made) for _ in events.materialize_in_slices()]

    assert sizes == [0, SLICE_SIZE, 2 * SLICE_SIZE, len(MANY), len(MANY)]
    assert events == (RUNS, *many, InSync())


def test_a_log_leaves_large_batches_to_be_made_later() -> None:
    """What nobody reads is still made in the end, but not in the turn that adds a batch."""
    log, (many, made) = EventLog(), moves(*MANY)
    log.append(Batch(1, LazyEventList([many])))
    for n in range(MAX_LAZY_BATCHES):
        log.append(Batch(n + 2, LazyEventList([RUNS])))

    assert (bool(log.unmade), made) == (True, [])
    steps = [len(made) for _ in log.make_events()]
    assert steps == [SLICE_SIZE, 2 * SLICE_SIZE, len(MANY)]
    assert not log.unmade


def test_copies_are_what_evolve_would_make() -> None:
    """With another cursor they have no place in a batch; as skipped they keep theirs."""
    many, _ = moves(*MANY)
    placed = [replace(event, cursor=f"5.{n}" if n else "5") for n, event in enumerate(many)]
    source = LazyHostEvents(
        STEP,
        StatusChanges(MANY, [7] * len(MANY), [9] * len(MANY), [None] * len(MANY)),
        lambda c, _: [placed[p] for p in c.places],
    )

    moved, skipped = HostEventsCopy(source, cursor="3"), HostEventsCopy(source, skipped=True)

    assert (len(moved), len(skipped)) == (len(MANY), len(MANY))
    assert {event.cursor for event in moved} == {"3"}
    assert [event.cursor for event in skipped] == [event.cursor for event in placed]
    assert list(skipped) == [replace(event, skipped=True) for event in placed]
    assert list(moved) == placed


@pytest.mark.parametrize("size", [1, 2, MAX_SHARED_SIZE, 2 * SLICE_SIZE + 5])
@pytest.mark.parametrize("are_equal", [False, True])
def test_events_are_the_same_once_their_columns_were_asked_for(size: int, *, are_equal: bool) -> None:
    """A journal asks; the events are made later, in slices, in part, or all at once."""
    afters = [9] * size if are_equal else [9 if n % 3 else 104 for n in range(size)]
    tags = [""] * size if are_equal else [f"tag {n}" for n in range(size)]
    hosts = HostNames.of(
        [*range(1, size + 1)], [0] * size if are_equal else [1 << 63 | n for n in range(size)]
    )
    columns = HostEventColumns(hosts, [7] * size, afters, tags, [None] * size, 2, 3, cursor="5-a")
    expected = [*events_from(STEP, columns, 4)]

    def asked() -> LazyHostEvents:
        changes = StatusChanges(range(size), columns.befores, afters, [None] * size)
        events = LazyHostEvents(STEP, changes, lambda *_: expected, columns=lambda _: columns)
        events.events_before = 4
        assert columns_of([*events_from(STEP, events.columns(), 4)]) == columns_of(expected)
        assert events.columns() is events.columns()
        return events

    assert [each for part in asked().slices() for each in part] == expected
    assert list(asked().materialize()) == expected
    assert (
        list(asked().last_ending_in({104}, 3)) == [each for each in expected if each.after.code == 104][-3:]
    )
    others, last = asked().split_last()
    assert [
        *(each for part in others for each in ([part] if isinstance(part, HostChanged) else part)),
        last,
    ] == expected
    assert [index_of(event) for event in asked()] == [*range(5, size + 5)]


def test_the_rest_of_a_batch_is_the_same_events() -> None:
    """A reader that begins inside a large step is given what comes behind, as everybody else is."""
    many, _ = moves(*MANY)
    given: list[EventOrLazy] = [RUNS, many, replace(RUNS)]
    parts = with_indexes(given)

    for index in (1, 2, SLICE_SIZE + 1, SLICE_SIZE + 5, len(MANY)):
        (rest, last) = parts_after(parts, index)
        assert isinstance(rest, HostEventsCopy | LazyHostEvents)
        assert (len(rest), last) == (len(MANY) + 1 - index, parts[2])
        assert all(one is other for one, other in zip(rest, list(many)[index - 1 :], strict=True))
    assert parts_after(parts, len(MANY) + 1) == [parts[2]]


def test_the_last_event_can_be_made_alone() -> None:
    """All others are still to be made."""
    many, made = moves(*MANY)
    others, last = split_last(many)

    assert made == [MANY[-1]]
    (first,) = others
    assert isinstance(first, LazyHostEvents)
    assert len(first) == len(MANY) - 1
    assert [*first, last] == [*moves(*MANY)[0]]
    assert split_last(moves(4)[0]) == ([], *moves(4)[0])
    assert split_last(RUNS) == ((), RUNS)
