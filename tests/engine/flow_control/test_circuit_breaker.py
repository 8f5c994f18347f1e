"""When failures of single targets open the circuit breaker."""

from bkjob_async.engine.flow_control.circuit_breaker import CircuitBreaker


def opened(*, at_once: bool = False) -> CircuitBreaker:
    """Return a breaker that opened at 100 s."""
    breaker = CircuitBreaker()
    for target in range(5):
        breaker.on_failure(target, 100.0, targets=100, at_once=at_once)
    assert breaker.is_open
    return breaker


def test_one_bad_target_does_not_open_it() -> None:
    """However often the same target fails among others."""
    breaker = CircuitBreaker()

    assert not any(breaker.on_failure("bad", float(n), targets=100) for n in range(50))


def test_different_targets_failing_in_a_row_open_it_once() -> None:
    """The fifth failure of at least three targets shows that the platform cannot be reached."""
    breaker = CircuitBreaker()

    opened = [breaker.on_failure(n, 0.0, targets=100) for n in range(7)]
    assert opened == [False, False, False, False, True, False, False]


def test_a_success_between_keeps_it_closed() -> None:
    """Where half of the polls succeed, single targets are the problem."""
    breaker = CircuitBreaker()
    for n in range(20):
        assert not breaker.on_failure(n, 0.0, targets=100)
        breaker.on_success(0.0, sent=0.0)


def test_credentials_fail_for_all_at_once() -> None:
    """One refusal of the application is enough."""
    assert CircuitBreaker().on_failure("a", 0.0, targets=1, at_once=True)


def waits_between_probes(breaker: CircuitBreaker) -> list[float]:
    """Return the seconds from the opening to the first probe, and between later ones."""
    waits, last = [], 100.0
    for _ in range(6):
        waits.append(breaker.probe_at - last)
        last = breaker.probe_at
        assert not breaker.try_probe(last - 0.001)
        assert breaker.try_probe(last)
    return waits


def test_probes_grow_rarer_up_to_a_bound() -> None:
    """An outage of hours costs a probe every second and a half; credentials are tried more rarely."""
    assert waits_between_probes(opened()) == [0.5, 1.0, 1.5, 1.5, 1.5, 1.5]
    assert waits_between_probes(opened(at_once=True)) == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]


def test_failures_of_requests_in_flight_do_not_delay_probes() -> None:
    """Nor do those of probes: the time of the next probe was set when the last one was sent."""
    breaker = opened()
    for target in range(200):
        breaker.on_failure(target, 100.3, targets=200)

    assert breaker.probe_at == 100.5


def test_a_success_closes_it_once() -> None:
    """The caller then polls all targets again."""
    breaker = opened()
    breaker.try_probe(100.5)

    assert breaker.on_success(100.8, sent=100.5)
    assert not breaker.on_success(100.8, sent=100.5)


def test_a_response_to_a_request_in_flight_does_not_close_it() -> None:
    """Unless it comes so late that the platform must be back."""
    breaker = opened()

    assert not breaker.on_success(100.2, sent=99.9)
    assert breaker.is_open
    assert breaker.on_success(103.0, sent=99.9)
