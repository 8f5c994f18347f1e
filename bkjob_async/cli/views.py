"""The views of the demo: plain lines anywhere, a live board on a terminal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live

from bkjob_async import Event
from bkjob_async.cli.board import Board
from bkjob_async.cli.lines import write_out
from bkjob_async.cli.watching.event_lines import plain_line

# Seconds between two updates of the board; more of them would only cost CPU.
REDRAW_SECONDS = 0.1


@contextmanager
def plain() -> Iterator[Callable[[Event], None]]:
    """Write every event as a line."""
    yield lambda event: write_out(plain_line(event))


@contextmanager
def live() -> Iterator[Callable[[Event], None]]:
    """Show a board that is drawn again soon after a change."""
    console = Console()
    board = Board(console)
    loop = asyncio.get_running_loop()
    planned: asyncio.TimerHandle | None = None

    with Live(board, console=console, auto_refresh=False, vertical_overflow="crop") as screen:

        def draw() -> None:
            nonlocal planned
            planned = None
            screen.refresh()

        def show(event: Event) -> None:
            nonlocal planned
            board.apply(event)
            if planned is None:
                planned = loop.call_later(REDRAW_SECONDS, draw)

        yield show
        if planned is not None:
            planned.cancel()
        screen.refresh()
