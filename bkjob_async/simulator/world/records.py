"""The records of the platform: jobs, steps, executions, host rows, and all their changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from math import inf
from typing import NamedTuple

from attrs import define, field

from bkjob_async.model.refs import JobRef, StepRef
from bkjob_async.simulator.world.codes import BLANK, HOST_RUNNING, UNFINISHED_HOST
from bkjob_async.simulator.world.hosts import Host
from bkjob_async.simulator.world.plans import HostOutcome, SimulatedJob, StepPlan

Group = tuple[int, str | None]


@define(eq=False)
class Row:
    """A host in one execution of a step: its *status*, the *outcome* that it will have, when it started and ended.

    *runs* is when it begins to run and when it is done, None for never; it is known once it is dispatched. A row is idle
    while its batch has not been dispatched, and forced where it ended otherwise than planned. *rendered* is its JSON by
    the functions that made it.
    """

    execution: Execution = field(repr=False)
    number: int
    host: Host
    batch: int
    outcome: HostOutcome
    status: int
    start: float | None = None
    end: float | None = None
    runs: tuple[float, float | None] | None = None
    is_idle: bool = False
    is_forced: bool = False
    rendered: dict[object, bytes] = field(factory=dict, repr=False)

    @property
    def is_finished(self) -> bool:
        """Whether its status is final."""
        return self.status not in UNFINISHED_HOST

    @property
    def group(self) -> Group:
        """Its group: its status, and its tag once it has one."""
        return self.group_with(self.status)

    def group_with(self, code: int) -> Group:
        """Return the group that it would have with another code."""
        return (code, None if code in UNFINISHED_HOST else self.outcome.tag)


class StatusChange(NamedTuple):
    """A row changed from one code to another."""

    at: float
    row: Row
    before: int | None
    after: int


class PlannedChange(NamedTuple):
    """A row will be seen with another code."""

    at: float
    row: Row
    code: int


@define(eq=False)
class Execution:
    """The host rows of one execution of a step, and all their changes.

    A rolling step has the rows of all its batches from its first batch on. *open* counts the rows that are unfinished and
    have been dispatched.
    """

    step: Step = field(repr=False)
    rows: list[Row] = field(factory=list)
    moves: list[StatusChange] = field(factory=list)
    groups: dict[Group, dict[Row, None]] = field(factory=dict)
    planned_changes: list[PlannedChange] = field(factory=list)
    open: int = 0
    origin: float = 0.0
    frozen: bool = False
    version: int = 0
    joined: dict[object, tuple[int, bytes]] = field(factory=dict, repr=False)
    changed: dict[Group, int] = field(factory=dict, repr=False)

    def add(self, host: Host, batch: int, outcome: HostOutcome, code: int, at: float) -> Row:
        """Append a row with *code*, not dispatched yet."""
        row = Row(self, len(self.rows), host, batch, outcome, code)
        self.rows.append(row)
        if row.is_finished:
            row.start = row.end = at
        else:
            row.is_idle = True
        self._enter(row)
        self.moves.append(StatusChange(at, row, None, code))
        return row

    def dispatch(self, rows: Iterable[Row]) -> None:
        """Let rows run: the step ends after them."""
        for row in rows:
            self.open += row.is_idle
            row.is_idle = False

    def withdraw(self, row: Row) -> None:
        """Let an unfinished row stay as it is; the step does not wait for it."""
        row.is_idle = True
        self.open -= 1

    def _enter(self, row: Row) -> None:
        """Add a row to its present group."""
        group = row.group
        self.groups.setdefault(group, {})[row] = None
        self.version += 1
        self.changed[group] = self.version

    def _leave(self, row: Row) -> None:
        """Remove a row from its group, before it changes."""
        group = row.group
        del self.groups[group][row]
        self.version += 1
        self.changed[group] = self.version

    def set_status(self, row: Row, code: int, at: float) -> None:
        """Set the code of a row, and record the change."""
        before = row.status
        if before == code:
            return
        self._leave(row)
        self._close(row, code, at)
        row.status = code
        self._enter(row)
        self.moves.append(StatusChange(at, row, before, code))
        row.rendered.clear()

    def _close(self, row: Row, code: int, at: float) -> None:
        """Set a row's times; the engine reports when a host ended, not when it was polled."""
        start, end = row.runs or (at, None)
        if code == HOST_RUNNING or row.start is None:
            row.start = min(start, at)
        if not row.is_finished and code not in UNFINISHED_HOST:
            self.open -= not row.is_idle
            row.is_idle = False
            row.end = at if end is None or row.is_forced else min(end, at)

    def override_outcome(self, row: Row, outcome: HostOutcome, code: int, at: float) -> None:
        """End a row now, with another outcome than the planned one."""
        row.is_forced = True
        self._leave(row)
        row.outcome = outcome
        self._enter(row)
        self.set_status(row, code, at)

    def rows_of(self, batch: int | None) -> Sequence[Row]:
        """Return the rows of one batch; all with None or 0."""
        return [row for row in self.rows if row.batch == batch] if batch else self.rows

    def statuses_at(self, at: float) -> dict[Row, int | None]:
        """Return rows that had another code at *at*, with that code (None: not created yet)."""
        changed: dict[Row, int | None] = {}
        for move in reversed(self.moves):
            if move.at <= at:
                break
            changed[move.row] = move.before
        return changed


