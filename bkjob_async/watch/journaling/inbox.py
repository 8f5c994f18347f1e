"""Take up what other processes put into the inbox of a shard: targets that its watch adds or drops."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from zlib import crc32

from bkjob_async.engine.journaling.inbox_entries import read_entry
from bkjob_async.errors import JournalError, JournalUnavailable
from bkjob_async.journal.store import InboxEntry, Store
from bkjob_async.watch.journaling.record_queue import RecordQueue
from bkjob_async.watch.journaling.recorded_watch import RecordedWatch

# Seconds between looks into the inbox.
LOOK_SECONDS = 1.0
# So many entries are known again after the store has lost its newest writes.
MAX_KNOWN = 10_000

logger = logging.getLogger("bkjob_async")


class Inbox:
    """The inbox of the shard *name*: looked into each second, as long as its watch is open.

    The append that records what was taken up removes it from there. A store that loses its newest writes begins a new
    term. Entries that were read may be there again then, and the numbers of those that were lost are given to others; so
    the inbox is read again from its beginning, and what was read is known by its number and its content.
    """

    def __init__(self, store: Store, name: str, records: RecordQueue, watch: RecordedWatch) -> None:
        """Prepare; nothing is read before `start`."""
        self._store = store
        self._name = name
        self._records = records
        self._watch = watch
        self._term = self._read_to = 0  # the term in which it was read, and how far
        self._known: dict[int, int] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="bkjob_async inbox")

    def stop(self) -> None:
        """Look no more; harmless when repeated."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        try:
            while True:
                await self._take_up()
                await asyncio.sleep(LOOK_SECONDS)
        except JournalError as error:
            self._watch.refuse(error)
        except Exception as error:
            logger.exception("the inbox of shard %s cannot be taken up", self._name)
            self._watch.refuse(error)

    async def _take_up(self) -> None:
        """Add and drop what the inbox says."""
        if self._records.term != self._term:
            self._term, self._read_to = self._records.term, 0
        while not self._watch.pending:
            try:
                entries = await self._store.inbox(self._name, self._read_to)
            except JournalUnavailable as error:
                logger.debug("the inbox of shard %s cannot be read: %s", self._name, error)
                return
            if not entries:
                return
            changes = [read_entry(entry.data) for entry in self._unread(entries)]
            self._read_to = entries[-1].number
            self._watch.take_up(changes, self._read_to, self._term)

    def _unread(self, entries: Sequence[InboxEntry]) -> list[InboxEntry]:
        """Return those of a page that were not read before; all of them are known now."""
        found: list[InboxEntry] = []
        for entry in entries:
            content = crc32(entry.data)
            if self._known.get(entry.number) != content:
                self._known.pop(entry.number, None)
                self._known[entry.number] = content
                found.append(entry)
        while len(self._known) > MAX_KNOWN:
            del self._known[next(iter(self._known))]
        return found

    def warn_of_loss(self, since: float) -> None:
        """Say that what was added *since* a time may be lost: nobody but those who added it knows it."""
        logger.warning(
            "the journal has lost what was written since %s; what the shard %s had is stored again, but"
            " targets that were added or dropped since then may be missing there: add them again",
            f"{datetime.fromtimestamp(since, UTC):%Y-%m-%d %H:%M:%S} UTC" if since else "the beginning",
            self._name,
        )
