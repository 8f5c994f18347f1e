"""The hosts of one step: their names, their statuses, and what a response changes.

An example. A step has the hosts 11, 12 and 13, all running (7). A response lists them by status:

    apply     groups 7: [11, 13], 9: [12], in batch 5
    places    11, 13, 12 are not in the table's order: a dictionary of all ids gives 0, 2, 1
    codes     7, 7, 9 become the bytes 6, 6, 7, which are compared with the statuses at these places
    returned  one change: place 1, before 7, after 9, the row of host 12
    thrown    all rows of hosts that did not change
    away

A response that lists the hosts in the table's order needs no dictionary; elsewhere it is kept for later ones. A host that
no response lists keeps its status.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import chain, compress
from typing import cast

from msgspec import Struct
from msgspec.structs import replace

from bkjob_async.engine.host_table.changes import NO_CHANGES, ApplyResult, StatusChanges
from bkjob_async.engine.host_table.columns import (
    NOT_SEEN,
    UNENCODABLE,
    ByteColumn,
    changed,
    codes_in,
    codes_of,
    each_picked,
    marked,
    marking_all_but,
    picked,
    small_code,
    small_codes,
    small_codes_in,
)
from bkjob_async.engine.host_table.host_statuses import HostStatuses
from bkjob_async.engine.host_table.id_lookups import IdLookups, places_by_id
from bkjob_async.engine.host_table.identity import IdentityIndex
from bkjob_async.engine.host_table.irregular_hosts import (
    NO_CODES,
    NO_COUNTS,
    NO_IRREGULAR_HOSTS,
    IrregularHosts,
)
from bkjob_async.engine.host_table.machines import Machines
from bkjob_async.engine.host_table.repeated_rows import choose_rows
from bkjob_async.model.poll_view import GroupPollView, HostRow, Named, as_read
from bkjob_async.model.refs import HostKey

LARGEST_SHORT = (1 << 32) - 1


class HostTable(Struct, eq=False, gc=False):
    """The hosts of one step: who they are, and the status of each.

    A host's *place* is its index in `keys`. It is given when the host is first seen, and all names of the host share it: a
    name that is learnt later joins the host, it never makes another.

    A host takes 14 bytes beside its key, which all tables of a client share: a reference to that (8), the batch of its last
    change (4; 8 once a number needs it), its status and the one before (a byte of `columns` each). Statuses, statuses before
    and batch numbers stand one after the other in one string.
    """

    keys: tuple[HostKey, ...] = ()
    _cells: bytes = b""
    _irregular: IrregularHosts = NO_IRREGULAR_HOSTS

    @classmethod
    def of(
        cls,
        keys: Sequence[HostKey],
        codes: Sequence[int | None],
        befores: Sequence[int | None],
        sequences: Sequence[int],
    ) -> HostTable:
        """Return a table of hosts with these codes, codes before, and batches of the last changes."""
        table = cls(tuple(keys))
        table._set_cells(small_codes(codes), small_codes(befores), sequences)
        if UNENCODABLE in table._cells[: 2 * len(keys)]:
            table._irregular = NO_IRREGULAR_HOSTS.with_changes(range(len(keys)), befores, codes)
        return table

    @property
    def size(self) -> int:
        """The number of hosts."""
        return len(self.keys)

    @property
    def statuses(self) -> HostStatuses:
        """The hosts' statuses, to be read."""
        return HostStatuses(len(self.keys), self._cells, self._irregular.codes)

    @property
    def is_countable(self) -> bool:
        """Whether every host has one status, and one that group counts can be compared with."""
        statuses = self._cells[: len(self.keys)]
        return bool(statuses) and not (
            self._irregular.repeated or NOT_SEEN in statuses or UNENCODABLE in statuses
        )

    def ids(self) -> list[int | None]:
        """Return the id of each host, None for one that has other names only."""
        return [key.bk_host_id for key in self.keys]

    def has_ids(self, ids: Sequence[int | None]) -> bool:
        """Return whether hosts with all these ids are known, be it the id of a host that was registered anew; None is none."""
        known = self.ids()
        return known == ids or set(ids) <= {None, *known, *self._irregular.later_ids}

    def keys_at(self, places: Sequence[int]) -> Sequence[HostKey]:
        """Return all names of each host at *places*."""
        return self.keys if isinstance(places, range) else picked(self.keys, places)

    def copy(self) -> HostTable:
        """Return the table as it is now."""
        return HostTable(self.keys, self._cells, self._irregular)

    # Poll views -----------------------------------------------------------------------------------------------------

    def is_unchanged(self, groups: Sequence[GroupPollView]) -> bool:
        """Return whether *groups* list exactly these hosts in this order, each once and with its status."""
        smalls = small_codes_in(groups)
        if smalls != self._cells[: len(self.keys)] or UNENCODABLE in smalls or self._irregular.repeated:
            return False
        ids = [row.bk_host_id for group in groups for row in group.rows or ()]
        return ids == self.ids() and None not in ids

    def apply(
        self,
        groups: Sequence[GroupPollView],
        sequence: int,
        named: Named = as_read,
        *,
        machines: Machines | None = None,
        complete: bool = True,
        forward_only: bool = False,
    ) -> ApplyResult:
        """Apply the rows of one response in batch *sequence*, and return what changed.

        *named* returns rows with all their names, *machines* are those that the client knows.
        *complete*: the response was asked for all hosts and lists as many as it counts. Rows of a host that stands several
        times are not always trusted; `repeated_rows` explains this. *forward_only*: where a host has ended with another
        status than the row has, it has several rows, of which the response lists some; then nothing is changed.
        """
        rows = [*chain.from_iterable(group.rows for group in groups if group.rows)]
        ids, smalls = [row.bk_host_id for row in rows], small_codes_in(groups)
        is_known = True
        places = self.known_places(ids, rows, None if machines is None else machines.lookups)
        if places is None:
            is_known, places = False, self._resolve(rows, named, machines, complete=complete)
        is_regular = complete and not self._irregular.repeated
        if is_regular and not isinstance(places, range):
            is_regular = len(set(places)) == len(places) and (is_known or -1 not in places)
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
            self._irregular = replace(self._irregular, repeated=repeated).or_shared()
        counts = [place >= 0 for place in chosen]
        codes = list(compress(codes, counts))
        changes = self._set(
            list(compress(chosen, counts)), small_codes(codes), codes, list(compress(rows, counts)), sequence
        )
        return ApplyResult(changes, trusted, chosen, each_once=False)

    # Names ----------------------------------------------------------------------------------------------------------

    def known_places(
        self, ids: Sequence[int | None], rows: Sequence[HostRow], lookups: IdLookups | None = None
    ) -> Sequence[int] | None:
        """Return the places of *ids*; None where one is unknown, and where the rows have addresses to be learnt."""
        if not (ids and self.keys):
            return None
        places: Sequence[int]
        # The last one is another one wherever hosts have moved to the last group: few lists are compared in vain.
        may_be_ordered = len(ids) == len(self.keys) and ids[-1] == self.keys[-1].bk_host_id
        if may_be_ordered and ids == self.ids() and None not in ids:
            places = range(len(ids))
        else:
            lookup = places_by_id(self.keys) if lookups is None else lookups.of(self.keys)
            try:
                places = picked(lookup, ids)
            except KeyError:
                return None
        return None if rows[0].ip and self.keys[places[0]].ip is None else places

    def _resolve(
        self,
        rows: Sequence[HostRow],
        named: Named,
        machines: Machines | None = None,
        *,
        complete: bool | None = None,
    ) -> Sequence[int]:
        """Return the place of each row's host by any of its names, and add the hosts that are unknown.

        *complete* is that of `IdentityIndex.places`.
        """
        irregular = self._irregular
        index = IdentityIndex(self.keys, irregular.later_ids, machines)
        places = index.places(rows, named, complete=complete)
        if index.changed:
            self._add_hosts(tuple(index.keys) if machines is None else machines.list_of(index.keys))
            if index.later_ids is not irregular.later_ids:
                self._irregular = replace(irregular, later_ids=index.later_ids).or_shared()
        return places

    def _add_hosts(self, keys: tuple[HostKey, ...]) -> None:
        """Take *keys* for the hosts; those behind the last are new, and were not seen yet."""
        none, size, cells = bytes(len(keys) - len(self.keys)), len(self.keys), self._cells
        sequences = (*self.statuses.sequences(), *none)
        self.keys = keys
        self._set_cells(cells[:size] + none, cells[size : 2 * size] + none, sequences)

    def find_hosts(self, keys: Sequence[HostKey]) -> Sequence[int]:
        """Return the place of each host, by any of its names; -1 for one that is not in the table."""
        size, rows = self.size, cast("Sequence[HostRow]", keys)
        places = IdentityIndex(self.keys).places(rows, as_read)
        return [place if place < size else -1 for place in places]

    # Changes of status ----------------------------------------------------------------------------------------------

    def begin_execution(self, sequence: int) -> None:
        """Forget all statuses and keep the hosts: another execution begins, announced in batch *sequence*."""
        none = bytes(self.size)
        self._set_cells(none, none, [sequence] * self.size)
        self._irregular = replace(self._irregular, codes=NO_CODES, repeated=NO_COUNTS).or_shared()

    def set_codes(
        self, keys: Sequence[HostKey], codes: Sequence[int], sequence: int, lookups: IdLookups | None = None
    ) -> Sequence[int]:
        """Set the codes of hosts in batch *sequence*, adding those that are unknown; return their places."""
        rows = cast("Sequence[HostRow]", keys)
        places = self.known_places([key.bk_host_id for key in keys], rows, lookups)
        if places is None:
            places = self._resolve(rows, as_read)
        self._set(places, small_codes(codes), codes, rows, sequence)
        return places

    def set_status(
        self, places: Sequence[int], befores: bytes, code: int, rows: Sequence[HostRow], sequence: int
    ) -> StatusChanges:
        """Set one status for the hosts at *places*, which are listed as one group; *befores* are their statuses."""
        small = small_code(code)
        positions = marked(befores.translate(marking_all_but(small)))
        if not positions:
            return NO_CHANGES
        places, rows, befores = each_picked(positions, places, rows, befores)
        self._set_statuses(places, bytes((small,)) * len(places), sequence)
        return StatusChanges(places, codes_of(befores), [code] * len(places), rows)

    def infer_status(self, unlisted: ByteColumn, code: int, sequence: int) -> StatusChanges:
        """Set the status of the *unlisted* hosts, which no response listed.

        *unlisted* has a byte for each place: the host's status as one byte, or 0 for a host that is to be left alone.
        """
        small = small_code(code)
        places = marked(bytes(unlisted.translate(marking_all_but(NOT_SEEN, small))))
        size = len(places)
        if not size:
            return NO_CHANGES
        self._set_statuses(places, bytes((small,)) * size, sequence)
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
        if UNENCODABLE in smalls or self._irregular.codes:
            return self._set_irregular(places, smalls, codes or codes_of(smalls), rows, sequence)
        statuses = self._cells[: len(self.keys)]
        before = statuses if isinstance(places, range) else bytes(picked(statuses, places))
        if before == smalls:
            return NO_CHANGES
        places, rows, smalls, befores, afters = changed(before, smalls, places, rows)
        self._set_statuses(places, smalls, sequence)
        return StatusChanges(places, befores, cast("Sequence[int]", afters), rows)

    def _set_irregular(
        self,
        places: Sequence[int],
        smalls: bytes,
        codes: Sequence[int | None],
        rows: Sequence[HostRow],
        sequence: int,
    ) -> StatusChanges:
        """Do the same where hosts have codes that no byte is left for."""
        statuses = self.statuses
        positions = [n for n, place in enumerate(places) if statuses.code(place) != codes[n]]
        if not positions:
            return NO_CHANGES
        places, rows, codes, column = each_picked(positions, places, rows, codes, smalls)
        befores = statuses.decoded_column(places, statuses.at(places))
        self._set_statuses(places, bytes(column), sequence)
        self._irregular = self._irregular.with_changes(places, befores, codes)
        return StatusChanges(places, befores, cast("Sequence[int]", codes), rows)

    # Cells ----------------------------------------------------------------------------------------------------------

    def _set_statuses(self, places: Sequence[int], smalls: ByteColumn, sequence: int) -> None:
        """Set new statuses in batch *sequence*; what the hosts had becomes their status before."""
        size, cells = len(self.keys), self._cells
        if isinstance(places, range):  # all hosts
            self._set_cells(smalls, cells[:size], [sequence] * size)
            return
        if sequence > LARGEST_SHORT and len(cells) == 6 * size:
            cells = cells[: 2 * size] + array("Q", self.statuses.sequences()).tobytes()
        new = bytearray(cells)
        sequences = memoryview(new)[2 * size :].cast("I" if len(new) == 6 * size else "Q")
        for place, small in zip(places, smalls, strict=True):
            new[size + place] = new[place]
            new[place] = small
            sequences[place] = sequence
        self._cells = bytes(new)

    def _set_cells(self, statuses: ByteColumn, befores: ByteColumn, sequences: Sequence[int]) -> None:
        """Set all statuses, those before, and the batch of each host's last change."""
        is_long = max(sequences, default=0) > LARGEST_SHORT
        self._cells = b"".join((statuses, befores, array("Q" if is_long else "I", sequences)))


def lists_all_hosts(group: GroupPollView) -> bool:
    """Return whether a group that lists hosts lists as many as it counts."""
    return group.status is None or group.rows is None or len(group.rows) == group.size
