"""Run a coroutine to its end, whatever ends it."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Coroutine
from time import monotonic
from types import FrameType
from typing import Any

from bkjob_async.cli.dispatch import guarded
from bkjob_async.cli.exit_codes import ExitCode

# Within so many seconds another signal is the same request: some programs pass on what the terminal has sent already.
SAME_WISH_SECONDS = 1.0
SIGNALS = {
    getattr(signal, name): code
    for name, code in (
        ("SIGINT", ExitCode.INTERRUPTED),
        ("SIGTERM", ExitCode.TERMINATED),
        ("SIGHUP", ExitCode.HUNG_UP),
        ("SIGQUIT", ExitCode.QUIT),
    )
    if hasattr(signal, name)  # Windows has not all of them
}


def run_to_end(work: Coroutine[None, None, ExitCode]) -> ExitCode:
    """Run *work* in a new event loop; a closed pipe, Ctrl-C and the signals that end a process become exit codes."""
    interruptions = Interruptions()
    try:
        code = guarded(lambda: asyncio.run(interruptions.run(work)))
        # Where the terminal is gone, nobody can be told how to go on.
        is_hung_up = interruptions.code is ExitCode.HUNG_UP and code is ExitCode.COULD_NOT_WATCH
        return ExitCode.HUNG_UP if is_hung_up else code
    finally:
        interruptions.end()


class Interruptions:
    """What Ctrl-C, SIGTERM, SIGHUP and SIGQUIT do: the first one cancels the work, a later one ends the process at once.

    Nothing is raised in the middle of other code, which could not be cleaned up after. A signal that is ignored when
    the process starts stays ignored, as shells want it of what runs in the background.
    """

    def __init__(self) -> None:
        """Take the signals that have no handler."""
        self.code: ExitCode | None = None
        self._at = 0.0
        self._task: asyncio.Task[Any] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._before: dict[signal.Signals, Any] = {}
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                before = signal.getsignal(number)
                if before in (signal.default_int_handler, signal.SIG_DFL):
                    self._before[number] = signal.signal(number, self._handle)

    async def run(self, work: Coroutine[None, None, ExitCode]) -> ExitCode:
        """Run *work* until it ends or is interrupted."""
        self._task, self._loop = asyncio.current_task(), asyncio.get_running_loop()
        if self.code is not None:
            work.close()
            return self.code
        try:
            return await work
        except asyncio.CancelledError:
            if (code := self.interrupted_by()) is None:
                raise
            return code

    def interrupted_by(self) -> ExitCode | None:
        """Return the exit code of what has interrupted the work, None for nothing."""
        return self.code

    def end(self) -> None:
        """Restore the handlers of signals; after an interruption the process ends, and ignores further ones."""
        for number, before in self._before.items():
            signal.signal(number, before if self.code is None else signal.SIG_IGN)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self.code is not None:
            if monotonic() - self._at > SAME_WISH_SECONDS:
                os._exit(128 + number)
            return
        self.code, self._at = SIGNALS[signal.Signals(number)], monotonic()
        if self._task is not None and self._loop is not None and not self._task.done():
            self._task.cancel()
            self._loop.call_soon_threadsafe(lambda: None)  # the loop returns from waiting
