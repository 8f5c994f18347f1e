"""Host tables as a journal stores them: who the hosts are, and four columns of what is known of them."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from bkjob_async.engine.host_table.columns.encoding import NON_NUMERIC_ID, NOT_SEEN, UNENCODABLE, small_code
from bkjob_async.engine.host_table.host_names import HostNames, numbers_of
from bkjob_async.engine.host_table.irregular_hosts import IrregularHosts
from bkjob_async.engine.host_table.table import HostTable

Codes = Sequence[int | None]


def stored_table(hosts: HostNames, codes: Codes, befores: Codes, sequences: Sequence[int]) -> HostTable:
    """Return a table of *hosts* with these codes, codes before, and batches of the last changes."""
    names, addresses = map(list, hosts.numbers())
    for place, key in hosts.keys.items():
        name, addresses[place] = numbers_of(key)
        names[place] = name | place if name == NON_NUMERIC_ID else name
    statuses, statuses_before = stored_statuses(codes), stored_statuses(befores)
    unencodable = {
        (place, column is befores): code
        for column, smalls in ((codes, statuses), (befores, statuses_before))
        for place, code in enumerate(column if UNENCODABLE in smalls else ())
        if code is not None and small_code(code) == UNENCODABLE
    }
    irregular = IrregularHosts(keys=hosts.keys, codes=unencodable).or_shared()
    return HostTable.of(
        names, addresses, array("Q", sequences), statuses, statuses_before, irregular=irregular
    )


def stored_columns(table: HostTable) -> tuple[HostNames, Codes, Codes, Sequence[int]]:
    """Return what `stored_table` takes."""
    statuses = table.statuses
    codes, befores = statuses.codes(), statuses.codes(before=True)
    return table.names_at(range(table.size)), codes, befores, statuses.sequences()


def stored_statuses(codes: Codes) -> bytes:
    """Return the bytes of host codes, `NOT_SEEN` for None."""
    small_of = {code: NOT_SEEN if code is None else small_code(code) for code in set(codes)}
    return bytes(map(small_of.__getitem__, codes))
