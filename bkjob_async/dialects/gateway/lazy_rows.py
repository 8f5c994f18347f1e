"""Host rows of which only id and code were read; the rest is read from the same bytes for whoever is asked about.

A look at ten thousand hosts of which a hundred moved reads a fifth of each row, and a hundred rows in full.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
from attrs import frozen
from msgspec import Raw

from bkjob_async.dialects.common.envelopes import parse_json
from bkjob_async.dialects.common.host_rows import FlatHostRow, FullHostRow, GroupedHostRow, read_row
from bkjob_async.dialects.common.json_fields import JsonObject
from bkjob_async.errors import InvalidResponse
from bkjob_async.model.poll_view import HostRow

_ROW = msgspec.json.Decoder(FullHostRow)
_ROWS = msgspec.json.Decoder(list[FullHostRow])
_PIECES = msgspec.json.Decoder(list[Raw] | None)

# Of a long list so small a share is read row by row; whoever asks for more most likely asks for all.
SHARE = 16
SHORT = 16


AnyRow = FlatHostRow | GroupedHostRow | FullHostRow


@frozen
class RowList:
    """Rows that stood together; *status* and *tag* are the group's, None where it has none."""

    rows: Sequence[AnyRow]
    status: int | None = None
    tag: str | None = None


class LazyHostRows:
    """The rows of one answer, as full as somebody asks for them.

    *list_up* returns them as they stood together; *cut* takes the answer apart again, into the bytes of each listing.
    """

    __slots__ = (
        "_asked",
        "_body",
        "_cut",
        "_cuts",
        "_list_up",
        "_listings",
        "_order",
        "_pieces",
        "_places",
        "_read",
        "_recent",
    )

    def __init__(
        self,
        body: bytes,
        list_up: Callable[[], Sequence[RowList]],
        cut: Callable[[bytes], Sequence[Raw]],
    ) -> None:
        """Hold on to *body*; nothing more is read yet."""
        self._body = body
        self._list_up = list_up
        self._cut = cut
        self._listings: Sequence[RowList] | None = None
        self._read: dict[int, FullHostRow] | None = None

    def _begin(self) -> Sequence[RowList]:
        """Take the answer apart, as soon as anybody asks."""
        self._cuts = self._cut(self._body)
        self._pieces: dict[int, Sequence[Raw]] = {}
        self._places: dict[int, dict[int, int]] = {}
        self._read = {}
        self._asked = 0
        self._listings = listings = self._list_up()
        self._order = sorted(range(len(listings)), key=lambda number: len(listings[number].rows))
        self._recent = self._order[0]
        return listings

    def full(self, row: HostRow) -> FullHostRow:
        """Return *row* with all that the answer says.

        Where that cannot be understood, id and code are all: a look does not fail for what it does not need.
        """
        if isinstance(row, FullHostRow):
            return row
        found = self._read.get(id(row)) if self._read else None
        if found is not None:
            return found
        listings = self._listings if self._listings is not None else self._begin()
        for number in (self._recent, *self._order):
            place = self._places_in(listings, number).get(id(row))
            if place is not None:
                self._recent = number
                return self._at(listings[number], number, place)
        raise LookupError("the row is not one of this answer")

    def _places_in(self, listings: Sequence[RowList], number: int) -> dict[int, int]:
        places = self._places.get(number)
        if places is None:
            rows = listings[number].rows
            places = self._places[number] = dict(zip(map(id, rows), range(len(rows)), strict=True))
        return places

    def _at(self, listing: RowList, number: int, place: int) -> FullHostRow:
        """Read one row of a listing, or all of them where many are asked for."""
        pieces, read = self._pieces.get(number), self._read
        if pieces is None:
            pieces = self._pieces[number] = _PIECES.decode(self._cuts[number]) or ()
        self._asked += 1
        if read is None or (len(pieces) > SHORT and self._asked * SHARE < len(pieces)):
            return read_piece(pieces[place], listing, listing.rows[place])
        rows = read_pieces(pieces, listing)
        read.update(zip(map(id, listing.rows), rows, strict=True))
        return rows[place]


def read_pieces(pieces: Sequence[Raw], listing: RowList) -> list[FullHostRow]:
    """Read all rows of a listing."""
    try:
        rows = _ROWS.decode(b"[" + b",".join(pieces) + b"]")
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return [read_piece(piece, listing, row) for piece, row in zip(pieces, listing.rows, strict=True)]
    return [placed(row, listing) for row in rows]


def read_piece(piece: Raw, listing: RowList, light: AnyRow) -> FullHostRow:
    """Read one row of a listing."""
    try:
        row = _ROW.decode(piece)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        try:
            row = read_row(JsonObject(parse_json(bytes(piece))), listing.status)
        except (InvalidResponse, ValueError):
            row = FullHostRow(
                status=listing.status if listing.status is not None else light.status,
                bk_host_id=light.bk_host_id,
            )
    return placed(row, listing)


def placed(row: FullHostRow, listing: RowList) -> FullHostRow:
    """Return *row* as it stands where its group stands: the group's own status and tag win."""
    if listing.status is not None:
        row.status = listing.status
    if listing.tag is not None:
        row.tag = listing.tag
    return row
