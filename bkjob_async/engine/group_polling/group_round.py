"""Group counts of a large step, and one round of reading the groups that changed.

The platform lists the hosts of a step in groups: one group for each status and tag, with the number of its hosts. The
*counts* are these numbers, as a mapping {(status, tag): hosts}.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence

from attrs import define

from bkjob_async.engine.host_table.encoding import NOT_SEEN, small_code
from bkjob_async.engine.host_table.table import HostTable
from bkjob_async.model.poll_view import GroupPollView

WAITING, RUNNING = 5, 7
GroupKey = tuple[int, str]
GroupCounts = Mapping[GroupKey, int]

_REMOVE_WAITING = bytes.maketrans(bytes((small_code(WAITING),)), bytes((NOT_SEEN,)))


def group_key(group: GroupPollView) -> GroupKey | None:
    """Return a group's status and tag, None for a group without a status."""
    return None if group.status is None else (group.status, group.tag)


def count_groups(groups: Iterable[GroupPollView]) -> dict[GroupKey, int]:
    """Return the counts of *groups*, empty where two groups have one key or a number is impossible."""
    counts: dict[GroupKey, int] = {}
    for group in groups:
        key = group_key(group)
        if key is None or key in counts or group.size < 0:
            return {}
        if group.size:
            counts[key] = group.size
    return counts


def changed_statuses(
    table: HostTable, counts: GroupCounts, last_counts: GroupCounts | None = None
) -> dict[int, int] | None:
    """Return the growth of each status that hosts may have entered or left; None where the counts are contradictory.

    The counts must add up to the hosts of the *table*, and no final status may shrink. Hosts pass through `RUNNING`:
    when anything changed, other hosts than before may be running, even where their number is the same. So `RUNNING` is
    returned with a growth of 0 then. *last_counts* are counts that the table agrees with; they spare counting it.
    """
    if not table.is_countable or sum(counts.values()) != len(table):
        return None
    totals = count_statuses(counts)
    last_totals = None if last_counts is None else count_statuses(last_counts)
    known = {
        status: table.count(status) if last_totals is None else last_totals.get(status, 0)
        for status in totals
    }
    growth = {status: total - known[status] for status, total in totals.items() if total != known[status]}
    some_are_missing = sum(known.values()) != len(table)
    if some_are_missing or any(
        change < 0 for status, change in growth.items() if status not in (WAITING, RUNNING)
    ):
        return None
    if growth and (known[RUNNING] or totals[RUNNING]):
        growth.setdefault(RUNNING, 0)
    if growth.get(WAITING, 0) > 0:
        return None
    return growth


def count_statuses(counts: GroupCounts) -> dict[int, int]:
    """Return the number of hosts under each status, whatever their tags."""
    totals = {WAITING: 0, RUNNING: 0}
    for (status, _), size in counts.items():
        totals[status] = totals.get(status, 0) + size
    return totals


def read_order(counts: GroupCounts, changed: Container[int]) -> list[GroupKey]:
    """Return the groups whose status has *changed*, in the order of reading; the last, the largest, is inferred.

    The others go from the smallest to the largest. A group that `GroupRound.skip_waiting_group` may spare comes after
    them, just before the last.
    """
    groups = sorted((key for key in counts if key[0] in changed), key=counts.__getitem__)
    spared = next((key for key in groups[-2::-1] if are_waiting_and_final(key, groups[-1])), None)
    if spared is not None:
        groups.remove(spared)
        groups.insert(len(groups) - 1, spared)
    return groups


def are_waiting_and_final(one: GroupKey, other: GroupKey) -> bool:
    """Return whether one group has waiting hosts and the other hosts with a final status."""
    return (one[0] == WAITING) != (other[0] == WAITING) and RUNNING not in (one[0], other[0])


@define
class GroupRound:
    """One poll of a large step by several requests: counts first, then one group after the other.

    *counts* are those that the round began with, *statuses* the statuses that changed. *to_read* are the groups still to
    be read, *inferred* is the group that is never read. *unlisted* has a byte for each place of the table: the status
    that a host had if it may have changed and no response of the round listed it yet, else 0. *unlisted_count* is the
    number of hosts that the counts leave for them.
    """

    counts: GroupCounts
    statuses: frozenset[int]
    to_read: list[GroupKey]
    inferred: GroupKey
    unlisted: bytearray
    unlisted_count: int

    def mark_listed(self, key: GroupKey, places: Sequence[int]) -> None:
        """Record that the whole group *key* was listed, with the hosts at *places*."""
        self.to_read.remove(key)
        self.unlisted_count -= len(places)
        unlisted = self.unlisted
        for place in places:
            unlisted[place] = NOT_SEEN

    def skip_waiting_group(self) -> None:
        """Read no further where a waiting and a final group are left, and nobody has left the waiting one.

        No host returns to waiting. Where the hosts that waited before and were not listed since are as many as are
        counted as waiting now, they are the same hosts; all others must be in the final group.
        """
        if len(self.to_read) != 1:
            return
        one, other = self.to_read[0], self.inferred
        if not are_waiting_and_final(one, other):
            return
        waiting, final = (one, other) if one[0] == WAITING else (other, one)
        if self.unlisted.count(small_code(WAITING)) == self.counts[waiting]:
            self.unlisted = self.unlisted.translate(_REMOVE_WAITING)
            self.unlisted_count -= self.counts[waiting]
            self.to_read, self.inferred = [], final
