"""A progress bar of a watch: on a terminal, or as lines."""

from __future__ import annotations

import asyncio
import sys
from typing import Any, Self, TextIO

from bkjob_async.errors import UsageError
from bkjob_async.model.text.printing import tally
from bkjob_async.watch.watch import Watch

# Seconds between two updates of a bar on a terminal, and between two lines elsewhere.
REDRAW_SECONDS, LINE_SECONDS = 0.2, 10.0


class progress_bar:  # noqa: N801 - used like a function
    """Show how much of a watch is over while the block runs.

    >>> async with client.watch(job) as watch, bkjob.progress_bar(watch, file=io.StringIO()):
    ...     results = await watch.results()

    On a terminal it is a bar, elsewhere one line every 10 s and one at the end, on *file* (by default stderr). It reads
    no event, and draws with rich: the extra `cli`.
    """

    def __init__(self, watch: Watch, *, file: TextIO | None = None) -> None:
        """Prepare to show *watch*; raise `UsageError` without rich."""
        try:
            from rich.console import Console  # noqa: PLC0415 - the extra `cli`
        except ImportError as error:
            raise UsageError(
                "a progress bar needs the extra `cli`: pip install 'bkjob-async[cli]'"
            ) from error
        self._watch = watch
        self._file = sys.stderr if file is None else file
        self._console = Console(file=self._file)
        self._progress: Any = None
        self._bar: Any = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if self._console.is_terminal:
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn  # noqa: PLC0415

            columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
            self._progress = Progress(*columns, console=self._console, auto_refresh=False)
            self._bar = self._progress.add_task("")
            self._progress.start()
        self._task = asyncio.create_task(self._draw_often(), name="bkjob_async progress bar")
        return self

    async def __aexit__(self, *_error: object) -> None:
        try:
            if self._task is not None:
                self._task.cancel()
                await asyncio.wait({self._task})
            self._draw()
        finally:  # else the cursor stays hidden, and what is printed goes through the bar
            if self._progress is not None:
                self._progress.stop()

    async def _draw_often(self) -> None:
        while True:
            await asyncio.sleep(LINE_SECONDS if self._progress is None else REDRAW_SECONDS)
            self._draw()

    def _draw(self) -> None:
        """Show the present state once."""
        stats, hosts = self._watch.stats(), self._watch.counts()
        over, targets = stats.over, stats.targets
        if self._progress is None:
            self._file.write(f"{over} of {targets} targets over; hosts: {tally(hosts) or 'none seen'}\n")
            self._file.flush()
        else:
            self._progress.update(self._bar, completed=over, total=targets, description=tally(hosts))
            self._progress.refresh()
