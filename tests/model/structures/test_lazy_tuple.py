"""A lazy tuple is like the tuple of its items, and makes no more of them than are read."""

import pickle
from collections.abc import Sequence
from copy import deepcopy

import pytest

from bkjob_async.model.structures.lazy_tuple import SLICE_SIZE, LazyTuple


def squares(size: int) -> tuple[LazyTuple[int], list[tuple[int, int]]]:
    """Return a lazy tuple of squares, and the list of what was made so far."""
    made: list[tuple[int, int]] = []

    def make(begin: int, end: int) -> Sequence[int]:
        made.append((begin, end))
        return [n * n for n in range(begin, end)]

    return LazyTuple(size, make), made


@pytest.mark.parametrize("size", [0, 1, SLICE_SIZE, SLICE_SIZE + 1, 2 * SLICE_SIZE + 7])
def test_it_is_like_a_tuple(size: int) -> None:
    """Length, order, items, slices, equality, hash, text, sums and copies."""
    lazy, _ = squares(size)
    plain = tuple(n * n for n in range(size))

    assert (len(lazy), tuple(lazy), lazy[1:-1], lazy[::-2]) == (size, plain, plain[1:-1], plain[::-2])
    assert lazy == squares(size)[0]
    assert (hash(lazy), repr(lazy)) == (hash(plain), repr(plain))
    assert plain == lazy
    assert lazy != (*plain, 0)
    assert lazy != list(plain)
    one = (1,)
    assert (lazy + one, one + lazy) == ((*plain, 1), (1, *plain))
    assert [lazy[n] for n in range(-size, size)] == [*plain, *plain]
    assert pickle.loads(pickle.dumps(lazy)) == deepcopy(lazy) == plain  # noqa: S301 - written here
    with pytest.raises(IndexError):
        lazy[size]


def test_only_what_is_read_is_made_and_only_once() -> None:
    """Comparing lengths makes nothing; one item makes those around it."""
    lazy, made = squares(3 * SLICE_SIZE)

    assert (len(lazy), bool(lazy), lazy == (1,), made) == (3 * SLICE_SIZE, True, False, [])
    assert lazy[SLICE_SIZE + 1] == (SLICE_SIZE + 1) ** 2
    assert made == [(SLICE_SIZE, 2 * SLICE_SIZE)]
    assert [*lazy] == [*lazy]
    assert sorted(made) == [(n * SLICE_SIZE, (n + 1) * SLICE_SIZE) for n in range(3)]
