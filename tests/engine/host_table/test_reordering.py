"""The order of a look that is nearly a table's own: read piece by piece, it is the one written down."""

from hypothesis import given
from hypothesis import strategies as st

from bkjob_async.engine.host_table.reordering import Reordering


@given(st.integers(1, 80), st.data())
def test_few_places_are_those_of_the_whole(size: int, data: st.DataObject) -> None:
    """Places at some positions, and columns in this order, are as if every place had been written down."""
    elsewhere = data.draw(st.lists(st.integers(0, size - 1), unique=True, max_size=6))
    before = data.draw(st.integers(0, len(elsewhere)))
    positions = sorted(data.draw(st.sets(st.integers(0, size - 1), min_size=1)))
    rest = [place for place in range(size) if place not in elsewhere]
    whole = [*elsewhere[:before], *rest, *elsewhere[before:]]

    order = Reordering(size, elsewhere, before)

    assert list(order.at(positions)) == [whole[n] for n in positions]
    assert order.read(bytes(range(size))) == bytes(whole)
    assert order.together(bytes(n // 2 for n in range(2 * size)), 2) == bytes(
        n // 2 for n in each_twice(rest)
    )
    assert list(order) == whole


def each_twice(places: list[int]) -> list[int]:
    """Return the bytes' numbers of places that take two bytes each."""
    return [n for place in places for n in (2 * place, 2 * place + 1)]
