"""An outage shows as a gap between responses; after it, polls resume at the rate that was usual."""

from __future__ import annotations

import pytest

from bkjob_async.engine.flow_control.outage_detector import (
    MINIMUM_SILENCE,
    NEWEST_WEIGHT,
    SILENT_GAPS,
    SLOWEST_RATE,
    OutageDetector,
)


def detector_after(*responses: tuple[float, float]) -> OutageDetector:
    """Return what has had responses, each as (seconds, how long it took), none of which ended an outage."""
    detector = OutageDetector()
    for now, seconds in responses:
        assert not detector.on_response(now, sent=now - seconds)
    return detector


def steady(rate: int, seconds: int, took: float = 0.1) -> list[tuple[float, float]]:
    """Return responses at an even *rate* for so long."""
    return [(100.0 + n / rate, took) for n in range(rate * seconds + 1)]


@pytest.mark.parametrize("rate", [1, 4, 32])
def test_the_usual_rate_is_measured_second_by_second(rate: int) -> None:
    """The first response only begins the first second."""
    assert detector_after(*steady(rate, 1)[:-1]).rate is None
    assert detector_after(*steady(rate, 1)).rate == pytest.approx(rate)
    assert detector_after(*steady(rate, 9)).rate == pytest.approx(rate)


def test_the_newest_second_counts_for_a_share() -> None:
    """Four responses in each second, then eight in one."""
    detector = detector_after(*steady(4, 2), *((102.0 + n / 8, 0.1) for n in range(1, 9)))

    assert detector.rate == pytest.approx(4.0 + NEWEST_WEIGHT * 4.0)


@pytest.mark.parametrize("rate", [1, 4, 32])
@pytest.mark.parametrize("took", [0.1, 2.0])
def test_silence_is_an_outage_when_it_is_longer_than_usual(rate: int, took: float) -> None:
    """Than the usual response time, a moment, and some usual gaps together."""
    bound = MINIMUM_SILENCE + took + SILENT_GAPS / rate
    last = steady(rate, 5)[-1][0]

    assert not detector_after(*steady(rate, 5, took)).on_response(last + bound - 0.01, sent=last - 1.0)
    assert detector_after(*steady(rate, 5, took)).on_response(last + bound + 0.01, sent=last - 1.0)


def test_the_usual_response_time_follows_the_newest() -> None:
    """It was 2 s for the first response, and comes near 0.1 s with many that took so long."""
    slow, used = detector_after((100.0, 2.0), (101.0, 2.0)), detector_after((100.0, 2.0), *steady(4, 9)[1:])

    assert not slow.on_response(101.0 + MINIMUM_SILENCE + 2.0, sent=0.0)
    assert used.on_response(109.0 + MINIMUM_SILENCE + 0.2 + SILENT_GAPS / 4, sent=0.0)


def test_a_response_that_took_no_longer_than_usual_ends_no_outage() -> None:
    """No request was sent before it."""
    detector = detector_after(*steady(4, 5, 0.1))

    assert not detector.on_response(205.0, sent=204.95)


@pytest.mark.parametrize("took", [0.1, 2.0])
def test_polls_that_all_come_in_the_same_moment_teach_their_rate(took: float) -> None:
    """The time between two such moments is no outage where a response takes a little longer than those before."""
    moments = [(100.0 + 10.0 * number, took + 0.01 * (number % 2)) for number in range(20)]
    detector = detector_after(*((at + 0.001 * n, seconds) for at, seconds in moments for n in range(60)))

    assert detector.rate == pytest.approx(6.0, rel=0.05)


def test_what_was_asked_before_the_end_of_an_outage_says_nothing_of_rates() -> None:
    """Neither of the rate, nor of how long responses take; what was requested after it does."""
    detector = detector_after(*steady(4, 5))
    before = detector.rate
    assert detector.on_response(150.0, sent=105.0)

    for n in range(20):
        assert not detector.on_response(150.0 + n / 10.0, sent=105.5)
    assert detector.rate == before
    assert detector.outage_ended_at == 150.0
    detector.on_response(152.0, sent=151.9)

    assert before is not None
    assert detector.rate == pytest.approx(before + NEWEST_WEIGHT * (1 / 2.0 - before))


def test_polling_that_was_stopped_is_no_silence() -> None:
    """When only probes go out, the next response begins the measurement anew."""
    detector = detector_after(*steady(4, 5), (105.1, 0.1), (105.2, 0.1))
    detector.on_circuit_open()

    assert not detector.on_response(300.0, sent=200.0)
    for n in range(1, 9):
        detector.on_response(300.0 + n / 8.0, sent=300.0)

    assert detector.rate == pytest.approx(4.0 + NEWEST_WEIGHT * 4.0)


def test_polls_resume_at_the_usual_rate() -> None:
    """At once where it is not known, and never more slowly than one in a second."""
    slow = detector_after(*((100.0 + 4.0 * n, 0.1) for n in range(5)))

    assert OutageDetector().resume_rate(300) == 300.0
    assert detector_after(*steady(4, 5)).resume_rate(300) == pytest.approx(4.0)
    assert slow.rate == pytest.approx(0.25)
    assert slow.resume_rate(300) == SLOWEST_RATE
