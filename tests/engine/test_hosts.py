"""The host table: identity, moves, doubled rows."""

from hypothesis import given
from hypothesis import strategies as st

from bkjob_async.engine.hosts import HostTable, worst_code
from bkjob_async.model.look import GroupLook
from tests.engine.looks import Row, host


def groups(*rows: Row) -> tuple[GroupLook, ...]:
    """Return rows as a flat answer."""
    return (GroupLook(size=len(rows), rows=rows),)


def test_a_host_moves_once() -> None:
    """The same status seen twice is one move."""
    table = HostTable()

    first, _ = table.apply(groups(host(1, 5), host(2, 7)), 1)
    second, _ = table.apply(groups(host(2, 9), host(1, 5)), 2)

    assert [(m.before, m.after) for m in first] == [(None, 5), (None, 7)]
    assert [(table.key(m.index).label, m.before, m.after) for m in second] == [("0:10.0.0.2", 7, 9)]
    assert table.open_count == 1


def test_absence_is_not_an_event() -> None:
    """A row that an answer leaves out has not changed."""
    table = HostTable()
    table.apply(groups(host(1, 7), host(2, 7)), 1)

    moves, _ = table.apply(groups(host(1, 7)), 2)

    assert moves == []
    assert len(table) == 2


def test_a_name_learnt_later_joins() -> None:
    """One dialect's two questions name the same host differently; it stays one host."""
    table = HostTable()
    table.apply(groups(Row(status=5, ip="10.0.0.1")), 1)
    table.apply(groups(Row(status=5, bk_host_id=1, ip="10.0.0.1")), 2)
    moves, _ = table.apply(groups(Row(status=7, bk_host_id=1)), 3)

    assert len(table) == 1
    assert [(m.before, m.after) for m in moves] == [(5, 7)]
    assert (table.key(0).bk_host_id, table.key(0).ip) == (1, "10.0.0.1")


def test_one_address_in_two_clouds_is_two_hosts() -> None:
    """An ip alone repeats across cloud areas."""
    table = HostTable()
    table.apply(groups(Row(status=5, ip="10.0.0.1"), Row(status=7, ip="10.0.0.1", bk_cloud_id=3)), 1)

    assert len(table) == 2


def test_two_ids_at_one_address_are_two_hosts() -> None:
    """An address joins rows only when they do not name two machines."""
    table = HostTable()
    table.apply(
        groups(Row(status=5, bk_host_id=1, ip="10.0.0.1"), Row(status=5, bk_host_id=2, ip="10.0.0.1")), 1
    )

    assert len(table) == 2


def test_a_row_without_a_name_says_nothing() -> None:
    """A nameless row is neither a host nor a crash."""
    table = HostTable()

    assert table.apply(groups(Row(status=9)), 1) == ([], True)


def test_a_doubled_host_is_believed_only_when_it_stays_doubled() -> None:
    """Torn answers show a host twice once; rolling batches show it twice always."""
    table = HostTable()
    torn, believed = table.apply(groups(host(1, 5), host(1, 7)), 1)
    assert (torn, believed) == ([], False)

    batches, believed = table.apply(groups(host(1, 9), host(1, 7)), 2)
    assert ([m.after for m in batches], believed) == ([7], True)

    ended, believed = table.apply(groups(host(1, 9), host(1, 104)), 3)
    assert ([m.after for m in ended], believed) == ([104], True)


def test_unfinished_rows_speak_before_finished_ones() -> None:
    """A host is unfinished while any of its batches is."""
    assert worst_code([9, 104, 7]) == 7
    assert worst_code([9, 403, 9]) == 403
    assert worst_code([9, 3]) == 9


@given(
    st.lists(
        st.lists(st.tuples(st.integers(1, 6), st.sampled_from([5, 7, 9, 104, 777])), unique_by=lambda r: r[0])
    )
)
def test_moves_chain(looks: list[list[tuple[int, int]]]) -> None:
    """Every move starts where the one before it ended, and the count of open hosts is true."""
    table = HostTable()
    known: dict[int, int] = {}
    for number, rows in enumerate(looks):
        moves, _ = table.apply(groups(*(host(n, code) for n, code in rows)), number)
        for move in moves:
            host_id = table.key(move.index).bk_host_id
            assert host_id is not None
            assert known.get(host_id) == move.before
            assert move.after != move.before
            known[host_id] = move.after

    assert all(known[n] == code for rows in looks[-1:] for n, code in rows)
    assert table.open_count == sum(code in (5, 7) for code in known.values())
