"""When one target's failure is everybody's."""

from bkjob_async.engine.breaker import Breaker


def test_one_bad_target_does_not_open_it() -> None:
    """However often the same target fails among others."""
    breaker = Breaker()

    assert not any(breaker.failed("bad", float(n), targets=100) for n in range(50))


def test_different_targets_failing_in_a_row_open_it_once() -> None:
    """The fifth failure of at least three targets says that the way is broken."""
    breaker = Breaker()

    opened = [breaker.failed(n, 0.0, targets=100) for n in range(7)]
    assert opened == [False, False, False, False, True, False, False]


def test_a_success_between_keeps_it_closed() -> None:
    """Half the answers coming through is trouble of targets."""
    breaker = Breaker()
    for n in range(20):
        assert not breaker.failed(n, 0.0, targets=100)
        breaker.succeeded()


def test_credentials_fail_for_all_at_once() -> None:
    """One refusal of the application is enough."""
    assert Breaker().failed("a", 0.0, targets=1, at_once=True)


def test_probes_grow_rarer_up_to_a_bound() -> None:
    """An outage of hours costs a probe every half minute."""
    breaker = Breaker()
    breaker.failed("a", 0.0, targets=1, at_once=True)
    waits = []
    for _ in range(7):
        now = breaker.probe_at
        breaker.failed("a", now, targets=1)
        waits.append(breaker.probe_at - now)

    assert waits == [2, 4, 8, 16, 30, 30, 30]
    assert breaker.succeeded()
    assert not breaker.succeeded()
