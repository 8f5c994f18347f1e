"""What answers said of the hosts of one step that failed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bkjob_async.model.poll_view import HostRow, with_all_names
from bkjob_async.model.snapshot import HostSnapshot

Named = Callable[[HostRow], HostRow]
Details = Callable[[HostRow], HostSnapshot]


class FailureDetails:
    """The details of failed hosts by their places, as rows that stand on their own; read as far as somebody asks.

    What is said of a host is a row, to be read by the one reader of all of them, or what was made of it already.
    """

    __slots__ = ("_details", "_late", "_named", "_said")

    def __init__(self) -> None:
        self._said: dict[int, HostRow | HostSnapshot] = {}
        self._late: dict[int, HostRow] = {}
        self._named: Named = with_all_names
        self._details: Details | None = None

    def __contains__(self, place: int) -> bool:
        return place in self._said or place in self._late

    def __bool__(self) -> bool:
        return bool(self._said or self._late)

    def note(self, place: int, row: HostRow, named: Named, details: Details) -> None:
        """Keep a *row* of an answer, which is held on to until `release_response`."""
        if details != self._details:
            self.release_response()
            self._said = {place: self._read(said) for place, said in self._said.items()}
            self._details = details
        if named != self._named:
            self.release_response()
            self._named = named
        self._late[place] = row

    def note_bare(self, place: int, host: HostSnapshot) -> None:
        """Keep the little that is known of a host that no answer listed."""
        self._late.pop(place, None)
        self._said[place] = host

    def forget(self, places: Iterable[int]) -> None:
        """Forget hosts that no longer are failed."""
        for said in (self._said, self._late):
            for place in said.keys() & places if said else ():
                del said[place]

    def release_response(self) -> None:
        """Read what is left to be read in the answer."""
        named, self._named = self._named, with_all_names
        for place, row in self._late.items():
            self._said[place] = named(row)
        self._late.clear()

    def get(self, place: int) -> HostSnapshot | None:
        """Return the details of the host at *place*, None where nothing is kept of it."""
        self.release_response()
        said = self._said.get(place)
        return None if said is None else self._read(said)

    def _read(self, said: HostRow | HostSnapshot) -> HostSnapshot:
        if isinstance(said, HostSnapshot):
            return said
        assert self._details is not None  # noqa: S101 - no row comes without who reads it
        return self._details(said)
