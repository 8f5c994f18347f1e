"""The host table: identity, moves, doubled rows."""

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from bkjob_async.engine.host_table import table as hosts
from bkjob_async.engine.host_table.changes import StatusChange
from bkjob_async.engine.host_table.repeated_rows import badness
from bkjob_async.engine.host_table.row_places import IdLookup
from bkjob_async.engine.host_table.table import HostTable
from bkjob_async.model.poll_view import GroupPollView, HostRow, with_all_names
from tests.engine.poll_views import Row, host
from tests.examples import examples


@pytest.fixture(autouse=True, params=[0, 64], ids=["packed", "plain"])
def columns(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep small tables in packed columns as well."""
    monkeypatch.setattr(hosts, "MAX_PLAIN_HOSTS", request.param)


def groups(*rows: Row) -> tuple[GroupPollView, ...]:
    """Return rows as a flat response."""
    return (GroupPollView(size=len(rows), rows=rows),)


def take(
    table: HostTable, looks: tuple[GroupPollView, ...], sequence: int
) -> tuple[list[StatusChange], bool]:
    """Take in a view; return the moves, and whether every row was believed."""
    taken = table.apply(looks, sequence)
    return list(taken.changes), taken.trusted


def test_a_host_moves_once() -> None:
    """The same status seen twice is one move."""
    table = HostTable()

    first, _ = take(table, groups(host(1, 5), host(2, 7)), 1)
    second, _ = take(table, groups(host(2, 9), host(1, 5)), 2)

    assert [(m.before, m.after) for m in first] == [(None, 5), (None, 7)]
    assert [(table.key(m.place).label, m.before, m.after) for m in second] == [("0:10.0.0.2", 7, 9)]
    assert table.statuses.unfinished_count == 1


def test_absence_is_not_an_event() -> None:
    """A row that a response leaves out has not changed."""
    table = HostTable()
    take(table, groups(host(1, 7), host(2, 7)), 1)

    moves, _ = take(table, groups(host(1, 7)), 2)

    assert moves == []
    assert table.size == 2


def test_a_name_learnt_later_joins() -> None:
    """One dialect's two requests name the same host differently; it stays one host."""
    table = HostTable()
    take(table, groups(Row(status=5, ip="10.0.0.1")), 1)
    take(table, groups(Row(status=5, bk_host_id=1, ip="10.0.0.1")), 2)
    moves, _ = take(table, groups(Row(status=7, bk_host_id=1)), 3)

    assert table.size == 1
    assert [(m.before, m.after) for m in moves] == [(5, 7)]
    assert (table.key(0).bk_host_id, table.key(0).ip) == (1, "10.0.0.1")


def test_tables_share_a_lookup_as_long_as_their_hosts_are_the_same() -> None:
    """A host that joins one of them, in any order of rows, is not missed there and not found in the other."""
    one, other = HostTable(), HostTable()
    twenty = [host(number, 7) for number in range(1, 21)]
    for table in (one, other):
        take(table, groups(*twenty), 1)
        assert take(table, groups(*reversed(twenty)), 2) == ([], True)

    joined, _ = take(one, groups(host(21, 5), *reversed(twenty)), 3)
    moved, _ = take(one, groups(host(21, 7), *reversed(twenty)), 4)
    moved_there, _ = take(other, groups(host(3, 9), *twenty[:2], *twenty[3:]), 3)

    assert [(m.place, m.before, m.after) for m in joined] == [(20, None, 5)]
    assert [(m.place, m.before, m.after) for m in moved] == [(20, 5, 7)]
    assert [(m.place, m.before, m.after) for m in moved_there] == [(2, 7, 9)]
    assert (one.size, other.size) == (21, 20)


def test_one_address_in_two_clouds_is_two_hosts() -> None:
    """An ip alone repeats across cloud areas."""
    table = HostTable()
    take(table, groups(Row(status=5, ip="10.0.0.1"), Row(status=7, ip="10.0.0.1", bk_cloud_id=3)), 1)

    assert table.size == 2


def test_two_ids_at_one_address_are_two_hosts() -> None:
    """An address joins rows only when they do not name two machines."""
    table = HostTable()
    take(
        table,
        groups(Row(status=5, bk_host_id=1, ip="10.0.0.1"), Row(status=5, bk_host_id=2, ip="10.0.0.1")),
        1,
    )

    assert table.size == 2


def test_another_machine_with_the_same_address_is_another_host() -> None:
    """A known host that is listed is not met by an unknown id at its address; by the address alone it is."""
    table = HostTable()
    known = Row(status=7, bk_host_id=1, ip="10.0.0.1")
    take(table, groups(known), 1)
    moves, _ = take(table, groups(known, Row(status=9, bk_host_id=2, ip="10.0.0.1")), 2)
    again, _ = take(table, groups(Row(status=9, ip="10.0.0.1")), 3)

    assert [(table.key(m.place).bk_host_id, m.before, m.after) for m in moves] == [(2, None, 9)]
    assert [(table.key(m.place).bk_host_id, m.before, m.after) for m in again] == [(1, 7, 9)]


def test_a_row_without_a_name_says_nothing() -> None:
    """A nameless row is neither a host nor a crash."""
    table = HostTable()

    assert take(table, groups(Row(status=9)), 1) == ([], True)


def test_a_doubled_host_is_believed_only_when_it_stays_doubled() -> None:
    """Torn responses show a host twice once; rolling batches show it twice always."""
    table = HostTable()
    torn, believed = take(table, groups(host(1, 5), host(1, 7)), 1)
    assert (torn, believed) == ([], False)

    batches, believed = take(table, groups(host(1, 9), host(1, 7)), 2)
    assert ([m.after for m in batches], believed) == ([7], True)

    ended, believed = take(table, groups(host(1, 9), host(1, 104)), 3)
    assert ([m.after for m in ended], believed) == ([104], True)


def test_a_batch_that_was_left_out_is_not_over() -> None:
    """A host of two batches that stands once has not lost one of them; only when it stays so it has."""
    table = HostTable()
    for number in range(2):
        take(table, groups(host(1, 9), host(1, 7)), number)

    left_out, believed = take(table, groups(host(1, 9)), 2)
    assert (left_out, believed) == ([], False)
    absent, believed = take(table, groups(host(2, 9)), 3)
    assert ([m.after for m in absent], believed) == ([9], True)
    again, believed = take(table, groups(host(1, 9)), 4)
    assert ([m.after for m in again], believed) == ([9], True)


def test_a_batch_that_is_counted_but_not_listed_is_not_over_however_often() -> None:
    """A list shorter than its group left somebody out: a host of two batches that stands once may be that one."""
    table = HostTable()
    batches = (
        GroupPollView(status=7, size=1, rows=[host(1, 7)]),
        GroupPollView(status=9, size=1, rows=[host(1, 9)]),
    )
    cut = (GroupPollView(status=7, size=1, rows=[]), batches[1])
    for number, view in enumerate((batches, batches)):
        take(table, view, number)

    assert [take(table, cut, number) for number in (2, 3, 4)] == [([], False)] * 3
    assert take(table, batches, 5) == ([], True)


def test_a_failure_speaks_before_what_is_unfinished_and_that_before_success() -> None:
    """A host has failed once any of its batches has, and has succeeded when all have."""
    assert max([9, 104, 7], key=badness) == 104
    assert max([5, 403, 9], key=badness) == 403
    assert max([403, 104], key=badness) == 104
    assert max([9, 5, 7], key=badness) == 7
    assert max([9, 5], key=badness) == 5
    assert max([9, 3], key=badness) == 9


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
        moves, _ = take(table, groups(*(host(n, code) for n, code in rows)), number)
        for move in moves:
            host_id = table.key(move.place).bk_host_id
            assert host_id is not None
            assert known.get(host_id) == move.before
            assert move.after != move.before
            known[host_id] = move.after

    assert all(known[n] == code for rows in looks[-1:] for n, code in rows)
    assert table.statuses.unfinished_count == sum(code in (5, 7) for code in known.values())


def test_hosts_without_numbers_for_names_are_hosts_too() -> None:
    """IPv6 addresses, containers, names that are no addresses and ids beyond all reason each stay one host."""
    rows = [
        Row(status=7, bk_cloud_id=3, ipv6="fe80::1"),
        Row(status=7, bk_host_id=9, ipv6="fe80::2"),
        Row(status=7, container_id=77),
        Row(status=7, ip="not-an-address"),
        Row(status=7, bk_host_id=2**63 + 5),
        Row(status=7, bk_cloud_id=2**40, ip="10.0.0.1"),
    ]
    table = HostTable()
    take(table, groups(*rows), 1)
    moves, _ = take(table, groups(*(evolve(row, status=9) for row in reversed(rows))), 2)

    assert table.size == len(rows)
    assert [table.key(m.place).label for m in moves] == [
        "1099511627776:10.0.0.1",
        f"#{2**63 + 5}",
        "0:not-an-address",
        "container#77",
        "0:[fe80::2]",
        "3:[fe80::1]",
    ]
    assert table.key(1).bk_host_id == 9


def test_more_strange_codes_than_a_byte_can_name_are_kept() -> None:
    """A platform gone mad costs memory, not truth."""
    table = HostTable()
    take(table, groups(*(host(1, 7) for _ in range(1))), 0)
    seen = []
    for code in [*range(1000, 1400), 1399, 7]:
        moves, _ = take(table, groups(host(1, code)), code)
        seen += [(m.before, m.after) for m in moves]

    assert [after for _, after in seen] == [*range(1000, 1400), 7]
    assert [before for before, _ in seen] == [7, *range(1000, 1400)]
    assert list(table.statuses.changes_since()) == [StatusChange(0, 1399, 7, None)]


def test_sequence_numbers_outgrow_four_bytes() -> None:
    """After weeks of polling the numbers go on."""
    table = HostTable()
    take(table, groups(host(1, 5), host(2, 5)), 2**32 - 1)
    take(table, groups(host(1, 7), host(2, 5)), 2**32 + 7)

    assert list(table.statuses.changes_since(2**32).places) == [0]
    assert list(table.statuses.changes_since(2**32 - 1).places) == [0, 1]


@given(
    st.lists(
        st.lists(
            st.tuples(st.integers(0, 9), st.sampled_from(["id", "ip", "both"]), st.sampled_from([5, 7, 9])),
            unique_by=lambda r: r[0],
        ),
        max_size=6,
    )
)
def test_whatever_names_rows_give_no_host_is_met_twice(looks: list[list[tuple[int, str, int]]]) -> None:
    """Once both names of a host were seen together, either leads to it."""
    table = HostTable()
    everybody = [host(n, 5) for n in range(1, 11)]
    take(table, groups(*everybody), 0)
    for number, rows in enumerate(looks, 1):
        named = [
            evolve(
                everybody[n],
                status=code,
                bk_host_id=None if how == "ip" else everybody[n].bk_host_id,
                ip=None if how == "id" else everybody[n].ip,
            )
            for n, how, code in rows
        ]
        take(table, groups(*named), number)

    assert table.size == 10
    assert [table.key(n).label for n in range(10)] == [f"0:10.0.0.{n}" for n in range(1, 11)]


def test_the_other_names_of_many_hosts_are_read_late() -> None:
    """Many hosts at first sight go by their ids, until more is requested or the next poll comes."""
    full = {n: host(n, 5) for n in range(1, 202)}
    full[200] = Row(status=5, bk_host_id=200, ipv6="fe80::1")
    full[201] = Row(status=5, bk_host_id=201, ip="not-an-address")
    asked = []

    def named(row: HostRow) -> Row:
        asked.append(row)
        assert row.bk_host_id is not None
        return full[row.bk_host_id]

    light = groups(*(Row(status=5, bk_host_id=n) for n in reversed(full)))
    table, waiting = HostTable(), HostTable()
    for each in (table, waiting):
        assert len(each.apply(light, 1, named).changes) == 201
    assert not asked

    labels = [table.key(place).label for place in (0, 1, 200)]
    moves = waiting.apply(groups(evolve(full[7], status=7)), 2, named).changes

    assert labels == ["0:not-an-address", "0:[fe80::1]", "0:10.0.0.1"]
    assert [(waiting.key(m.place).label, m.before, m.after) for m in moves] == [("0:10.0.0.7", 5, 7)]
    assert len(asked) == 3 + 201  # three when they were requested, all when the next poll came

    steps = [len(asked) for _ in table.release_response_in_slices()]
    assert steps == [2 * 201] * len(steps)
    assert not table.has_unread_names
    assert table.keys(range(201)) == waiting.keys(range(201))


def test_names_are_read_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """In between somebody may ask for any of them, and another response may come; each is read once."""
    monkeypatch.setattr(hosts, "NAMES_SLICE", 50)
    light = groups(*(Row(status=5, bk_host_id=n) for n in range(1, 202)))
    asked: list[int] = []

    def named(row: HostRow) -> Row:
        asked.append(row.bk_host_id or 0)
        return host(row.bk_host_id or 0, 5)

    alone, disturbed = HostTable(), HostTable()
    for each in (alone, disturbed):
        each.apply(light, 1, named)
    counts = [len(asked) for _ in alone.release_response_in_slices()]
    reading = disturbed.release_response_in_slices()
    next(reading)
    middle = disturbed.keys([60, 200])
    next(reading)
    disturbed.apply(groups(*(Row(status=7, bk_host_id=n) for n in range(1, 202))), 2, named)

    assert counts == [50, 100, 150, 200, 201]
    assert [*reading] == []
    assert (middle, len(asked)) == ([alone.key(60), alone.key(200)], 402)
    assert disturbed.keys(range(201)) == [alone.key(n) for n in range(201)]


def test_equal_ids_are_not_many_hosts() -> None:
    """A host that stands twice among many is one host, and doubtful."""
    rows = [Row(status=5, bk_host_id=n) for n in (*range(1, 202), 7)]

    taken = HostTable().apply(groups(*rows), 1, lambda row: row)

    assert (taken.trusted, taken.each_once, len(taken.changes)) == (False, False, 200)


@given(st.lists(st.tuples(st.integers(1, 40), st.sampled_from([5, 7, 9, 104])), max_size=60))
def test_an_index_finds_who_is_found_without(rows: list[tuple[int, int]]) -> None:
    """Places are the same by an index; whoever it does not know is looked for by all names."""
    with_index, without = HostTable(), HostTable()
    known = groups(*(Row(status=5, bk_host_id=n) for n in range(1, 31)), Row(status=5, ip="10.0.0.1"))
    with_index.apply(known, 1)
    without.apply(known, 1)
    index = IdLookup(with_index.names())

    view = groups(*(Row(status=code, bk_host_id=n) for n, code in rows))
    found, looked_for = with_index.apply(view, 2, lookup=index), without.apply(view, 2)

    assert list(found.places) == list(looked_for.places)
    assert list(found.changes) == list(looked_for.changes)
    assert list(with_index.statuses.changes_since()) == list(without.statuses.changes_since())


def test_a_row_of_a_host_that_many_do_not_know() -> None:
    """Among so many hosts one is looked for by itself, and may not be there."""
    table = HostTable()
    table.apply(
        (GroupPollView(status=7, size=600, rows=[Row(status=7, bk_host_id=n) for n in range(1, 601)]),), 1
    )
    taken = table.apply(
        (GroupPollView(status=7, size=601, rows=[Row(status=7, bk_host_id=9999)]),), 2, complete=False
    )

    assert (table.size, list(taken.places)) == (601, [600])


@settings(max_examples=examples(200), deadline=None)
@given(st.integers(1, 40), st.data())
def test_hosts_in_groups_move_as_their_rows_say(size: int, data: st.DataObject) -> None:
    """By groups in any order as one by one: what moved, from where, and where each row's host stands."""
    ordered, asked_late = data.draw(st.booleans()), data.draw(st.booleans())
    named = (lambda row: row) if asked_late else with_all_names
    known: dict[int, int] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hosts, "MAX_NAMES_READ_AT_ONCE", 0)
        table = HostTable()
        for sequence in range(1, 5):
            most = data.draw(st.sampled_from([5, 7, 9]))
            few = st.dictionaries(st.integers(1, size), st.sampled_from([5, 7, 9, 104, 403]))
            now = dict.fromkeys(range(1, size + 1), most) | data.draw(few)
            view = []
            for code in sorted(set(now.values())):
                numbers = sorted(number for number in now if now[number] == code)
                numbers = numbers if ordered else data.draw(st.permutations(numbers))
                rows = [Row(status=code, bk_host_id=number) for number in numbers]
                view.append(GroupPollView(status=code, size=len(rows), rows=rows))
            taken = table.apply(view, sequence, named)
            reported = {table.key(m.place).bk_host_id: (m.before, m.after) for m in taken.changes}

            assert reported == {n: (known.get(n), code) for n, code in now.items() if known.get(n) != code}
            assert [table.key(place).bk_host_id for place in taken.places] == [
                row.bk_host_id for group in view for row in group.rows or ()
            ]
            assert table.keys(range(table.size)) == [table.key(place) for place in range(table.size)]
            known = now


