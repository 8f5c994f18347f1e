"""A table is taken apart and put together again as it was."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bkjob_async.engine.host_table.host_names import names_of
from bkjob_async.engine.host_table.table import HostTable
from bkjob_async.model.refs import HostKey

octets = st.integers(0, 255)
addresses = st.builds("{}.{}.{}.{}".format, octets, octets, octets, octets)
keys = st.builds(
    HostKey,
    bk_host_id=st.none() | st.integers(1, 2**40),
    bk_cloud_id=st.none() | st.integers(0, 3),
    ip=st.none() | addresses | st.just("not-an-address"),
    ipv6=st.none() | st.just("fe80::1"),
    container_id=st.none() | st.integers(1, 9),
    container_name=st.none() | st.just("c"),
)
codes = st.sampled_from([1, 5, 7, 9, 11, 104, 777, 65_000])


@given(st.lists(keys))
def test_names_come_back_from_columns(hosts: list[HostKey]) -> None:
    """Whatever names a host has, they are the same afterwards."""
    assert names_of(hosts).host_keys() == hosts


def named(number: int) -> HostKey:
    """Return one of several kinds of host."""
    if number % 3 == 0:
        return HostKey(bk_host_id=number + 1, bk_cloud_id=0, ip=f"10.0.{number // 250}.{number % 250}")
    if number % 3 == 1:
        return HostKey(bk_cloud_id=1, ip=f"10.1.{number // 250}.{number % 250}")
    return HostKey(bk_host_id=number + 1, bk_cloud_id=0, ipv6=f"fe80::{number:x}")


@given(
    st.sampled_from([3, 100]).flatmap(
        lambda size: st.lists(
            st.lists(st.tuples(st.integers(0, size), codes), min_size=1, unique_by=lambda each: each[0]),
            min_size=1,
            max_size=4,
        )
    )
)
def test_a_stored_table_goes_on_like_the_one_it_was_taken_from(
    rounds: list[list[tuple[int, int]]],
) -> None:
    """It has the same hosts, codes, codes before and batches, and finds its hosts again."""
    table, copy = HostTable(), HostTable()
    for sequence, moved in enumerate(rounds, 1):
        for each in (table, copy):
            each.set_codes(names_of([named(n) for n, _ in moved]), [code for _, code in moved], sequence)
        statuses = copy.statuses
        hosts, befores = copy.names_at(range(copy.size)), statuses.codes(before=True)
        copy = HostTable.of(hosts, statuses.codes(), befores, statuses.sequences())

    assert list(copy.statuses.changes_since()) == list(table.statuses.changes_since())
    assert copy.keys(range(copy.size)) == table.keys(range(table.size))
    assert list(copy.statuses.sequences()) == list(table.statuses.sequences())
