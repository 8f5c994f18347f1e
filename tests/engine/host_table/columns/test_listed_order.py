"""An order that is nearly the table's own: read piece by piece, it equals the list of places."""

from hypothesis import given
from hypothesis import strategies as st

from bkjob_async.engine.host_table.columns.listed_order import ListedOrder


@given(st.integers(1, 80), st.data())
def test_some_places_are_those_of_the_whole_list(size: int, data: st.DataObject) -> None:
    """Places at some positions, and columns read in this order, are those of the list of all places."""
    elsewhere = data.draw(st.lists(st.integers(0, size - 1), unique=True, max_size=6))
    before = data.draw(st.integers(0, len(elsewhere)))
    positions = sorted(data.draw(st.sets(st.integers(0, size - 1), min_size=1)))
    others = [place for place in range(size) if place not in elsewhere]
    whole = [*elsewhere[:before], *others, *elsewhere[before:]]

    order = ListedOrder(size, elsewhere, before)

    assert list(order.at(positions)) == [whole[n] for n in positions]
    assert order.read(bytes(range(size))) == bytes(whole)
    assert order.in_order(bytes(n // 2 for n in range(2 * size)), 2) == bytes(
        n // 2 for n in each_twice(others)
    )
    assert list(order) == whole


def each_twice(places: list[int]) -> list[int]:
    """Return the bytes' numbers of places that take two bytes each."""
    return [n for place in places for n in (2 * place, 2 * place + 1)]
