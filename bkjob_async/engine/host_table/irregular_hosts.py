"""What a few tables keep beside their columns, for hosts that do not fit in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from attrs import evolve, frozen

from bkjob_async.engine.host_table.changes import StatusChange
from bkjob_async.engine.host_table.columns.encoding import UNENCODABLE, small_code
from bkjob_async.engine.host_table.host_identity import NO_LATER_IDS
from bkjob_async.engine.host_table.unread_names import UnreadNames
from bkjob_async.model.poll_view import HostRow
from bkjob_async.model.refs import HostKey

WithNames = Callable[[HostRow], HostRow]

NO_KEYS: Mapping[int, HostKey] = MappingProxyType({})
NO_CODES: Mapping[tuple[int, bool], int] = MappingProxyType({})
NO_COUNTS: Mapping[int, int] = MappingProxyType({})


@frozen(eq=False)
class IrregularHosts:
    """Facts about single hosts, by place.

    *keys* are host names that are not numbers: IPv6 addresses, containers. *codes* are status codes that no byte is
    left for: (place, False) the current one, (place, True) the one before. *repeated* is the number of rows of hosts
    that stand several times. *later_ids* are the places of hosts that were registered anew, by their other ids.
    *unread* are the names other than ids of hosts that the first response listed.
    """

    keys: Mapping[int, HostKey] = NO_KEYS
    codes: Mapping[tuple[int, bool], int] = NO_CODES
    repeated: Mapping[int, int] = NO_COUNTS
    later_ids: Mapping[int, int] = NO_LATER_IDS
    unread: UnreadNames | None = None

    def or_shared(self) -> IrregularHosts:
        """Return the facts, or one shared object where there are none."""
        facts = self.keys, self.codes, self.repeated, self.later_ids, self.unread
        return self if any(facts) else NO_IRREGULAR_HOSTS

    def with_changes(self, changes: Iterable[StatusChange]) -> IrregularHosts:
        """Return the facts with the codes of *changes* that are not encodable."""
        codes = dict(self.codes)
        for change in changes:
            for code, is_before in ((change.before, True), (change.after, False)):
                codes.pop((change.place, is_before), None)
                if code is not None and small_code(code) == UNENCODABLE:
                    codes[change.place, is_before] = code
        return evolve(self, codes=codes).or_shared()


NO_IRREGULAR_HOSTS = IrregularHosts()
