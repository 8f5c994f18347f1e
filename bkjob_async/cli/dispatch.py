"""Import and run the function of a command, and turn whatever ends it into an exit code."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.cli.lines import discard_output, write_note
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
    """Return what *work* returns, or what ended it: a closed pipe, an interruption, an error of the library."""
    try:
        return work()
    except BrokenPipeError:
        discard_output()
        return ExitCode.NOBODY_LISTENS
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BkJobError as error:
        return report_error(error)


def report_error(error: BkJobError) -> ExitCode:
    """Write *error* to stderr; return the exit code that it stands for."""
    try:
        write_note(f"bkjob: {error}")
    except BrokenPipeError:
        discard_output()
    return exit_code_of(error)


def exit_code_of(error: BkJobError) -> ExitCode:
    """Return the exit code that *error* stands for."""
    names = (kind.__name__ for kind in type(error).__mro__)
    return next((EXIT_CODES[name] for name in names if name in EXIT_CODES), ExitCode.COULD_NOT_WATCH)
