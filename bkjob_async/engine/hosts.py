"""Where every host of one step stands, and what moved since the last look."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from attrs import evolve, frozen

from bkjob_async.model.look import GroupLook, HostRow
from bkjob_async.model.refs import HostKey
from bkjob_async.model.status import Phase, host_status

# A host of file-source rolling stands in several rows; among finished rows the worst speaks for it.
_BADNESS = {Phase.SUCCESS: 0, Phase.SKIPPED: 1, Phase.IGNORED: 1, Phase.STOPPED: 2, Phase.FAILED: 3}

Alias = int | tuple[str, int, str] | tuple[str, int]


@frozen
class Move:
    """One host stands elsewhere: its place in the table, codes before and after, and its row."""

    index: int
    before: int | None
    after: int
    row: HostRow


def aliases_of(row: HostRow) -> Iterator[Alias]:
    """Yield every name that *row* gives its host, the surest first."""
    if row.bk_host_id is not None:
        yield row.bk_host_id
    if row.ip:
        yield ("ip", row.bk_cloud_id or 0, row.ip)
    if row.ipv6:
        yield ("ipv6", row.bk_cloud_id or 0, row.ipv6)
    if row.container_id is not None:
        yield ("container", row.container_id)


def worst_code(codes: Sequence[int]) -> int:
    """Return the code that speaks for a host with several rows."""
    unfinished = [code for code in codes if not host_status(code).is_finished]
    if unfinished:
        return max(unfinished)
    return max(codes, key=lambda code: (_BADNESS.get(host_status(code).phase, 4), code))


class HostTable:
    """The hosts of one step: who they are, and where each was last seen.

    A host's place is fixed at first sight and shared by all its names; a name learnt later joins. Absence from a look
    says nothing. `sequence` numbers are those of the batches that announced the last change.
    """

    __slots__ = ("_before", "_doubled", "_keys", "_places", "_sequence", "_status", "open_count")

    def __init__(self) -> None:
        self._places: dict[Alias, int] = {}
        self._keys: list[HostKey] = []
        self._status: list[int | None] = []
        self._before: list[int | None] = []
        self._sequence: list[int] = []
        self._doubled: frozenset[int] = frozenset()
        self.open_count = 0

    def __len__(self) -> int:
        return len(self._keys)

    def begin_execution(self) -> None:
        """Forget where hosts stood, keep who they are: a new execution starts over."""
        self._status = [None] * len(self._keys)
        self._before = [None] * len(self._keys)
        self._doubled = frozenset()
        self.open_count = 0

    def apply(self, groups: Sequence[GroupLook], sequence: int) -> tuple[list[Move], bool]:
        """Take in the rows of one look; return the moves, and whether every row could be believed.

        A host that stands twice is not believed at once: groups are read one after the other, and it may have moved in
        between. When it stands twice again at the next look, its rows are batches, and the worst counts.
        """
        codes: dict[int, int] = {}
        rows: dict[int, HostRow] = {}
        doubled: dict[int, list[int]] = {}
        for group in groups:
            for row in group.rows or ():
                index = self._meet(row)
                if index is None:
                    continue
                code = row.status if group.status is None else group.status
                if index in codes:
                    doubled.setdefault(index, [codes[index]]).append(code)
                codes[index] = code
                rows[index] = row
        believed = True
        for index, several in doubled.items():
            if index in self._doubled:
                codes[index] = worst_code(several)
            else:
                del codes[index]
                believed = False
        self._doubled = frozenset(doubled)
        return self._moves(codes, rows, sequence), believed

    def _moves(self, codes: dict[int, int], rows: dict[int, HostRow], sequence: int) -> list[Move]:
        moves = []
        status = self._status
        for index, code in codes.items():
            before = status[index]
            if before == code:
                continue
            moves.append(Move(index, before, code, rows[index]))
            was_open = before is not None and not host_status(before).is_finished
            self.open_count += (not host_status(code).is_finished) - was_open
            self._before[index] = before
            status[index] = code
            self._sequence[index] = sequence
        return moves

    def _meet(self, row: HostRow) -> int | None:
        """Return the place of the row's host, a new one at first sight; None for a row without a name."""
        host_id = row.bk_host_id
        index = self._places.get(host_id) if host_id is not None else None
        if index is None:
            for alias in aliases_of(row):
                found = self._places.get(alias)
                # An address joins two rows only if they do not name two different machines.
                if found is not None and (host_id is None or self._keys[found].bk_host_id in (None, host_id)):
                    index = found
                    break
            else:
                return self._welcome(row)
            self._learn(index, row)
        elif self._keys[index].ip is None and row.ip:
            self._learn(index, row)
        return index

    def _welcome(self, row: HostRow) -> int | None:
        names = tuple(aliases_of(row))
        if not names:
            return None
        index = len(self._keys)
        self._keys.append(
            HostKey(
                bk_host_id=row.bk_host_id,
                bk_cloud_id=row.bk_cloud_id,
                ip=row.ip,
                ipv6=row.ipv6,
                container_id=row.container_id,
            )
        )
        self._status.append(None)
        self._before.append(None)
        self._sequence.append(0)
        for name in names:
            self._places.setdefault(name, index)
        return index

    def _learn(self, index: int, row: HostRow) -> None:
        key = self._keys[index]
        for name in aliases_of(row):
            self._places.setdefault(name, index)
        self._keys[index] = evolve(
            key,
            bk_host_id=key.bk_host_id if key.bk_host_id is not None else row.bk_host_id,
            bk_cloud_id=key.bk_cloud_id if key.bk_cloud_id is not None else row.bk_cloud_id,
            ip=key.ip or row.ip,
            ipv6=key.ipv6 or row.ipv6,
            container_id=key.container_id if key.container_id is not None else row.container_id,
        )

    def key(self, index: int) -> HostKey:
        """Return all the names of the host at *index*."""
        return self._keys[index]

    def place(self, row: HostRow) -> int | None:
        """Return the place of the row's host, None where it was never met."""
        return next((self._places[name] for name in aliases_of(row) if name in self._places), None)

    def present(self, since: int = 0) -> Iterator[tuple[int, int | None, int]]:
        """Yield (place, before, status) of each host whose last change is batch *since* or later."""
        for index, status in enumerate(self._status):
            if status is not None and self._sequence[index] >= since:
                yield index, self._before[index], status

    def counts(self) -> dict[Phase, int]:
        """Count the hosts of the present execution by phase."""
        return dict(Counter(host_status(code).phase for code in self._status if code is not None))
