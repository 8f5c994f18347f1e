"""What the counts of groups say of which hosts have moved."""

from __future__ import annotations

from typing import Any

import pytest

from bkjob_async.engine.group_polling.group_round import changed_statuses, count_groups
from bkjob_async.model.poll_view import GroupPollView
from tests.engine.poll_views import Row, hosts_of, show_strange_codes

CODES = [9, 9, 11, 7]


def standing(*codes: int) -> Any:
    """Return hosts that stand so."""
    return hosts_of(*(Row(status=code, bk_host_id=n) for n, code in enumerate(codes, 1)))


@pytest.mark.parametrize("remembered", [False, True])
@pytest.mark.parametrize(
    ("counts", "growth"),
    [
        ({9: 2, 11: 1, 7: 1}, {}),
        ({9: 3, 11: 1}, {9: 1, 7: -1}),
        ({9: 1, 11: 2, 7: 1}, None),  # a final status shrinks
        ({9: 3, 7: 1}, None),  # one is not there any more
        ({9: 2, 11: 1, 5: 1}, None),  # somebody waits again
        ({9: 2, 11: 1, 7: 2}, None),  # more hosts than there are
    ],
)
def test_growth_is_reported_where_the_counts_make_sense(
    counts: dict[int, int], growth: dict[int, int] | None, *, remembered: bool
) -> None:
    """Final statuses only grow, all hosts are counted, and nobody begins to wait; remembered counts say the same."""
    last = {(9, ""): 2, (11, ""): 1, (7, ""): 1} if remembered else None

    assert changed_statuses(standing(*CODES), {(code, ""): n for code, n in counts.items()}, last) == growth


def test_where_anything_moved_others_may_be_running() -> None:
    """As many as before, perhaps not the same ones."""
    counts = {(5, ""): 1, (7, ""): 1, (9, ""): 2}

    assert changed_statuses(standing(5, 5, 7, 9), counts) == {5: -1, 9: 1, 7: 0}


@pytest.mark.parametrize(
    ("groups", "counts"),
    [
        ([(9, 2), (11, 0)], {(9, ""): 2}),
        ([(9, 2), (9, 1)], {}),
        ([(9, 2), (11, -1)], {}),
        ([(9, 2), (None, 1)], {}),
    ],
)
def test_counts_that_make_no_sense_are_none(
    groups: list[tuple[int | None, int]], counts: dict[tuple[int, str], int]
) -> None:
    """Twice the same group, fewer hosts than none, a group of nothing."""
    assert count_groups(GroupPollView(status=status, tag="", size=size) for status, size in groups) == counts


def test_counts_of_codes_that_a_byte_cannot_name_prove_nothing() -> None:
    """Hosts that nothing lists could not be given one of them."""
    show_strange_codes()
    standing_still = standing(7, 7, 7)

    assert changed_statuses(standing_still, {(7, ""): 1, (9, ""): 2}) is not None
    assert changed_statuses(standing_still, {(7, ""): 1, (20_001, ""): 2}) is None


def test_sizes_below_nothing_are_none() -> None:
    """Counts that make no sense prove nothing, though they add up."""
    counts = [GroupPollView(status=7, size=-1), GroupPollView(status=9, size=101)]

    assert count_groups(counts) == {}
    assert changed_statuses(standing(*[7] * 100), count_groups(counts)) is None
