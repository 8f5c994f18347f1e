"""Data of the hosts that do not fit in a table's columns; few tables have any."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from msgspec import Struct
from msgspec.structs import replace

from bkjob_async.engine.host_table.columns import UNENCODABLE, small_code
from bkjob_async.engine.host_table.identity import NO_LATER_IDS

NO_CODES: Mapping[tuple[int, bool], int] = MappingProxyType({})
NO_COUNTS: Mapping[int, int] = MappingProxyType({})


class IrregularHosts(Struct, frozen=True, eq=False):
    """Facts about single hosts, by place.

    *codes* are status codes that no byte is left for: (place, False) the current one, (place, True) the one before.
    *repeated* is the number of rows of hosts that stand several times. *later_ids* are the places of hosts that were
    registered anew, by their other ids.
    """

    codes: Mapping[tuple[int, bool], int] = NO_CODES
    repeated: Mapping[int, int] = NO_COUNTS
    later_ids: Mapping[int, int] = NO_LATER_IDS

    def or_shared(self) -> IrregularHosts:
        """Return the facts, or one shared object where there are none."""
        return self if self.codes or self.repeated or self.later_ids else NO_IRREGULAR_HOSTS

    def with_changes(
        self, places: Iterable[int], befores: Iterable[int | None], afters: Iterable[int | None]
    ) -> IrregularHosts:
        """Return the facts with the codes before and after of hosts at *places*, as far as they are not encodable."""
        codes = dict(self.codes)
        for place, *both in zip(places, befores, afters, strict=True):
            for is_before, code in zip((True, False), both, strict=True):
                codes.pop((place, is_before), None)
                if code is not None and small_code(code) == UNENCODABLE:
                    codes[place, is_before] = code
        return replace(self, codes=codes).or_shared()


NO_IRREGULAR_HOSTS = IrregularHosts()
