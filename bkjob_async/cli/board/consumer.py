"""Show a watch as a board until it ends or the user leaves."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections.abc import Callable, Sequence

from attrs import define, field

from bkjob_async.cli.board.app import BoardApp
from bkjob_async.cli.board.drawing.signs import ASCII, UNICODE, Signs
from bkjob_async.cli.board.source import BoardSource
from bkjob_async.cli.terminal import is_terminal
from bkjob_async.cli.watching.consumers import OpenWatch

# How long the terminal may take to be as it was before.
CLOSING_SECONDS = 5.0
# So often is looked whether the terminal is still there.
LOOK_SECONDS = 1.0


def signs_of_terminal() -> Signs:
    """Return the signs that the terminal on stderr shows, by its encoding."""
    return UNICODE if (sys.stderr.encoding or "").replace("-", "").casefold() == "utf8" else ASCII


def run_on_terminal(app: BoardApp) -> asyncio.Task[None]:
    """Begin to run *app* on the terminal; text can be marked with the mouse as usual."""
    # What was imported stays: without it, a full collection takes a few milliseconds instead of thirty.
    gc.freeze()
    return asyncio.create_task(run_while_there_is_a_terminal(app), name="bkjob_async board")


async def run_while_there_is_a_terminal(app: BoardApp) -> None:
    """Run *app*; end the process as SIGHUP does where the terminal goes away without one.

    textual goes on to read from it, as fast as it can.
    """
    showing = asyncio.create_task(app.run_async(mouse=False))
    try:
        while not (await asyncio.wait({showing}, timeout=LOOK_SECONDS))[0]:
            if not is_terminal(sys.__stderr__):
                signal.raise_signal(signal.SIGHUP)
                return
    finally:
        app.exit()
    await showing


@define(eq=False, kw_only=True)
class BoardConsumer:
    """Draws a board of a watch on stderr, with the signs of the terminal, unless others are given.

    *read_only* has no operation. *notes* are shown when the board is opened, and in its help.
    """

    _read_only: bool = False
    _notes: Sequence[str] = ()
    _signs: Signs | None = None
    _run: Callable[[BoardApp], asyncio.Task[None]] = run_on_terminal
    _app: BoardApp | None = field(default=None, init=False)

    def say(self, text: str) -> None:
        """Show *text* on the board for a while."""
        if self._app is not None:
            self._app.say(text)

    async def consume(self, opened: OpenWatch) -> None:
        """Show *opened* until it ends or the user leaves, which leaves the watch for all."""
        source = BoardSource(opened.client, opened.watch)
        app = self._app = BoardApp(
            source, self._signs or signs_of_terminal(), read_only=self._read_only, notes=self._notes
        )
        loop = asyncio.get_running_loop()
        factory = loop.get_task_factory()
        showing = self._run(app)
        reading = asyncio.create_task(read_batches(opened, source, app), name="bkjob_async board's reader")
        try:
            await asyncio.sleep(0)
            # Textual makes all tasks of the loop eager, where Python can: those of others stay as they were.
            loop.set_task_factory(factory)
            await asyncio.wait({showing, reading}, return_when=asyncio.FIRST_COMPLETED)
            if reading.done() and reading.exception() is None:
                app.on_watch_end()
                await asyncio.wait({showing})
        finally:
            reading.cancel()
            app.exit()
            await asyncio.shield(asyncio.wait({showing, reading}, timeout=CLOSING_SECONDS))
            sys.stderr.write(app.withheld)
        if app.is_left:
            opened.leave()
        if app.error is not None:
            raise app.error
        for task in (showing, reading):
            if not task.cancelled():
                task.result()


async def read_batches(opened: OpenWatch, source: BoardSource, app: BoardApp) -> None:
    """Bring the board up to date with each batch until the watch ends."""
    async for batch in opened.watch.batches():
        source.apply(batch)
        app.on_news()
