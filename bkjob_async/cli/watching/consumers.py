"""Consumers of an open watch: what one is, the writer of lines, and how several run together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Sequence

from attrs import define, field

from bkjob_async import Batch, BkJobError, Event, JobClient, Watch, event_to_json
from bkjob_async.cli.lines import json_text, write_out


@define(eq=False)
class OpenWatch:
    """An open watch, as its consumers see it.

    Iterate over `watch` for every event, or over `watch.batches()`, where the events of hosts are made when a batch is
    asked for its events. *client* is open as well, for logs and operations.
    """

    client: JobClient
    watch: Watch
    is_left: bool = field(default=False, init=False)
    is_stopped: bool = field(default=False, init=False)
    _closing: asyncio.Task[None] | None = field(default=None, init=False)

    def leave(self) -> None:
        """Stop watching, as the user wishes; the jobs go on, and all readers end behind what was reported so far."""
        self.is_left = True
        self._close()

    def stop(self) -> None:
        """Stop watching, because enough is known; all readers end behind what was reported so far."""
        self.is_stopped = True
        self._close()

    def _close(self) -> None:
        if self._closing is None:
            self._closing = asyncio.create_task(self.watch.aclose())


Consumer = Callable[[OpenWatch], Awaitable[None]]
"""A function that reads an open watch until its readers end, or the user has left: writes lines, draws a board, serves a page.

Consumers run at the same time, each in a task; none holds up another. What a consumer opens it closes, also when it is
cancelled, which is how Ctrl-C and SIGTERM arrive. An error of its readers (`DeadlineExceeded`, `JournalError`) may pass:
it is reported once for all. Any other error ends the watch.
"""


def plain_line(event: Event) -> str:
    """Return *event* as text, with the time of day when it was read."""
    return f"{event.at.astimezone():%H:%M:%S} {event}"


def json_line(event: Event) -> str:
    """Return *event* as one JSON object."""
    return json_text(event_to_json(event))


async def write_lines(opened: OpenWatch, *, as_json: bool = False) -> None:
    """Write every event of a watch to stdout as a line of JSON, or of text, until the watch ends."""
    line = json_line if as_json else plain_line
    async for event in opened.watch:
        write_out(line(event))


async def write_batches(batches: AsyncIterable[Batch], *, as_json: bool) -> int:
    """Write the events of *batches* to stdout as lines of JSON, or of text; return how many there were."""
    line, count = json_line if as_json else plain_line, 0
    async for batch in batches:
        for event in batch.events:
            write_out(line(event))
            count += 1
    return count


async def run_consumers(consumers: Sequence[Consumer], opened: OpenWatch) -> None:
    """Let all *consumers* read the watch to its end.

    An error of the watch itself is raised once, when all have ended; any other error stops them all, and is raised as
    itself.
    """
    ended_by: list[BkJobError] = []
    stopped_by: list[Exception] = []

    async def one(consuming: Awaitable[None]) -> None:
        try:
            await consuming
        except BkJobError as error:
            ended_by.append(error)
        except Exception as error:
            stopped_by.append(error)
            raise

    try:
        async with asyncio.TaskGroup() as group:
            for consumer in consumers:
                group.create_task(one(consumer(opened)))
    except ExceptionGroup:
        raise stopped_by[0] from None
    if ended_by:
        raise ended_by[0]
