"""Due times in slots against a plain dict."""

import tracemalloc
from math import inf

from attrs import define
from hypothesis import given
from hypothesis import strategies as st

from bkjob_async.engine.scheduling.timer_wheel import SLOTS, TimerWheel


@define(eq=False)
class Thing:
    """An item with a due time and a name."""

    name: object
    due: float | None = None


def test_the_earliest_comes_first_and_only_when_it_is_due() -> None:
    """Nothing comes before its time, then all in order."""
    schedule: TimerWheel[Thing] = TimerWheel()
    early, late = Thing("early"), Thing("late")
    schedule.put(late, 3.0)
    schedule.put(early, 1.0)

    assert schedule.pop_all_due(0.9, 1) == []
    assert schedule.first_due == 1.0
    assert [schedule.pop_all_due(5.0, 1) for _ in range(3)] == [[early], [late], []]


def test_schedule_earlier_never_delays() -> None:
    """A nudge makes a poll earlier, never later."""
    schedule: TimerWheel[Thing] = TimerWheel()
    thing = Thing("a")
    schedule.put(thing, 2.0)
    schedule.schedule_earlier(thing, 5.0)
    assert thing.due == 2.0

    schedule.schedule_earlier(thing, 1.0)
    assert thing.due == 1.0


def test_moving_for_ever_does_not_grow_the_heap() -> None:
    """Dead entries are removed, also those in a slot to which their item has returned."""
    schedule: TimerWheel[Thing] = TimerWheel()
    things = [Thing(number) for number in range(10)]
    tracemalloc.start()
    try:
        for turn in range(10_000):
            schedule.put(things[turn % 10], float(turn))
        for turn in range(10_000):
            schedule.put(things[turn % 10], float(turn // 10 % 2))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(schedule) == 10
    assert held < 50_000


@given(
    st.lists(
        st.tuples(st.sampled_from(["put", "earlier", "discard", "pop"]), st.integers(0, 5), st.integers(0, 9))
    )
)
def test_it_behaves_like_a_table_of_due_times(actions: list[tuple[str, int, int]]) -> None:
    """After any actions, it has the same items as a dict."""
    schedule: TimerWheel[Thing] = TimerWheel()
    things = [Thing(number) for number in range(6)]
    plain: dict[Thing, float] = {}
    for action, number, time in actions:
        key = things[number]
        match action:
            case "put":
                schedule.put(key, time)
                plain[key] = time
            case "earlier":
                schedule.schedule_earlier(key, time)
                plain[key] = min(time, plain.get(key, time))
            case "discard":
                schedule.discard(key)
                plain.pop(key, None)
            case _:
                popped = schedule.pop_all_due(time, 1)
                if not popped:
                    assert all(due > time for due in plain.values())
                else:
                    assert plain.pop(popped[0]) <= min([time, *plain.values()])
                assert schedule.first_due > time or schedule.first_due == min(plain.values())
        assert len(schedule) == len(plain)
        assert schedule.first_due <= min(plain.values(), default=inf)


@given(st.lists(st.tuples(st.integers(0, 400), st.floats(0.0, 3.0)), max_size=60))
def test_within_a_slot_time_decides_and_then_arrival(puts: list[tuple[int, float]]) -> None:
    """Due times within one slot come in their exact order."""
    schedule: TimerWheel[Thing] = TimerWheel()
    at = [slot / SLOTS + round(within) / (4 * SLOTS) for slot, within in puts]
    for number, due in enumerate(at):
        schedule.put(Thing(number), due)
    popped = [thing.name for thing in schedule.pop_all_due(1000.0, len(at))]

    assert popped == sorted(range(len(at)), key=lambda number: (at[number], number))


def test_a_slot_whose_time_has_come_leaves_no_dead_entries() -> None:
    """What was discarded, or moved away, is not counted any more."""
    schedule: TimerWheel[Thing] = TimerWheel()
    kept, discarded, moved = (Thing(name) for name in ("kept", "discarded", "moved"))
    for thing in (kept, discarded, moved):
        schedule.put(thing, 1.0)
    schedule.discard(discarded)
    schedule.put(moved, 9.0)

    assert schedule.pop_all_due(1.0, 3) == [kept]
    assert len(schedule) == 1


def test_what_was_popped_leaves_nothing() -> None:
    """An empty wheel holds nothing, however many items it had before and in whatever order they were removed."""
    schedule: TimerWheel[Thing] = TimerWheel()
    things = [Thing(number) for number in range(20)]
    tracemalloc.start()
    try:
        for turn in range(500):
            for number, thing in enumerate(things):
                schedule.put(thing, turn + number / 7)
            while schedule.pop_all_due(turn + 3.0, 1):
                pass
            assert len(schedule) == 0
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert held < 50_000
