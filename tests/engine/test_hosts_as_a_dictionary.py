"""The host table, in plain and in packed columns, compared with a dictionary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bkjob_async.engine.group_polling.group_round import changed_statuses
from bkjob_async.engine.host_table import row_places
from bkjob_async.engine.host_table import table as host_table
from bkjob_async.engine.host_table.columns.encoding import UNENCODABLE, small_code
from bkjob_async.engine.host_table.row_places import IdLookup
from bkjob_async.engine.host_table.table import HostTable
from bkjob_async.model.poll_view import GroupPollView
from bkjob_async.model.status import host_status
from tests.engine.poll_views import Row
from tests.examples import examples

# More codes than a byte can name: the last ones are kept beside the table.
for strange in range(10_000, 10_300):
    small_code(strange)
RARE_CODES = (20_001, 20_002)
CODES = [5, 7, 7, 7, 9, 9, 9, 104, 403, *RARE_CODES]


@pytest.fixture(autouse=True, params=[0, 64], ids=["packed", "plain"])
def columns(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep small tables in packed columns as well."""
    monkeypatch.setattr(host_table, "MAX_PLAIN_HOSTS", request.param)
    monkeypatch.setattr(row_places, "MAX_LOOKED_UP", request.param)


def rows_of(now: dict[int, int]) -> list[Row]:
    """Return a row for each host; the exit code tells whose row it is."""
    return [Row(status=code, bk_host_id=number, exit_code=number) for number, code in now.items()]


def flat(rows: Sequence[Row]) -> list[GroupPollView]:
    """Return a view without groups."""
    return [GroupPollView(size=len(rows), rows=rows)]


def grouped(rows: Sequence[Row]) -> list[GroupPollView]:
    """Return a view in groups, the worst last."""
    return [
        GroupPollView(status=code, size=len(each), rows=each)
        for code in sorted({row.status for row in rows})
        for each in [[row for row in rows if row.status == code]]
    ]


class Hosts:
    """What the table should say."""

    def __init__(self) -> None:
        self.code: dict[int, int] = {}
        self.before: dict[int, int | None] = {}
        self.changed: dict[int, int] = {}

    def take(self, now: dict[int, int], sequence: int) -> dict[int, tuple[int | None, int]]:
        """Take in a view; return what moved."""
        moved = {n: (self.code.get(n), code) for n, code in now.items() if self.code.get(n) != code}
        for number, (before, after) in moved.items():
            self.code[number], self.before[number], self.changed[number] = after, before, sequence
        return moved

    def present(self, since: int) -> set[tuple[int, int | None, int]]:
        """Return who changed since."""
        return {(n, self.before[n], code) for n, code in self.code.items() if self.changed[n] >= since}


def reported(table: HostTable, moves: Any) -> dict[int | None, tuple[int | None, int]]:
    """Return what moved by host id; each row is that of the host which moved, as far as there is one."""
    found = {}
    for move in moves:
        number = table.key(move.place).bk_host_id
        assert number not in found
        assert move.row is None or (move.row.bk_host_id, move.row.exit_code) == (number, number)
        found[number] = (move.before, move.after)
    return found


@settings(max_examples=examples(300), deadline=None)
@given(st.sampled_from([1, 3, 17, 80]), st.data())
def test_the_table_says_what_a_dictionary_would(size: int, data: st.DataObject) -> None:
    """StatusChanges with their own rows, counts, who is open, who did not succeed, what changed since: over many polls."""
    table, hosts = HostTable(), Hosts()
    everybody = list(range(1, size + 1))
    # Rare codes take a way of their own, so some tables have none.
    code = st.sampled_from(CODES if data.draw(st.booleans()) else CODES[: -len(RARE_CODES)])
    for sequence in range(1, 6):
        most, few = data.draw(code), data.draw(st.dictionaries(st.sampled_from(everybody), code, max_size=5))
        goes_on = bool(hosts.code) and data.draw(st.booleans())
        base = hosts.code if goes_on else dict.fromkeys(everybody, most)
        now = {**base, **few}
        if data.draw(st.booleans()):
            now = dict(data.draw(st.permutations(list(now.items()))))
        if sequence > 1 and data.draw(st.booleans()):
            now = {n: now[n] for n in list(now)[: data.draw(st.integers(1, size))]}
        rows = rows_of(now)
        view = grouped(rows) if data.draw(st.booleans()) else flat(rows)
        index = IdLookup(table.names()) if table.size and data.draw(st.booleans()) else None
        stood = [n for group in view for n in (row.bk_host_id for row in group.rows or ())] == [
            table.key(place).bk_host_id for place in range(table.size)
        ] and all(hosts.code[n] == now[n] for n in now)
        stands, is_compared = table.is_unchanged(view), table.size <= host_table.MAX_PLAIN_HOSTS

        taken = table.apply(view, sequence, lookup=index)

        assert reported(table, taken.changes) == hosts.take(now, sequence)
        assert not stands or stood
        assert not stood or stands or not is_compared or set(now.values()) & set(RARE_CODES)
        assert [table.key(place).bk_host_id for place in taken.places] == [
            row.bk_host_id for group in view for row in group.rows or ()
        ]
        for since in (0, sequence - 1, sequence):
            found = {
                (table.key(each.place).bk_host_id, each.before, each.after)
                for each in table.statuses.changes_since(since)
            }
            assert found == hosts.present(since)
        assert table.statuses.unfinished_count == sum(
            not host_status(each).is_finished for each in hosts.code.values()
        )
        assert {
            (table.key(p).bk_host_id, each) for p, each in zip(*table.statuses.failed(), strict=True)
        } == {
            (n, each)
            for n, each in hosts.code.items()
            if host_status(each).is_finished and not host_status(each).is_success
        }
        assert {
            (table.key(p).bk_host_id, each) for p, each in zip(*table.statuses.unfinished(), strict=True)
        } == {(n, each) for n, each in hosts.code.items() if not host_status(each).is_finished}
        counted = Counter(host_status(each).phase for each in hosts.code.values())
        assert table.statuses.counts() == dict(counted)
        assert table.is_countable == (len(hosts.code) > 0 and not set(hosts.code.values()) & set(RARE_CODES))
        for each in (5, 7, 9, 104, 403):
            assert table.statuses.count(each) == sum(known == each for known in hosts.code.values())
            kept = {
                table.key(place).bk_host_id
                for place, small in enumerate(table.statuses.masked([each]))
                if small
            }
            assert kept == {n for n, known in hosts.code.items() if known == each}


