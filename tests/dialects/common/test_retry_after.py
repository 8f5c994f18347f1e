"""How long headers ask to wait."""

import pytest
from multidict import CIMultiDict

from bkjob_async.dialects.common.retry_after import parse_reset, parse_retry_after

DATE = "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": " 0 "}, 0.0),
        ({"Retry-After": "Sun, 06 Nov 1994 08:50:07 GMT", "Date": DATE}, 30.0),
        ({"Retry-After": "Sun, 06 Nov 1994 08:49:07 GMT", "Date": DATE}, 0.0),
        ({"Retry-After": "Sun, 06 Nov 1994 08:50:07 GMT"}, None),
        ({"Retry-After": "Sun, 06 Nov 2094 08:50:07 GMT", "Date": DATE}, 3600.0),
        ({"Retry-After": "soon", "Date": DATE}, None),
        ({"Retry-After": "3601"}, 3600.0),
        ({"Retry-After": "9999999"}, 3600.0),
        ({"Retry-After": "9999999999"}, None),
        ({"X-Bkapi-RateLimit-Reset": "12", "Retry-After": "7"}, 12.0),
        ({"X-Bkapi-RateLimit-Reset": "0", "Retry-After": "2"}, 2.0),
        ({"X-Bkapi-RateLimit-Reset": "3600"}, 3600.0),
        ({"X-Bkapi-RateLimit-Reset": "3601"}, None),
        ({"X-Bkapi-RateLimit-Reset": "3601", "Retry-After": "7"}, 7.0),
        ({"X-Bkapi-RateLimit-Reset": "-1", "Retry-After": "7"}, 7.0),
        ({"X-Bkapi-RateLimit-Reset": "soon"}, None),
        ({"X-Bkapi-RateLimit-Reset": "9" * 400}, None),
    ],
)
def test_seconds_dates_and_what_makes_no_sense(headers: dict[str, str], seconds: float | None) -> None:
    """The longer of two waits counts, up to an hour; a date counts from that of the response."""
    assert parse_retry_after(CIMultiDict(headers)) == seconds


@pytest.mark.parametrize(
    ("reset", "seconds"), [("3600", 3600.0), ("3601", None), ("99999999", None), ("0", 0.0)]
)
def test_no_window_is_longer_than_an_hour(reset: str, seconds: float | None) -> None:
    """What announces one says nothing of the quota."""
    assert parse_reset(CIMultiDict({"X-Bkapi-RateLimit-Reset": reset})) == seconds


@pytest.mark.parametrize("factor", [1, 1000])
def test_a_time_since_1970_becomes_seconds(factor: int) -> None:
    """By the clock of the server that made the response; without its date, or hours away, it says nothing."""
    epoch = 2_000_000_000
    date = "Wed, 18 May 2033 03:33:20 GMT"

    assert (
        parse_reset(CIMultiDict({"X-Bkapi-RateLimit-Reset": str((epoch + 8) * factor), "Date": date})) == 8.0
    )
    assert (
        parse_reset(CIMultiDict({"X-Bkapi-RateLimit-Reset": str((epoch - 8) * factor), "Date": date})) == 0.0
    )
    assert (
        parse_reset(CIMultiDict({"X-Bkapi-RateLimit-Reset": str((epoch + 8000) * factor), "Date": date}))
        is None
    )
    assert parse_reset(CIMultiDict({"X-Bkapi-RateLimit-Reset": str(epoch * factor)})) is None
