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


class StatusChange(NamedTuple):
    """A row changed from one code to another."""

    at: float
    row: int
    before: int | None
    after: int


class PlannedChange(NamedTuple):
    """A row will be seen with another code."""

    at: float
    row: int
    code: int


@define(eq=False)
class Execution:
    """The host rows of one execution of a step, as parallel lists, and all their changes.

    A rolling step has the rows of all its batches from its first batch on; *idle* are those of batches that have not
    been dispatched. *open* counts the other rows that are unfinished.
    """

    step: Step = field(repr=False)
    hosts: list[Host] = field(factory=list)
    batches: list[int] = field(factory=list)
    outcomes: list[HostOutcome] = field(factory=list)
    statuses: list[int] = field(factory=list)
    starts: list[float | None] = field(factory=list)
    ends: list[float | None] = field(factory=list)
    moves: list[StatusChange] = field(factory=list)
    groups: dict[Group, dict[int, None]] = field(factory=dict)
    run_times: dict[int, tuple[float, float | None]] = field(factory=dict)
    planned_changes: list[PlannedChange] = field(factory=list)
    forced: set[int] = field(factory=set)
    idle: set[int] = field(factory=set)
    open: int = 0
    origin: float = 0.0
    frozen: bool = False
    version: int = 0
    rendered: dict[object, list[bytes | None]] = field(factory=dict, repr=False)
    joined: dict[object, tuple[int, bytes]] = field(factory=dict, repr=False)
    changed: dict[Group, int] = field(factory=dict, repr=False)

    def group_of(self, row: int) -> Group:
        """Return the group of a row: its status, and its tag once it has one."""
        return self.group_for(row, self.statuses[row])

    def group_for(self, row: int, code: int) -> Group:
        """Return the group that a row would have with another code."""
        return (code, None if code in UNFINISHED_HOST else self.outcomes[row].tag)

    def add(self, host: Host, batch: int, outcome: HostOutcome, code: int, at: float) -> int:
        """Append a row with *code*, not dispatched yet; return its number."""
        row = len(self.hosts)
        self.hosts.append(host)
        self.batches.append(batch)
        self.outcomes.append(outcome)
        self.statuses.append(code)
        self.starts.append(None)
        self.ends.append(None)
        for fragments in self.rendered.values():
            fragments.append(None)
        if code in UNFINISHED_HOST:
            self.idle.add(row)
        else:
            self.starts[row] = self.ends[row] = at
        self._enter(row)
        self.moves.append(StatusChange(at, row, None, code))
        return row

    def dispatch(self, rows: Iterable[int]) -> None:
        """Let rows run: the step ends after them."""
        due = self.idle.intersection(rows)
        self.idle -= due
        self.open += len(due)

    def withdraw(self, row: int) -> None:
        """Let an unfinished row stay as it is; the step does not wait for it."""
        self.idle.add(row)
        self.open -= 1

    def _enter(self, row: int) -> None:
        """Add a row to its present group."""
        group = self.group_of(row)
        self.groups.setdefault(group, {})[row] = None
        self.version += 1
        self.changed[group] = self.version

    def _leave(self, row: int) -> None:
        """Remove a row from its group, before it changes."""
        group = self.group_of(row)
        self.groups[group].pop(row)
        self.version += 1
        self.changed[group] = self.version

    def set_status(self, row: int, code: int, at: float) -> None:
        """Set the code of a row, and record the change."""
        before = self.statuses[row]
        if before == code:
            return
        self._leave(row)
        self._close(row, before, code, at)
        self.statuses[row] = code
        self._enter(row)
        self.moves.append(StatusChange(at, row, before, code))
        for fragments in self.rendered.values():
            fragments[row] = None

    def _close(self, row: int, before: int, code: int, at: float) -> None:
        """Set a row's times; the engine reports when a host ended, not when it was polled."""
        start, end = self.run_times.get(row, (at, None))
        if code == HOST_RUNNING or self.starts[row] is None:
            self.starts[row] = min(start, at)
        if before in UNFINISHED_HOST and code not in UNFINISHED_HOST:
            if row in self.idle:
                self.idle.discard(row)
            else:
                self.open -= 1
            self.ends[row] = at if end is None or row in self.forced else min(end, at)

    def override_outcome(self, row: int, outcome: HostOutcome, code: int, at: float) -> None:
        """End a row now, with another outcome than the planned one."""
        self.forced.add(row)
        self._leave(row)
        self.outcomes[row] = outcome
        self._enter(row)
        self.set_status(row, code, at)

    def rows_of(self, batch: int | None) -> Sequence[int]:
        """Return the rows of one batch; all with None or 0."""
        if not batch:
            return range(len(self.hosts))
        return [row for row, of in enumerate(self.batches) if of == batch]

    def statuses_at(self, at: float) -> dict[int, int | None]:
        """Return rows that had another code at *at*, with that code (None: not created yet)."""
        changed: dict[int, int | None] = {}
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
        """The latest execution's rows; None before there are any."""
        return self.executions.get(self.execute_count)

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
