"""The places of hosts by their ids: a dictionary for each of the tables that were used last."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence

from bkjob_async.model.refs import HostKey

IdLookup = Mapping[int | None, int]
"""The place of every host by its id; about 90 bytes a host. Hosts without an id are not in it."""

# The dictionary of a smaller table is made anew each time. Those that are kept have so many hosts at most, in all.
FEWEST_KEPT, MAX_KEPT = 32, 1 << 18


class IdLookups:
    """Makes the lookup of a table from its keys, and keeps those of the tables used last.

    They take 24 MB at most. A table whose hosts change is asked at each poll, and has new keys only where it has new hosts.
    """

    __slots__ = ("_kept", "_size")

    def __init__(self) -> None:
        # By the identity of the keys, which are kept with it, so that no other object takes its number.
        self._kept: OrderedDict[int, tuple[Sequence[HostKey], IdLookup]] = OrderedDict()
        self._size = 0

    def of(self, keys: tuple[HostKey, ...]) -> IdLookup:
        """Return the place of each of *keys* by its id."""
        if not FEWEST_KEPT <= len(keys) <= MAX_KEPT:
            return places_by_id(keys)
        kept = self._kept.get(id(keys))
        if kept is not None:
            self._kept.move_to_end(id(keys))
            return kept[1]
        self._size += len(keys)
        while self._size > MAX_KEPT:
            _, (dropped, _) = self._kept.popitem(last=False)
            self._size -= len(dropped)
        lookup = places_by_id(keys)
        self._kept[id(keys)] = keys, lookup
        return lookup

    def clear(self) -> None:
        """Keep none."""
        self._kept.clear()
        self._size = 0


def places_by_id(keys: Sequence[HostKey]) -> dict[int | None, int]:
    """Return the place of each host by its id; those without one are not among them."""
    places: dict[int | None, int] = {key.bk_host_id: place for place, key in enumerate(keys)}
    places.pop(None, None)
    return places
