"""What few host tables have to keep beside their columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from attrs import frozen

from bkjob_async.model.poll_view import HostRow
from bkjob_async.model.refs import HostKey

NO_KEYS: Mapping[int, HostKey] = MappingProxyType({})
NO_CODES: Mapping[tuple[int, bool], int] = MappingProxyType({})
NO_COUNTS: Mapping[int, int] = MappingProxyType({})


@frozen(eq=False)
class ExceptionalHosts:
    """What is odd about some hosts, by their places.

    *strange* are names that are no number: IPv6, containers. *rare* are codes beyond what a byte can name, (place,
    False) now and (place, True) before. *doubled* counts the rows of hosts that stand several times. *late* are rows
    whose other names are not read yet, and who reads them.
    """

    strange: Mapping[int, HostKey] = NO_KEYS
    rare: Mapping[tuple[int, bool], int] = NO_CODES
    doubled: Mapping[int, int] = NO_COUNTS
    late: tuple[Sequence[HostRow], Callable[[HostRow], HostRow]] | None = None

    @property
    def are_none(self) -> bool:
        """Whether nothing is odd."""
        return not (self.strange or self.rare or self.doubled or self.late)


NOTHING_ODD = ExceptionalHosts()
