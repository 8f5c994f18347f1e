"""Run a coroutine to its end, whatever ends it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from contextlib import suppress

from bkjob_async.cli.dispatch import guarded
from bkjob_async.cli.exit_codes import ExitCode


def run_to_end(work: Coroutine[None, None, ExitCode]) -> ExitCode:
    """Run *work* in a new event loop; a closed pipe, Ctrl-C and SIGTERM become exit codes."""
    return guarded(lambda: asyncio.run(until_terminated(work)))


async def until_terminated(work: Coroutine[None, None, ExitCode]) -> ExitCode:
    """Run *work*, and cancel it on SIGTERM."""
    task = asyncio.current_task()
    is_terminated = False

    def terminate() -> None:
        nonlocal is_terminated
        is_terminated = True
        if task is not None:
            task.cancel()

    # Where event loops have no signal handlers, SIGTERM ends the process at once.
    with suppress(NotImplementedError):
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminate)
    try:
        return await work
    except asyncio.CancelledError:
        if is_terminated:
            return ExitCode.TERMINATED
        raise
