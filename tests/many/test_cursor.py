"""One cursor stands for a place in every shard."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bkjob_async as bkjob
from bkjob_async.many.reader import fleet_cursor, shard_cursors

PLACES = st.dictionaries(
    st.integers(0, 15), st.from_regex(r"[1-9]\d{0,8}-[0-9a-f]{8}(\.[1-9]\d{0,3})?", fullmatch=True)
)


@given(PLACES)
def test_a_cursor_is_read_back(places: dict[int, str]) -> None:
    """Shards without a place are left out."""
    assert shard_cursors(fleet_cursor(16, {**places}), 16) == places


@pytest.mark.parametrize(
    ("cursor", "said"),
    [
        ("17-0a1b2c3d", "store reader.cursor"),
        ("8;3:17-0a1b2c3d", "of a fleet of 8 shards; this one has 16"),
        ("16;3:17-0a1b2c3d,3:18-0a1b2c3d", "a shard twice"),
        ("16;16:17-0a1b2c3d", "one that there is not"),
        ("16;3", "store reader.cursor"),
    ],
)
def test_other_text_is_refused(cursor: str, said: str) -> None:
    """And the error says what to store instead."""
    with pytest.raises(bkjob.UsageError, match=said):
        shard_cursors(cursor, 16)
