"""CPU of finding which of ten thousand hosts changed: the host table, compared with rebuilding and comparing a dict.

Both get decoded rows. *listed* is one list in the order of the first poll. *grouped* is the gateway's order, by status,
so that a host that changes also changes its place. *shuffled* is random order. The hosts that change do so at every
poll, there and back. All run in this process in turn, without garbage collection.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from random import Random
from statistics import median

from benchmarks.compare.bodies import FIRST_HOST
from benchmarks.scale import scaled
from benchmarks.table import show
from bkjob_async.dialects.common.host_rows import FlatHostRow
from bkjob_async.engine.host_table.table import HostTable
from bkjob_async.model.poll_view import GroupPollView

HOSTS = scaled(10_000, 100)
ROUNDS = scaled(9, 1)
POLLS = 6
SHARES = (0.0, 0.01, 1.0)
RUNNING, DONE = 7, 9

Groups = tuple[GroupPollView, ...]


def poll_pair(share: float, order: str) -> tuple[Groups, Groups]:
    """Return the groups of two polls, between which a share of the hosts changes."""
    rows = [FlatHostRow(FIRST_HOST + n, status=RUNNING) for n in range(HOSTS)]
    step = round(1 / share) if share else HOSTS + 1
    moved = [
        FlatHostRow(r.bk_host_id, status=DONE if share and n % step == 0 else RUNNING)
        for n, r in enumerate(rows)
    ]
    if order == "listed":
        return flat(rows), flat(moved)
    if order == "grouped":
        return grouped(rows), grouped(moved)
    dice = Random(1)
    return flat(dice.sample(rows, HOSTS)), flat(dice.sample(moved, HOSTS))


def flat(rows: Sequence[FlatHostRow]) -> Groups:
    """Return rows as one list."""
    return (GroupPollView(size=len(rows), rows=rows),)


def grouped(rows: Sequence[FlatHostRow]) -> Groups:
    """Return rows in groups by status."""
    codes = sorted({row.status for row in rows})
    groups = {code: [row for row in rows if row.status == code] for code in codes}
    return tuple(GroupPollView(status=code, size=len(own), rows=own) for code, own in groups.items())


class PackedTable:
    """The library's host table."""

    def __init__(self) -> None:
        self._table = HostTable()
        self._sequence = 0

    def apply(self, groups: Groups) -> object:
        """Apply a poll; return what changed."""
        self._sequence += 1
        return self._table.apply(groups, self._sequence)


class RebuiltDict:
    """A dict that is rebuilt from every poll and compared with the one before."""

    def __init__(self) -> None:
        self._known: dict[int, FlatHostRow] = {}

    def apply(self, groups: Groups) -> object:
        """Apply a poll; return what changed."""
        seen = {
            row.bk_host_id: row
            for group in groups
            for row in group.rows or ()
            if isinstance(row, FlatHostRow)
        }
        known, self._known = self._known, seen
        return [
            (known.get(host_id), row)
            for host_id, row in seen.items()
            if (before := known.get(host_id)) is None or before.status != row.status
        ]


def timed(make: Callable[[], PackedTable | RebuiltDict], pair: tuple[Groups, Groups]) -> float:
    """Return the CPU seconds per poll, after the first ones."""
    table = make()
    for groups in (*pair, pair[0]):
        table.apply(groups)
    gc.collect()
    started = time.process_time()
    for n in range(POLLS):
        table.apply(pair[(n + 1) % 2])
    return (time.process_time() - started) / POLLS


def main() -> None:
    """Measure and print."""
    rows = []
    gc.disable()
    for order in ("listed", "grouped", "shuffled"):
        for share in SHARES:
            pair = poll_pair(share, order)
            times = [(timed(PackedTable, pair), timed(RebuiltDict, pair)) for _ in range(ROUNDS)]
            ours, dicts = median(a for a, _ in times), median(b for _, b in times)
            ratio = median(a / b for a, b in times)
            rows.append((f"{order}, {share:.0%}", f"{ours * 1e6:.0f}", f"{dicts * 1e6:.0f}", f"{ratio:.2f}"))
    gc.enable()
    show(f"diff: CPU of one poll of {HOSTS} hosts", ("order, changed", "table µs", "dict µs", "ratio"), rows)
