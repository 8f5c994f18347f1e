"""Run a command to its end, whatever ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.cli.lines import discard_output


def run_to_end(work: Coroutine[None, None, ExitCode]) -> ExitCode:
    """Run *work* in a new event loop; a closed pipe and Ctrl-C become exit codes."""
    try:
        return asyncio.run(work)
    except BrokenPipeError:
        discard_output()
        return ExitCode.NOBODY_LISTENS
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
