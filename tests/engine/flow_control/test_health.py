"""How the platform is: every row of the table of states, and when each event has happened."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import pytest

from bkjob_async.docs.site import PAGES
from bkjob_async.engine.flow_control import health as module
from bkjob_async.engine.flow_control.health import (
    MINIMUM_SILENCE,
    NEWEST_WEIGHT,
    SILENT_GAPS,
    SLOWEST_RATE,
    PlatformEvent,
    PlatformHealth,
    PlatformState,
    wait_after,
)

OPEN, LIMITED, CLOSED = PlatformState
ERROR, REFUSAL_OF_ALL = PlatformEvent.ERROR, PlatformEvent.REFUSAL_OF_ALL
# A response takes so long, and closes or resumes nothing.
SOON = 0.01


def answered(health: PlatformHealth, now: float, seconds: float = SOON) -> PlatformState | None:
    """Count a response at *now* that took so many *seconds*."""
    return health.on_response(now, sent=now - seconds, targets=100)


def closed(event: PlatformEvent = ERROR) -> PlatformHealth:
    """Return what was closed at 100 s by errors of many, or by a refusal of all."""
    health = PlatformHealth()
    for target in range(5):
        health.on_error(event, target, 100.0, targets=100)
    assert health.state is CLOSED
    return health


def limited() -> PlatformHealth:
    """Return what answered at 101 s after it was closed, and has 100 targets to poll at 100 a second."""
    health = closed()
    assert answered(health, 101.0) is CLOSED
    assert (health.state, health.rate, health.until) == (LIMITED, 100.0, 102.0)
    return health


STATES: dict[PlatformState, Callable[[], PlatformHealth]] = {
    OPEN: PlatformHealth,
    LIMITED: limited,
    CLOSED: closed,
}


def errors_of_many(health: PlatformHealth) -> None:
    """Count five errors of different targets."""
    for target in range(5):
        health.on_error(ERROR, target, 101.5, targets=100)


def silence(health: PlatformHealth) -> None:
    """Count a response after a silence that is longer than any usual gap."""
    health.on_response(101.0, sent=100.9, targets=100)
    health.on_response(151.0, sent=101.1, targets=100)


EVENTS: dict[str, Callable[[PlatformHealth], object]] = {
    "response": lambda health: health.on_response(101.5, sent=101.4, targets=100),
    "response, early": lambda health: health.on_response(100.3, sent=99.9, targets=100),
    "response, late": silence,
    "time": lambda health: None if health.is_closed else health.on_response(102.5, sent=102.4, targets=100),
    "error of one": lambda health: health.on_error(ERROR, "one", 101.5, targets=100),
    "errors of many": errors_of_many,
    "refusal": lambda health: health.on_error(PlatformEvent.REFUSAL, "one", 101.5, targets=100),
    "refusal of all": lambda health: health.on_error(REFUSAL_OF_ALL, "one", 101.5, targets=100),
}


# The table ------------------------------------------------------------------------------------------------------------


def rows_of(text: str, separator: str) -> list[list[str]]:
    """Return the cells of the rows of a table that begin with the name of an event: the event, and three states."""
    rows = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("| ").split(separator) if cell.strip()]
        if cells and cells[0] in EVENTS:
            rows.append(cells[:4])
    return rows


TABLE = rows_of(module.__doc__ or "", "  ")


@pytest.mark.parametrize(
    ("event", "before", "after"),
    [
        (event, before, after)
        for event, *states in TABLE
        for before, after in zip(PlatformState, states, strict=True)
    ],
)
def test_each_event_leads_to_the_state_of_the_table(event: str, before: PlatformState, after: str) -> None:
    """Whatever the state was before it."""
    health = STATES[before]()

    EVENTS[event](health)

    assert health.state is PlatformState(after)


def test_the_page_on_limits_shows_the_table() -> None:
    """Each event with the state that follows each state, in the same order."""
    page = (PAGES / "monitoring.md").read_text(encoding="utf-8").partition("## Stay within limits")[2]

    assert [row[0] for row in TABLE] == list(EVENTS)
    assert rows_of(page.partition("\n## ")[0], "|") == TABLE


# Errors ---------------------------------------------------------------------------------------------------------------


def test_one_bad_target_does_not_close_it() -> None:
    """However often the same target fails among others."""
    health = PlatformHealth()

    assert not any(health.on_error(ERROR, "bad", float(n), targets=100) for n in range(50))


def test_different_targets_failing_in_a_row_close_it_once() -> None:
    """The fifth error of at least three targets shows that the platform cannot be reached."""
    health = PlatformHealth()

    closed = [health.on_error(ERROR, n, 0.0, targets=100) for n in range(7)]
    assert closed == [False, False, False, False, True, False, False]


def test_a_response_between_keeps_it_open() -> None:
    """Where half of the polls succeed, single targets are the problem."""
    health = PlatformHealth()
    for n in range(20):
        assert not health.on_error(ERROR, n, 0.0, targets=100)
        assert answered(health, 0.0) is None


@pytest.mark.parametrize(
    ("waited", "answered_before", "failed_before", "is_alone"),
    [
        (30.0, 14.9, None, True),
        (30.0, 15.1, None, False),
        (30.0, None, None, False),
        (0.9, 0.1, None, False),
        (1.0, 0.1, None, True),
        (0.1, 20.0, 20.1, True),
        (0.1, 20.0, 19.9, False),
        (0.1, None, 20.0, False),
        (30.0, 31.0, 60.0, True),
    ],
)
def test_a_failure_of_one_while_others_are_answered_is_its_own(
    waited: float, answered_before: float | None, failed_before: float | None, *, is_alone: bool
) -> None:
    """The last response to another came so many seconds before the failure, the last failure of the same target so many."""
    health, now = PlatformHealth(), 100.0
    if answered_before is not None:
        answered(health, now - answered_before)

    failed_at = inf if failed_before is None else now - failed_before
    assert health.fails_alone(now - waited, now, failed_at=failed_at) is is_alone


def test_a_refusal_of_all_closes_it_at_once() -> None:
    """One refusal of the application is enough, also of the only target."""
    assert PlatformHealth().on_error(REFUSAL_OF_ALL, "a", 0.0, targets=1)


def test_refusals_of_a_rate_never_close_it() -> None:
    """The permit waits for the quota: the platform is well."""
    health = PlatformHealth()

    assert not any(health.on_error(PlatformEvent.REFUSAL, n, 0.0, targets=100) for n in range(50))


# Probes ---------------------------------------------------------------------------------------------------------------


def waits_between_probes(health: PlatformHealth) -> list[float]:
    """Return the seconds from the closing to the first probe, and between later ones."""
    waits, last = [], 100.0
    for _ in range(6):
        waits.append(health.probe_at - last)
        last = health.probe_at
        assert not health.try_probe(last - 0.001)
        assert health.try_probe(last)
    return waits


def test_probes_grow_rarer_up_to_a_bound() -> None:
    """An outage of hours costs a probe every second and a half; credentials are tried more rarely."""
    assert waits_between_probes(closed()) == [0.5, 1.0, 1.5, 1.5, 1.5, 1.5]
    assert waits_between_probes(closed(REFUSAL_OF_ALL)) == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]


def test_errors_of_requests_in_flight_do_not_delay_probes() -> None:
    """Nor do those of probes: the time of the next probe was set when the last one was sent."""
    health = closed()
    for target in range(200):
        health.on_error(ERROR, target, 100.3, targets=200)

    assert health.probe_at == 100.5


def test_a_response_ends_the_closed_state_once() -> None:
    """The caller then polls all targets again."""
    health = closed()
    health.try_probe(100.5)

    assert health.on_response(100.8, sent=100.5, targets=100) is CLOSED
    assert health.on_response(100.8, sent=100.5, targets=100) is None


def test_a_response_to_a_request_in_flight_does_not_end_it() -> None:
    """Unless it comes so late that the platform must be back."""
    health = closed()

    assert health.on_response(100.2, sent=99.9, targets=100) is None
    assert health.is_closed
    assert health.on_response(103.0, sent=99.9, targets=100) is CLOSED


def test_a_response_to_a_request_of_the_same_moment_does_not_end_it() -> None:
    """Of requests that went out together one is refused, and another one's response is read after that."""
    health = closed()
    health.on_response(100.0, sent=100.0, targets=100)

    assert health.is_closed


