"""Hosts with several names."""

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
