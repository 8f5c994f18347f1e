"""What it costs to see which of ten thousand hosts moved: our table, beside a dict that is built anew and compared.

Both get rows that are decoded already. *listed* is a flat list in the order of the first look, *grouped* is as the
gateway lists, by status, so that whoever moves stands elsewhere; *shuffled* is in any order. The share that moves goes
there and back, look by look. All run in this process in turn, garbage collection off.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from random import Random
from statistics import median

from benchmarks.compare.bodies import FIRST_HOST
from benchmarks.table import show
from bkjob_async.dialects.common.host_rows import BareRow
from bkjob_async.engine.host_table.table import HostTable
from bkjob_async.model.poll_view import GroupPollView

HOSTS = 10_000
ROUNDS = 9
LOOKS = 6
SHARES = (0.0, 0.01, 1.0)
RUNNING, DONE = 7, 9

Look = tuple[GroupPollView, ...]


def looks(share: float, order: str) -> tuple[Look, Look]:
    """Return two looks at the same hosts, between which a share of them moves."""
    rows = [BareRow(FIRST_HOST + n, status=RUNNING) for n in range(HOSTS)]
    step = round(1 / share) if share else HOSTS + 1
    moved = [
        BareRow(r.bk_host_id, status=DONE if share and n % step == 0 else RUNNING) for n, r in enumerate(rows)
    ]
    if order == "listed":
        return flat(rows), flat(moved)
    if order == "grouped":
        return grouped(rows), grouped(moved)
    dice = Random(1)
    return flat(dice.sample(rows, HOSTS)), flat(dice.sample(moved, HOSTS))


def flat(rows: Sequence[BareRow]) -> Look:
    """Return rows as one list."""
    return (GroupPollView(size=len(rows), rows=rows),)


def grouped(rows: Sequence[BareRow]) -> Look:
    """Return rows in groups by status."""
    codes = sorted({row.status for row in rows})
    groups = {code: [row for row in rows if row.status == code] for code in codes}
    return tuple(GroupPollView(status=code, size=len(own), rows=own) for code, own in groups.items())


class Table:
    """Ours."""

    def __init__(self) -> None:
        self._table = HostTable()
        self._sequence = 0

    def take(self, look: Look) -> object:
        """Take in a look; return what moved."""
        self._sequence += 1
        return self._table.apply(look, self._sequence)


class Rebuilt:
    """The dict that is built anew from every look, and compared with the one before."""

    def __init__(self) -> None:
        self._known: dict[int, BareRow] = {}

    def take(self, look: Look) -> object:
        """Take in a look; return what moved."""
        seen = {row.bk_host_id: row for group in look for row in group.rows or () if isinstance(row, BareRow)}
        known, self._known = self._known, seen
        return [
            (known.get(host_id), row)
            for host_id, row in seen.items()
            if (before := known.get(host_id)) is None or before.status != row.status
        ]


def timed(make: Callable[[], Table | Rebuilt], pair: tuple[Look, Look]) -> float:
    """Return the seconds of CPU that one look takes, after the first."""
    table = make()
    for look in (*pair, pair[0]):
        table.take(look)
    gc.collect()
    started = time.process_time()
    for n in range(LOOKS):
        table.take(pair[(n + 1) % 2])
    return (time.process_time() - started) / LOOKS


def main() -> None:
    """Measure and print."""
    rows = []
    gc.disable()
    for order in ("listed", "grouped", "shuffled"):
        for share in SHARES:
            pair = looks(share, order)
            times = [(timed(Table, pair), timed(Rebuilt, pair)) for _ in range(ROUNDS)]
            ours, dicts = median(a for a, _ in times), median(b for _, b in times)
            ratio = median(a / b for a, b in times)
            rows.append((f"{order}, {share:.0%}", f"{ours * 1e6:.0f}", f"{dicts * 1e6:.0f}", f"{ratio:.2f}"))
    gc.enable()
    show(f"diff: CPU of one look at {HOSTS} hosts", ("order, moved", "table µs", "dict µs", "ratio"), rows)
