"""A live board: one row per job, one cell per host, coloured by status."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any, assert_never

from attrs import define, field
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from bkjob_async import (
    Event,
    Finished,
    HostChanged,
    HostCounts,
    InSync,
    JobChanged,
    JobRef,
    Lost,
    Phase,
    Recovered,
    Reopened,
    Resumed,
    Stalled,
    StepChanged,
    StepRef,
    Trouble,
)
from bkjob_async.model.printing import printable

COLOURS = {
    Phase.PENDING: "bright_black",
    Phase.RUNNING: "yellow",
    Phase.WAITING: "magenta",
    Phase.STOPPING: "magenta",
    Phase.SUCCESS: "green",
    Phase.FAILED: "red",
    Phase.SKIPPED: "cyan",
    Phase.IGNORED: "cyan",
    Phase.STOPPED: "red",
    Phase.ABNORMAL: "red",
    Phase.UNKNOWN: "blue",
}
OPEN = (Phase.PENDING, Phase.RUNNING, Phase.WAITING, Phase.STOPPING)
CELL = "■"
MOST_CELLS = 40
LAST_CHANGES = 5
# The lines that are not jobs: title, headings, legend, last changes, the prompt.
OTHER_LINES = 7 + LAST_CHANGES


@define
class StepCells:
    """One step on the board: a cell for each host, in the order in which hosts were first seen."""

    name: str = ""
    execute_count: int = 0
    hosts: dict[str, Phase] = field(factory=dict)

    def apply(self, event: HostChanged) -> None:
        """Set the phase of a host; a new execution starts without hosts."""
        if event.execute_count > self.execute_count:
            self.execute_count = event.execute_count
            self.hosts = dict.fromkeys(self.hosts, Phase.PENDING)
        self.hosts[event.host.label] = event.after.phase


@define
class JobRow:
    """One job on the board."""

    ref: JobRef
    name: str = ""
    phase: Phase = Phase.PENDING
    steps: dict[StepRef, StepCells] = field(factory=dict)
    current: StepRef | None = None

    @property
    def is_open(self) -> bool:
        """Whether the job is not over."""
        return self.phase in OPEN


@define
class Board:
    """The state of all jobs as the events report it, drawn when needed."""

    console: Console
    rows: dict[JobRef, JobRow] = field(factory=dict)
    last_changes: deque[str] = field(factory=lambda: deque(maxlen=LAST_CHANGES))
    transitions: int = 0

    def apply(self, event: Event) -> None:
        """Apply one event."""
        match event:
            case JobChanged():
                row = self._row(event.ref)
                row.name, row.phase = event.name or row.name, event.after.phase
            case StepChanged():
                cells = self._cells(event.ref)
                cells.name = event.name or cells.name
                if event.after.phase is not Phase.PENDING:
                    self._row(event.ref.job).current = event.ref
            case HostChanged():
                self._cells(event.ref).apply(event)
                self._row(event.ref.job).current = event.ref
                self.transitions += 1
                self.last_changes.append(str(event))
            case Trouble():
                self.last_changes.append(str(event))
            case (
                HostCounts()
                | InSync()
                | Resumed()
                | Finished()
                | Reopened()
                | Recovered()
                | Lost()
                | Stalled()
            ):
                pass  # their statuses are shown already
            case _:
                assert_never(event)

    def _row(self, ref: JobRef) -> JobRow:
        return self.rows.setdefault(ref, JobRow(ref))

    def _cells(self, ref: StepRef) -> StepCells:
        return self._row(ref.job).steps.setdefault(ref, StepCells())

    # Drawing ------------------------------------------------------------------------------------------------

    def __rich__(self) -> Group:
        rows = self.shown()
        hidden = len(self.rows) - len(rows)
        table = Table(box=None, pad_edge=False, header_style="bold", expand=False)
        for heading, width in (("job", 8), ("step", 18), ("hosts", 8), ("", 9), ("status", 8)):
            table.add_column(heading, no_wrap=True, min_width=width)
        for row in rows:
            table.add_row(*self.drawn(row))
        more = Text(f"… and {hidden} more jobs" if hidden else "", style="dim")
        moves = Text("\n".join(self.last_changes), style="dim", no_wrap=True, overflow="ellipsis")
        return Group(
            table, more, legend(), Text(f"{self.transitions} host transitions so far; the last ones:"), moves
        )

    def shown(self) -> list[JobRow]:
        """Return the jobs that fit; those that are not over go first, in their order."""
        room = max(3, self.console.height - OTHER_LINES)
        rows = sorted(self.rows.values(), key=lambda row: row.ref.job_instance_id)
        if len(rows) <= room:
            return rows
        chosen = {row.ref for row in sorted(rows, key=lambda row: not row.is_open)[:room]}
        return [row for row in rows if row.ref in chosen]

    def drawn(self, row: JobRow) -> list[Any]:
        """Return the cells of one row."""
        colour = COLOURS[row.phase]
        cells = row.steps.get(row.current) if row.current else None
        if cells is None:
            return [Text(printable(row.name) or str(row.ref)), "", "", "", Text(row.phase, style=colour)]
        number = list(row.steps).index(row.current) + 1 if row.current else 0
        again = f" #{cells.execute_count}" if cells.execute_count else ""
        width = max(8, min(MOST_CELLS, self.console.width - 50))
        return [
            Text(printable(row.name) or str(row.ref)),
            Text(f"{number}/{len(row.steps)} {printable(cells.name)}{again}"),
            bar(list(cells.hosts.values()), width),
            counts(cells.hosts.values()),
            Text(row.phase, style=colour),
        ]


def bar(phases: list[Phase], width: int) -> Text:
    """Return one coloured cell per host, or where they do not fit one cell for several."""
    text = Text()
    if len(phases) > width:
        phases = sorted(phases, key=list(Phase).index)
        phases = [phases[cell * len(phases) // width] for cell in range(width)]
    for phase in phases:
        text.append(CELL, style=COLOURS[phase])
    return text


def counts(phases: Any) -> Text:
    """Return how many hosts are in each phase, in its colour."""
    found = Counter(phases)
    text = Text()
    for phase in Phase:
        if found[phase]:
            text.append(f"{' ' if text else ''}{found[phase]}", style=COLOURS[phase])
    return text


def legend() -> Text:
    """Return what the colours mean."""
    text = Text()
    for phase in (Phase.PENDING, Phase.RUNNING, Phase.SUCCESS, Phase.FAILED):
        text.append(f"{CELL} ", style=COLOURS[phase]).append(f"{phase.lower()}  ", style="dim")
    return text
