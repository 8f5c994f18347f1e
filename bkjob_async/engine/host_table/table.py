"""The hosts of one step: their names, their statuses, and what a response changes.

An example. A step has the hosts 11, 12 and 13, all running (7). A response lists them by status:

    apply     groups 7: [11, 13], 9: [12], in batch 5
    names     11, 13, 12 are not in the table's order: a dictionary made for this response gives the places 0, 2, 1
    codes     7, 7, 9 become the bytes 6, 6, 7; the columns compare them with the statuses at these places
    returned  one change: place 1, before 7, after 9, the row of host 12
    thrown    the dictionary, and all rows of hosts that did not change
    away

No `HostKey` is made: `key(1)` makes one when the change is read. A host that no response lists keeps its status.
The columns are plain up to `MAX_PLAIN_HOSTS` hosts and packed beyond; both have the same methods.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import chain, compress
from typing import cast

from attrs import evolve
from msgspec import Struct, field

from bkjob_async.engine.host_table.changes import NO_CHANGES, ApplyResult, StatusChanges
from bkjob_async.engine.host_table.columns.byte_columns import marked, marking_all_but, picked
from bkjob_async.engine.host_table.columns.encoding import (
    NOT_SEEN,
    UNENCODABLE,
    code_of,
    codes_in,
    codes_of,
    small_code,
    small_codes,
    small_codes_in,
)
from bkjob_async.engine.host_table.columns.packed_columns import PackedColumns
from bkjob_async.engine.host_table.columns.plain_columns import PlainColumns
from bkjob_async.engine.host_table.host_identity import NON_NUMERIC_ID, IdentityIndex, key_from
from bkjob_async.engine.host_table.host_names import HostNames, numbers_of
from bkjob_async.engine.host_table.host_statuses import HostStatuses
from bkjob_async.engine.host_table.irregular_hosts import (
    NO_CODES,
    NO_COUNTS,
    NO_IRREGULAR_HOSTS,
    IrregularHosts,
    UnreadNames,
    WithNames,
)
from bkjob_async.engine.host_table.repeated_rows import choose_rows
from bkjob_async.engine.host_table.row_places import IdLookup, first_places, known_places, ordered_places
from bkjob_async.model.poll_view import GroupPollView, HostRow, with_all_names
from bkjob_async.model.refs import HostKey

# Up to so many hosts the columns are plain: the packed ones are faster beyond.
MAX_PLAIN_HOSTS = 64

# In place of the rows of a response where there is none.
NO_ROWS: list[HostRow | None] = [None]

# With more hosts than this, names other than ids are read after the first poll, or when they are requested.
MAX_NAMES_READ_AT_ONCE = 100

# So many names of hosts are read at a time, where that can be done in slices.
NAMES_SLICE = 500


Codes = Sequence[int | None]


class HostTable(Struct, eq=False, gc=False):
    """The hosts of one step: who they are, and the status of each.

    A host's *place* is its index in the table. It is given when the host is first seen, and all names of the host share
    it: a name that is learnt later joins the host, it never makes another. `size` is the number of hosts.
    """

    _columns: PlainColumns | PackedColumns = field(default_factory=PlainColumns)
    _irregular: IrregularHosts = NO_IRREGULAR_HOSTS
    size: int = 0

    @classmethod
    def of(cls, hosts: HostNames, codes: Codes, befores: Codes, sequences: Sequence[int]) -> HostTable:
        """Return a table of *hosts* with these codes, codes before, and batches of the last changes."""
        names, addresses = map(list, hosts.numbers())
        for place, key in hosts.keys.items():
            name, addresses[place] = numbers_of(key)
            names[place] = name | place if name == NON_NUMERIC_ID else name
        statuses, statuses_before = small_codes(codes), small_codes(befores)
        unencodable = {
            (place, column is befores): code
            for column, smalls in ((codes, statuses), (befores, statuses_before))
            for place, code in enumerate(column if UNENCODABLE in smalls else ())
            if code is not None and small_code(code) == UNENCODABLE
        }
        columns = columns_for(len(names)).of(
            names, addresses, array("Q", sequences), statuses, statuses_before
        )
        return cls(columns, IrregularHosts(keys=hosts.keys, codes=unencodable).or_shared(), len(names))

    @property
    def statuses(self) -> HostStatuses:
        """The hosts' statuses, to be read."""
        return HostStatuses(self._columns, self._irregular.codes)

    @property
    def is_countable(self) -> bool:
        """Whether every host has one status, and one that group counts can be compared with."""
        statuses = self._columns.statuses()
        return bool(statuses) and not (
            self._irregular.repeated or NOT_SEEN in statuses or UNENCODABLE in statuses
        )

    # Poll views -----------------------------------------------------------------------------------------------------

    def is_unchanged(self, groups: Sequence[GroupPollView]) -> bool:
        """Return whether *groups* list exactly these hosts in this order, each once and with its status.

        False for more than `MAX_PLAIN_HOSTS`: of these some have usually changed.
        """
        if not isinstance(self._columns, PlainColumns) or self._irregular.repeated:
            return False
        smalls = small_codes_in(groups)
        ids = [row.bk_host_id for group in groups for row in group.rows or ()]
        return self._columns.are(ids, smalls) and UNENCODABLE not in smalls

    def apply(
        self,
        groups: Sequence[GroupPollView],
        sequence: int,
        with_names: WithNames = with_all_names,
        lookup: IdLookup | None = None,
        *,
        complete: bool = True,
        forward_only: bool = False,
    ) -> ApplyResult:
        """Apply the rows of one response in batch *sequence*, and return what changed.

        *with_names* returns a row with all its names, *lookup* finds hosts by id. *complete*: the response was asked for
        all hosts and lists as many as it counts. Rows of a host that stands several times are not always trusted;
        `repeated_rows` explains this. *forward_only*: where a host has ended with another status than the row has, it has
        several rows, of which the response lists some; then nothing is changed.
        """
        lists = [group.rows for group in groups if group.rows]
        rows = lists[0] if len(lists) == 1 else [*chain.from_iterable(lists)]
        ids = [row.bk_host_id for row in rows]
        smalls = small_codes_in(groups)
        self.release_response()
        places: Sequence[int] | None = None
        is_regular = True
        if complete and not self._irregular.repeated:
            places = (
                ordered_places(self._columns, ids, rows, lists, lookup)
                if self.size
                else self._add_first_hosts(ids, rows, [len(each) for each in lists], with_names)
            )
        if places is None:
            known = self.known_places(ids, rows, lookup)
            places = self._resolve(rows, with_names, complete=complete) if known is None else known
            repeated = self._irregular.repeated or len(set(places)) != len(places)
            is_regular = complete and not repeated and (known is not None or -1 not in places)
        if forward_only and self.statuses.are_final_otherwise(places, smalls):
            return ApplyResult(NO_CHANGES, trusted=False, places=[-1] * len(rows), each_once=False)
        if not is_regular:
            is_complete = complete and all(map(lists_all_hosts, groups))
            return self._apply_some(places, groups, rows, sequence, complete=is_complete)
        codes = codes_in(groups) if UNENCODABLE in smalls else None
        return ApplyResult(self._set(places, smalls, codes, rows, sequence), trusted=True, places=places)

    def _apply_some(
        self,
        places: Sequence[int],
        groups: Sequence[GroupPollView],
        rows: Sequence[HostRow],
        sequence: int,
        *,
        complete: bool,
    ) -> ApplyResult:
        """Apply rows of which some name no host, or several name one host."""
        codes = codes_in(groups)
        chosen, trusted, repeated = choose_rows(
            places,
            codes,
            rows,
            groups,
            last_repeated=self._irregular.repeated,
            last_code=self.statuses.code,
            complete=complete,
        )
        if repeated or self._irregular.repeated:
            self._irregular = evolve(self._irregular, repeated=repeated).or_shared()
        counts = [place >= 0 for place in chosen]
        codes = list(compress(codes, counts))
        changes = self._set(
            list(compress(chosen, counts)), small_codes(codes), codes, list(compress(rows, counts)), sequence
        )
        return ApplyResult(changes, trusted, chosen, each_once=False)

    # Names ----------------------------------------------------------------------------------------------------------

    def known_places(
        self, ids: Sequence[int | None], rows: Sequence[HostRow], lookup: IdLookup | None = None
    ) -> Sequence[int] | None:
        """Return the places of *ids*; None where one is unknown, and where the rows have addresses to be learnt."""
        return known_places(self._columns, ids, rows, lookup)

    def _add_first_hosts(
        self, ids: Sequence[int | None], rows: Sequence[HostRow], sizes: Sequence[int], with_names: WithNames
    ) -> Sequence[int] | None:
        """Add the hosts of an empty table by their ids and return their places; other names of many are read later."""
        are_many = len(ids) > MAX_NAMES_READ_AT_ONCE and with_names is not with_all_names
        found = first_places(ids, rows, sizes) if are_many or len(sizes) > 1 else None
        if found is None:
            return None
        names, rows, places = found
        self._set_names(names, ())
        self._irregular = evolve(self._irregular, unread=UnreadNames(rows, with_names)).or_shared()
        if not are_many:
            self.release_response()
        return places

    def _resolve(
        self, rows: Sequence[HostRow], with_names: WithNames, *, complete: bool | None = None
    ) -> list[int]:
        """Return the place of each row's host by any of its names, and add the hosts that are unknown.

        *complete* is that of `IdentityIndex.places`.
        """
        irregular = self._irregular
        index = IdentityIndex(
            self._columns.names(), self._columns.addresses(), irregular.keys, irregular.later_ids
        )
        places = index.places(rows, with_names, complete=complete)
        if index.changed:
            self._set_names(index.names, index.addresses)
            if index.keys or index.later_ids is not irregular.later_ids:
                self._irregular = evolve(irregular, keys=index.keys, later_ids=index.later_ids).or_shared()
        return places

    @property
    def has_unread_names(self) -> bool:
        """Whether names that the first poll left unread keep its response alive."""
        return self._irregular.unread is not None

    def release_response(self) -> None:
        """Read the names that the first poll left unread, so that its response can be freed."""
        unread = self._irregular.unread
        if unread is None:
            return
        if not unread.is_complete:
            unread.read(range(self.size))
        self._set_names(self._columns.names(), unread.addresses)
        self._irregular = evolve(self._irregular, keys=unread.keys, unread=None).or_shared()

    def release_response_in_slices(self) -> Iterator[None]:
        """Read the names that the first poll left unread, those of `NAMES_SLICE` hosts at a time."""
        unread = self._irregular.unread
        for begin in range(0, self.size, NAMES_SLICE):
            if unread is None or self._irregular.unread is not unread:
                return
            unread.read(range(begin, min(begin + NAMES_SLICE, self.size)))
            yield
        if self._irregular.unread is unread:
            self.release_response()

    def copy(self) -> HostTable:
        """Return the table as it is now."""
        self.release_response()
        return HostTable(self._columns.copy(), self._irregular, self.size)

    def _set_names(self, names: Sequence[int], addresses: Sequence[int]) -> None:
        columns, self.size = self._columns, len(names)
        self._columns = columns_for(self.size).of(
            names, addresses, columns.sequences(), columns.statuses(), columns.befores()
        )

    def names(self) -> array[int]:
        """Return every host's name as a number, in the order of places."""
        return self._columns.names()

    def key(self, place: int) -> HostKey:
        """Return all names of the host at *place*."""
        return self.keys((place,))[0]

    def keys(self, places: Sequence[int]) -> list[HostKey]:
        """Return all names of each host at *places*."""
        unread = self._irregular.unread
        if unread is not None:
            unread.read(places)
            if not unread.is_complete:
                names, addresses = self._columns.names_at(places), picked(unread.addresses, places)
                return list(map(key_from, names, addresses, map(unread.keys.get, places)))
            self.release_response()
        columns, keys = self._columns, self._irregular.keys
        return list(
            map(key_from, columns.names_at(places), columns.addresses_at(places), map(keys.get, places))
        )

    def names_at(self, places: Sequence[int]) -> HostNames:
        """Return the names of the hosts at *places*."""
        self.release_response()
        columns, irregular = self._columns, self._irregular.keys
        names, addresses = columns.names_at(places), columns.addresses_at(places)
        if not irregular:
            return HostNames.of(names, addresses)
        keys = {n: self.key(place) for n, place in enumerate(places) if place in irregular}
        for number in keys:
            names[number] = addresses[number] = 0
        return HostNames.of(names, addresses, keys)

    def find_hosts(self, keys: Sequence[HostKey]) -> list[int]:
        """Return the place of each host, by any of its names; -1 for one that is not in the table."""
        size = self.size
        index = IdentityIndex(self._columns.names(), self._columns.addresses(), self._irregular.keys)
        places = index.places(cast("Sequence[HostRow]", keys), with_all_names)
        return [place if place < size else -1 for place in places]

    # Changes of status ----------------------------------------------------------------------------------------------

    def begin_execution(self, sequence: int) -> None:
        """Forget all statuses and keep the hosts: another execution begins, announced in batch *sequence*."""
        if self.size:
            self._columns.clear_statuses(sequence)
        self._irregular = evolve(self._irregular, codes=NO_CODES, repeated=NO_COUNTS).or_shared()

    def set_codes(self, hosts: HostNames, codes: Sequence[int], sequence: int) -> Sequence[int]:
        """Set the codes of *hosts* in batch *sequence*, adding those that are unknown; return their places."""
        columns = self._columns
        names, addresses = hosts.numbers()
        places = None if hosts.keys else IdLookup(columns.names()).places(names)
        if places is None or columns.addresses_at(places) != list(addresses):
            places = self._resolve(cast("Sequence[HostRow]", hosts.host_keys()), with_all_names)
        self._set(
            places, small_codes(codes), codes, cast("Sequence[HostRow]", NO_ROWS * len(codes)), sequence
        )
        return places

    def set_status(
        self, places: Sequence[int], befores: bytes, code: int, rows: Sequence[HostRow], sequence: int
    ) -> StatusChanges:
        """Set one status for the hosts at *places*, which are listed as one group; *befores* are their statuses."""
        small = small_code(code)
        positions = marked(befores.translate(marking_all_but(small)))
        if not positions:
            return NO_CHANGES
        places = picked(places, positions)
        self._columns.set_statuses(places, bytes((small,)) * len(places), sequence)
        befores = bytes(picked(befores, positions))
        return StatusChanges(places, codes_of(befores), [code] * len(places), picked(rows, positions))

    def infer_status(self, unlisted: bytes | bytearray, code: int, sequence: int) -> StatusChanges:
        """Set the status of the *unlisted* hosts, which no response listed.

        *unlisted* has a byte for each place: the host's status as one byte, or 0 for a host that is to be left alone.
        """
        small = small_code(code)
        marks = bytes(unlisted.translate(marking_all_but(NOT_SEEN, small)))
        places = self._columns.set_marked(marks, small, sequence)
        size = len(places)
        if not size:
            return NO_CHANGES
        return StatusChanges(places, codes_of(picked(unlisted, places)), [code] * size, [None] * size)

    def _set(
        self,
        places: Sequence[int],
        smalls: bytes,
        codes: Sequence[int] | None,
        rows: Sequence[HostRow],
        sequence: int,
    ) -> StatusChanges:
        """Set the statuses of hosts, each named once; *codes* are given where one may not be encodable."""
        if codes is not None and UNENCODABLE in smalls:
            return self._set_codes(places, smalls, codes, rows, sequence)
        update = self._columns.update(places, smalls, sequence)
        if update is None:
            return NO_CHANGES
        positions, places, befores, afters = update
        if len(positions) < len(rows):
            rows = picked(rows, positions)
        known = self._irregular.codes
        before = (
            [
                known[place, False] if small == UNENCODABLE else code_of(small)
                for place, small in zip(places, befores, strict=True)
            ]
            if known
            else codes_of(befores)
        )
        changes = StatusChanges(places, before, cast("Sequence[int]", codes_of(afters)), rows)
        if known:
            self._irregular = self._irregular.with_changes(changes)
        return changes

    def _set_codes(
        self,
        places: Sequence[int],
        smalls: bytes,
        codes: Sequence[int],
        rows: Sequence[HostRow],
        sequence: int,
    ) -> StatusChanges:
        """Set statuses of which some are not encodable: two such codes have the same byte."""
        known = self.statuses
        positions = [n for n, place in enumerate(places) if known.code(place) != codes[n]]
        places, codes, rows = picked(places, positions), picked(codes, positions), picked(rows, positions)
        changes = StatusChanges(places, [known.code(place) for place in places], codes, rows)
        self._columns.set_statuses(places, bytes(picked(smalls, positions)), sequence)
        self._irregular = self._irregular.with_changes(changes)
        return changes


def columns_for(size: int) -> type[PlainColumns | PackedColumns]:
    """Return the kind of columns for so many hosts."""
    return PackedColumns if size > MAX_PLAIN_HOSTS else PlainColumns


def lists_all_hosts(group: GroupPollView) -> bool:
    """Return whether a group that lists hosts lists as many as it counts."""
    return group.status is None or group.rows is None or len(group.rows) == group.size
