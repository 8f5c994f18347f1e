"""Count how hosts ended in a database of one's own: each end once, however often this process is killed."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from contextlib import closing

import bkjob_async as bkjob


async def count_ends(journal_url: str, fleet: str, database: str, *, live: bool = True) -> None:
    """Follow *fleet*; store the effect of each batch and its cursor in one transaction."""
    async with bkjob.open_journal(journal_url) as journal:
        with closing(sqlite3.connect(database)) as own:
            own.execute("CREATE TABLE IF NOT EXISTS ended (status TEXT PRIMARY KEY, hosts INTEGER NOT NULL)")
            own.execute("CREATE TABLE IF NOT EXISTS place (id INTEGER PRIMARY KEY, cursor TEXT NOT NULL)")
            found = own.execute("SELECT cursor FROM place").fetchone()
            async for batch in journal.follow(fleet, after=found and found[0], live=live):
                with own:  # commits, or rolls both back
                    for event in batch.events:
                        if isinstance(event, bkjob.HostChanged) and event.after.is_finished:
                            own.execute(
                                "INSERT INTO ended VALUES (?, 1) ON CONFLICT DO UPDATE SET hosts = hosts + 1",
                                (event.after.name,),
                            )
                    own.execute("REPLACE INTO place VALUES (1, ?)", (batch.cursor,))


if __name__ == "__main__":
    asyncio.run(count_ends(*sys.argv[1:4]))
