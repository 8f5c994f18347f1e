"""Packed columns: many hosts moved at once are moved as one by one."""

from hypothesis import given
from hypothesis import strategies as st

from bkjob_async.engine.host_table.packed_columns import FEW_ELSEWHERE, PackedColumns

smalls = st.integers(0, 5)


def columns(statuses: list[int]) -> PackedColumns:
    """Return hosts that stand so, told one by one."""
    made = PackedColumns()
    made.name_anew(range(1, len(statuses) + 1), ())
    for place, small in enumerate(statuses):
        made.move([place], [small], place)
    return made


@given(st.lists(st.tuples(smalls, smalls, st.booleans()), min_size=1), st.sampled_from([7, 2**32 + 7]))
def test_marked_hosts_move_as_one_by_one(hosts: list[tuple[int, int, bool]], sequence: int) -> None:
    """Statuses, those before and batch numbers are the same either way."""
    before, after = [old for old, _, _ in hosts], bytes(new for _, new, _ in hosts)
    places = [n for n, (_, _, moves) in enumerate(hosts) if moves]
    one, other = columns(before), columns(before)

    one.move(places, [after[n] for n in places], sequence)
    other.move_marked(bytes(255 if moves else 0 for _, _, moves in hosts), after, sequence)

    assert one.statuses() == other.statuses()
    assert one.befores() == other.befores()
    assert list(one.sequences()) == list(other.sequences())


@given(st.lists(st.integers(0, 2**20), min_size=1, max_size=50, unique=True), st.integers(0, 2**62))
def test_names_are_found_and_others_are_not(names: list[int], other: int) -> None:
    """A name is found where it stands; one that nobody has is nowhere."""
    made = PackedColumns()
    made.name_anew(names, ())

    assert [made.find(name) for name in names] == list(range(len(names)))
    assert made.find(other) == (names.index(other) if other in names else -1)


def test_a_name_in_the_middle_of_others_is_none() -> None:
    """The bytes of two names, one after the other, may hold those of a third."""
    made = PackedColumns()
    made.name_anew([1 << 40, 2], ())

    assert made.find((1 << 40 | 2 << 64) >> 32 & (1 << 64) - 1) == -1


@given(st.lists(st.integers(0, 5), min_size=1, max_size=200), st.data())
def test_hosts_are_placed_in_their_order(groups: list[int], data: st.DataObject) -> None:
    """Lists in the order of the hosts tell the place of each; anything else tells nothing, rather than a wrong place."""
    ascend = data.draw(st.booleans())
    hosts = list(range(1, len(groups) + 1)) if ascend else [n ^ 1 for n in range(2, len(groups) + 2)]
    made = PackedColumns()
    made.name_anew(hosts, ())
    lists = [[hosts[n] for n, group in enumerate(groups) if group == each] for each in sorted(set(groups))]
    names = [name for each in lists for name in each]
    if data.draw(st.booleans()):
        names[data.draw(st.integers(0, len(names) - 1))] = data.draw(st.integers(0, len(names) + 1))
    places = made.places_in_order(names, [len(each) for each in lists])

    few = FEW_ELSEWHERE * (len(names) - max(map(len, lists))) <= len(names)
    assert places is None or [hosts[place] for place in places] == names
    assert places is not None or not few or sorted(names) != sorted(hosts)
