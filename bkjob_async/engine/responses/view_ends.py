"""What a response says about the end of a job or step."""

from __future__ import annotations

from bkjob_async.engine.tracking.step_state import StepState
from bkjob_async.model.poll_view import JobPollView, StepPollView
from bkjob_async.model.status import RUN_CODES, run_status

# Codes of a job or step that is over, and of one that is not, whatever flag comes with them.
FINAL_CODES = frozenset(code for code in RUN_CODES if run_status(code).is_finished())
OPEN_CODES = frozenset(RUN_CODES) - FINAL_CODES


def shows_end(step: StepState, view: StepPollView, *, job_finished: bool | None) -> bool:
    """Return True if a response shows a step over; *job_finished* is whether its job is, None if unknown.

    A step that was announced finished with an open status, because its job is, stays so as long as nothing changes.
    """
    return is_final(view, job_finished=job_finished) or (
        step.announced.finished
        and job_finished is not False
        and view.status in OPEN_CODES
        and (view.status, view.execute_count) == (step.status_code, step.execute_count)
    )


def is_final(view: JobPollView | StepPollView, *, job_finished: bool | None = None) -> bool:
    """Return True if a response shows a final status; an unknown code without a flag is final if the job is."""
    if view.finished is not None:
        return view.finished
    return view.status in FINAL_CODES if view.status in RUN_CODES else bool(job_finished)
