"""Entries of an inbox say which targets to add or to drop."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bkjob_async as bkjob
from bkjob_async.engine.journaling.inbox_entries import MAX_TARGETS, entries_of, read_entry
from tests.many.test_placement import JOBS

STEPS = st.builds(bkjob.JobRef.step, JOBS, st.integers(1, 2**62))


@given(refs=st.lists(st.one_of(JOBS, STEPS), max_size=30), added=st.booleans())
def test_targets_come_back_in_order(refs: list[bkjob.Ref], *, added: bool) -> None:
    """Jobs and steps of any scopes."""
    entries = [*map(read_entry, entries_of(refs, added=added))]

    assert [ref for some, _ in entries for ref in some] == refs
    assert all(is_added is added for _, is_added in entries)


def test_many_targets_are_several_entries() -> None:
    """A runner takes up some at a time."""
    refs = [bkjob.JobRef(bkjob.Scope.biz(2), number) for number in range(1, 2 * MAX_TARGETS + 2)]

    entries = [*entries_of(refs, added=True)]

    assert [len(read_entry(entry)[0]) for entry in entries] == [MAX_TARGETS, MAX_TARGETS, 1]
    assert len(entries[0]) < 20_000


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (msgspec.msgpack.encode([2, "more"]), bkjob.JournalTooNew),
        (msgspec.msgpack.encode([1, True, [["?", [1], None]]]), bkjob.JournalDamaged),
        (msgspec.msgpack.encode([1, True, [["2", [1], [1, 2]]]]), bkjob.JournalDamaged),
        (b"\xc1", bkjob.JournalDamaged),
        (b"", bkjob.JournalDamaged),
    ],
)
def test_what_cannot_be_read_says_why(data: bytes, kind: type[Exception]) -> None:
    """Written by a newer version, or damaged."""
    with pytest.raises(kind):
        read_entry(data)
