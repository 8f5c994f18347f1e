"""What failed polls tell of their targets."""

from bkjob_async.engine.flow_control.health import CLOSED_DELAY, PROBE_PATIENCE, PlatformEvent, PlatformHealth
from bkjob_async.engine.stream.cursor import CursorSequence
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.poll_state import PollFailures
from bkjob_async.model.events import Lost, LostReason
from bkjob_async.observe.dispatch import ObserverDispatch
from bkjob_async.watch.polling.error_reporting import ErrorReporting, lose_missing_steps
from bkjob_async.watch.polling.target_registry import NO_SUBSCRIBERS, PollTarget, TargetRegistry
from tests.engine.applied import apply_job
from tests.engine.poll_views import JOB, at, job, step


def test_a_step_that_its_job_does_not_list_is_lost_with_the_second_response() -> None:
    """One response may come from a database that is behind; a step that was read once is not lost so."""
    state = JobState(JOB)
    seen, missing = JOB.step(200), JOB.step(201)
    for ref in (seen, missing):
        state.add_target(ref)
    lost = []
    for now in (1.0, 2.0, 3.0):
        apply_job(state, job(2, step(2)) if now < 2.0 else job(2), at(now))
        lost.append(
            [(event.ref, event.reason) for event in lose_missing_steps(state, now) if isinstance(event, Lost)]
        )

    assert lost == [[], [(missing, LostReason.NOT_FOUND)], []]


# Probes of a closed platform ------------------------------------------------------------------------------------------


def closed() -> ErrorReporting:
    """Return what decides who probes a platform that was closed at 100, and may be probed half a second later."""
    health = PlatformHealth()
    health.on_error(PlatformEvent.REFUSAL_OF_ALL, JOB, 100.0, targets=10)
    assert health.probe_at == 100.5
    return ErrorReporting(
        registry=TargetRegistry(CursorSequence("")), observe=ObserverDispatch(), health=health
    )


def target(*, failures: int = 0, seen_at: float | None = None) -> PollTarget:
    """Return a target that somebody watches."""
    found = PollTarget(JOB, group=1)
    found.poll_failures, found.seen_at = PollFailures(failures=failures), seen_at
    return found


def test_the_probe_is_the_target_that_was_read_last() -> None:
    """Whoever asks first; one that failed, or was never read, comes behind all others."""
    errors, failed, unread = closed(), target(failures=1, seen_at=99.0), target()
    older, newer = target(seen_at=10.0), target(seen_at=20.0)

    asked = [errors.delay_if_closed(each, 100.1) for each in (failed, older, newer, unread)]
    assert asked == [100.5, 100.5, 100.5, 100.1 + CLOSED_DELAY]

    asked = [errors.delay_if_closed(each, 100.5) for each in (failed, older, unread, newer)]
    assert asked == [*[100.5 + CLOSED_DELAY] * 3, None]


def test_another_target_probes_where_the_next_one_does_not_ask() -> None:
    """It was dropped, or may not be polled for another reason."""
    for is_dropped in (True, False):
        errors, first, other = closed(), target(seen_at=20.0), target(failures=3)
        assert errors.delay_if_closed(first, 100.1) == 100.5
        if is_dropped:
            first.group = NO_SUBSCRIBERS
        now = 100.6 if is_dropped else 100.6 + PROBE_PATIENCE

        assert errors.delay_if_closed(other, now) is None
