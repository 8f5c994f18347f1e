"""A journal is opened by a URL, says how much it keeps, and never shows a password."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bkjob_async import Keep, UsageError, open_journal
from tests.journal.stores import HERE, sqlite_url


@pytest.mark.parametrize(
    "given", [{"age": timedelta(0)}, {"age": 7.0}, {"bytes": 0}, {"bytes": -1}, {"bytes": 1.5}]
)
def test_what_keeps_nothing_is_refused(given: dict[str, object]) -> None:
    """An age is a timedelta, a size a number of bytes; both are more than nothing."""
    with pytest.raises(UsageError, match="Keep"):
        Keep(**given)  # type: ignore[arg-type]


def test_a_wrong_url_is_refused_at_once() -> None:
    """Before anything is opened."""
    with pytest.raises(UsageError, match="sqlite:///PATH"):
        open_journal("fleet.db")


@pytest.mark.parametrize("url", ["redis://me:opensesame@localhost/1", "rediss://:opensesame@localhost"])
def test_a_journal_shows_no_password(url: str) -> None:
    """In no repr of its own or of its parts."""
    journal = open_journal(url)

    assert "opensesame" not in f"{journal!r} {journal.store!r}"
    assert "localhost" in repr(journal)


async def test_journals_in_memory_are_shared_by_name() -> None:
    """Those of one name in one process; the content outlives who opened it."""
    async with open_journal("memory:tests-shared") as one:
        await one.store.open("night", HERE, take_over=True)
    async with open_journal("memory:tests-shared") as two, open_journal("memory:tests-other") as other:
        assert [fleet.name for fleet in await two.fleets()] == ["night"]
        assert await other.fleets() == []
        await two.forget("night")
        assert await two.fleets() == []


async def test_a_journal_is_closed_with_its_context(tmp_path: Path) -> None:
    """And opening it touches nothing."""
    async with open_journal(sqlite_url(tmp_path)) as journal:
        pass

    with pytest.raises(UsageError, match="closed"):
        await journal.fleets()
    with pytest.raises(UsageError, match="name of a fleet"):
        journal.follow("a{b}")
