"""Finds the places of a response's rows in the columns of a host table.

A host's *place* is its index in the table. Two ways find the places of a whole response faster than a search for each id:
a dictionary that is kept for some polls (`IdLookup`), and an order that is nearly the table's own (`ListedOrder`).
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from typing import cast

from bkjob_async.engine.host_table.columns.byte_columns import picked
from bkjob_async.engine.host_table.columns.listed_order import column_of, pack_ids
from bkjob_async.engine.host_table.columns.packed_columns import PackedColumns
from bkjob_async.engine.host_table.host_identity import LARGEST_ID, is_id, places_by_id
from bkjob_async.engine.host_table.host_statuses import Columns
from bkjob_async.model.poll_view import HostRow

# Up to so many hosts a dictionary finds them as fast as their order does.
MAX_LOOKED_UP = 256

# Beyond so many hosts making that dictionary costs more than keeping it for the next response.
MAX_LOOKED_UP_ANEW = 8

# Up to one in so many hosts of a table are searched one by one.
RARE_SEARCH = 512

# Lookups of small tables that are kept; each takes 20 kB at most.
MAX_KEPT = 64


class IdLookup:
    """The place of every host id of a large table; 90 bytes a host, so it is dropped soon after hosts stop changing.

    A host keeps its place for as long as the table lives. So only ids that are learnt later are missing.
    """

    __slots__ = ("_place_of",)

    def __init__(self, names: Sequence[int]) -> None:
        self._place_of = places_by_id(names)

    def places(self, ids: Sequence[int | None]) -> Sequence[int] | None:
        """Return the places of *ids*, None when one of them is unknown."""
        try:
            return picked(self._place_of, ids)
        except KeyError:
            return None


@lru_cache(maxsize=MAX_KEPT)
def lookup_of(packed_names: bytes) -> IdLookup:
    """Return the lookup of a small table with these names, eight bytes each; that of the tables used last is kept.

    Steps of one job mostly have the same hosts, and so the same lookup.
    """
    return IdLookup(array("Q", packed_names))


def known_places(
    columns: Columns, ids: Sequence[int | None], rows: Sequence[HostRow], lookup: IdLookup | None
) -> Sequence[int] | None:
    """Return the places of *ids*; None where one is unknown, and where the rows have addresses to be learnt."""
    if not ids or (rows[0].ip and not columns.has_addresses):
        return None
    size = columns.size
    if lookup is None and RARE_SEARCH * len(ids) < size and isinstance(columns, PackedColumns):
        places = [columns.find(number) if is_id(number) else -1 for number in ids]
        return None if -1 in places else places
    if lookup is None:
        is_kept = MAX_LOOKED_UP_ANEW < size <= MAX_LOOKED_UP
        lookup = lookup_of(columns.packed_names()) if is_kept else IdLookup(columns.names())
    return lookup.places(ids)


def ordered_places(
    columns: Columns,
    ids: Sequence[int | None],
    rows: Sequence[HostRow],
    lists: Sequence[Sequence[HostRow]],
    lookup: IdLookup | None,
) -> Sequence[int] | None:
    """Return the places of rows that list every host once, in an order that makes it easy; None elsewhere."""
    size = columns.size
    if len(ids) != size or MAX_LOOKED_UP_ANEW < size <= MAX_LOOKED_UP:
        return None
    packed = pack_ids(ids)
    if packed is not None and columns.has_packed_names(packed):
        return range(len(ids))
    if packed is None or size <= MAX_LOOKED_UP or not isinstance(columns, PackedColumns):
        return None
    if lookup is not None or (rows[0].ip and not columns.has_addresses):
        return None
    return columns.listed_order(packed, cast("Sequence[int]", ids), [len(each) for each in lists])


def first_places(
    ids: Sequence[int | None], rows: Sequence[HostRow], sizes: Sequence[int]
) -> tuple[array[int], Sequence[HostRow], Sequence[int]] | None:
    """Return the names of a new table with its hosts' rows, and the places of *ids*; None where each needs a closer look.

    *sizes* are those of the lists that the rows stand in.
    """
    names = column_of(ids)
    if names is None or max(names) > LARGEST_ID or len(set(ids)) != len(ids):
        return None
    places: Sequence[int] = range(len(ids))
    lists = (names[end - size : end].tolist() for size, end in zip(sizes, accumulate(sizes), strict=True))
    if len(sizes) < 2 or not all(each == sorted(each) for each in lists):
        return names, rows, places
    # Each list is sorted by id, and so will be those of later responses: a sorted table is close to them.
    order = sorted(places, key=names.__getitem__)
    return array("Q", sorted(names)), picked(rows, order), sorted(places, key=order.__getitem__)