# When failed requests are repeated ------------------------------------------------------------------------------------


def test_failed_polls_are_repeated_ever_more_rarely() -> None:
    """Up to a minute where the platform answers, a quarter of that where it does not, and as usual where it refuses."""
    waits = {
        event: [wait_after(event, n, None) for n in (1, 2, 3, 7, 500)]
        for event in (PlatformEvent.RESPONSE, ERROR, PlatformEvent.REFUSAL)
    }

    assert waits[PlatformEvent.RESPONSE] == [1, 2, 4, 60, 60]
    assert waits[ERROR] == [1, 2, 4, 15, 15]
    assert waits[PlatformEvent.REFUSAL] == [1, 1, 1, 1, 1]
    assert wait_after(ERROR, 3, 20.0) == 20.0


def test_a_failed_poll_is_repeated_in_its_own_time_or_as_the_next_probe() -> None:
    """By itself while others get through; with the next probe where nobody does, be it earlier or later."""

    def again_at(health: PlatformHealth, failures: int, targets: int = 100) -> float:
        return health.poll_again_at(ERROR, 100.0, failures=failures, interval=None, targets=targets)

    assert [again_at(PlatformHealth(), failures) for failures in (1, 3)] == [101.0, 104.0]
    assert again_at(PlatformHealth(), 9, targets=1) == 101.5  # nobody else finds out that it is back
    assert [again_at(closed(), failures) for failures in (1, 9)] == [100.5, 100.5]


