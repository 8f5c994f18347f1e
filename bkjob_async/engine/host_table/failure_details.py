"""Details of the hosts of one step that failed, read from their rows when they are requested."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bkjob_async.engine.host_table.irregular_hosts import WithNames
from bkjob_async.model.poll_view import HostRow, with_all_names
from bkjob_async.model.snapshot import HostSnapshot

ReadDetails = Callable[[HostRow], HostSnapshot]


class FailureDetails:
    """The details of failed hosts, by place.

    A host's row is kept and read when the details are asked for; a host that no response listed has a snapshot instead.
    Rows of the last response may need that response for the names of their hosts, until `release_response`.
    """

    __slots__ = ("_details", "_read_details", "_unnamed", "_with_names")

    def __init__(self) -> None:
        self._details: dict[int, HostRow | HostSnapshot] = {}
        self._unnamed: dict[int, HostRow] = {}
        self._with_names: WithNames = with_all_names
        self._read_details: ReadDetails | None = None

    def __contains__(self, place: int) -> bool:
        return place in self._details or place in self._unnamed

    def __bool__(self) -> bool:
        return bool(self._details or self._unnamed)

    def places(self) -> list[int]:
        """Return the places of the hosts whose details are kept."""
        return sorted({*self._details, *self._unnamed})

    def set_row(self, place: int, row: HostRow, with_names: WithNames, read_details: ReadDetails) -> None:
        """Keep the *row* of the host at *place*.

        *with_names* returns a row with all its names, *read_details* returns the details of such a row.
        """
        if read_details != self._read_details:
            self.release_response()
            self._details = {place: self._read(each) for place, each in self._details.items()}
            self._read_details = read_details
        if with_names != self._with_names:
            self.release_response()
            self._with_names = with_names
        self._unnamed[place] = row

    def set_inferred(self, place: int, host: HostSnapshot) -> None:
        """Keep what is known of a host that no response listed."""
        self._unnamed.pop(place, None)
        self._details[place] = host

    def discard(self, places: Iterable[int]) -> None:
        """Drop the details of hosts that are not failed any more."""
        for details in (self._details, self._unnamed):
            for place in details.keys() & places if details else ():
                del details[place]

    def release_response(self) -> None:
        """Read the names of the last response's hosts, so that it can be freed."""
        with_names, self._with_names = self._with_names, with_all_names
        for place, row in self._unnamed.items():
            self._details[place] = with_names(row)
        self._unnamed.clear()

    def copy(self) -> FailureDetails:
        """Return a copy, which stays as it is when further responses come."""
        self.release_response()
        other = FailureDetails()
        other._details, other._read_details = self._details.copy(), self._read_details
        return other

    def get(self, place: int) -> HostSnapshot | None:
        """Return the details of the host at *place*, None where none are kept."""
        row = self._unnamed.get(place)
        kept = self._details.get(place) if row is None else self._with_names(row)
        return None if kept is None else self._read(kept)

    def _read(self, kept: HostRow | HostSnapshot) -> HostSnapshot:
        if isinstance(kept, HostSnapshot):
            return kept
        assert self._read_details is not None  # noqa: S101 - every row is set together with its reader
        return self._read_details(kept)
