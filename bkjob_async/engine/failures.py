"""What answers said of the hosts of one step that failed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from bkjob_async.model.look import HostRow
from bkjob_async.model.snapshot import HostSnapshot

Details = Callable[[HostRow], HostSnapshot]


class Failures:
    """The details of failed hosts by their places, as rows that stand on their own; read as far as somebody asks."""

    __slots__ = ("_late", "_said")

    def __init__(self) -> None:
        self._said: dict[int, Callable[[], HostSnapshot]] = {}
        self._late: dict[int, tuple[Callable[[HostRow], HostRow], Details, HostRow]] = {}

    def __contains__(self, place: int) -> bool:
        return place in self._said or place in self._late

    def __bool__(self) -> bool:
        return bool(self._said or self._late)

    def note(self, place: int, row: HostRow, named: Callable[[HostRow], HostRow], details: Details) -> None:
        """Keep a *row* of an answer, which is held on to until `let_go`."""
        self._late[place] = (named, details, row)

    def note_bare(self, place: int, host: HostSnapshot) -> None:
        """Keep the little that is known of a host that no answer listed."""
        self._late.pop(place, None)
        self._said[place] = partial(HostSnapshot, host=host.host, status=host.status, tag=host.tag)

    def forget(self, places: Iterable[int]) -> None:
        """Forget hosts that no longer are failed."""
        for said in (self._said, self._late):
            for place in said.keys() & places if said else ():
                del said[place]

    def let_go(self) -> None:
        """Read what is left to be read in the answer."""
        for place, (named, details, row) in self._late.items():
            self._said[place] = partial(details, named(row))
        self._late.clear()

    def get(self, place: int) -> HostSnapshot | None:
        """Return the details of the host at *place*, None where nothing is kept of it."""
        self.let_go()
        said = self._said.get(place)
        return None if said is None else said()
