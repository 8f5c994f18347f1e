"""The hosts of one step: who they are, where each was last seen, and what moved since the last look.

Names become objects only for hosts that move; the index from names to places is made for a look and thrown away.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, compress

from attrs import evolve

from bkjob_async.engine.host_table.changes import Taken
from bkjob_async.engine.host_table.encoding import NOT_SEEN, UNENCODABLE, small_code
from bkjob_async.engine.host_table.exceptional_hosts import NO_KEYS
from bkjob_async.engine.host_table.host_identity import LARGEST_ID, IdentityIndex, is_id, key_from
from bkjob_async.engine.host_table.host_statuses import HostStatuses, small_codes
from bkjob_async.engine.host_table.id_index import IdIndex, picked
from bkjob_async.engine.host_table.packed_columns import column_of
from bkjob_async.model.poll_view import GroupPollView, HostRow, with_all_names
from bkjob_async.model.refs import HostKey
from bkjob_async.model.status import Phase, host_status

# A host of file-source rolling stands in several rows; among finished rows the worst speaks for it.
_BADNESS = {Phase.SUCCESS: 0, Phase.SKIPPED: 1, Phase.IGNORED: 1, Phase.STOPPED: 2, Phase.FAILED: 3}
# Below every exit code.
INT64 = 2**63
# It pays to look for so small a share of a table's hosts one by one.
FEW = 512
# The other names of so many hosts are read when somebody asks for them, or before the next look.
MANY_NAMES = 100


def badness(code: int) -> tuple[int, int]:
    """Return what ranks a host's codes in several rows: unfinished before finished, then the worse before the better."""
    status = host_status(code)
    return _BADNESS.get(status.phase, 4) if status.is_finished else 5, code


def speaking(
    positions: Sequence[int], codes: Sequence[int], rows: Sequence[HostRow], tags: Sequence[str]
) -> int:
    """Return which of the *positions* of a host's rows speaks for it: the one that owns the worst outcome.

    Of equal ones it is that with the largest exit code, then the last tag: answers list batches in different orders.
    """

    def rank(n: int) -> tuple[tuple[int, int], int, str]:
        exit_code = rows[n].exit_code
        return badness(codes[n]), -INT64 if exit_code is None else exit_code, tags[n]

    return max(positions, key=rank)


