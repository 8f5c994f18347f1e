"""The places of hosts by id: those of the tables used last are kept, and they are never another table's."""

from __future__ import annotations

import pytest

from bkjob_async.engine.host_table import id_lookups as module
from bkjob_async.engine.host_table.id_lookups import FEWEST_KEPT, IdLookups
from bkjob_async.model.refs import HostKey

SIZE = FEWEST_KEPT


def keys_from(first: int, size: int = SIZE) -> tuple[HostKey, ...]:
    """Return the keys of a table of its own, from id *first* on."""
    return tuple(HostKey(bk_host_id=first + n) for n in range(size))


def test_the_lookup_of_a_table_is_kept_until_others_were_used_since(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many hosts in all are kept; each table has its own, also where another one has gone."""
    monkeypatch.setattr(module, "MAX_KEPT", 3 * SIZE)
    lookups = IdLookups()
    tables = [keys_from(1 + 1000 * n) for n in range(4)]
    first, second, third = (lookups.of(table) for table in tables[:3])

    assert lookups.of(tables[0]) is first
    lookups.of(tables[3])  # in place of the second, which was not used for longest
    assert (lookups.of(tables[0]) is first, lookups.of(tables[2]) is third) == (True, True)
    again = lookups.of(tables[1])

    assert (again is second, again == second) == (False, True)
    assert [lookup[1 + 1000 * n + 7] for n, lookup in enumerate((first, again, third))] == [7, 7, 7]


def test_many_tables_one_after_the_other_have_their_own_places() -> None:
    """The keys of a table that is gone may lie where those of the next one lie."""
    lookups = IdLookups()
    for first in range(1, 20_000, 97):
        table = keys_from(first, SIZE + first % 3)
        assert lookups.of(table) == {first + n: n for n in range(len(table))}
        if first % 5 == 0:
            lookups.clear()


@pytest.mark.parametrize("size", [0, 1, SIZE - 1, 5 * SIZE])
def test_small_and_huge_tables_are_not_kept(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their places are the same."""
    monkeypatch.setattr(module, "MAX_KEPT", 4 * SIZE)
    lookups, table = IdLookups(), keys_from(1, size)

    assert lookups.of(table) == lookups.of(table) == {1 + n: n for n in range(size)}
    assert lookups.of(table) is not lookups.of(table)