def test_calls_are_not_retried_before_the_next_probe() -> None:
    """While the platform is closed; else when their own rules say."""
    assert PlatformHealth().retry_wait(0.3, 100.0) == 0.3
    assert closed().retry_wait(0.3, 100.1) == pytest.approx(0.4)
    assert closed().retry_wait(0.7, 100.1) == 0.7


# The silence, and the usual rate --------------------------------------------------------------------------------------


def health_after(*responses: tuple[float, float]) -> PlatformHealth:
    """Return what has had responses, each as (seconds, how long it took), none of which ended a silence."""
    health = PlatformHealth()
    for now, seconds in responses:
        assert answered(health, now, seconds) is None
    return health


def steady(rate: int, seconds: int, took: float = 0.1) -> list[tuple[float, float]]:
    """Return responses at an even *rate* for so long."""
    return [(100.0 + n / rate, took) for n in range(rate * seconds + 1)]


@pytest.mark.parametrize("rate", [1, 4, 32])
def test_the_usual_rate_is_measured_second_by_second(rate: int) -> None:
    """The first response only begins the first second."""
    assert health_after(*steady(rate, 1)[:-1]).usual_rate is None
    assert health_after(*steady(rate, 1)).usual_rate == pytest.approx(rate)
    assert health_after(*steady(rate, 9)).usual_rate == pytest.approx(rate)


def test_the_newest_second_counts_for_a_share() -> None:
    """Four responses in each second, then eight in one."""
    health = health_after(*steady(4, 2), *((102.0 + n / 8, 0.1) for n in range(1, 9)))

    assert health.usual_rate == pytest.approx(4.0 + NEWEST_WEIGHT * 4.0)


