"""What keeps shards placed: keys, room, pauses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bkjob_async as bkjob
from bkjob_async.many.upkeep import (
    attempts_of,
    check_slots,
    check_versions,
    next_attempt,
    pause_before,
    slots_of,
    task_key,
)


def test_keys_are_those_of_one_shard() -> None:
    """Neither those of another fleet whose name begins alike, nor those of another shard."""
    keys = [
        "bkjob-night-3",
        "bkjob-night-3~2",
        "bkjob-night-3~1",
        "bkjob-night-31",
        "bkjob-night-3-3",
        "run-3",
    ]

    assert attempts_of(keys, "night", 3) == [0, 1, 2]
    assert attempts_of(keys, "night-3", 3) == [0]
    assert attempts_of(["bkjob-a.b-0", "bkjob-aXb-0"], "a.b", 0) == [0]


@given(st.integers(0, 1023), st.integers(0, 10**6))
def test_a_key_is_read_back(shard: int, attempt: int) -> None:
    """Whatever the attempt."""
    assert attempts_of([task_key("night", shard, attempt)], "night", shard) == [attempt]


@given(st.none() | st.integers(0, 50), st.lists(st.integers(0, 50)))
def test_the_next_attempt_is_a_new_key(last: int | None, known: list[int]) -> None:
    """And the first of all is the plain one."""
    attempt = next_attempt(last, known)

    assert attempt not in {last, *known}
    assert attempt == next_attempt(last, [*known, *known])
    assert next_attempt(None, []) == 0


def test_pauses_double_up_to_a_minute() -> None:
    """However often it fails."""
    assert [pause_before(failures) for failures in (1, 2, 3, 6, 7, 1000)] == [1, 2, 4, 32, 60, 60]


@pytest.mark.parametrize(
    ("threads", "resources", "slots"),
    [
        (4, {"bkjob": 4.0}, 4),
        (2, {"bkjob": 4.0}, 2),
        (4, {"bkjob": 1.5}, 1),
        (4, {}, 0),
        (4, {"GPU": 2.0}, 0),
    ],
)
def test_a_shard_takes_a_thread_and_a_unit(threads: int, resources: dict[str, float], slots: int) -> None:
    """A worker without the resource runs none."""
    assert slots_of(threads, resources) == slots


def test_room_is_an_error_a_warning_or_enough() -> None:
    """With the numbers."""
    with pytest.raises(bkjob.UsageError, match=r"2 worker\(s\) have 6 slot\(s\) for 8 shard\(s\)"):
        check_slots({"a": 4, "b": 2}, 8)
    with pytest.raises(bkjob.UsageError, match=r"--resources"):
        check_slots({}, 1)
    assert check_slots({"a": 4, "b": 4}, 8) == (
        "8 slot(s) on 2 worker(s) suffice for 8 shard(s), but not without the largest worker, which has 4"
    )
    assert check_slots({"a": 8, "b": 8}, 8) is None


def test_versions_are_the_same_everywhere() -> None:
    """The error names who has what."""
    own = {"bkjob_async": "0.2.0", "python": "3.11"}
    check_versions(own, {"tcp://a": dict(own)})
    with pytest.raises(
        bkjob.UsageError,
        match=r"bkjob_async 0\.2\.0.*tcp://b has bkjob_async not installed; tcp://b has python 3\.12",
    ):
        check_versions(own, {"tcp://a": dict(own), "tcp://b": {"python": "3.12"}})
