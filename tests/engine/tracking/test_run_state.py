"""What was announced of jobs and steps, and when they are over."""

import pytest

from bkjob_async.engine.tracking.run_state import Stage, announced_state, stage_of


def test_what_was_reported_alike_is_one_object() -> None:
    """A hundred thousand running steps share their announced state."""
    assert announced_state(2, 0, finished=False) is announced_state(2, 0, finished=False)


OPEN, FINAL = {"is_final": False}, {"is_final": True}
TO_COME, DOUBTFUL, OVERDUE = {"has_details": False}, {"is_doubtful": True}, {"is_overdue": True}

# What was announced, what is shown, and the stage: the rows of the table.
ROWS = [
    (False, OPEN, Stage.OPEN),
    (False, OPEN | OVERDUE, Stage.OPEN),
    (False, FINAL | TO_COME, Stage.SETTLING),
    (False, FINAL | DOUBTFUL, Stage.SETTLING),
    (False, FINAL, Stage.OVER),
    (False, FINAL | TO_COME | OVERDUE, Stage.OVER),
    (False, FINAL | DOUBTFUL | OVERDUE, Stage.OVER),
    (True, FINAL | DOUBTFUL, Stage.SETTLING),
    (True, FINAL, Stage.OVER),
    (True, OPEN, Stage.REOPENED),
    (True, FINAL | {"is_same": False}, Stage.REOPENED),
]


@pytest.mark.parametrize(("was_over", "shown", "stage"), ROWS)
def test_whether_it_is_over_is_one_table(was_over: bool, shown: dict[str, bool], stage: Stage) -> None:  # noqa: FBT001 - a column
    """By what was announced, what is shown, its details, an operation, and the bound."""
    assert stage_of(was_over=was_over, **shown) is stage
