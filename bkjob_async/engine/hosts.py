"""Where every host of one step stands, and what moved since the last look.

Names become objects only for hosts that move; the index from names to places is made for a look and thrown away.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, compress
from types import MappingProxyType
from typing import cast

from attrs import frozen
from msgspec import Struct

from bkjob_async.engine.columns import Columns
from bkjob_async.engine.host_index import HostIndex
from bkjob_async.engine.names import LARGEST_ID, Roll, key_from
from bkjob_async.engine.packing import NEVER, OPEN, RARE, code_of, small_code
from bkjob_async.model.look import GroupLook, HostRow, with_all_names
from bkjob_async.model.refs import HostKey
from bkjob_async.model.status import SUCCESSFUL_HOST_CODES, Phase, host_status

# A host of file-source rolling stands in several rows; among finished rows the worst speaks for it.
_BADNESS = {Phase.SUCCESS: 0, Phase.SKIPPED: 1, Phase.IGNORED: 1, Phase.STOPPED: 2, Phase.FAILED: 3}
# It pays to look for so small a share of a table's hosts one by one.
FEW = 512
NO_KEYS: Mapping[int, HostKey] = MappingProxyType({})
NO_COUNTS: Mapping[int, int] = MappingProxyType({})
NO_CODES: Mapping[tuple[int, bool], int] = MappingProxyType({})


class Move(Struct, frozen=True):
    """One host stands elsewhere: its place in the table, codes before and after, and its row.

    *row* is None where no answer listed the host, and all others were counted elsewhere.
    """

    index: int
    before: int | None
    after: int
    row: HostRow | None


@frozen
class Taken:
    """What one look brought: its *moves*; whether every row could be *believed*; the *places* of its rows.

    A place of -1 is a row that names nobody, or one of several that another speaks for.
    """

    moves: Sequence[Move]
    believed: bool
    places: Sequence[int]


def worst_code(codes: Sequence[int]) -> int:
    """Return the code that speaks for a host with several rows."""
    unfinished = [code for code in codes if not host_status(code).is_finished]
    if unfinished:
        return max(unfinished)
    return max(codes, key=lambda code: (_BADNESS.get(host_status(code).phase, 4), code))


class HostTable(Columns):
    """The hosts of one step: who they are, and where each was last seen.

    A host's place is fixed at first sight and shared by all its names; a name learnt later joins. Absence from a look
    says nothing.
    """

    __slots__ = ("_doubled", "_rare", "_strange")

    def __init__(self) -> None:
        super().__init__()
        self._strange = NO_KEYS  # names that are no number: IPv6, containers
        self._rare = NO_CODES  # codes beyond what a byte can name, now and before
        self._doubled = NO_COUNTS

    @property
    def open_count(self) -> int:
        """How many hosts are not over."""
        statuses = self.statuses()
        return sum(statuses.count(small) for small in OPEN)

    def begin_execution(self) -> None:
        """Forget where hosts stood, keep who they are: a new execution starts over."""
        self.clear_statuses()
        self._rare = NO_CODES
        self._doubled = NO_COUNTS

    # Looks ----------------------------------------------------------------------------------------------------------

    def stands_as(self, groups: Sequence[GroupLook]) -> bool:
        """Whether *groups* list exactly these hosts, in their order and each once, where they stand."""
        if self._doubled:
            return False
        ids: list[int | None] = []
        codes: list[int] = []
        for group in groups:
            for row in group.rows or ():
                ids.append(row.bk_host_id)
                codes.append(row.status if group.status is None else group.status)
        smalls = bytes(map(small_code, codes))
        return self.has_names(ids) and self.has_statuses(smalls) and RARE not in smalls

    def apply(
        self,
        groups: Sequence[GroupLook],
        sequence: int,
        named: Callable[[HostRow], HostRow] = with_all_names,
        index: HostIndex | None = None,
    ) -> Taken:
        """Take in the rows of one look; *named* returns a row with all its names, *index* finds hosts.

        A host that stands twice is not believed at once: groups are read one after the other, and it may have moved in
        between. When it stands twice again at the next look, its rows are batches, and the worst counts. The same goes
        for a host that stands fewer times than before: one of its batches may only have been left out, as it surely may
        where a group lists fewer hosts than it counts.
        """
        lists = [group.rows for group in groups if group.rows]
        rows = lists[0] if len(lists) == 1 else list(chain.from_iterable(lists))
        codes: list[int] = []
        for group in groups:
            if group.rows:
                codes += (
                    [row.status for row in group.rows]
                    if group.status is None
                    else [group.status] * len(group.rows)
                )
        ids = [row.bk_host_id for row in rows]
        if self.has_names(ids) and not self._doubled:
            places = range(len(ids))
            return Taken(self._moves(places, codes, rows, sequence), believed=True, places=places)
        places_found = (
            self.places_of(rows, named, index) if self._doubled else self._places(ids, rows, named, index)
        )
        if self._doubled or -1 in places_found or len(set(places_found)) != len(places_found):
            whole = all(g.status is None or g.rows is None or len(g.rows) == g.size for g in groups)
            return self._apply_doubtful(places_found, codes, rows, sequence, whole=whole)
        return Taken(self._moves(places_found, codes, rows, sequence), believed=True, places=places_found)

    def _apply_doubtful(
        self, places: list[int], codes: list[int], rows: Sequence[HostRow], sequence: int, *, whole: bool
    ) -> Taken:
        """Take in rows of which some name nobody, or several name one host."""
        merged, believed = self._merge(places, codes, whole=whole)
        kept = [index >= 0 for index in merged]
        moves = self._moves(
            list(compress(merged, kept)), list(compress(codes, kept)), list(compress(rows, kept)), sequence
        )
        return Taken(moves, believed, merged)

    def _merge(self, places: list[int], codes: list[int], *, whole: bool) -> tuple[list[int], bool]:
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
        unheard = {
            index: count
            for index, count in self._doubled.items()
            if index not in counts or (not whole and counts[index] < count)
        }
        self._doubled = {**{index: counts[index] for index in several}, **unheard} or NO_COUNTS
        return merged, not changed

    def _moves(
        self, places: Sequence[int], codes: Sequence[int], rows: Sequence[HostRow | None], sequence: int
    ) -> list[Move]:
        """Move hosts, each named once, to where their rows say."""
        different = set(codes)
        small_of = {code: small_code(code) for code in different}
        if len(different) == 1:
            small = bytes(small_of.values()) * len(codes)
        else:
            small = bytes(map(small_of.__getitem__, codes))
        statuses = self.statuses()
        in_order = isinstance(places, range)  # every host, in the order of the table
        known = bytes(statuses) if in_order else bytes(map(statuses.__getitem__, places))
        if known == small and RARE not in small:
            return []
        differ: Sequence[int] = (int.from_bytes(known, "little") ^ int.from_bytes(small, "little")).to_bytes(
            len(small), "little"
        )
        if RARE in small:
            differ = [self._code(index) != code for index, code in zip(places, codes, strict=True)]
        changed = list(compress(range(len(places)), differ))
        if self._rare:
            befores = [self._code(places[n]) for n in changed]
        else:
            befores = [code_of(known[n]) for n in changed]
        moves = [
            Move(places[n], before, codes[n], rows[n]) for n, before in zip(changed, befores, strict=True)
        ]
        self.move([places[n] for n in changed], [small[n] for n in changed], sequence)
        if self._rare or RARE in small:
            self._keep_rare(moves)
        return moves

    def _keep_rare(self, moves: Sequence[Move]) -> None:
        """Keep the codes that a byte cannot name beside the table."""
        rare = dict(self._rare)
        for move in moves:
            for code, is_before in ((move.before, True), (move.after, False)):
                rare.pop((move.index, is_before), None)
                if code is not None and small_code(code) == RARE:
                    rare[move.index, is_before] = code
        self._rare = rare or NO_CODES

    # Counting -------------------------------------------------------------------------------------------------------

    @property
    def is_countable(self) -> bool:
        """Whether every host stands somewhere, once, under a code that can be counted."""
        statuses = self.statuses()
        return bool(statuses) and not (self._doubled or NEVER in statuses or RARE in statuses)

    def count(self, code: int) -> int:
        """Return how many hosts stand under *code*."""
        return self.statuses().count(small_code(code))

    def marks_of(self, codes: Iterable[int]) -> bytearray:
        """Return a byte for each place: 1 where the host stands under one of *codes*, else 0."""
        wanted = bytearray(256)
        for code in codes:
            wanted[small_code(code)] = 1
        return self.statuses().translate(wanted)

    def codes_in(self, marks: bytes) -> set[int | None]:
        """Return the codes under which the marked hosts stand."""
        return set(map(code_of, set(compress(self.statuses(), marks))))

    def infer(self, marks: bytes, code: int, sequence: int) -> list[Move]:
        """Move the marked hosts, which no answer listed, to the only place that is left for them."""
        small = small_code(code)
        statuses = self.statuses()
        places = [index for index in compress(range(len(self)), marks) if statuses[index] != small]
        moves = [Move(index, code_of(statuses[index]), code, None) for index in places]
        self.move(places, [small] * len(places), sequence)
        return moves

    # Names ----------------------------------------------------------------------------------------------------------

    def places_of(
        self,
        rows: Sequence[HostRow],
        named: Callable[[HostRow], HostRow] = with_all_names,
        index: HostIndex | None = None,
    ) -> list[int]:
        """Return the place of each row's host, new ones at first sight; -1 for a row without a name."""
        ids = [row.bk_host_id for row in rows]
        return list(range(len(ids))) if self.has_names(ids) else self._places(ids, rows, named, index)

    def _places(
        self,
        ids: list[int | None],
        rows: Sequence[HostRow],
        named: Callable[[HostRow], HostRow],
        index: HostIndex | None,
    ) -> list[int]:
        """Return the place of each row's host, which *ids* name as far as they can; not all in the table's order."""
        if self._has_addresses or not (rows and rows[0].ip):
            found = self._known_places(ids, index)
            if found is not None:
                return found
        roll = Roll(self.names(), self.addresses(), self._strange)
        places = roll.places(rows, named)
        if roll.changed:
            self.name_anew(roll.names, roll.addresses)
            self._strange = roll.strange or NO_KEYS
        return places

    def _known_places(self, ids: Sequence[int | None], index: HostIndex | None) -> list[int] | None:
        """Return the places of hosts by ids that are all known here, None otherwise."""
        if not ids or None in ids:
            return None
        known = cast("Sequence[int]", ids)
        if not 0 <= min(known) <= max(known) <= LARGEST_ID:
            return None
        if index is not None and 4 * len(known) < len(self):
            return index.places(known)
        if FEW * len(known) < len(self):
            places = [self.find(host_id) for host_id in known]
            return None if -1 in places else places
        names = self.names()
        if 2 * len(known) < len(self):
            wanted = list(map(frozenset(known).__contains__, names))
            place_of = dict(zip(compress(names, wanted), compress(range(len(names)), wanted), strict=True))
        else:
            place_of = dict(zip(names, range(len(names)), strict=True))
        found = list(map(place_of.get, known))
        return None if None in found else cast("list[int]", found)

    def key(self, index: int) -> HostKey:
        """Return all the names of the host at *index*."""
        return key_from(self.name(index), self.address(index), self._strange.get(index))

    # Reading --------------------------------------------------------------------------------------------------------

    def _code(self, index: int, *, before: bool = False) -> int | None:
        return self._meant(index, self.before(index) if before else self.status(index), before=before)

    def _meant(self, index: int, small: int, *, before: bool = False) -> int | None:
        """Return the code that a byte of the host at *index* stands for."""
        return self._rare[index, before] if small == RARE else code_of(small)

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
        successful = {NEVER, *map(small_code, SUCCESSFUL_HOST_CODES)}
        wanted = bytes(small not in successful for small in range(256))
        for index in compress(range(len(statuses)), statuses.translate(wanted)):
            code = self._meant(index, statuses[index])
            if code is not None:
                yield index, code

    def counts(self) -> dict[Phase, int]:
        """Count the hosts of the present execution by phase."""
        total: Counter[Phase] = Counter()
        for small, count in Counter(self.statuses()).items():
            code = code_of(small) if small != RARE else None
            if small != NEVER:
                total[Phase.UNKNOWN if code is None else host_status(code).phase] += count
        return dict(total)
