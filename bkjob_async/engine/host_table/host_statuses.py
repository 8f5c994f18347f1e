"""Where every host of a step stands: host codes over packed columns, counted, moved, and read again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress, repeat
from typing import cast

from attrs import evolve

from bkjob_async.engine.host_table.changes import NO_MOVES, Move, Moves
from bkjob_async.engine.host_table.encoding import CODES, NOT_SEEN, OPEN, UNENCODABLE, code_of, small_code
from bkjob_async.engine.host_table.exceptional_hosts import NO_CODES, NO_COUNTS, NOTHING_ODD, ExceptionalHosts
from bkjob_async.engine.host_table.id_index import picked
from bkjob_async.engine.host_table.packed_columns import PackedColumns
from bkjob_async.engine.host_table.reordering import SPARSE, Cells, Reordering
from bkjob_async.model.poll_view import HostRow
from bkjob_async.model.status import SUCCESSFUL_HOST_CODES, Phase, host_status

ALL = 255


class HostStatuses(PackedColumns, eq=False, gc=False):
    """The codes of hosts in a fixed order, and what they were before their last change."""

    _odd: ExceptionalHosts = NOTHING_ODD

    def _be_odd(self, odd: ExceptionalHosts) -> None:
        """Keep what is odd, nothing where nothing is."""
        self._odd = NOTHING_ODD if odd.are_none else odd

    def begin_execution(self, sequence: int) -> None:
        """Forget where hosts stood, keep who they are: a new execution, told in batch *sequence*, starts over."""
        if len(self):
            self.clear_statuses(sequence)
        if self._odd is not NOTHING_ODD:
            self._be_odd(evolve(self._odd, rare=NO_CODES, doubled=NO_COUNTS))

    # Moving ---------------------------------------------------------------------------------------------------------

    def _moves(
        self, places: Sequence[int], codes: Sequence[int], rows: Sequence[HostRow | None], sequence: int
    ) -> Moves:
        """Move hosts, each named once, to where their rows say."""
        small = small_codes(codes)
        if UNENCODABLE not in small:
            return self._moves_to(small, places, rows, sequence)
        differ = [n for n, index in enumerate(places) if self._code(index) != codes[n]]
        places, codes, rows = picked(places, differ), picked(codes, differ), picked(rows, differ)
        moves = Moves(places, [self._code(index) for index in places], codes, rows)
        self.move(places, picked(small, differ), sequence)
        self._keep_rare(moves)
        return moves

    def _moves_to(
        self, small: bytes, places: Sequence[int], rows: Sequence[HostRow | None], sequence: int
    ) -> Moves:
        """Move hosts, each named once, to where small codes say, none of them rare."""
        known = in_order(self.statuses(), places)
        if known == small:
            return NO_MOVES
        differ = marked(differing(known, small))
        if len(differ) < len(places):
            places = places.at(differ) if isinstance(places, Reordering) else picked(places, differ)
            rows = picked(rows, differ)
            known, small = bytes(picked(known, differ)), bytes(picked(small, differ))
        before = [self._code(index) for index in places] if self._odd.rare else codes_of(known)
        moves = Moves(places, before, cast("Sequence[int]", codes_of(small)), rows)
        self._move_apart(places, small, sequence)
        if self._odd.rare:
            self._keep_rare(moves)
        return moves

    def _move_apart(self, places: Sequence[int], smalls: bytes, sequence: int) -> None:
        """Move hosts that all stand elsewhere, one by one or all at once."""
        if isinstance(places, range):
            self.move_marked(bytes((ALL,)) * len(self), smalls, sequence)
            return
        if len(places) * SPARSE <= len(self):
            self.move(places, smalls, sequence)
            return
        statuses = self.statuses()
        present = bytearray(statuses)
        for index, small in zip(places, smalls, strict=True):
            present[index] = small
        self.move_marked(differing(statuses, present), bytes(present), sequence)

    def enter(
        self, places: Sequence[int], stood: bytes, code: int, rows: Sequence[HostRow], sequence: int
    ) -> Moves:
        """Move hosts, each named once, to where they are listed together, from where they *stood*."""
        small = small_code(code)
        differ = marked(stood.translate(marking_all_but(small)))
        if not differ:
            return NO_MOVES
        places = picked(places, differ)
        self._move_apart(places, bytes((small,)) * len(places), sequence)
        return Moves(places, codes_of(picked(stood, differ)), [code] * len(places), picked(rows, differ))

    def _keep_rare(self, moves: Iterable[Move]) -> None:
        """Keep the codes that a byte cannot name beside the table."""
        rare = dict(self._odd.rare)
        for move in moves:
            for code, is_before in ((move.before, True), (move.after, False)):
                rare.pop((move.index, is_before), None)
                if code is not None and small_code(code) == UNENCODABLE:
                    rare[move.index, is_before] = code
        self._be_odd(evolve(self._odd, rare=rare))

    def infer(self, left: bytes | bytearray, code: int, sequence: int) -> Moves:
        """Move the hosts *left*, which no answer listed, to the only place that is left for them.

        *left* holds a byte for each place: what stands for a host's present code, or 0 for a host that stays.
        """
        small = small_code(code)
        marks = bytes(left.translate(marking_all_but(NOT_SEEN, small)))
        places = marked(marks)
        if not places:
            return NO_MOVES
        befores = codes_of(picked(left, places))
        if len(places) * SPARSE > len(self):
            self.move_marked(marks, bytes((small,)) * len(self), sequence)
        else:
            self.move(places, repeat(small, len(places)), sequence)
        return Moves(places, befores, [code] * len(places), [None] * len(places))

    # Counting -------------------------------------------------------------------------------------------------------

    @property
    def open_count(self) -> int:
        """How many hosts are not over."""
        statuses = self.statuses()
        return sum(statuses.count(small) for small in OPEN)

    def count(self, code: int) -> int:
        """Return how many hosts stand under *code*."""
        return self.statuses().count(small_code(code))

    def standing(self, codes: Iterable[int]) -> bytearray:
        """Return a byte for each place: what stands for its code where it is one of *codes*, else 0."""
        kept = bytearray(256)
        for small in map(small_code, codes):
            kept[small] = small
        return bytearray(self.statuses().translate(kept))

    def counts(self) -> dict[Phase, int]:
        """Count the hosts of the present execution by phase."""
        total: Counter[Phase] = Counter()
        statuses = self.statuses()
        for small in set(statuses) - {NOT_SEEN}:
            code = code_of(small) if small != UNENCODABLE else None
            total[Phase.UNKNOWN if code is None else host_status(code).phase] += statuses.count(small)
        return dict(total)

    # Reading --------------------------------------------------------------------------------------------------------

    def _code(self, index: int, *, before: bool = False) -> int | None:
        return self._meant(index, self.before(index) if before else self.status(index), before=before)

    def _meant(self, index: int, small: int, *, before: bool = False) -> int | None:
        """Return the code that a byte of the host at *index* stands for."""
        return self._odd.rare[index, before] if small == UNENCODABLE else code_of(small)

    def has_changed(self, since: int) -> bool:
        """Whether any host has changed, or an execution begun, in batch *since* or later."""
        return max(self.sequences(), default=-1) >= since

    def present(self, since: int = 0) -> Iterator[tuple[int, int | None, int]]:
        """Yield (place, before, status) of each host whose last change is batch *since* or later."""
        columns = zip(self.sequences(), self.statuses(), self.befores(), strict=True)
        for index, (sequence, small, before) in enumerate(columns):
            code = self._meant(index, small) if sequence >= since else None
            if code is not None:
                yield index, self._meant(index, before, before=True), code

    def unsuccessful(self) -> Iterator[tuple[int, int]]:
        """Yield (place, status) of each host that did not succeed, or did not yet."""
        statuses = self.statuses()
        successful = {NOT_SEEN, *map(small_code, SUCCESSFUL_HOST_CODES)}
        wanted = bytes(small not in successful for small in range(256))
        for index in compress(range(len(statuses)), statuses.translate(wanted)):
            code = self._meant(index, statuses[index])
            if code is not None:
                yield index, code


def marking_all_but(*smalls: int) -> bytes:
    """Return a table that turns *smalls* to 0 and everything else to 255."""
    table = bytearray((ALL,)) * 256
    for small in smalls:
        table[small] = 0
    return bytes(table)


def in_order(column: Cells, places: Sequence[int]) -> bytes:
    """Return what a *column* of a byte a host holds at *places*."""
    if isinstance(places, range):  # every host, in the order of the table
        return bytes(column)
    return places.read(column) if isinstance(places, Reordering) else bytes(picked(column, places))


ALL_BUT_NEVER = marking_all_but(NOT_SEEN)


def differing(one: bytes | bytearray, other: bytes | bytearray) -> bytes:
    """Mark by 255 where two columns differ, by 0 where they do not."""
    apart = int.from_bytes(one, "little") ^ int.from_bytes(other, "little")
    return apart.to_bytes(len(one), "little").translate(ALL_BUT_NEVER)


def marked(marks: bytes) -> Sequence[int]:
    """Return the places that are marked by 255; a range where all are."""
    if marks and 0 not in marks:
        return range(len(marks))
    places: list[int] = []
    place = marks.find(ALL)
    while place >= 0:
        places.append(place)
        if len(places) * SPARSE > len(marks):
            return list(compress(range(len(marks)), marks))
        place = marks.find(ALL, place + 1)
    return places


def small_codes(codes: Sequence[int]) -> bytes:
    """Return codes as small ones."""
    if not codes:
        return b""
    if codes.count(codes[0]) == len(codes):
        return bytes((small_code(codes[0]),)) * len(codes)
    small_of: dict[int, int] = {code: small_code(code) for code in set(codes)}
    return bytes(picked(small_of, codes))


def codes_of(smalls: Sequence[int]) -> Sequence[int | None]:
    """Return small codes as they were, none of them rare."""
    if smalls and smalls.count(smalls[0]) == len(smalls):
        return [CODES[smalls[0]]] * len(smalls)
    return picked(CODES, smalls)
