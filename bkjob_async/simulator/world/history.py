"""The true history: every change of every host, step and job, to compare with what was observed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attrs import field, frozen

from bkjob_async.model.refs import JobRef, StepRef
from bkjob_async.simulator.world.codes import HOST_STOPPED, SUCCESSFUL_HOST, UNFINISHED_HOST
from bkjob_async.simulator.world.records import Execution, Job, Row

HostRun = tuple[StepRef, int, str]
Moves = tuple[tuple[float, int], ...]

# The tag and the exit code that a row ended with.
Details = tuple[str, int | None]


@frozen(kw_only=True)
class History:
    """The (time, code) that each host, step and job went through, oldest first.

    *hosts* is keyed by (step, execute_count, host label). A host with a row in several batches of a rolling
    step is one host: failed once any of its rows is, else unfinished while any of them is. *details* has, for
    each final code of a host, the tags and exit codes of the rows that ended with it.
    """

    hosts: Mapping[HostRun, Moves] = field(factory=dict, repr=False)
    details: Mapping[HostRun, Mapping[int, frozenset[Details]]] = field(factory=dict, repr=False)
    steps: Mapping[StepRef, Moves] = field(factory=dict, repr=False)
    jobs: Mapping[JobRef, Moves] = field(factory=dict, repr=False)


def history_of(jobs: Iterable[Job]) -> History:
    """Return the history of *jobs*."""
    hosts: dict[HostRun, Moves] = {}
    details: dict[HostRun, Mapping[int, frozenset[Details]]] = {}
    steps: dict[StepRef, Moves] = {}
    moves_of_jobs: dict[JobRef, Moves] = {}
    for job in jobs:
        moves_of_jobs[job.ref] = tuple(job.log)
        for step in job.steps:
            steps[step.ref] = tuple(step.log)
            for number, execution in step.executions.items():
                for label, moves in host_moves(execution).items():
                    hosts[step.ref, number, label] = moves
                for label, ends in host_details(execution).items():
                    details[step.ref, number, label] = ends
    return History(hosts=hosts, details=details, steps=steps, jobs=moves_of_jobs)


def host_moves(execution: Execution) -> dict[str, Moves]:
    """Return the changes of each host of an execution, by label."""
    moves: dict[str, list[tuple[float, int]]] = {}
    rows: dict[str, dict[Row, int]] = {}
    for move in execution.moves:
        label = move.row.host.label
        states = rows.setdefault(label, {})
        states[move.row] = move.after
        code = folded(states.values())
        seen = moves.setdefault(label, [])
        if not seen or seen[-1][1] != code:
            seen.append((move.at, code))
    return {label: tuple(seen) for label, seen in moves.items()}


def host_details(execution: Execution) -> dict[str, Mapping[int, frozenset[Details]]]:
    """Return the tags and exit codes of each host's finished rows, by label and final code."""
    ends: dict[str, dict[int, frozenset[Details]]] = {}
    for row in execution.rows:
        if row.is_finished:
            shown: Details = ("" if execution.step.plan.is_file else row.outcome.tag, row.outcome.exit_code)
            of_host = ends.setdefault(row.host.label, {})
            of_host[row.status] = of_host.get(row.status, frozenset()) | {shown}
    return {label: dict(of_host) for label, of_host in ends.items()}


def folded(codes: Iterable[int]) -> int:
    """Return the code of a host with several rows: a failure, else unfinished while any is, else success."""

    def rank(code: int) -> tuple[bool, bool, bool, int]:
        is_open = code in UNFINISHED_HOST
        return not is_open and code not in SUCCESSFUL_HOST, is_open, code != HOST_STOPPED, code

    return max(codes, key=rank)
