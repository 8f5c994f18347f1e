"""The state of the page, with a revision for each part, so that a reader is sent only what changed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import nsmallest
from itertools import takewhile
from operator import attrgetter
from typing import Any, NamedTuple

from attrs import define, field

# So many rows that went away are remembered; a reader that is further behind is sent everything.
MAX_GONE = 1000
# Messages are sent in pieces of about so many bytes.
PIECE_BYTES = 64 * 1024
# A page shows so many rows before it has asked for the others.
FIRST_ROWS = 24


class Row(NamedTuple):
    """A row as JSON, and the revision that it changed in."""

    revision: int
    order: tuple[int, ...]
    data: bytes


@define
class PageState:
    """Rows by key, the head, the last failures; all of them plain JSON values.

    Each row has its place among the others, numbers, as its `order`. *boot* names this process: revisions of another
    one mean nothing here. `revision` rises with each change.
    """

    boot: str
    revision: int = field(default=0, init=False)
    is_over: bool = field(default=False, init=False)
    # Both in the order of their revisions.
    _rows: dict[str, Row] = field(factory=dict, init=False)
    _gone: dict[str, int] = field(factory=dict, init=False)
    _forgotten: int = field(default=0, init=False)
    _head: bytes = field(default=b"{}", init=False)
    _failures: tuple[int, bytes] = field(default=(0, b"[]"), init=False)
    _last: tuple[tuple[int, int], list[bytes]] | None = field(default=None, init=False)

    def update(
        self,
        head: Mapping[str, Any],
        rows: Mapping[str, Mapping[str, Any]],
        *,
        gone: Iterable[str] = (),
        failures: Sequence[Any] | None = None,
        is_over: bool = False,
    ) -> None:
        """Begin the next revision: *rows* that changed, keys that are *gone*, all last *failures* if there are new ones."""
        self.revision += 1
        self.is_over = self.is_over or is_over
        self._head = encoded(head)
        for key, row in rows.items():
            self._rows.pop(key, None)
            self._gone.pop(key, None)
            self._rows[key] = Row(self.revision, tuple(row["order"]), encoded(row))
        for key in gone:
            if self._rows.pop(key, None) is not None:
                self._gone[key] = self.revision
        while len(self._gone) > MAX_GONE:
            self._forgotten = self._gone.pop(next(iter(self._gone)))
        if failures is not None:
            self._failures = (self.revision, encoded(failures))

    def revision_of(self, event_id: str) -> int:
        """Return the revision that an id of an event means, 0 for none of this process."""
        boot, _, number = event_id.rpartition(".")
        if boot != self.boot or not (number.isascii() and number.isdecimal() and len(number) < 16):
            return 0
        revision = int(number)
        return revision if self._forgotten <= revision <= self.revision else 0

    def message_after(self, revision: int) -> Iterator[bytes]:
        """Yield what changed after *revision* as a server-sent event, in pieces; everything after 0.

        It is the state of now, whenever the pieces are taken. Rows are not copied before: a slow reader holds no message.
        """
        known = (revision, self.revision)
        if self._last is None or self._last[0] != known:
            # Readers that keep up are all sent the same.
            self._last = known, self._parts_after(revision)
        return joined(self._last[1])

    def first_state(self) -> bytes:
        """Return what a page shows first, as JSON: the rows in front alone, whatever their number."""
        first = nsmallest(FIRST_ROWS, self._rows.values(), key=attrgetter("order"))
        return b"".join(self._message(self._failures[1], (row.data for row in first), full=True))

    def _parts_after(self, revision: int) -> list[bytes]:
        changed = takewhile(lambda row: row.revision > revision, reversed(self._rows.values()))
        failures = self._failures[1] if self._failures[0] > revision or not revision else None
        message = self._message(
            failures,
            (row.data for row in changed),
            gone=[key for key, went in self._gone.items() if went > revision],
            full=not revision,
        )
        return [f"id: {self.boot}.{self.revision}\ndata: ".encode(), *message, b"\n\n"]

    def _message(
        self, failures: bytes | None, rows: Iterable[bytes], *, gone: Sequence[str] = (), full: bool
    ) -> Iterator[bytes]:
        """Yield the parts of a JSON object."""
        yield b'{"full":' + encoded(full)
        yield b',"over":' + encoded(self.is_over)
        yield b',"head":' + self._head
        yield b',"gone":' + encoded(gone)
        if failures is not None:
            yield b',"failures":' + failures
        yield b',"rows":['
        for number, row in enumerate(rows):
            if number:
                yield b","
            yield row
        yield b"]}"


def joined(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Yield *parts* in larger pieces."""
    waiting: list[bytes] = []
    size = 0
    for part in parts:
        waiting.append(part)
        size += len(part)
        if size >= PIECE_BYTES:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)


def encoded(value: Any) -> bytes:
    """Return a plain value as JSON in one line of ASCII."""
    return json.dumps(value, separators=(",", ":")).encode("ascii")
