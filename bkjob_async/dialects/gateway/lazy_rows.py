"""Host rows of which a poll read only id and code; the rest is read from the same bytes on request.

A poll of ten thousand hosts of which a hundred changed reads a fifth of each row, and a hundred rows in full.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from itertools import chain
from operator import is_

import msgspec
from msgspec import Raw, Struct, field

from bkjob_async.dialects.common.envelopes import parse_json
from bkjob_async.dialects.common.host_rows import FlatHostRow, FullHostRow, GroupedHostRow, read_row
from bkjob_async.dialects.common.json_fields import JsonObject
from bkjob_async.dialects.common.status_structs import STRICT_ERRORS
from bkjob_async.errors import InvalidResponse
from bkjob_async.model.poll_view import HostRow

_ROW = msgspec.json.Decoder(FullHostRow)
_ROWS = msgspec.json.Decoder(list[FullHostRow])
_SPLIT_ROWS = msgspec.json.Decoder(list[Raw] | None)

# Where one in so many rows of a list is wanted, all are read at once.
BULK_SHARE = 16


AnyRow = FlatHostRow | GroupedHostRow | FullHostRow


class RowList(Struct, frozen=True):
    """Rows of one list; *status* and *tag* are its group's, None where it has none."""

    rows: Sequence[AnyRow]
    status: int | None = None
    tag: str | None = None


class LazyHostRows(Struct, eq=False, gc=False):
    """The host rows of one response, each read in full when it is asked for.

    *list_rows* returns the decoded rows, list by list. *split* returns the bytes of each list's rows from the *body*. *full*
    are the rows that were asked for, by the identity of the row that was read in part; *all_rows* are all of them, where all
    were asked for.
    """

    body: bytes
    list_rows: Callable[[], Sequence[RowList]]
    split: Callable[[bytes], Sequence[Raw]]
    full: dict[int, FullHostRow] = field(default_factory=dict)
    all_rows: Sequence[FullHostRow] | None = None

    def read_full(self, rows: Sequence[HostRow]) -> Sequence[FullHostRow]:
        """Return *rows* with all members that the response has.

        Where these are invalid, a row has id and code only: a poll does not fail for members that it does not
        need.
        """
        full, lists = self.full, self.list_rows()
        if len(rows) > 1 and len(rows) == sum(len(each.rows) for each in lists):
            self.all_rows = self.all_rows or all_in_full(rows, lists, self.split(self.body))
            if self.all_rows is not None:
                return self.all_rows
        wanted = {id(row) for row in rows if not isinstance(row, FullHostRow)} - full.keys()
        if wanted:
            for row_list, text in zip(lists, self.split(self.body), strict=True):
                read_some(row_list, text, wanted, full)
        return [row if isinstance(row, FullHostRow) else full[id(row)] for row in rows]


def all_in_full(
    rows: Sequence[HostRow], lists: Sequence[RowList], list_bytes: Sequence[Raw]
) -> list[FullHostRow] | None:
    """Return the rows of all lists, which *rows* are in this order; None where they are not as documented."""
    if not all(map(is_, rows, chain.from_iterable(each.rows for each in lists))):
        return None
    found = list[FullHostRow]()
    for row_list, text in zip(lists, list_bytes, strict=True):
        some = read_all(text) if row_list.rows else ()
        if some is None:
            return None
        found += [with_group_state(row, row_list) for row in some]
    return found


def read_some(
    row_list: RowList, list_bytes: Raw, wanted: Collection[int], full: dict[int, FullHostRow]
) -> None:
    """Add to *full* the rows of a list that are *wanted*."""
    places = [place for place, row in enumerate(row_list.rows) if id(row) in wanted]
    if not places:
        return
    rows = read_all(list_bytes) if len(places) * BULK_SHARE >= len(row_list.rows) else None
    if rows is None:
        row_bytes = _SPLIT_ROWS.decode(list_bytes) or ()
        some = [read_row_bytes(row_bytes[place], row_list, row_list.rows[place]) for place in places]
    else:
        some = [with_group_state(rows[place], row_list) for place in places]
    full.update(zip((id(row_list.rows[place]) for place in places), some, strict=True))


def read_all(list_bytes: Raw) -> list[FullHostRow] | None:
    """Return all rows of a list, None where one of them is not as documented."""
    try:
        return _ROWS.decode(list_bytes)
    except STRICT_ERRORS:
        return None


def read_row_bytes(text: Raw, row_list: RowList, partial_row: AnyRow) -> FullHostRow:
    """Read one row of a list."""
    try:
        row = _ROW.decode(text)
    except STRICT_ERRORS:
        try:
            row = read_row(JsonObject(parse_json(bytes(text))), row_list.status)
        except (InvalidResponse, ValueError):
            row = FullHostRow(
                status=row_list.status if row_list.status is not None else partial_row.status,
                bk_host_id=partial_row.bk_host_id,
            )
    return with_group_state(row, row_list)


def with_group_state(row: FullHostRow, row_list: RowList) -> FullHostRow:
    """Return *row* with the status and tag of its group, which win over its own."""
    if row_list.status is not None:
        row.status = row_list.status
    if row_list.tag is not None:
        row.tag = row_list.tag
    return row
