"""Hosts with several names."""

import pytest

from bkjob_async.engine.host_table.columns.encoding import NON_NUMERIC_ID
from bkjob_async.engine.host_table.table import HostTable
from bkjob_async.model.poll_view import GroupPollView
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

    assert len(table) == 2
    assert [(table.key(n).bk_host_id, table.key(n).bk_cloud_id) for n in range(2)] == [(1, 0), (2, None)]


@pytest.mark.parametrize("hosts", [2, 200])
def test_a_host_without_an_id_is_not_found_by_one(hosts: int) -> None:
    """Whatever number the table keeps in place of it: a row with that id is of another host."""
    table = HostTable()
    table.apply(groups(*(Row(status=7, container_id=n + 1) for n in range(hosts))), 1)
    for place in range(hosts):
        table.apply(groups(Row(status=9, bk_host_id=NON_NUMERIC_ID | place)), 2 + place)

    assert len(table) == 2 * hosts
    assert [table.key(n).container_id for n in range(hosts)] == [*range(1, hosts + 1)]
    assert list(table.statuses.changes_since().afters) == [7] * hosts + [9] * hosts
