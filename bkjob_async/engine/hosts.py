"""Where every host of one step stands, and what moved since the last look.

A host is one row of some columns of plain numbers: its name (8 bytes), its status and the one before (1 byte each), the
batch that told the last change (4 bytes), and its address where the name is not the address itself (8 bytes). Names
become objects only for hosts that move; the index from names to rows is made for a look and thrown away.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import cast

from attrs import frozen

from bkjob_async.engine.names import Aliases, key_of, merged
from bkjob_async.engine.packing import (
    ADDRESS,
    NEVER,
    OPEN,
    RARE,
    STRANGE,
    Counts,
    code_of,
    packed_address,
    small_code,
    unpacked_address,
)
from bkjob_async.model.look import GroupLook, HostRow, with_all_names
from bkjob_async.model.refs import HostKey
from bkjob_async.model.status import Phase, host_status

# A host of file-source rolling stands in several rows; among finished rows the worst speaks for it.
_BADNESS = {Phase.SUCCESS: 0, Phase.SKIPPED: 1, Phase.IGNORED: 1, Phase.STOPPED: 2, Phase.FAILED: 3}
LARGEST_ID = STRANGE - 1
NOBODY: Mapping[int, int] = MappingProxyType({})


@frozen
class Move:
    """One host stands elsewhere: its place in the table, codes before and after, and its row."""

    index: int
    before: int | None
    after: int
    row: HostRow


def worst_code(codes: Sequence[int]) -> int:
    """Return the code that speaks for a host with several rows."""
    unfinished = [code for code in codes if not host_status(code).is_finished]
    if unfinished:
        return max(unfinished)
    return max(codes, key=lambda code: (_BADNESS.get(host_status(code).phase, 4), code))


class HostTable:
    """The hosts of one step: who they are, and where each was last seen.

    A host's place is fixed at first sight and shared by all its names; a name learnt later joins. Absence from a look
    says nothing.
    """

    __slots__ = (
        "_addresses",
        "_before",
        "_doubled",
        "_names",
        "_rare",
        "_sequence",
        "_status",
        "_strange",
        "open_count",
    )

    def __init__(self) -> None:
        self._names = array("Q")
        self._addresses: array[int] | None = None  # for hosts named by id: their packed address, 0 for none
        self._status = bytearray()
        self._before = bytearray()
        self._sequence = Counts()
        self._strange: dict[int, HostKey] | None = None  # names that are no number: IPv6, containers
        self._rare: dict[tuple[int, bool], int] | None = None  # codes beyond what a byte can name
        self._doubled: Mapping[int, int] = NOBODY
        self.open_count = 0

    def __len__(self) -> int:
        return len(self._names)

    def begin_execution(self) -> None:
        """Forget where hosts stood, keep who they are: a new execution starts over."""
        self._status = bytearray(len(self))
        self._before = bytearray(len(self))
        self._rare = None
        self._doubled = NOBODY
        self.open_count = 0

    # Looks ----------------------------------------------------------------------------------------------------------

    def apply(
        self,
        groups: Sequence[GroupLook],
        sequence: int,
        *,
        named: Callable[[HostRow], HostRow] = with_all_names,
    ) -> tuple[list[Move], bool]:
        """Take in the rows of one look; return the moves, and whether every row could be believed.

        *named* tells all names of a row whose id is not enough.

        A host that stands twice is not believed at once: groups are read one after the other, and it may have moved in
        between. When it stands twice again at the next look, its rows are batches, and the worst counts. The same goes
        for a host that stands fewer times than before: one of its batches may only have been left out.
        """
        rows = [row for group in groups for row in group.rows or ()]
        codes = [
            row.status if group.status is None else group.status
            for group in groups
            for row in group.rows or ()
        ]
        places, believed = self._places(rows, named), True
        if self._doubled or len(set(places)) != len(places):
            places, believed = self._merge(places, codes)
        return self._moves(places, codes, rows, sequence), believed

    def _merge(self, places: list[int], codes: list[int]) -> tuple[list[int], bool]:
        """Let one row speak for each host that stands several times, in place; -1 silences the others.

        Return the places, and whether every host stands as often as it did at the last look.
        """
        counts = Counter(index for index in places if index >= 0)
        several: dict[int, list[int]] = {index: [] for index, count in counts.items() if count > 1}
        changed = {
            n for n in {*several, *self._doubled} if n in counts and counts[n] != self._doubled.get(n, 1)
        }
        merged = list(places)
        for n, index in enumerate(places):
            if index in several:
                several[index].append(codes[n])
            if index in changed or len(several.get(index, ())) < counts[index] > 1:
                merged[n] = -1
            elif index in several:
                codes[n] = worst_code(several[index])
        kept = {index: count for index, count in self._doubled.items() if index not in counts}
        self._doubled = {**kept, **{index: counts[index] for index in several}} or NOBODY
        return merged, not changed

    def _moves(
        self, places: Sequence[int], codes: Sequence[int], rows: Sequence[HostRow], sequence: int
    ) -> list[Move]:
        moves = []
        status, small_of = self._status, {code: small_code(code) for code in set(codes)}
        for n, index in enumerate(places):
            small = small_of[codes[n]]
            if index < 0 or (status[index] == small and small != RARE):
                continue
            before = self._code(index)
            if before == codes[n]:
                continue
            moves.append(Move(index, before, codes[n], rows[n]))
            self.open_count += (small in OPEN) - (status[index] in OPEN)
            self._set(index, before, codes[n])
            self._sequence.set(index, sequence)
        return moves

    # Columns --------------------------------------------------------------------------------------------------------

    def _code(self, index: int, *, before: bool = False) -> int | None:
        small = (self._before if before else self._status)[index]
        if small == RARE and self._rare is not None:
            return self._rare[index, before]
        return code_of(small)

    def _set(self, index: int, before: int | None, after: int) -> None:
        self._before[index] = NEVER if before is None else small_code(before)
        self._status[index] = small_code(after)
        for code, is_before in ((before, True), (after, False)):
            if code is not None and small_code(code) == RARE:
                self._rare = self._rare if self._rare is not None else {}
                self._rare[index, is_before] = code

    # Names ----------------------------------------------------------------------------------------------------------

    def _places(self, rows: Sequence[HostRow], named: Callable[[HostRow], HostRow]) -> list[int]:
        """Return the place of each row's host, new ones at first sight; -1 for a row without a name."""
        ids = [row.bk_host_id for row in rows]
        if len(ids) == len(self) and self._is_same_order(ids):
            return list(range(len(ids)))
        by_name = dict(zip(self._names, range(len(self)), strict=True))
        places, by_alias = [], Aliases(self)
        for row in rows:
            host_id = row.bk_host_id
            index = by_name.get(host_id) if host_id is not None and host_id <= LARGEST_ID else None
            if index is None:
                full = named(row)
                index = by_alias.place(full)
                if index is None:
                    index = self._welcome(full)
                    if index >= 0:
                        by_name[self._names[index]] = index
                        by_alias.add(index)
            elif row.ip and not self._address(index):
                self.join(index, row)
            places.append(index)
        return places

    def _is_same_order(self, ids: Sequence[int | None]) -> bool:
        try:
            return array("Q", cast("list[int]", ids)) == self._names
        except (TypeError, OverflowError):
            return False  # not every row has an id that is one

    def _welcome(self, row: HostRow) -> int:
        """Give the row's host a place; -1 when the row names nobody."""
        address = packed_address(row.bk_cloud_id or 0, row.ip) if row.ip else None
        host_id, index = row.bk_host_id, len(self)
        strange = False
        if host_id is not None and 0 <= host_id <= LARGEST_ID:
            name = host_id
            strange = bool(row.ipv6 and not row.ip) or bool(row.ip and address is None)
        elif address is not None:
            name = address
        elif row.ip or row.ipv6 or row.container_id is not None or host_id is not None:
            name, strange = STRANGE | index, True
        else:
            return -1
        if strange or row.container_id is not None:
            self._strange = self._strange if self._strange is not None else {}
            self._strange[index] = key_of(row)
        self._names.append(name)
        self._status.append(NEVER)
        self._before.append(NEVER)
        self._sequence.append(0)
        if self._addresses is not None or (address is not None and name != address):
            self._learn_address(index, 0 if address is None or name == address else address)
        return index

    def _learn_address(self, index: int, address: int) -> None:
        if self._addresses is None:
            self._addresses = array("Q")
        missing = len(self) - len(self._addresses)
        self._addresses.frombytes(bytes(8 * missing))
        self._addresses[index] = address

    def join(self, index: int, row: HostRow) -> None:
        """Learn further names of the host at *index* from a row about it."""
        name, host_id = self._names[index], row.bk_host_id
        address = packed_address(row.bk_cloud_id or 0, row.ip) if row.ip else None
        if name >= STRANGE and host_id is not None and 0 <= host_id <= LARGEST_ID:
            self._names[index] = host_id
            if name & ADDRESS:
                self._learn_address(index, name)
        if address is not None and self._names[index] != address and not self._address(index):
            self._learn_address(index, address)
        if self._strange is not None and index in self._strange:
            self._strange[index] = merged(self._strange[index], key_of(row))
        elif row.ipv6 and not row.ip:
            self._strange = self._strange if self._strange is not None else {}
            self._strange[index] = merged(self.key(index), key_of(row))

    def _address(self, index: int) -> int:
        return self._addresses[index] if self._addresses is not None and index < len(self._addresses) else 0

    def key(self, index: int) -> HostKey:
        """Return all the names of the host at *index*."""
        name = self._names[index]
        address = name if name & ADDRESS else self._address(index)
        cloud, ip = unpacked_address(address) if address else (None, None)
        plain = HostKey(bk_host_id=name if name < STRANGE else None, bk_cloud_id=cloud, ip=ip)
        strange = self._strange.get(index) if self._strange is not None else None
        return plain if strange is None else merged(plain, strange)

    def strangers(self) -> Iterable[tuple[int, HostKey]]:
        """Yield (place, names) of the hosts whose names are not plain numbers."""
        return self._strange.items() if self._strange is not None else ()

    def named(self) -> Iterator[tuple[int, int]]:
        """Yield (packed address, place) of every host with an IPv4 address."""
        for index, name in enumerate(self._names):
            address = name if name & ADDRESS else self._address(index)
            if address:
                yield address, index

    def owner(self, index: int) -> int | None:
        """Return the host id at *index*, None where it is not known."""
        name = self._names[index]
        return name if name < STRANGE else None

    # Reading --------------------------------------------------------------------------------------------------------

    def places_of(self, rows: Sequence[HostRow]) -> list[int]:
        """Return the place of each row's host; every host is known by now."""
        return self._places(rows, with_all_names)

    def present(self, since: int = 0) -> Iterator[tuple[int, int | None, int]]:
        """Yield (place, before, status) of each host whose last change is batch *since* or later."""
        for index in range(len(self)):
            code = self._code(index)
            if code is not None and self._sequence[index] >= since:
                yield index, self._code(index, before=True), code

    def counts(self) -> dict[Phase, int]:
        """Count the hosts of the present execution by phase."""
        total: Counter[Phase] = Counter()
        for small, count in Counter(self._status).items():
            code = code_of(small) if small != RARE else None
            if small != NEVER:
                total[Phase.UNKNOWN if code is None else host_status(code).phase] += count
        return dict(total)
