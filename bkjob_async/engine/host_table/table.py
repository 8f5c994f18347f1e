"""The hosts of one step: their names, their statuses, and what a response changes.

An example. A step has the hosts 11, 12 and 13, all running (7). A response lists them by status:

    apply     groups 7: [11, 13], 9: [12], in batch 5
    names     11, 13, 12 are not in the table's order: a dictionary made for this response gives the places 0, 2, 1
    codes     7, 7, 9 become the bytes 2, 2, 3; the columns compare them with the statuses at these places
    returned  one change: place 1, before 7, after 9, the row of host 12
    thrown    the dictionary, and all rows of hosts that did not change
    away

No `HostKey` is made: `key(1)` makes one when somebody reads the change. A host that no response lists keeps its status.
The columns are plain up to `MAX_PLAIN_HOSTS` hosts and packed beyond; both have the same methods.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import compress
from typing import cast

from attrs import evolve
from msgspec import Struct, field

from bkjob_async.engine.host_table.byte_columns import ByteColumn, marked, marking_all_but, picked
from bkjob_async.engine.host_table.changes import NO_CHANGES, ApplyResult, StatusChanges
from bkjob_async.engine.host_table.encoding import (
    CODES,
    NON_NUMERIC_ID,
    NOT_SEEN,
    OPEN,
    UNENCODABLE,
    code_of,
    codes_of,
    small_code,
    small_codes,
)
from bkjob_async.engine.host_table.host_identity import LARGEST_ID, IdentityIndex, is_id, key_from
from bkjob_async.engine.host_table.host_names import HostNames, numbers_of
from bkjob_async.engine.host_table.id_lookup import IdLookup, column_of, pack_ids
from bkjob_async.engine.host_table.irregular_hosts import (
    NO_CODES,
    NO_COUNTS,
    NO_IRREGULAR_HOSTS,
    IrregularHosts,
    WithNames,
)
from bkjob_async.engine.host_table.packed_columns import PackedColumns
from bkjob_async.engine.host_table.plain_columns import PlainColumns
from bkjob_async.engine.host_table.repeated_rows import choose_rows
from bkjob_async.engine.host_table.unread_names import UnreadNames
from bkjob_async.engine.host_table.view_columns import (
    codes_in,
    ends_of,
    is_ascending,
    joined,
    lists_all_hosts,
    small_codes_in,
)
from bkjob_async.model.poll_view import GroupPollView, HostRow, with_all_names
from bkjob_async.model.refs import HostKey
from bkjob_async.model.status import SUCCESSFUL_HOST_CODES, Phase, host_status

# Up to so many hosts the columns are plain: the packed ones are faster beyond.
MAX_PLAIN_HOSTS = 64

# Up to so many hosts a dictionary made for one response finds them as fast as their order does.
MAX_LOOKED_UP = 256

# Up to one in so many hosts of a table are searched one by one.
RARE_SEARCH = 512

# In place of the rows of a response where there is none.
NO_ROWS: list[HostRow | None] = [None]

# With more hosts than this, names other than ids are read after the first poll, or when they are requested.
MAX_NAMES_READ_AT_ONCE = 100

# So many names of hosts are read at a time, where that can be done in slices.
NAMES_SLICE = 500


class HostTable(Struct, eq=False, gc=False):
    """The hosts of one step: who they are, and the status of each.

    A host's *place* is its index in the table. It is given when the host is first seen, and all names of the host share
    it: a name that is learnt later joins the host, it never makes another.
    """

    _columns: PlainColumns | PackedColumns = field(default_factory=PlainColumns)
    _irregular: IrregularHosts = NO_IRREGULAR_HOSTS

    def __len__(self) -> int:
        return len(self._columns)

    @property
    def is_countable(self) -> bool:
        """Whether every host has one status, and one that group counts can be compared with."""
        columns = self._columns
        return bool(len(columns)) and not (
            self._irregular.repeated or columns.has_status(NOT_SEEN) or columns.has_status(UNENCODABLE)
        )

    # Poll views -----------------------------------------------------------------------------------------------------

    def is_unchanged(self, groups: Sequence[GroupPollView]) -> bool:
        """Return whether *groups* list exactly these hosts in this order, each once and with its status."""
        if self._irregular.repeated:
            return False
        packed = pack_ids([row.bk_host_id for group in groups for row in group.rows or ()])
        if packed is None or not self._columns.has_packed_names(packed):
            return False
        smalls = small_codes_in(groups)
        return self._columns.has_statuses(smalls) and UNENCODABLE not in smalls

    def apply(
        self,
        groups: Sequence[GroupPollView],
        sequence: int,
        with_names: WithNames = with_all_names,
        lookup: IdLookup | None = None,
        *,
        complete: bool = True,
    ) -> ApplyResult:
        """Apply the rows of one response in batch *sequence*, and return what changed.

        *with_names* returns a row with all its names, *lookup* finds hosts by id. *complete*: the response was asked for
        all hosts and lists as many as it counts. Rows of a host that stands several times are not always trusted;
        `repeated_rows` explains this.
        """
        lists = [group.rows for group in groups if group.rows]
        rows = joined(lists)
        ids = [row.bk_host_id for row in rows]
        smalls = small_codes_in(groups)
        self.release_response()
        places = self._ordered_places(ids, rows, lists, with_names, lookup) if complete else None
        if places is None:
            known = self.known_places(ids, rows, lookup)
            places = self._resolve(rows, with_names) if known is None else known
            repeated = self._irregular.repeated or len(set(places)) != len(places)
            if not complete or repeated or (known is None and -1 in places):
                return self._apply_some(
                    places, groups, rows, sequence, complete=complete and lists_all_hosts(groups)
                )
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
            last_code=self._code,
            complete=complete,
        )
        if repeated or self._irregular.repeated:
            self._irregular = evolve(self._irregular, repeated=repeated).or_shared()
        counts = [place >= 0 for place in chosen]
        codes = list(compress(codes, counts))
        changes = self._set(
            list(compress(chosen, counts)),
            small_codes(codes),
            codes,
            list(compress(rows, counts)),
            sequence,
        )
        return ApplyResult(changes, trusted, chosen, each_once=False)

    # Names ----------------------------------------------------------------------------------------------------------

    def known_places(
        self, ids: Sequence[int | None], rows: Sequence[HostRow], lookup: IdLookup | None = None
    ) -> Sequence[int] | None:
        """Return the places of *ids*; None where one is unknown, and where the rows have addresses to be learnt."""
        if not ids or (rows[0].ip and not self._columns.has_addresses):
            return None
        if lookup is None and RARE_SEARCH * len(ids) < len(self):
            places = [self._columns.find(number) if is_id(number) else -1 for number in ids]
            return None if -1 in places else places
        return (lookup or IdLookup(self._columns.names())).places(ids)

    def _ordered_places(
        self,
        ids: Sequence[int | None],
        rows: Sequence[HostRow],
        lists: Sequence[Sequence[HostRow]],
        with_names: WithNames,
        lookup: IdLookup | None,
    ) -> Sequence[int] | None:
        """Return the places of rows that list every host once, in an order that makes it easy; None elsewhere."""
        columns = self._columns
        if self._irregular.repeated:
            return None
        if not len(columns):
            return self._add_first_hosts(ids, rows, [len(each) for each in lists], with_names)
        packed = pack_ids(ids) if len(ids) == len(columns) else None
        if packed is not None and columns.has_packed_names(packed):
            return range(len(ids))
        if packed is None or isinstance(columns, PlainColumns) or len(columns) <= MAX_LOOKED_UP:
            return None
        if lookup is not None or (rows[0].ip and not columns.has_addresses):
            return None
        return columns.listed_order(packed, cast("Sequence[int]", ids), [len(each) for each in lists])

    def _add_first_hosts(
        self,
        ids: Sequence[int | None],
        rows: Sequence[HostRow],
        sizes: Sequence[int],
        with_names: WithNames,
    ) -> Sequence[int] | None:
        """Add the hosts of an empty table by their ids and return their places; other names of many are read later."""
        are_many = len(ids) > MAX_NAMES_READ_AT_ONCE and with_names is not with_all_names
        if not are_many and len(sizes) < 2:
            return None
        names = column_of(ids)
        if names is None or max(names) > LARGEST_ID or len(set(ids)) != len(ids):
            return None
        places: Sequence[int] = range(len(ids))
        if len(sizes) > 1 and all(is_ascending(names[end - size : end]) for size, end in ends_of(sizes)):
            # Each list is sorted by id, and so will be those of later responses: a sorted table is close to them.
            order = sorted(places, key=names.__getitem__)
            names, rows = array("Q", sorted(names)), picked(rows, order)
            places = sorted(places, key=order.__getitem__)
        self._set_names(names, ())
        self._irregular = evolve(self._irregular, unread=UnreadNames(rows, with_names)).or_shared()
        if not are_many:
            self.release_response()
        return places

    def _resolve(self, rows: Sequence[HostRow], with_names: WithNames) -> list[int]:
        """Return the place of each row's host by any of its names, and add the hosts that are unknown."""
        index = IdentityIndex(self._columns.names(), self._columns.addresses(), self._irregular.keys)
        places = index.places(rows, with_names)
        if index.changed:
            self._set_names(index.names, index.addresses)
            if index.keys:
                self._irregular = evolve(self._irregular, keys=index.keys).or_shared()
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
            unread.read(range(len(self)))
        self._set_names(self._columns.names(), unread.addresses)
        self._irregular = evolve(self._irregular, keys=unread.keys, unread=None).or_shared()

    def release_response_in_slices(self) -> Iterator[None]:
        """Read the names that the first poll left unread, those of `NAMES_SLICE` hosts at a time."""
        unread = self._irregular.unread
        for begin in range(0, len(self), NAMES_SLICE):
            if unread is None or self._irregular.unread is not unread:
                return
            unread.read(range(begin, min(begin + NAMES_SLICE, len(self))))
            yield
        if self._irregular.unread is unread:
            self.release_response()

    def copy(self) -> HostTable:
        """Return the table as it is now."""
        self.release_response()
        return HostTable(self._columns.copy(), self._irregular)

    def _set_names(self, names: Sequence[int], addresses: Sequence[int]) -> None:
        columns = self._columns
        if isinstance(columns, PlainColumns) and len(names) <= MAX_PLAIN_HOSTS:
            columns.set_names(names, addresses)
        else:
            self._columns = PackedColumns.of(
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
        if len(places) == 1:
            place = places[0]
            return [key_from(columns.name(place), columns.address(place), keys.get(place))]
        return list(
            map(key_from, columns.names_at(places), columns.addresses_at(places), map(keys.get, places))
        )

    def names_at(self, places: Sequence[int]) -> HostNames:
        """Return the names of the hosts at *places* as columns."""
        self.release_response()
        columns, irregular = self._columns, self._irregular.keys
        if len(places) == 1:
            names, addresses = [columns.name(places[0])], [columns.address(places[0])]
        else:
            names, addresses = columns.names_at(places), columns.addresses_at(places)
        if not irregular:
            return HostNames(names, addresses)
        keys = {n: self.key(place) for n, place in enumerate(places) if place in irregular}
        for number in keys:
            names[number] = addresses[number] = 0
        return HostNames(names, addresses, keys)

    def find_hosts(self, keys: Sequence[HostKey]) -> list[int]:
        """Return the place of each host, by any of its names; -1 for one that is not in the table."""
        size = len(self)
        index = IdentityIndex(self._columns.names(), self._columns.addresses(), self._irregular.keys)
        places = index.places(cast("Sequence[HostRow]", keys), with_all_names)
        return [place if place < size else -1 for place in places]

    # Stored states --------------------------------------------------------------------------------------------------

    @classmethod
    def stored(
        cls,
        hosts: HostNames,
        codes: Sequence[int | None],
        befores: Sequence[int | None],
        sequences: Sequence[int],
    ) -> HostTable:
        """Return a table of *hosts* with these codes, codes before, and batches of the last changes."""
        names, addresses = list(hosts.names), list(hosts.addresses)
        for place, key in hosts.keys.items():
            name, addresses[place] = numbers_of(key)
            names[place] = name | place if name == NON_NUMERIC_ID else name
        statuses, statuses_before = stored_statuses(codes), stored_statuses(befores)
        columns = PackedColumns if len(names) > MAX_PLAIN_HOSTS else PlainColumns
        table = cls(columns.of(names, addresses, array("Q", sequences), statuses, statuses_before))
        unencodable = {
            (place, column is befores): code
            for column, smalls in ((codes, statuses), (befores, statuses_before))
            for place, code in enumerate(column if UNENCODABLE in smalls else ())
            if code is not None and small_code(code) == UNENCODABLE
        }
        table._irregular = IrregularHosts(keys=hosts.keys, codes=unencodable).or_shared()
        return table

    def set_codes(
        self, hosts: HostNames, codes: Sequence[int], sequence: int, lookup: IdLookup | None = None
    ) -> Sequence[int]:
        """Set the codes of *hosts* in batch *sequence*, adding those that are unknown; return their places."""
        columns = self._columns
        places = None if hosts.keys else (lookup or IdLookup(columns.names())).places(hosts.names)
        if places is None or columns.addresses_at(places) != list(hosts.addresses):
            places = self._resolve(cast("Sequence[HostRow]", hosts.host_keys()), with_all_names)
        self._set(
            places, small_codes(codes), codes, cast("Sequence[HostRow]", NO_ROWS * len(codes)), sequence
        )
        return places

    def stored_columns(
        self,
    ) -> tuple[HostNames, Sequence[int | None], Sequence[int | None], Sequence[int]]:
        """Return what `stored` takes."""
        columns = self._columns
        codes, befores = (
            [self._decoded(place, small, before=before) for place, small in enumerate(smalls)]
            if UNENCODABLE in smalls
            else codes_of(smalls)
            for smalls, before in ((columns.statuses(), False), (columns.befores(), True))
        )
        return self.names_at(range(len(self))), codes, befores, columns.sequences()

    # Changes of status ----------------------------------------------------------------------------------------------

    def begin_execution(self, sequence: int) -> None:
        """Forget all statuses and keep the hosts: another execution begins, announced in batch *sequence*."""
        if len(self):
            self._columns.clear_statuses(sequence)
        self._irregular = evolve(self._irregular, codes=NO_CODES, repeated=NO_COUNTS).or_shared()

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
        positions = [n for n, place in enumerate(places) if self._code(place) != codes[n]]
        places, codes, rows = picked(places, positions), picked(codes, positions), picked(rows, positions)
        changes = StatusChanges(places, [self._code(place) for place in places], codes, rows)
        self._columns.set_statuses(places, bytes(picked(smalls, positions)), sequence)
        self._irregular = self._irregular.with_changes(changes)
        return changes

    # Statuses -------------------------------------------------------------------------------------------------------

    @property
    def unfinished_count(self) -> int:
        """The number of hosts that have not ended."""
        statuses = self._columns.statuses()
        return sum(statuses.count(small) for small in OPEN)

    def count(self, code: int) -> int:
        """Return the number of hosts with this status code."""
        return self._columns.statuses().count(small_code(code))

    def counts(self) -> dict[Phase, int]:
        """Return the number of hosts seen in the current execution, by phase."""
        total: Counter[Phase] = Counter()
        statuses = self._columns.statuses()
        for small in set(statuses) - {NOT_SEEN}:
            code = code_of(small) if small != UNENCODABLE else None
            total[Phase.UNKNOWN if code is None else host_status(code).phase] += statuses.count(small)
        return dict(total)

    def classes(self, class_of: Mapping[Phase, int]) -> bytes:
        """Return a byte for each place: the class of the host's phase; 0 for hosts that were not seen, and other phases."""
        table = bytearray(256)
        table[UNENCODABLE] = class_of.get(Phase.UNKNOWN, 0)
        for small, code in enumerate(CODES):
            if code is not None:
                table[small] = class_of.get(host_status(code).phase, 0)
        return bytes(self._columns.statuses().translate(table))

    def codes_at(self, places: Sequence[int]) -> Sequence[int]:
        """Return the codes of the hosts at *places*, which were seen."""
        statuses = self._columns.statuses()
        return cast(
            "Sequence[int]", self._decoded_column(places, bytes([statuses[place] for place in places]))
        )

    def statuses_at(self, places: Sequence[int]) -> bytes:
        """Return the statuses of the hosts at *places* as bytes."""
        return bytes(picked(self._columns.statuses(), places))

    def masked_statuses(self, codes: Iterable[int]) -> bytearray:
        """Return a byte for each place: the host's status where it is one of *codes*, else 0."""
        kept = bytearray(256)
        for small in map(small_code, codes):
            kept[small] = small
        return bytearray(self._columns.statuses().translate(kept))

    def has_changed(self, since: int) -> bool:
        """Return whether a host has changed, or an execution begun, in batch *since* or later."""
        return max(self._columns.sequences(), default=-1) >= since

    def changes_since(self, since: int = 0) -> StatusChanges:
        """Return the last change of each host that changed in batch *since* or later, without rows."""
        columns = self._columns
        sequences, statuses, befores = columns.sequences(), columns.statuses(), columns.befores()
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
            self._decoded_column(places, befores, before=True),
            self._decoded_column(places, statuses),
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
        statuses, wanted = self._columns.statuses(), bytearray(256)
        for small in smalls:
            wanted[small] = 1
        places = list(compress(range(len(statuses)), statuses.translate(wanted)))
        codes = self._decoded_column(places, bytes(picked(statuses, places)))
        return places, cast("Sequence[int]", codes)

    def _code(self, place: int) -> int | None:
        return self._decoded(place, self._columns.status(place))

    def _decoded_column(
        self, places: Sequence[int], smalls: ByteColumn, *, before: bool = False
    ) -> Sequence[int | None]:
        """Return the codes that the bytes of the hosts at *places* mean."""
        if UNENCODABLE not in smalls:
            return codes_of(smalls)
        return [
            self._decoded(place, small, before=before) for place, small in zip(places, smalls, strict=True)
        ]

    def _decoded(self, place: int, small: int, *, before: bool = False) -> int | None:
        """Return the code that a byte of the host at *place* means."""
        return self._irregular.codes[place, before] if small == UNENCODABLE else code_of(small)


def stored_statuses(codes: Sequence[int | None]) -> bytes:
    """Return the bytes of host codes, `NOT_SEEN` for None."""
    small_of = {code: NOT_SEEN if code is None else small_code(code) for code in set(codes)}
    return bytes(map(small_of.__getitem__, codes))
