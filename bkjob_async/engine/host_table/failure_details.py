"""Details of the hosts of one step that failed, read from their rows when they are requested."""

from __future__ import annotations

from collections.abc import Iterable

from bkjob_async.model.poll_view import NamedRow
from bkjob_async.model.snapshot import HostSnapshot


class FailureDetails:
    """The details of failed hosts, by place.

    A host's row is kept and read when the details are asked for; a host that no response listed has a snapshot instead.
    """

    __slots__ = ("_details",)

    def __init__(self) -> None:
        self._details: dict[int, NamedRow | HostSnapshot] = {}

    def __contains__(self, place: int) -> bool:
        return place in self._details

    def __bool__(self) -> bool:
        return bool(self._details)

    def places(self) -> list[int]:
        """Return the places of the hosts whose details are kept."""
        return sorted(self._details)

    def keep(self, place: int, host: NamedRow | HostSnapshot) -> None:
        """Keep the row of the *host* at *place*, or what is known of one that no response listed."""
        self._details[place] = host

    def discard(self, places: Iterable[int]) -> None:
        """Drop the details of hosts that are not failed any more."""
        for place in self._details.keys() & places:
            del self._details[place]

    def copy(self) -> FailureDetails:
        """Return a copy, which stays as it is when further responses come."""
        other = FailureDetails()
        other._details = self._details.copy()
        return other

    def get(self, place: int) -> HostSnapshot | None:
        """Return the details of the host at *place*, None where none are kept."""
        kept = self._details.get(place)
        return kept if kept is None or isinstance(kept, HostSnapshot) else kept.details()
