"""Running a command to its end, whatever ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.cli.lines import stop_speaking


def run_to_end(work: Coroutine[None, None, ExitCode]) -> ExitCode:
    """Run *work* in a loop of its own; a closed pipe and Ctrl-C become exit codes."""
    try:
        return asyncio.run(work)
    except BrokenPipeError:
        stop_speaking()
        return ExitCode.NOBODY_LISTENS
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