@pytest.mark.parametrize("rate", [1, 4, 32])
@pytest.mark.parametrize("took", [0.1, 2.0])
def test_silence_is_one_when_it_is_longer_than_usual(rate: int, took: float) -> None:
    """Than the usual response time, a moment, and some usual gaps together."""
    bound = MINIMUM_SILENCE + took + SILENT_GAPS / rate
    last = steady(rate, 5)[-1][0]

    for late, ended in ((-0.01, None), (0.01, OPEN)):
        health = health_after(*steady(rate, 5, took))
        assert health.on_response(last + bound + late, sent=last - 1.0, targets=100) is ended


def test_the_usual_response_time_follows_the_newest() -> None:
    """It was 2 s for the first response, and comes near 0.1 s with many that took so long."""
    slow, used = health_after((100.0, 2.0), (101.0, 2.0)), health_after((100.0, 2.0), *steady(4, 9)[1:])

    assert slow.on_response(101.0 + MINIMUM_SILENCE + 2.0, sent=0.0, targets=1) is None
    assert used.on_response(109.0 + MINIMUM_SILENCE + 0.2 + SILENT_GAPS / 4, sent=0.0, targets=1) is OPEN


def test_a_response_that_took_no_longer_than_usual_ends_no_silence() -> None:
    """No request was sent before it."""
    assert health_after(*steady(4, 5, 0.1)).on_response(205.0, sent=204.95, targets=100) is None


@pytest.mark.parametrize("took", [0.1, 2.0])
def test_polls_that_all_come_in_the_same_moment_teach_their_rate(took: float) -> None:
    """The time between two such moments is no silence where a response takes a little longer than those before."""
    moments = [(100.0 + 10.0 * number, took + 0.01 * (number % 2)) for number in range(20)]
    health = health_after(*((at + 0.001 * n, seconds) for at, seconds in moments for n in range(60)))

    assert health.usual_rate == pytest.approx(6.0, rel=0.05)


def test_what_was_asked_before_the_end_of_a_silence_says_nothing_of_rates() -> None:
    """Neither of the rate, nor of how long responses take; what was requested after it does."""
    health = health_after(*steady(4, 5))
    before = health.usual_rate
    assert health.on_response(150.0, sent=105.0, targets=100) is OPEN

    for n in range(20):
        assert health.on_response(150.0 + n / 10.0, sent=105.5, targets=100) is None
    assert health.usual_rate == before
    assert health.silence_ended_at == 150.0
    health.on_response(152.0, sent=151.9, targets=100)

    assert before is not None
    assert health.usual_rate == pytest.approx(before + NEWEST_WEIGHT * (1 / 2.0 - before))


def test_polling_that_was_stopped_is_no_silence() -> None:
    """When only probes go out, the next response begins the measurement anew."""
    health = health_after(*steady(4, 5), (105.1, 0.1), (105.2, 0.1))
    health.on_error(REFUSAL_OF_ALL, "a", 105.3, targets=1)

    assert health.on_response(300.0, sent=200.0, targets=100) is CLOSED
    assert health.silence_ended_at == -inf
    for n in range(1, 9):
        health.on_response(300.0 + n / 8.0, sent=300.0, targets=100)

    assert health.usual_rate == pytest.approx(4.0 + NEWEST_WEIGHT * 4.0)


def rate_after_an_outage(*responses: tuple[float, float]) -> float:
    """Return the rate at which 300 targets are polled again."""
    health = health_after(*responses)
    health.on_error(REFUSAL_OF_ALL, "a", 200.0, targets=300)
    health.on_response(300.0, sent=299.0, targets=300)
    return health.rate


def test_polls_resume_at_the_usual_rate() -> None:
    """At once where it is not known, and never more slowly than one in a second."""
    slow = [(100.0 + 4.0 * n, 0.1) for n in range(5)]

    assert rate_after_an_outage() == 300.0
    assert rate_after_an_outage(*steady(4, 5)) == pytest.approx(4.0)
    assert health_after(*slow).usual_rate == pytest.approx(0.25)
    assert rate_after_an_outage(*slow) == SLOWEST_RATE