@pytest.mark.parametrize("size", [1, 3, 200])
def test_codes_that_a_byte_cannot_name_are_not_taken_for_each_other(size: int) -> None:
    """Two of them are the same in the table; a host that goes from one to the other has changed all the same."""
    one, other = RARE_CODES
    assert small_code(one) == small_code(other) == UNENCODABLE
    table = HostTable()
    table.apply(flat(rows_of(dict.fromkeys(range(1, size + 1), one))), 1)
    view = flat(rows_of({**dict.fromkeys(range(1, size + 1), one), size: other}))

    assert not table.is_unchanged(view)
    assert reported(table, table.apply(view, 2).changes) == {size: (one, other)}
    assert not table.is_countable


def test_counts_of_codes_that_a_byte_cannot_name_prove_nothing() -> None:
    """Hosts that nothing lists could not be given one of them."""
    table = HostTable()
    table.apply(flat(rows_of(dict.fromkeys(range(1, 4), 7))), 1)

    assert changed_statuses(table, {(7, ""): 1, (9, ""): 2}) is not None
    assert changed_statuses(table, {(7, ""): 1, (RARE_CODES[0], ""): 2}) is None


@settings(max_examples=examples(200), deadline=None)
@given(st.sampled_from([2, 40, 300]), st.data())
def test_hosts_that_are_listed_together_or_not_at_all_move_as_one_by_one(
    size: int, data: st.DataObject
) -> None:
    """Whoever enters one group, and whoever is left for the only place there is, each from where it stood."""
    start = {n: data.draw(st.sampled_from([5, 7])) for n in range(1, min(size, 6))}
    start |= dict.fromkeys(range(len(start) + 1, size + 1), 7)
    table, hosts = HostTable(), Hosts()
    table.apply(flat(rows_of(start)), 1)
    hosts.take(start, 1)
    left = table.statuses.masked([5, 7])
    entering = sorted(data.draw(st.sets(st.integers(1, min(size, 8)))))
    rows = rows_of(dict.fromkeys(entering, data.draw(st.sampled_from([7, 9, 104]))))
    places = [number - 1 for number in entering]
    for place in places:
        left[place] = 0

    if rows:
        stood = bytes(small_code(start[number]) for number in entering)
        entered = table.set_status(places, stood, rows[0].status, rows, 2)
        assert reported(table, entered) == hosts.take(dict.fromkeys(entering, rows[0].status), 2)
    inferred = table.infer_status(left, 7, 3)

    others = {n: 7 for n in start if n not in entering}
    assert reported(table, inferred) == hosts.take(others, 3)
    assert {
        (each.place + 1, each.before, each.after) for each in table.statuses.changes_since()
    } == hosts.present(0)
    assert {
        (each.place + 1, each.before, each.after) for each in table.statuses.changes_since(3)
    } == hosts.present(3)


def test_a_new_execution_starts_over_with_the_same_hosts() -> None:
    """Statuses, codes beyond a byte and doubled rows are forgotten, names are not."""
    table = HostTable()
    rows = rows_of({1: RARE_CODES[0], 2: 9, 3: 7})
    for sequence in range(2):
        table.apply(flat([*rows, rows[2]]), sequence)

    table.begin_execution(1)

    assert (list(table.statuses.changes_since()), table.statuses.failed(), table.statuses.counts()) == (
        [],
        ([], []),
        {},
    )
    assert table.statuses.unfinished() == ([], [])
    assert (table.statuses.unfinished_count, table.is_countable, table.size) == (0, False, 3)
    assert reported(table, table.apply(flat(rows_of({1: 9, 2: 9, 3: 9})), 2).changes) == dict.fromkeys(
        (1, 2, 3), (None, 9)
    )
    assert table.is_countable
