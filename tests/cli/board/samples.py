"""Events, models and lines for tests of the board."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bkjob_async import (
    Batch,
    Event,
    Finished,
    HostChanged,
    HostKey,
    HostStatus,
    JobChanged,
    JobRef,
    JobResult,
    Phase,
    RunStatus,
    Scope,
    StepChanged,
    Times,
)
from bkjob_async.cli.board.drawing.spans import Line
from bkjob_async.cli.board.model import BoardModel

SCOPE = Scope.biz(2)
CODES = {phase: code for code, phase in ((2, Phase.RUNNING), (1, Phase.PENDING), (7, Phase.WAITING))}
CODES |= {Phase.SUCCESS: 3, Phase.FAILED: 4, Phase.STOPPED: 11}


def job_ref(number: int) -> JobRef:
    """Return the ref of a job."""
    return JobRef(SCOPE, 20_000_000_000 + number)


def changed(number: int, phase: Phase, name: str = "") -> JobChanged:
    """Return the event that a job has come to a phase."""
    status = RunStatus(CODES[phase])
    return JobChanged(
        ref=job_ref(number), before=None, after=status, is_finished=status.is_finished, name=name
    )


def step_changed(number: int, step: int, phase: Phase, name: str) -> StepChanged:
    """Return the event that a step has come to a phase."""
    return StepChanged(
        ref=job_ref(number).step(30_000_000_000 + step),
        execute_count=0,
        before=None,
        after=RunStatus(CODES[phase]),
        is_finished=False,
        name=name,
    )


def finished(number: int, phase: Phase, seconds: float) -> Finished:
    """Return the event that a job has finished."""
    result = JobResult(ref=job_ref(number), status=RunStatus(CODES[phase]), times=Times(total_time=seconds))
    return Finished(ref=job_ref(number), result=result)


def failure(
    number: int, host: int, *, code: int = 104, tag: str = "", exit_code: int | None = 1
) -> HostChanged:
    """Return the event that a host failed."""
    return HostChanged(
        ref=job_ref(number).step(30_000_000_000 + number),
        host=HostKey(bk_cloud_id=0, ip=f"10.0.{host // 256}.{host % 256}"),
        execute_count=0,
        before=HostStatus(7),
        after=HostStatus(code),
        tag=tag,
        exit_code=exit_code,
    )


def applied(
    model: BoardModel, number: int, *events: Event, hosts: Mapping[Phase, int], now: float = 0.0
) -> None:
    """Apply a batch about one job."""
    failures = [event for event in events if isinstance(event, HostChanged)]
    model.apply(Batch(1, events), {job_ref(number): hosts}, failures, now)


def sample_model(jobs: int = 60) -> BoardModel:
    """Return a board of jobs in every phase, with failures."""
    model = BoardModel()
    model.set_targets(job_ref(number) for number in range(jobs))
    for number in range(jobs):
        name = f"deploy app-{number % 40} zone {number // 40}"
        steps = [
            step_changed(number, 2 * number, Phase.RUNNING, "send package"),
            step_changed(number, 2 * number + 1, Phase.PENDING, "restart"),
        ]
        match number % 12:
            case 0:
                hosts = {Phase.SUCCESS: 5, Phase.FAILED: 2, Phase.RUNNING: 3}
                fails = [failure(number, n, tag="port in use") for n in range(2)]
                applied(model, number, changed(number, Phase.RUNNING, name), *steps, *fails, hosts=hosts)
            case 1:
                hosts = {Phase.SUCCESS: 9, Phase.FAILED: 1}
                end = finished(number, Phase.FAILED, 61.0)
                fail = failure(number, 7, code=18, exit_code=None)
                applied(model, number, changed(number, Phase.FAILED, name), fail, end, hosts=hosts)
            case 2:
                applied(model, number, changed(number, Phase.WAITING, name), hosts={Phase.SUCCESS: 10})
            case 3 | 4:
                end = finished(number, Phase.SUCCESS, 42.0)
                applied(model, number, changed(number, Phase.SUCCESS, name), end, hosts={Phase.SUCCESS: 10})
            case 5:
                applied(model, number, changed(number, Phase.PENDING, name), hosts={})
            case _:
                hosts = {Phase.SUCCESS: number % 7, Phase.RUNNING: 6, Phase.PENDING: 4 - number % 5}
                applied(model, number, changed(number, Phase.RUNNING, name), *steps, hosts=hosts, now=1.0)
                row = model.rows[job_ref(number)]
                row.began_at, row.ends_at = 1.0, 70.0 + number
    return model


def text_of(lines: Sequence[Line]) -> str:
    """Return what lines show, without their colours."""
    return "\n".join("".join(text for text, _ in line).rstrip() for line in lines)
