"""Packed columns: many hosts moved at once are moved as one by one."""

from hypothesis import given
from hypothesis import strategies as st

from bkjob_async.engine.columns import Columns

smalls = st.integers(0, 5)


def columns(statuses: list[int]) -> Columns:
    """Return hosts that stand so, told one by one."""
    made = Columns()
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
