"""What was announced of jobs and steps."""

from bkjob_async.engine.tracking.run_state import announced_state


def test_what_was_reported_alike_is_one_object() -> None:
    """A hundred thousand running steps share their announced state."""
    assert announced_state(2, 0, finished=False) is announced_state(2, 0, finished=False)
