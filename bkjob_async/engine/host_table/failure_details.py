"""Details of the hosts of one step that failed, read from their rows when they are requested."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bkjob_async.model.poll_view import HostRow
from bkjob_async.model.snapshot import HostSnapshot

ReadDetails = Callable[[HostRow], HostSnapshot]


class FailureDetails:
    """The details of failed hosts, by place.

    A host's row is kept and read when the details are asked for; a host that no response listed has a snapshot instead.
    """

    __slots__ = ("_details", "_read_details")

    def __init__(self) -> None:
        self._details: dict[int, HostRow | HostSnapshot] = {}
        self._read_details: ReadDetails | None = None

    def __contains__(self, place: int) -> bool:
        return place in self._details

    def __bool__(self) -> bool:
        return bool(self._details)

    def places(self) -> list[int]:
        """Return the places of the hosts whose details are kept."""
        return sorted(self._details)

    def set_row(self, place: int, row: HostRow, read_details: ReadDetails) -> None:
        """Keep the *row* of the host at *place*, which has all its names; *read_details* returns the details of such a row."""
        if read_details != self._read_details:
            self._details = {place: self._read(each) for place, each in self._details.items()}
            self._read_details = read_details
        self._details[place] = row

    def set_inferred(self, place: int, host: HostSnapshot) -> None:
        """Keep what is known of a host that no response listed."""
        self._details[place] = host

    def discard(self, places: Iterable[int]) -> None:
        """Drop the details of hosts that are not failed any more."""
        for place in self._details.keys() & places:
            del self._details[place]

    def copy(self) -> FailureDetails:
        """Return a copy, which stays as it is when further responses come."""
        other = FailureDetails()
        other._details, other._read_details = self._details.copy(), self._read_details
        return other

    def get(self, place: int) -> HostSnapshot | None:
        """Return the details of the host at *place*, None where none are kept."""
        kept = self._details.get(place)
        return None if kept is None else self._read(kept)

    def _read(self, kept: HostRow | HostSnapshot) -> HostSnapshot:
        if isinstance(kept, HostSnapshot):
            return kept
        assert self._read_details is not None  # noqa: S101 - every row is set together with its reader
        return self._read_details(kept)