def test_hosts_first_met_in_ordered_groups_are_put_into_one_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Later polls list them in the same order, whatever group they stand in then."""
    monkeypatch.setattr(hosts, "MAX_NAMES_READ_AT_ONCE", 0)
    table = HostTable()
    first = [
        GroupPollView(status=7, size=2, rows=[Row(status=7, bk_host_id=n) for n in (1, 4)]),
        GroupPollView(status=9, size=2, rows=[Row(status=9, bk_host_id=n) for n in (2, 3)]),
    ]

    taken = table.apply(first, 1, lambda row: row)

    assert [table.key(place).bk_host_id for place in range(4)] == [1, 2, 3, 4]
    assert list(taken.places) == [0, 3, 1, 2]
    assert [(m.place, m.after) for m in taken.changes] == [(0, 7), (3, 7), (1, 9), (2, 9)]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (1, 0, 2)])
@pytest.mark.parametrize(
    ("rows", "speaker"),
    [
        # The batch that ended worst.
        ([(9, 0, "ok"), (104, 3, "bad"), (9, 0, "fine")], 1),
        ([(403, None, ""), (104, 3, "bad"), (9, 0, "fine")], 1),
        # A failure, whatever goes on.
        ([(7, None, None), (104, 3, "bad"), (5, None, None)], 1),
        # One that runs before one that waits, and both before success.
        ([(9, 0, "ok"), (7, None, None), (5, None, None)], 1),
        # Of equal ones the larger exit code, then the tag: a response in another order says the same.
        ([(104, 1, "z"), (104, 3, "a"), (104, 3, "b")], 2),
        ([(9, 0, "b"), (9, 0, "a"), (9, None, "c")], 0),
    ],
)
@pytest.mark.parametrize("is_grouped", [False, True])
def test_the_row_that_ended_worst_speaks_for_its_host(
    order: tuple[int, ...], rows: list[tuple[int, int | None, str | None]], speaker: int, *, is_grouped: bool
) -> None:
    """Its status, and the row with its exit code and tag; the row of another batch says nothing."""
    table = HostTable()
    listed = [
        Row(status=status, bk_host_id=1, exit_code=code, tag=None if is_grouped else tag)
        for status, code, tag in rows
    ]
    view = (
        tuple(
            GroupPollView(
                status=rows[n][0], tag=rows[n][2] or "", size=1, rows=[evolve(listed[n], status=-1)]
            )
            for n in order
        )
        if is_grouped
        else groups(*(listed[n] for n in order), host(2, 9))
    )
    take(table, view, 1)

    moves = {move.place: move for move in take(table, view, 2)[0]}
    place = next(index for index in range(table.size) if table.key(index).bk_host_id == 1)

    spoken = moves[place].row
    assert spoken is not None
    assert moves[place].after == rows[speaker][0]
    assert spoken.exit_code == rows[speaker][1]
    if not is_grouped:
        assert (spoken.status, spoken.tag) == (rows[speaker][0], rows[speaker][2])
