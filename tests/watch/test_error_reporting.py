"""When a failed poll is tried again."""

from bkjob_async.observe.dispatch import ObserverDispatch
from bkjob_async.watch.error_reporting import ErrorReporting


def test_a_failed_poll_is_tried_again_in_its_own_time_or_as_the_next_probe() -> None:
    """By itself while others get through; with the next probe where nobody does, be it earlier or later."""
    reporting = ErrorReporting(publish_to_all=lambda _event: None, observe=ObserverDispatch())
    assert reporting.retry_at(200.0) == 200.0

    reporting.breaker.on_failure("a", 100.0, targets=1, at_once=True)

    assert reporting.breaker.probe_at > 100.0
    assert reporting.retry_at(200.0) == reporting.retry_at(100.0) == reporting.breaker.probe_at
