"""The exit codes of `bkjob`."""

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes; the first that applies, from DEADLINE_PASSED down, is returned."""

    ALL_SUCCEEDED = 0
    SOMETHING_FAILED = 1
    USAGE = 2
    COULD_NOT_WATCH = 3
    DEADLINE_PASSED = 4
    INTERRUPTED = 130
    """Ctrl-C, as shells count it."""
    NOBODY_LISTENS = 141
    """The reader of our output went away (a broken pipe), as shells count it."""
