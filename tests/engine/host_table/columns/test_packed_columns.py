"""Packed columns are equal to plain ones, which work host by host."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from bkjob_async.engine.host_table.columns.byte_columns import SPARSE
from bkjob_async.engine.host_table.columns.listed_order import ListedOrder
from bkjob_async.engine.host_table.columns.packed_columns import PackedColumns
from bkjob_async.engine.host_table.columns.plain_columns import PlainColumns

SMALLS = st.integers(0, 5)
NAMES = st.integers(0, 2**64 - 1)
SEQUENCES = st.sampled_from([1, 7, 2**32 - 1, 2**32, 2**32 + 7])


def packed_of(plain: PlainColumns) -> PackedColumns:
    """Return packed columns with the contents of *plain* ones."""
    return PackedColumns.of(
        plain.names(), plain.addresses(), plain.sequences(), plain.statuses(), plain.befores()
    )


def named(names: Sequence[int], addresses: Sequence[int] = ()) -> PlainColumns:
    """Return hosts that were not seen yet."""
    return PlainColumns.of(names, addresses, array("Q"), b"", b"")


def contents(columns: PlainColumns | PackedColumns) -> tuple[object, ...]:
    """Return all that columns say, by every way of sample_operations."""
    places = range(columns.size)
    return (
        [list(columns.names()), columns.names_at(places)],
        [list(columns.addresses()), columns.addresses_at(places)],
        [bytes(columns.statuses()), bytes([columns.status(place) for place in places])],
        bytes(columns.befores()),
        list(columns.sequences()),
        [columns.has_addresses, columns.has_packed_names(columns.names().tobytes())],
    )


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_packed_columns_equal_plain_ones_after_any_changes(data: st.DataObject) -> None:
    """Names, statuses and what each change returns are the same, however many hosts change at once."""
    size = data.draw(st.sampled_from([1, 2, 5, 20, 90]))
    names = data.draw(st.lists(NAMES, min_size=size, max_size=size, unique=True))
    addresses = data.draw(st.one_of(st.just([0] * size), st.lists(NAMES, min_size=size, max_size=size)))
    plain = named(names, addresses)
    packed = packed_of(plain)
    for _ in range(4):
        sequence, how = data.draw(SEQUENCES), data.draw(st.sampled_from(["order", "some", "marked", "clear"]))
        if how == "order":
            smalls = bytearray(plain.statuses())
            for place, small in data.draw(st.dictionaries(st.integers(0, size - 1), SMALLS)).items():
                smalls[place] = small
            one, other = (
                each.update(range(size), bytes(smalls), sequence) and each for each in (plain, packed)
            )
            assert (one is None) == (other is None)
        elif how == "some":
            places = data.draw(st.lists(st.integers(0, size - 1), unique=True))
            smalls = bytearray(data.draw(SMALLS) for _ in places)
            updates = [each.update(places, bytes(smalls), sequence) for each in (plain, packed)]
            assert updates[0] is updates[1] is None or [list(part) for part in updates[0] or ()] == [
                list(part) for part in updates[1] or ()
            ]
        elif how == "marked":
            marks = bytes(data.draw(st.lists(st.sampled_from([0, 255]), min_size=size, max_size=size)))
            small = data.draw(SMALLS)
            assert list(plain.set_marked(marks, small, sequence)) == list(
                packed.set_marked(marks, small, sequence)
            )
        else:
            plain.clear_statuses(sequence)
            packed.clear_statuses(sequence)
        assert contents(plain) == contents(packed)
    assert contents(packed_of(plain)) == contents(packed)
    sought = data.draw(st.one_of(st.sampled_from(names), NAMES))
    assert packed.find(sought) == (names.index(sought) if sought in names else -1)


@settings(max_examples=200, deadline=None)
@given(st.lists(SMALLS, min_size=1, max_size=90), st.data())
def test_a_listed_order_is_read_as_its_places_are(statuses: list[int], data: st.DataObject) -> None:
    """What changes by an order that was not written down is what changes by the list of its places."""
    size = len(statuses)
    elsewhere = data.draw(st.lists(st.integers(0, size - 1), unique=True, max_size=6))
    order = ListedOrder(size, elsewhere, data.draw(st.integers(0, len(elsewhere))))
    plain = named(range(1, size + 1))
    plain.set_statuses(range(size), bytes(statuses), 1)
    packed = packed_of(plain)
    smalls = bytes(data.draw(st.lists(SMALLS, min_size=size, max_size=size)))

    by_place, by_order = plain.update(list(order), smalls, 2), packed.update(order, smalls, 2)

    assert [list(part) for part in by_place or ()] == [list(part) for part in by_order or ()]
    assert contents(plain) == contents(packed)


@given(st.lists(st.integers(0, 2**20), min_size=1, max_size=50, unique=True), st.integers(0, 2**62))
def test_names_are_found_and_others_are_not(names: list[int], other: int) -> None:
    """A name is found at its place; a name of no host is not found."""
    packed = packed_of(named(names))

    assert [packed.find(name) for name in names] == list(range(len(names)))
    assert packed.find(other) == (names.index(other) if other in names else -1)


def test_a_name_in_the_middle_of_others_is_none() -> None:
    """The bytes of two names, one after the other, may contain those of a third."""
    packed = packed_of(named([1 << 40, 2]))

    assert packed.find((1 << 40 | 2 << 64) >> 32 & (1 << 64) - 1) == -1


@given(st.lists(st.integers(0, 5), min_size=1, max_size=200), st.data())
def test_hosts_listed_in_their_order_are_found(groups: list[int], data: st.DataObject) -> None:
    """Lists in the order of the table give the place of each host; any other list gives none, never a wrong one."""
    ascend = data.draw(st.booleans())
    hosts = list(range(1, len(groups) + 1)) if ascend else [n ^ 1 for n in range(2, len(groups) + 2)]
    packed = packed_of(named(hosts))
    lists = [[hosts[n] for n, group in enumerate(groups) if group == each] for each in sorted(set(groups))]
    names = [name for each in lists for name in each]
    if data.draw(st.booleans()):
        names[data.draw(st.integers(0, len(names) - 1))] = data.draw(st.integers(0, len(names) + 1))
    places = packed.listed_order(array("Q", names).tobytes(), names, [len(each) for each in lists])

    few = SPARSE * (len(names) - max(map(len, lists))) <= len(names)
    assert places is None or [hosts[place] for place in places] == names
    assert places is not None or not few or sorted(names) != sorted(hosts)


@given(
    hosts=st.permutations(range(1, 3 * SPARSE + 1)),
    place=st.integers(0, 3 * SPARSE - 1),
    first=st.booleans(),
)
def test_a_single_host_listed_elsewhere_is_found_wherever_it_is(
    hosts: list[int], place: int, *, first: bool
) -> None:
    """Also at the first place and at the last, and whatever the order of the ids."""
    packed = packed_of(named(hosts))
    others = [*hosts[:place], *hosts[place + 1 :]]
    lists = [[hosts[place]], others] if first else [others, [hosts[place]]]
    names = [name for each in lists for name in each]

    places = packed.listed_order(array("Q", names).tobytes(), names, [len(each) for each in lists])

    assert places is not None
    assert [hosts[place] for place in places] == names