class HostTable(HostStatuses, eq=False, gc=False):
    """The hosts of one step: who they are, and where each was last seen.

    A host's place is fixed at first sight and shared by all its names; a name learnt later joins. Absence from a look
    says nothing.
    """

    @property
    def is_countable(self) -> bool:
        """Whether every host stands somewhere, once, under a code that can be counted."""
        return bool(len(self)) and not (
            self._odd.doubled or self.has_status(NOT_SEEN) or self.has_status(UNENCODABLE)
        )

    # Looks ----------------------------------------------------------------------------------------------------------

    def stands_as(self, groups: Sequence[GroupPollView]) -> bool:
        """Whether *groups* list exactly these hosts, in their order and each once, where they stand."""
        if self._odd.doubled:
            return False
        ids = [row.bk_host_id for group in groups for row in group.rows or ()]
        smalls = small_codes_in(groups)
        return self.has_names(ids) and self.has_statuses(smalls) and UNENCODABLE not in smalls

    def apply(
        self,
        groups: Sequence[GroupPollView],
        sequence: int,
        named: Callable[[HostRow], HostRow] = with_all_names,
        index: IdIndex | None = None,
        *,
        whole: bool = True,
    ) -> Taken:
        """Take in the rows of one look; *named* returns a row with all its names, *index* finds hosts.

        A host that stands twice is not believed at once: groups are read one after the other, and it may have moved in
        between. When it stands twice again at the next look, its rows are batches, and the worst counts. The same goes
        for a host that stands fewer times than before: one of its batches may only have been left out, as it surely may
        where a group lists fewer hosts than it counts. There (*whole* False) the end of a host is not believed at first
        sight either: another batch of it, which goes on, may be what is missing.
        """
        lists = [group.rows for group in groups if group.rows]
        rows = lists[0] if len(lists) == 1 else one_list(lists)
        ids = [row.bk_host_id for row in rows]
        smalls = small_codes_in(groups)
        self.read_names()
        places = self._at_a_glance(ids, rows, [len(each) for each in lists], named, index) if whole else None
        each_once = places is not None
        if places is None:
            known = self.known_places(ids, rows, index)
            places = self._enrol(rows, named) if known is None else known
            doubled = self._odd.doubled or len(set(places)) != len(places)
            each_once = whole and not doubled and not (known is None and -1 in places)
        if not each_once:
            lists_all = all(g.status is None or g.rows is None or len(g.rows) == g.size for g in groups)
            return self._apply_doubtful(places, groups, rows, sequence, whole=whole and lists_all)
        if UNENCODABLE in smalls:
            moves = self._moves(places, codes_in(groups), rows, sequence)
        else:
            moves = self._moves_to(smalls, places, rows, sequence)
        return Taken(moves, believed=True, places=places)

    def _apply_doubtful(
        self,
        places: Sequence[int],
        groups: Sequence[GroupPollView],
        rows: Sequence[HostRow],
        sequence: int,
        *,
        whole: bool,
    ) -> Taken:
        """Take in rows of which some name nobody, or several name one host."""
        codes = codes_in(groups)
        merged, believed = self._merge(places, codes, rows, groups, whole=whole)
        kept = [index >= 0 for index in merged]
        moves = self._moves(
            list(compress(merged, kept)), list(compress(codes, kept)), list(compress(rows, kept)), sequence
        )
        return Taken(moves, believed, merged, each_once=False)

    def _merge(
        self,
        places: Sequence[int],
        codes: Sequence[int],
        rows: Sequence[HostRow],
        groups: Sequence[GroupPollView],
        *,
        whole: bool,
    ) -> tuple[list[int], bool]:
        """Let one row speak for each host that stands several times; -1 silences the others.

        Return the places, and whether every host stands as often as it did at the last look.
        """
        counts = Counter(index for index in places if index >= 0)
        ends = set() if whole else self._new_ends(places, codes)
        several: dict[int, list[int]] = {index: [] for index, count in counts.items() if count > 1}
        changed = ends | {
            n
            for n in {*several, *self._odd.doubled}
            if n in counts and counts[n] != self._odd.doubled.get(n, 1)
        }
        merged = [-1 if index in changed or index in several else index for index in places]
        for n, index in enumerate(places if several else ()):
            if index in several:
                several[index].append(n)
        tags = tags_in(groups) if several else ()
        for index, positions in several.items():
            if index not in changed:
                merged[speaking(positions, codes, rows, tags)] = index
        unheard = {
            index: count
            for index, count in self._odd.doubled.items()
            if index not in counts or (not whole and counts[index] < count)
        }
        again = {index: counts[index] for index in (*several, *ends)}
        doubled = {**again, **unheard}
        if doubled or self._odd.doubled:
            self._be_odd(evolve(self._odd, doubled=doubled))
        return merged, not changed

    def _new_ends(self, places: Sequence[int], codes: Sequence[int]) -> set[int]:
        """Return the hosts that are shown over, and neither were before nor are waited for already."""
        return {
            index
            for index, code in zip(places, codes, strict=True)
            if index >= 0
            and index not in self._odd.doubled
            and host_status(code).is_finished
            and self._code(index) != code
        }

    # Names ----------------------------------------------------------------------------------------------------------

    def known_places(
        self, ids: Sequence[int | None], rows: Sequence[HostRow], index: IdIndex | None = None
    ) -> Sequence[int] | None:
        """Return the places of hosts by ids that are all known here, None otherwise and where rows say more."""
        if not ids or (rows[0].ip and not self._has_addresses):
            return None
        if index is None and FEW * len(ids) < len(self):
            places = [self.find(number) if is_id(number) else -1 for number in ids]
            return None if -1 in places else places
        return (index or IdIndex(self.names())).places(ids)

    def _at_a_glance(
        self,
        ids: Sequence[int | None],
        rows: Sequence[HostRow],
        sizes: Sequence[int],
        named: Callable[[HostRow], HostRow],
        index: IdIndex | None,
    ) -> Sequence[int] | None:
        """Return the place of each row's host where they are all hosts, each listed once, and that is easily seen."""
        if self._odd.doubled:
            return None
        if self.has_names(ids):
            return range(len(ids))
        if not len(self):
            return self._meet(ids, rows, sizes, named)
        if index is not None or not ids or (rows[0].ip and not self._has_addresses):
            return None
        return self.places_in_order(ids, sizes)

    def _enrol(self, rows: Sequence[HostRow], named: Callable[[HostRow], HostRow]) -> list[int]:
        """Return the place of each row's host by all its names, new ones at first sight."""
        self.read_names()
        roll = IdentityIndex(self.names(), self.addresses(), self._odd.strange)
        places = roll.places(rows, named)
        if roll.changed:
            self.name_anew(roll.names, roll.addresses)
            if roll.strange:
                self._be_odd(evolve(self._odd, strange=roll.strange))
        return places

    def _meet(
        self,
        ids: Sequence[int | None],
        rows: Sequence[HostRow],
        sizes: Sequence[int],
        named: Callable[[HostRow], HostRow],
    ) -> Sequence[int] | None:
        """Give places to hosts at first sight by an id of each; the other names of many are read later."""
        are_many = len(ids) > MANY_NAMES and named is not with_all_names
        if not are_many and len(sizes) < 2:
            return None
        names = column_of(ids)
        if names is None or max(names) > LARGEST_ID or len(set(ids)) != len(ids):
            return None
        places: Sequence[int] = range(len(ids))
        if len(sizes) > 1 and all(is_ascending(names[end - size : end]) for size, end in ends_of(sizes)):
            # Where each list is in this order, so will be those of later looks.
            order = sorted(places, key=names.__getitem__)
            names, rows = array("Q", sorted(names)), picked(rows, order)
            places = sorted(places, key=order.__getitem__)
        self.name_anew(names, ())
        self._be_odd(evolve(self._odd, late=(rows, named)))
        if not are_many:
            self.read_names()
        return places

    def read_names(self) -> None:
        """Read the names that the first look left to be read, and let go of its answer."""
        if self._odd.late is None:
            return
        rows, named = self._odd.late
        roll = IdentityIndex((), (), NO_KEYS)
        roll.places(rows, named)
        self.name_anew(roll.names, roll.addresses)
        self._be_odd(evolve(self._odd, strange=roll.strange, late=None))

    def key(self, index: int) -> HostKey:
        """Return all the names of the host at *index*."""
        self.read_names()
        return key_from(self.name(index), self.address(index), self._odd.strange.get(index))

    def keys(self, places: Sequence[int]) -> list[HostKey]:
        """Return all the names of the host at each of *places*."""
        if len(places) == 1:
            return [self.key(places[0])]
        self.read_names()
        strange = map(self._odd.strange.get, places)
        return list(map(key_from, self.names_at(places), self.addresses_at(places), strange))


def one_list(lists: Sequence[Sequence[HostRow]]) -> list[HostRow]:
    """Return the rows of all lists."""
    rows: list[HostRow] = []
    for each in lists:
        rows += each
    return rows


def codes_in(groups: Sequence[GroupPollView]) -> list[int]:
    """Return the code of each row, that of its group where it has one."""
    return [
        row.status if group.status is None else group.status for group in groups for row in group.rows or ()
    ]


def tags_in(groups: Sequence[GroupPollView]) -> list[str]:
    """Return the tag of each row, that of its group where it has none of its own."""
    return [row.tag or group.tag for group in groups for row in group.rows or ()]


def small_codes_in(groups: Sequence[GroupPollView]) -> bytes:
    """Return the code of each row as a small one."""
    return b"".join(
        small_codes([row.status for row in group.rows])
        if group.status is None
        else bytes((small_code(group.status),)) * len(group.rows)
        for group in groups
        if group.rows
    )


def is_ascending(names: array[int]) -> bool:
    """Whether every name is larger than the one before."""
    return names.tolist() == sorted(names)


def ends_of(sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield the size of each list and where it ends."""
    return zip(sizes, accumulate(sizes), strict=True)
