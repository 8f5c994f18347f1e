"""What the sizes of a step's groups say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bkjob_async.engine.host_table.table import HostTable
from bkjob_async.model.poll_view import GroupPollView

WAITING, RUNNING = 5, 7
Group = tuple[int, str]
Told = Mapping[Group, int]


def group_of(group: GroupPollView) -> Group | None:
    """Return a group's status and tag, None for one without."""
    return None if group.status is None else (group.status, group.tag)


def told_by(groups: Iterable[GroupPollView]) -> dict[Group, int]:
    """Return the groups' sizes by status and tag, nothing for groups that cannot be told apart or counted."""
    told: dict[Group, int] = {}
    for group in groups:
        named = group_of(group)
        if named is None or named in told or group.size < 0:
            return {}
        if group.size:
            told[named] = group.size
    return told


def moved_codes(table: HostTable, told: Told, agreed: Told | None = None) -> dict[int, int] | None:
    """Return by how many hosts each status grew that hosts have left or entered; None when that makes no sense.

    As many hosts must be counted as are known. A final status never shrinks. Hosts come and go through `RUNNING`, so
    whenever anything moved it may have others, though it counts as many. *agreed* are sizes that the table agrees with.
    """
    if not table.is_countable or sum(told.values()) != len(table):
        return None
    sizes = sizes_by_code(told)
    counted = None if agreed is None else sizes_by_code(agreed)
    known = {code: table.count(code) if counted is None else counted.get(code, 0) for code in sizes}
    grown = {code: size - known[code] for code, size in sizes.items() if size != known[code]}
    untold = sum(known.values()) != len(table)
    if untold or any(change < 0 for code, change in grown.items() if code not in (WAITING, RUNNING)):
        return None
    if grown and (known[RUNNING] or sizes[RUNNING]):
        grown.setdefault(RUNNING, 0)
    if grown.get(WAITING, 0) > 0:
        return None
    return grown


def sizes_by_code(told: Told) -> dict[int, int]:
    """Return how many hosts are counted under each status, whatever their tags."""
    sizes = {WAITING: 0, RUNNING: 0}
    for (code, _), size in told.items():
        sizes[code] = sizes.get(code, 0) + size
    return sizes
