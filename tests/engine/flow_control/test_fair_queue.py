"""Turns between groups, and between urgent and other items."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bkjob_async.engine.flow_control.fair_queue import URGENT_TURNS, FairQueue, PriorityFairQueue


def test_groups_take_turns_however_much_each_has() -> None:
    """A thousand items of one group do not delay one of another."""
    queue: FairQueue[str, int] = FairQueue()
    for number in range(1000):
        queue.push("large", number)
    queue.push("small", -1)

    assert [queue.pop(), queue.pop(), queue.pop()] == [0, -1, 1]


def test_turns_not_taken_are_gone() -> None:
    """A group that returns after a pause has its share from then on, and no more."""
    queue: FairQueue[str, str] = FairQueue()
    for _ in range(200):
        queue.push("always", "always")
    for _ in range(100):
        queue.pop()
    for _ in range(50):
        queue.push("late", "late")

    assert Counter(queue.pop() for _ in range(40))["late"] == 20


def test_a_group_that_costs_more_has_fewer_turns() -> None:
    """A group with a cost of three more each time has one turn where another has four."""
    queue: FairQueue[str, str] = FairQueue()
    for _ in range(100):
        queue.push("dear", "dear")
        queue.push("cheap", "cheap")
    had: Counter[str | None] = Counter()
    for _ in range(50):
        had[item := queue.pop()] += 1
        if item == "dear":
            queue.add_cost("dear", 3.0)

    assert had == {"cheap": 40, "dear": 10}


def test_urgent_goes_first_and_the_background_never_starves() -> None:
    """One turn in eight is the background's, however much is urgent."""
    queue: PriorityFairQueue[int, str] = PriorityFairQueue()
    for _ in range(100):
        queue.push(0, "urgent", urgent=True)
        queue.push(0, "background", urgent=False)
    had = [queue.pop() for _ in range(5 * URGENT_TURNS)]

    assert had[: URGENT_TURNS - 1] == ["urgent"] * (URGENT_TURNS - 1)
    assert Counter(had) == {"urgent": 5 * (URGENT_TURNS - 1), "background": 5}


@pytest.mark.parametrize("urgent", [True, False])
def test_what_costs_more_counts_among_items_of_its_kind(*, urgent: bool) -> None:
    """Three more turns for one group among urgent items change nothing among the others, and the reverse."""
    queue: PriorityFairQueue[str, str] = PriorityFairQueue()
    queue.add_cost("dear", 3.0, urgent=urgent)
    for kind in (True, False):
        for group in ("dear", "cheap"):
            for _ in range(4):
                queue.push(group, f"{group} {kind}", urgent=kind)
    had = [queue.pop() for _ in range(16)]

    assert [item for item in had if item and item.endswith(str(urgent))][:3] == [f"cheap {urgent}"] * 3
    assert [item for item in had if item and item.endswith(str(not urgent))][:2] == [
        f"dear {not urgent}",
        f"cheap {not urgent}",
    ]


@given(
    st.lists(st.tuples(st.sampled_from(["push", "pop", "leave"]), st.integers(0, 3)), max_size=200),
)
def test_nothing_is_lost_doubled_or_overtaken_within_its_group(actions: list[tuple[str, int]]) -> None:
    """Against one plain list for each group, with some items that are dropped before their turn."""
    left: set[int] = set()
    queue: FairQueue[int, tuple[int, int]] = FairQueue(is_live=lambda item: item[1] not in left)
    plain: dict[int, list[int]] = {group: [] for group in range(4)}
    for number, (action, group) in enumerate(actions):
        if action == "push":
            queue.push(group, (group, number))
            plain[group].append(number)
        elif action == "leave" and plain[group]:
            left.add(plain[group].pop(0))
        elif action == "pop":
            item = queue.pop()
            if item is None:
                assert not any(plain.values())
            else:
                assert plain[item[0]].pop(0) == item[1]

    assert sorted(queue.clear()) == sorted((group, n) for group, flow in plain.items() for n in flow)


@given(st.lists(st.integers(1, 300), min_size=2, max_size=6))
def test_groups_that_always_want_more_get_the_same(sizes: list[int]) -> None:
    """As long as all have something left, their turns differ by one at most."""
    queue: FairQueue[int, int] = FairQueue()
    for group, size in enumerate(sizes):
        for _ in range(size):
            queue.push(group, group)
    had = Counter(queue.pop() for _ in range(min(sizes) * len(sizes)))

    assert max(had.values()) - min(had.values()) <= 1
