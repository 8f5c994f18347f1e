"""The due-time heap against a plain list."""

from hypothesis import given
from hypothesis import strategies as st

from bkjob_async.engine.schedule import SLOTS, Schedule


def test_the_earliest_comes_first_and_only_when_it_is_due() -> None:
    """Nothing comes before its time, then all in order."""
    schedule: Schedule[str] = Schedule()
    schedule.put("late", 3.0)
    schedule.put("early", 1.0)

    assert schedule.pop_due(0.9) is None
    assert schedule.next_due() == 1.0
    assert [schedule.pop_due(5.0), schedule.pop_due(5.0), schedule.pop_due(5.0)] == ["early", "late", None]


def test_hasten_never_delays() -> None:
    """A nudge brings a look forward and puts none off."""
    schedule: Schedule[str] = Schedule()
    schedule.put("a", 2.0)
    schedule.hasten("a", 5.0)
    assert schedule.due_at("a") == 2.0

    schedule.hasten("a", 1.0)
    assert schedule.due_at("a") == 1.0


def test_moving_for_ever_does_not_grow_the_heap() -> None:
    """Dead entries are swept out."""
    schedule: Schedule[int] = Schedule()
    for turn in range(10_000):
        schedule.put(turn % 10, float(turn))

    assert schedule._entries <= 64 + 20


@given(
    st.lists(
        st.tuples(st.sampled_from(["put", "hasten", "discard", "pop"]), st.integers(0, 5), st.integers(0, 9))
    )
)
def test_it_behaves_like_a_table_of_due_times(actions: list[tuple[str, int, int]]) -> None:
    """Whatever is done to it, it holds what a plain dict would."""
    schedule: Schedule[int] = Schedule()
    plain: dict[int, float] = {}
    for action, key, time in actions:
        match action:
            case "put":
                schedule.put(key, time)
                plain[key] = time
            case "hasten":
                schedule.hasten(key, time)
                plain[key] = min(time, plain.get(key, time))
            case "discard":
                schedule.discard(key)
                plain.pop(key, None)
            case _:
                popped = schedule.pop_due(time)
                if popped is None:
                    assert all(due > time for due in plain.values())
                else:
                    assert plain.pop(popped) <= min([time, *plain.values()])
        assert len(schedule) == len(plain)
        assert schedule.next_due() == (min(plain.values()) if plain else None)


@given(st.lists(st.tuples(st.integers(0, 400), st.floats(0.0, 3.0)), max_size=60))
def test_within_a_slot_time_decides_and_then_arrival(puts: list[tuple[int, float]]) -> None:
    """Due times that lie closer together than a slot come in their exact order."""
    schedule: Schedule[tuple[int, int]] = Schedule()
    for number, (slot, within) in enumerate(puts):
        schedule.put((slot, number), slot / SLOTS + round(within) / (4 * SLOTS))
    at = {
        key: due for key in ((slot, n) for n, (slot, _) in enumerate(puts)) if (due := schedule.due_at(key))
    }
    popped = []
    while (key := schedule.pop_due(1000.0)) is not None:
        popped.append(key)

    assert popped == sorted(popped, key=lambda key: (at.get(key, 0.0), key[1]))
    assert len(popped) == len(puts)
