"""Made-up runs and their reports."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC

from bkjob_async.report.figures import Figures, figures_of
from bkjob_async.report.reading.run_model import RunModel
from bkjob_async.report.run_report import pieces_of

BEGAN = 1_795_282_200.0
JOB, STEP = "2:100", "2:100/200"
SUCCESS, FAILED, RUNNING, PENDING = 9, 104, 7, 5


def host(
    run: RunModel,
    number: int,
    code: int,
    *,
    before: int | None = None,
    tag: str | None = None,
    exit_code: int | None = None,
    step: str = STEP,
    execute_count: int = 0,
    label: str | None = None,
    host_id: int | None = None,
    skipped: bool = False,
    ran: tuple[float | None, float | None] = (None, None),
) -> None:
    """Tell the status of a host; it *ran* from so many to so many seconds after the beginning."""
    name = f"0:10.0.0.{number}" if label is None else label
    start, end = (None if at is None else round(1000 * (BEGAN + at)) for at in ran)
    change = (name, host_id, before, code, tag, exit_code, start, end)
    run.hosts_changed(step, execute_count, (change,), skipped=skipped)


def finished_run(codes: Iterable[int] = (SUCCESS, FAILED, SUCCESS), *, name: str = "deploy") -> RunModel:
    """Return a run of one job with one step whose hosts ran 10, 20, 30 … seconds and ended with *codes*."""
    run = RunModel()
    run.set_time(BEGAN)
    run.job_changed(JOB, 2, is_finished=False, name=name)
    run.step_changed(STEP, 0, 2, is_finished=False, name="rollout")
    codes = list(codes)
    for number in range(1, len(codes) + 1):
        host(run, number, PENDING)
    run.set_time(BEGAN + 5)
    for number in range(1, len(codes) + 1):
        host(run, number, RUNNING, before=PENDING)
    for number, code in enumerate(codes, 1):
        run.set_time(BEGAN + 5 + 10 * number)
        exit_code, tag = (1, "disk full") if code == FAILED else (0, "")
        host(run, number, code, before=RUNNING, tag=tag, exit_code=exit_code)
    end = 4 if FAILED in codes else 3
    run.step_changed(STEP, 0, end, is_finished=True, name="rollout")
    run.job_changed(JOB, end, is_finished=True, name=name)
    run.finished(JOB, took=None)
    return run


def figures(run: RunModel, *, title: str = "night") -> Figures:
    """Return the figures of a run, in UTC."""
    return figures_of(run, title=title, zone=UTC)


def report(run: RunModel, form: str, *, title: str = "night") -> str:
    """Return a report in a format."""
    return "".join(pieces_of(figures(run, title=title), form))
