"""Hosts with several names."""

import pytest
from attrs import evolve

from bkjob_async.engine.host_table.host_identity import NON_NUMERIC_ID
from bkjob_async.engine.host_table.table import HostTable
from bkjob_async.model.poll_view import GroupPollView
from bkjob_async.model.status import Phase
from tests.engine.poll_views import Row


def groups(*rows: Row) -> tuple[GroupPollView, ...]:
    """Return rows as one group."""
    return (GroupPollView(size=len(rows), rows=rows),)


def test_an_address_without_a_cloud_area_is_in_area_0() -> None:
    """A row by id adds an address without a cloud area; a row by that address in area 0 is the same host."""
    table = HostTable()
    table.apply(groups(Row(status=7, bk_host_id=1), Row(status=7, bk_host_id=2)), 1)
    table.apply(groups(Row(status=7, bk_host_id=1, bk_cloud_id=None, ip="10.0.0.1")), 2)
    table.apply(groups(Row(status=9, bk_cloud_id=0, ip="10.0.0.1")), 3)

    assert table.size == 2
    assert [(table.key(n).bk_host_id, table.key(n).bk_cloud_id) for n in range(2)] == [(1, 0), (2, None)]


@pytest.mark.parametrize("hosts", [2, 200])
def test_a_host_without_an_id_is_not_found_by_one(hosts: int) -> None:
    """Whatever number the table keeps in place of it: a row with that id is of another host."""
    table = HostTable()
    table.apply(groups(*(Row(status=7, container_id=n + 1) for n in range(hosts))), 1)
    for place in range(hosts):
        table.apply(groups(Row(status=9, bk_host_id=NON_NUMERIC_ID | place)), 2 + place)

    assert table.size == 2 * hosts
    assert [table.key(n).container_id for n in range(hosts)] == [*range(1, hosts + 1)]
    assert list(table.statuses.changes_since().afters) == [7] * hosts + [9] * hosts


SIZES = [3, 100, 300]


def rows_of(hosts: int, status: int, **changed: int) -> list[Row]:
    """Return rows of so many hosts with ids and addresses; *changed* are other ids, by the number of the host."""
    return [
        Row(status=status, bk_host_id=changed.get(f"host{n}", n), ip=f"10.0.{n >> 8}.{n & 255}")
        for n in range(1, hosts + 1)
    ]


@pytest.mark.parametrize("hosts", SIZES)
def test_an_id_that_is_learnt_later_joins_its_address(hosts: int) -> None:
    """Hosts that were known by their addresses only are the same ones when rows have ids."""
    table = HostTable()
    table.apply(groups(*(evolve(row, bk_host_id=None) for row in rows_of(hosts, 7))), 1)
    changes = table.apply(groups(*reversed(rows_of(hosts, 9))), 2).changes

    assert table.size == hosts
    assert list(changes.befores) == [7] * hosts
    assert table.statuses.counts() == {Phase.SUCCESS: hosts}
    assert table.key(0).bk_host_id == 1


@pytest.mark.parametrize("hosts", SIZES)
def test_a_host_that_is_registered_anew_is_the_same_host(hosts: int) -> None:
    """It has another id, and the address of a host that is not listed any more: its status moves, and it counts once."""
    table = HostTable()
    table.apply(groups(*rows_of(hosts, 7)), 1)
    first = table.apply(groups(*rows_of(hosts, 7, host2=9002)), 2)
    second = table.apply(groups(*rows_of(hosts, 9, host2=9002)), 3)

    assert not first.changes
    assert (first.trusted, first.each_once) == (True, True)
    assert list(second.changes.befores) == [7] * hosts
    assert table.size == hosts
    assert table.statuses.counts() == {Phase.SUCCESS: hosts}
    assert table.key(1).bk_host_id == 2


def test_two_hosts_with_one_address_are_two_hosts() -> None:
    """Addresses that are given dynamically may be the same; both hosts are listed, then or later."""
    table = HostTable()
    table.apply(groups(*rows_of(3, 7)), 1)
    table.apply(groups(*rows_of(3, 7, host2=9002)), 2)

    both = table.apply(groups(*rows_of(3, 7), Row(status=9, bk_host_id=9002, ip="10.0.0.2")), 3)

    assert table.size == 4
    assert [*zip(both.changes.befores, both.changes.afters, strict=True)] == [(None, 9)]
    assert not table.apply(groups(*rows_of(3, 7), Row(status=9, bk_host_id=9002, ip="10.0.0.2")), 4).changes


def test_a_new_id_in_a_part_of_the_hosts_says_nothing() -> None:
    """The host with the known id may be in the other part: what the row says waits for a response with all hosts."""
    table = HostTable()
    table.apply(groups(*rows_of(3, 7)), 1)
    row = Row(status=9, bk_host_id=9002, ip="10.0.0.2")

    part = table.apply(groups(row), 2, complete=False)
    again = table.apply(groups(row), 3, complete=False)
    whole = table.apply(groups(*rows_of(3, 9, host2=9002)), 4)

    assert (table.size, not part.changes, not again.changes) == (3, True, True)
    assert list(whole.changes.befores) == [7, 7, 7]


def test_a_container_is_not_the_host_that_it_runs_on() -> None:
    """Rows of containers may have the address of their node."""
    table = HostTable()
    table.apply(groups(*rows_of(2, 7)), 1)

    table.apply(
        groups(
            Row(status=7, bk_host_id=1, ip="10.0.0.1"),
            Row(status=7, bk_host_id=5, ip="10.0.0.2", container_id=8),
        ),
        2,
    )

    assert table.size == 3
