"""Stores for the contract suite, each opened anew on what it stored before."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from attrs import define, field

from bkjob_async.journal.journal import Journal
from bkjob_async.journal.keep import KEEP, Keep
from bkjob_async.journal.store import Holder, Store, StoredRecord
from bkjob_async.journal.stores import store_at
from bkjob_async.journal.urls import parse_journal_url

HERE = Holder("here", 11)
THERE = Holder("there", 22)
# 2023-11-14: older than what is kept by default.
LONG_AGO = 1_700_000_000.0


@define
class Place:
    """Where the stores of one test lie; every call of `open` is like another process."""

    url: str
    opened: list[Journal] = field(factory=list)

    def open(self, keep: Keep = KEEP) -> Store:
        """Return another store at this place, which is closed at the end of the test."""
        journal = Journal(store_at(parse_journal_url(self.url), keep))
        self.opened.append(journal)
        return journal.store

    async def aclose(self) -> None:
        """Close all stores."""
        for journal in self.opened:
            await journal.aclose()


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Place]:
    """Give a place, and close what was opened there."""
    place = Place(url)
    try:
        yield place
    finally:
        await place.aclose()


def records(*sequences: int, size: int = 10, time: float | None = None) -> list[StoredRecord]:
    """Return records with these numbers; each holds its own number."""
    return [
        StoredRecord(number, float(number) if time is None else time, f"{number}".encode().ljust(size, b"."))
        for number in sequences
    ]


def sqlite_url(folder: Path, name: str = "fleet.db") -> str:
    """Return the URL of a file in *folder*."""
    return f"sqlite:///{folder / name}"


MakeUrl = Callable[[], str]
