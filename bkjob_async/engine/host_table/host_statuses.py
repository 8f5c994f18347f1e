"""The statuses in a host table: how many hosts are in each, which have changed, which have failed."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from itertools import compress
from typing import cast

from bkjob_async.engine.host_table.changes import NO_CHANGES, StatusChanges
from bkjob_async.engine.host_table.columns import (
    CODES,
    FINAL,
    NOT_SEEN,
    OPEN,
    UNENCODABLE,
    ByteColumn,
    code_of,
    codes_of,
    picked,
    small_code,
)
from bkjob_async.model.status import SUCCESSFUL_HOST_CODES, Phase, host_status

NOT_SEEN_BYTE = bytes((NOT_SEEN,))


class HostStatuses:
    """Reads the statuses of a table's hosts; none is changed here."""

    __slots__ = ("_cells", "_codes", "_statuses")

    def __init__(self, size: int, cells: bytes, codes: Mapping[tuple[int, bool], int]) -> None:
        """Read the *cells* of a table of *size* hosts, and the *codes* that no byte is left for (`IrregularHosts.codes`)."""
        self._cells = cells
        self._statuses = cells[:size]
        self._codes = codes

    @property
    def _befores(self) -> bytes:
        size = len(self._statuses)
        return self._cells[size : 2 * size]

    @property
    def unfinished_count(self) -> int:
        """The number of hosts that have not ended."""
        statuses = self._statuses
        return sum(statuses.count(small) for small in OPEN)

    def count(self, code: int) -> int:
        """Return the number of hosts with this status code."""
        return self._statuses.count(small_code(code))

    def counts(self) -> dict[Phase, int]:
        """Return the number of hosts seen in the current execution, by phase.

        Each status is counted by taking it out of the bytes, which costs less than looking at each byte.
        """
        total: dict[Phase, int] = {}
        left = self._statuses.translate(None, NOT_SEEN_BYTE)
        while left:
            small, size = left[0], len(left)
            left = left.translate(None, bytes((small,)))
            code = code_of(small) if small != UNENCODABLE else None
            phase = Phase.UNKNOWN if code is None else host_status(code).phase
            total[phase] = total.get(phase, 0) + size - len(left)
        return total

    def classes(self, class_of: Mapping[Phase, int]) -> bytes:
        """Return a byte for each place: the class of the host's phase; 0 for hosts that were not seen, and other phases."""
        table = bytearray(256)
        table[UNENCODABLE] = class_of.get(Phase.UNKNOWN, 0)
        for small, code in enumerate(CODES):
            if code is not None:
                table[small] = class_of.get(host_status(code).phase, 0)
        return bytes(self._statuses.translate(table))

    def codes_at(self, places: Sequence[int]) -> Sequence[int]:
        """Return the codes of the hosts at *places*, which were seen."""
        return cast("Sequence[int]", self.decoded_column(places, self.at(places)))

    def at(self, places: Sequence[int]) -> bytes:
        """Return the statuses of the hosts at *places* as bytes."""
        return bytes(picked(self._statuses, places))

    def are_final_otherwise(self, places: Sequence[int], smalls: Sequence[int]) -> bool:
        """Return whether one of the hosts at *places* has a final status that is another than in *smalls*, as bytes.

        A place of -1 is left out.
        """
        return any(
            before in FINAL and before != small and place >= 0
            for before, small, place in zip(self.at(places), smalls, places, strict=True)
        )

    def masked(self, codes: Iterable[int]) -> bytearray:
        """Return a byte for each place: the host's status where it is one of *codes*, else 0."""
        kept = bytearray(256)
        for small in map(small_code, codes):
            kept[small] = small
        return bytearray(self._statuses.translate(kept))

    def has_changed(self, since: int) -> bool:
        """Return whether a host has changed, or an execution begun, in batch *since* or later."""
        return max(self.sequences(), default=-1) >= since

    def changes_since(self, since: int = 0) -> StatusChanges:
        """Return the last change of each host that changed in batch *since* or later, without rows."""
        sequences, statuses, befores = self.sequences(), self._statuses, self._befores
        if NOT_SEEN not in statuses and min(sequences, default=since) >= since:
            places: Sequence[int] = range(len(statuses))
        else:
            places = [
                place
                for place, (sequence, small) in enumerate(zip(sequences, statuses, strict=True))
                if sequence >= since and small != NOT_SEEN
            ]
            if not places:
                return NO_CHANGES
            statuses, befores = bytes(picked(statuses, places)), bytes(picked(befores, places))
        before, after = (
            self.decoded_column(places, befores, before=True),
            self.decoded_column(places, statuses),
        )
        return StatusChanges(places, before, cast("Sequence[int]", after), [None] * len(places))

    def failed(self) -> tuple[Sequence[int], Sequence[int]]:
        """Return the places and the codes of the hosts that finished without success."""
        left_out = {NOT_SEEN, *OPEN, *map(small_code, SUCCESSFUL_HOST_CODES)}
        return self._hosts_with(small for small in range(256) if small not in left_out)

    def unfinished(self) -> tuple[Sequence[int], Sequence[int]]:
        """Return the places and the codes of the hosts that were seen and have not finished."""
        return self._hosts_with(OPEN)

    def _hosts_with(self, smalls: Iterable[int]) -> tuple[Sequence[int], Sequence[int]]:
        """Return the places and the codes of the hosts that have one of these statuses."""
        statuses, wanted = self._statuses, bytearray(256)
        for small in smalls:
            wanted[small] = 1
        places = list(compress(range(len(statuses)), statuses.translate(wanted)))
        codes = self.decoded_column(places, bytes(picked(statuses, places)))
        return places, cast("Sequence[int]", codes)

    def codes(self, *, before: bool = False) -> Sequence[int | None]:
        """Return the code of every host, or that *before* its last change; None where there is none."""
        smalls = self._befores if before else self._statuses
        return self.decoded_column(range(len(smalls)), smalls, before=before)

    def sequences(self) -> array[int]:
        """Return the batch of every host's last change."""
        size = len(self._statuses)
        return array("Q" if len(self._cells) > 6 * size else "I", self._cells[2 * size :])

    def code(self, place: int) -> int | None:
        """Return the code of the host at *place*, None where it was not seen."""
        return self.decoded(place, self._statuses[place])

    def decoded_column(
        self, places: Sequence[int], smalls: ByteColumn, *, before: bool = False
    ) -> Sequence[int | None]:
        """Return the codes that the bytes of the hosts at *places* mean."""
        if UNENCODABLE not in smalls:
            return codes_of(smalls)
        return [
            self.decoded(place, small, before=before) for place, small in zip(places, smalls, strict=True)
        ]

    def decoded(self, place: int, small: int, *, before: bool = False) -> int | None:
        """Return the code that a byte of the host at *place* means."""
        return self._codes[place, before] if small == UNENCODABLE else code_of(small)