@define(eq=False, slots=False)
class Step:
    """One step instance and its history."""

    id: int
    job: Job = field(repr=False)
    plan: StepPlan
    hosts: tuple[Host, ...] = field(repr=False)
    order: int
    created: float
    name: str
    status: int = BLANK
    execute_count: int = 0
    batch: int = 0
    started: float | None = None
    ended: float | None = None
    total: float | None = None
    log: list[tuple[float, int]] = field(factory=list)
    executions: dict[int, Execution] = field(factory=dict, repr=False)
    shown_at: float = -inf

    @property
    def ref(self) -> StepRef:
        """Its ref."""
        return self.job.ref.step(self.id)

    @property
    def execution(self) -> Execution | None:
        """The latest execution; None before it has begun."""
        return self.executions.get(self.execute_count)

    @property
    def rows(self) -> Sequence[Row]:
        """The rows of the latest execution; none before it has begun, and of a confirmation."""
        return () if self.execution is None else self.execution.rows

    @cached_property
    def has_containers(self) -> bool:
        """Whether any target is a container, which only version 4 shows."""
        return any(host.container_id is not None for host in self.hosts)

    @property
    def has_more_batches(self) -> bool:
        """Whether a serially rolling step has batches left."""
        rolling = self.plan.rolling
        return rolling is not None and self.is_serial and self.batch < len(rolling.sizes)

    @property
    def is_serial(self) -> bool:
        """Whether it runs one batch after the other."""
        return self.plan.rolling is not None and not self.plan.rolling.parallel

    def set_status(self, code: int, at: float) -> None:
        """Set the code, and record the change."""
        if code != self.status:
            self.status = code
            self.log.append((at, code))

    def end(self, code: int, at: float) -> None:
        """Set the end time and a final code; rolling steps end after each batch."""
        self.ended = at
        self.total = at - (self.started if self.started is not None else at)
        self.set_status(code, at)


@define(eq=False)
class Job:
    """One job instance and its history; *epoch_ms* is the Unix time at which the time of its world begins."""

    id: int
    ref: JobRef
    plan: SimulatedJob
    created: float
    epoch_ms: int
    status: int = BLANK
    started: float | None = None
    ended: float | None = None
    total: float | None = None
    current: int = 0
    log: list[tuple[float, int]] = field(factory=list)
    steps: list[Step] = field(factory=list)

    @property
    def current_step(self) -> Step:
        """The step that runs or was the last to run."""
        return self.steps[self.current]

    def set_status(self, code: int, at: float) -> None:
        """Set the code, and record the change."""
        if code != self.status:
            self.status = code
            self.log.append((at, code))

    def step(self, step_instance_id: int) -> Step | None:
        """Return a step by its id."""
        return next((step for step in self.steps if step.id == step_instance_id), None)

    def hosts(self) -> Iterator[Host]:
        """Yield the hosts of all steps."""
        for step in self.steps:
            yield from step.hosts
