"""Host rows of which a poll read only id and code; the rest is read from the same bytes on request.

A poll of ten thousand hosts of which a hundred changed reads a fifth of each row, and a hundred rows in full.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
from attrs import frozen
from msgspec import Raw, Struct

from bkjob_async.dialects.common.envelopes import parse_json
from bkjob_async.dialects.common.host_rows import FlatHostRow, FullHostRow, GroupedHostRow, read_row
from bkjob_async.dialects.common.json_fields import JsonObject
from bkjob_async.dialects.common.status_structs import STRICT_ERRORS
from bkjob_async.errors import InvalidResponse
from bkjob_async.model.poll_view import HostRow

_ROW = msgspec.json.Decoder(FullHostRow)
_ROWS = msgspec.json.Decoder(list[FullHostRow])
_SPLIT_ROWS = msgspec.json.Decoder(list[Raw] | None)

# Rows of a list longer than SHORT_LIST are read one by one until 1 / BULK_SHARE of them was asked for. A
# caller that asks for more most likely asks for all: then BLOCK_SIZE rows are read at a time, which takes less than a
# millisecond.
BULK_SHARE = 16
SHORT_LIST = 16
BLOCK_SIZE = 500


AnyRow = FlatHostRow | GroupedHostRow | FullHostRow


@frozen
class RowList:
    """Rows of one list; *status* and *tag* are its group's, None where it has none."""

    rows: Sequence[AnyRow]
    status: int | None = None
    tag: str | None = None


class LazyHostRows(Struct, eq=False, gc=False):
    """The host rows of one response, each read in full when it is asked for.

    *list_rows* returns the decoded rows, list by list. *split* returns the bytes of each list's rows from the *body*.
    """

    body: bytes
    list_rows: Callable[[], Sequence[RowList]]
    split: Callable[[bytes], Sequence[Raw]]
    opened: OpenedRows | None = None

    def read_full(self, row: HostRow) -> FullHostRow:
        """Return *row* with all members that the response has.

        Where these are invalid, it has id and code only: a poll does not fail for members that it does not
        need.
        """
        if isinstance(row, FullHostRow):
            return row
        if self.opened is None:
            self.opened = OpenedRows(self.split(self.body), self.list_rows())
        return self.opened.read_full(row)


class OpenedRows:
    """The rows of a response whose body was split into *lists*, of which *list_bytes* are the bytes."""

    __slots__ = (
        "_full_rows",
        "_last_list",
        "_list_bytes",
        "_lists",
        "_places",
        "_requests",
        "_row_bytes",
        "_search_order",
    )

    def __init__(self, list_bytes: Sequence[Raw], lists: Sequence[RowList]) -> None:
        self._list_bytes = list_bytes
        self._lists = lists
        self._row_bytes: dict[int, Sequence[Raw]] = {}
        self._places: dict[int, dict[int, int]] = {}
        self._full_rows: dict[int, FullHostRow] = {}
        self._requests = 0
        # Changed hosts are in the short lists more often than in the long one.
        self._search_order = sorted(range(len(lists)), key=lambda number: len(lists[number].rows))
        self._last_list = self._search_order[0]

    def read_full(self, row: HostRow) -> FullHostRow:
        """Return *row*, which was read in part, with all members that the response has."""
        found = self._full_rows.get(id(row))
        if found is not None:
            return found
        for number in (self._last_list, *self._search_order):
            place = self._places_in(number).get(id(row))
            if place is not None:
                self._last_list = number
                return self._read_at(number, place)
        raise LookupError("the row is not one of this response")

    def _places_in(self, number: int) -> dict[int, int]:
        places = self._places.get(number)
        if places is None:
            rows = self._lists[number].rows
            places = self._places[number] = dict(zip(map(id, rows), range(len(rows)), strict=True))
        return places

    def _read_at(self, number: int, place: int) -> FullHostRow:
        """Read one row of a list, or many at once where many are asked for."""
        row_list, row_bytes = self._lists[number], self._row_bytes.get(number)
        if row_bytes is None:
            row_bytes = self._row_bytes[number] = _SPLIT_ROWS.decode(self._list_bytes[number]) or ()
        self._requests += 1
        if len(row_bytes) > SHORT_LIST and self._requests * BULK_SHARE < len(row_bytes):
            return read_row_bytes(row_bytes[place], row_list, row_list.rows[place])
        begin = place - place % BLOCK_SIZE
        partial_rows = row_list.rows[begin : begin + BLOCK_SIZE]
        rows = read_rows_of(row_bytes[begin : begin + BLOCK_SIZE], row_list, partial_rows)
        self._full_rows.update(zip(map(id, partial_rows), rows, strict=True))
        return rows[place - begin]


def read_rows_of(
    row_bytes: Sequence[Raw], row_list: RowList, partial_rows: Sequence[AnyRow]
) -> list[FullHostRow]:
    """Read several rows of a list."""
    try:
        rows = _ROWS.decode(b"[" + b",".join(row_bytes) + b"]")
    except STRICT_ERRORS:
        return [
            read_row_bytes(text, row_list, row) for text, row in zip(row_bytes, partial_rows, strict=True)
        ]
    return [with_group_state(row, row_list) for row in rows]


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
