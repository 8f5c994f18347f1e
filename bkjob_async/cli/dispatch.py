"""Import and run the function of a command, and turn whatever ends it into an exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.cli.lines import UNWRITABLE, discard_output, write_note
from bkjob_async.model.base_error import BkJobError

# By the names of classes, because the tree of errors takes longer to import than click; the others could not do it.
EXIT_CODES = {
    "UsageError": ExitCode.USAGE,
    "OutcomeUnknown": ExitCode.OUTCOME_UNKNOWN,
    "DeadlineExceeded": ExitCode.DEADLINE_PASSED,
}


def run_action(action: str, **options: Any) -> ExitCode:
    """Run the coroutine function *action*, `MODULE:FUNCTION`, with the *options* and arguments of a command, to its end.

    The module is imported now, so that the help of a command needs no HTTP client.
    """
    module, _, function = action.partition(":")

    def run() -> ExitCode:
        run_to_end = import_module("bkjob_async.cli.running").run_to_end
        return ExitCode(run_to_end(getattr(import_module(module), function)(**options)))

    return guarded(run)


def guarded(work: Callable[[], ExitCode]) -> ExitCode:
    """Return what *work* returns, or what ended it: a closed pipe, a full disk, an interruption, an error of the library.

    What was written is flushed, so that stdout fails here and not when the process ends. That a command may have been
    executed matters more than that nobody could read it.
    """
    code = ExitCode.ALL_SUCCEEDED
    try:
        code = work()
        sys.stdout.flush()
    except BrokenPipeError:
        discard_output()
        return ExitCode.NOBODY_LISTENS
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        discard_output()
        write_last_note(f"bkjob: stdout cannot be written: {error.strerror}")
        return code if code is ExitCode.OUTCOME_UNKNOWN else ExitCode.COULD_NOT_WATCH
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BkJobError as error:
        return report_error(error)
    return code


def report_error(error: BkJobError) -> ExitCode:
    """Write *error* to stderr; return the exit code that it stands for."""
    write_last_note(f"bkjob: {error}")
    return exit_code_of(error)


def write_last_note(line: str) -> None:
    """Write a line to stderr, if that can be written."""
    try:
        write_note(line)
    except OSError:
        discard_output()


def exit_code_of(error: BkJobError) -> ExitCode:
    """Return the exit code that *error* stands for."""
    names = (kind.__name__ for kind in type(error).__mro__)
    return next((EXIT_CODES[name] for name in names if name in EXIT_CODES), ExitCode.COULD_NOT_WATCH)
