"""The board as a textual application: it draws what the views return, and does what they ask for."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from functools import partial
from io import StringIO
from sys import stdout
from typing import Any, ClassVar

from attrs import define
from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.filter import Monochrome, NoColor

from bkjob_async import BkJobError, Ref, StepRef
from bkjob_async.cli.board import commands
from bkjob_async.cli.board.drawing.lines_widget import BACKGROUND, LinesWidget
from bkjob_async.cli.board.drawing.signs import Signs
from bkjob_async.cli.board.drawing.spans import Line
from bkjob_async.cli.board.source import BoardSource
from bkjob_async.cli.board.views.hosts_view import HostsView
from bkjob_async.cli.board.views.jobs_view import JobsView
from bkjob_async.cli.board.views.log_view import LogView
from bkjob_async.cli.board.views.views import TextView, View, help_lines
from bkjob_async.model.text.printing import printable

# The clocks of the board go on, and an open page of hosts is read again, at least so often.
TICK_SECONDS = 1.0
LOG_SECONDS = 2.0
# Between two frames; the second where the last one has cost more than `EXPENSIVE` seconds of CPU time.
FRAME_SECONDS, SLOW_FRAME_SECONDS = 0.25, 0.5
EXPENSIVE = 0.025


@define
class FramePacing:
    """The rhythm of frames, from what the last one cost."""

    drawn_at: float = float("-inf")
    cost: float = 0.0

    @property
    def interval(self) -> float:
        """The least number of seconds between two frames."""
        return SLOW_FRAME_SECONDS if self.cost > EXPENSIVE else FRAME_SECONDS

    def wait(self, now: float) -> float:
        """Return in how many seconds a frame may be drawn, 0 for now."""
        return max(0.0, self.drawn_at + self.interval - now)

    def on_frame(self, now: float, cost: float) -> None:
        """Record a frame that was begun *now* and cost so many seconds of CPU time."""
        self.drawn_at, self.cost = now, cost


class BoardApp(App[None], inherit_bindings=False):
    """Shows the targets of a watch until the user leaves, or the watch ends while nothing else is open."""

    ENABLE_COMMAND_PALETTE = False
    CSS = f"Screen {{ background: {BACKGROUND}; }} LinesWidget {{ background: {BACKGROUND}; }}"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+c,ctrl+q", "leave", priority=True, show=False)]

    def __init__(
        self, source: BoardSource, signs: Signs, *, read_only: bool = False, notes: Sequence[str] = ()
    ) -> None:
        """Show what *source* knows, and *notes* in the help; the last of them at first, too."""
        no_color = os.environ.get("NO_COLOR")
        super().__init__()
        if (
            no_color is not None
        ):  # textual takes it out of the environment, which programs that are started later see
            os.environ["NO_COLOR"] = no_color
        self.source = source
        self.is_left = False
        self.error: Exception | None = None
        self.frames = 0
        self.pacing = FramePacing()
        self._signs = signs
        self._read_only = read_only
        self._jobs = JobsView(source.model, source.figures, signs, read_only=read_only)
        self._views: list[View] = [self._jobs]
        self._notes = notes
        for note in notes:
            self._jobs.say(note)
        self._is_wanted = asyncio.Event()
        self._is_urgent = asyncio.Event()
        self._is_over = False
        self._tasks = set[asyncio.Task[None]]()
        self._log_task: asyncio.Task[None] | None = None
        self._widget = LinesWidget(has_colour=not self.no_color)
        # Data goes to stdout as it is, while the board is drawn on stderr; what others write to stderr waits.
        self._capture_stdout: Any = stdout
        self._capture_stderr: Any = StringIO()
        if self.no_color:
            self._filters = [each for each in self._filters if not isinstance(each, Monochrome)]
            self._filters.append(NoColor())

    @property
    def withheld(self) -> str:
        """What was written to stderr while the board was drawn there."""
        return str(self._capture_stderr.getvalue())

    def compose(self) -> ComposeResult:
        """Fill the screen with one widget."""
        yield self._widget

    def on_mount(self) -> None:
        """Begin to draw."""
        self._widget.focus()
        self._start(self._draw_frames())
        self._start(self._tick())

    def _start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _guarded(self, work: Coroutine[None, None, None]) -> None:
        """Run *work*; an error of our own ends the board and is raised where it was opened."""
        try:
            await work
        except Exception as error:  # noqa: BLE001 - raised again where the board was opened
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        """End the board with an error, which is raised where it was opened, and not drawn over the screen."""
        self.error = self.error or error
        self.exit()

    async def on_unmount(self) -> None:
        """Stop drawing."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # Frames ---------------------------------------------------------------------------------------------------------

    def on_news(self) -> None:
        """Draw soon: something has changed."""
        self._is_wanted.set()

    def say(self, text: str) -> None:
        """Show *text* below the targets for a while."""
        self._jobs.say(text)
        self.on_news()

    def on_watch_end(self) -> None:
        """Close the board, unless the user is looking at something."""
        self._is_over = True
        if len(self._views) == 1 and not self.source.is_paused:
            self.exit()
        else:
            self._jobs.say("the watch is over; q leaves")
            self.on_news()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self._is_wanted.set()

    async def _draw_frames(self) -> None:
        """Draw a frame when something has changed, in the rhythm of the pacing; what a key did is drawn at once."""
        loop = asyncio.get_running_loop()
        while True:
            await self._is_wanted.wait()
            wait = self.pacing.wait(loop.time())
            if wait > 0:
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._is_urgent.wait()
            is_urgent = self._is_urgent.is_set()
            self._is_wanted.clear()
            self._is_urgent.clear()
            if not self.source.is_paused or is_urgent:
                self.draw_frame()

    def draw_frame(self) -> None:
        """Draw the present view once, and measure what that costs."""
        began, now = time.thread_time(), asyncio.get_running_loop().time()
        if not self.source.is_paused:
            self.source.prepare(self._jobs.visible, now)
        size = self._widget.size
        view = self._views[-1]
        if isinstance(view, HostsView):
            view.refresh()
        self._widget.show(view.draw(size.width, size.height, now))
        self.frames += 1
        self.pacing.on_frame(now, time.thread_time() - began)
        # What textual itself needs for the lines that have changed counts as well.
        self.call_after_refresh(lambda: self.pacing.on_frame(now, time.thread_time() - began))

    def on_resize(self, _event: events.Resize) -> None:
        """Draw for the new size."""
        self.draw_at_once()

    def draw_at_once(self) -> None:
        """Draw without waiting for the next frame."""
        self._is_urgent.set()
        self._is_wanted.set()

    # Keys -----------------------------------------------------------------------------------------------------------

    def on_key(self, event: events.Key) -> None:
        """Give a key to the present view, and do what it asks for."""
        event.stop()
        event.prevent_default()
        try:
            command = self._views[-1].press(event.key, event.character or "")
            if command is not None:
                self._do(command)
        except Exception as error:  # noqa: BLE001 - raised again where the board was opened
            self._fail(error)
        self.draw_at_once()

    def action_leave(self) -> None:
        """Leave: Ctrl-C."""
        self._do(commands.Plain.LEAVE)

    def _do(self, command: commands.Command) -> None:
        """Do what a view asks for."""
        match command:
            case commands.Plain.LEAVE:
                self.is_left = not self._is_over
                self.exit()
            case commands.Plain.BACK:
                self._close_view()
            case commands.Plain.TOGGLE_PAUSE:
                self.source.is_paused = not self.source.is_paused
            case commands.AskRetry(ref):
                self._ask_retry(ref)
            case commands.Retry(steps):
                self._start(self._retry(steps))
            case commands.Plain.SHOW_HELP:
                self._views.append(TextView("Keys and signs", self._help, self._signs))
            case commands.Explain(ref):
                explain = partial(self.source.explanation, ref)
                self._views.append(TextView(str(ref), explain, self._signs))
            case commands.ShowHosts(ref):
                row, read = self.source.row(ref), partial(self.source.hosts, ref)
                self._views.append(HostsView(row, read, self._signs, read_only=self._read_only))
            case commands.ShowLog(step, host):
                view = LogView(step, host, self._signs, title=self.source.title_of(step))
                self._views.append(view)
                self._log_task = self._start(self._read_log(view))

    def _ask_retry(self, ref: Ref) -> None:
        """Ask whether to retry what failed; say why not where the platform would refuse."""
        self._views[1:] = []
        question, steps = self.source.retry_question(ref)
        if steps:
            self._jobs.ask(question, commands.Retry(steps))
        else:
            self._jobs.say(question)

    def _help(self) -> list[Line]:
        notes: list[Line] = [((f"  {printable(note)}", "selected"),) for note in self._notes]
        return [*notes, *help_lines(self._signs, read_only=self._read_only)]

    def _close_view(self) -> None:
        if isinstance(self._views[-1], LogView) and self._log_task is not None:
            self._log_task.cancel()
            self._log_task = None
        if len(self._views) > 1:
            self._views.pop()

    async def _read_log(self, view: LogView) -> None:
        """Read a log again and again while its view is open."""
        while True:
            try:
                view.set_text(await self.source.log(view.step, view.host))
            except BkJobError as error:
                view.set_error(str(error))
            self.draw_at_once()
            await asyncio.sleep(LOG_SECONDS)

    async def _retry(self, steps: tuple[StepRef, ...]) -> None:
        """Retry steps, and say how that went."""
        self._jobs.say(await self.source.retry(steps))
        self.draw_at_once()
