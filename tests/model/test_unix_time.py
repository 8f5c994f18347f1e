"""Unix milliseconds as times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bkjob_async.model.structures.unix_time import EPOCH, milliseconds_of, time_from

LAST = milliseconds_of(datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC))


@given(st.integers(1 - LAST // 5, LAST))
def test_a_time_is_exact_and_comes_back(milliseconds: int) -> None:
    """In every year of the calendar."""
    time = time_from(milliseconds)

    assert time == EPOCH + timedelta(milliseconds=milliseconds)
    assert time.utcoffset() == timedelta(0)
    assert milliseconds_of(time) == milliseconds


@pytest.mark.parametrize("milliseconds", [LAST + 1, -LAST, 1 << 63, 10**30])
def test_what_no_calendar_has_is_an_error(milliseconds: int) -> None:
    """However large it is."""
    with pytest.raises(OverflowError):
        time_from(milliseconds)
