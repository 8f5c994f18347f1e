"""The exit codes of `bkjob`."""

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes; the first that applies, from OUTCOME_UNKNOWN down, is returned, but SOMETHING_FAILED before targets lost."""

    ALL_SUCCEEDED = 0
    SOMETHING_FAILED = 1
    USAGE = 2
    COULD_NOT_WATCH = 3
    """Or could not do it: the platform refused, or cannot be reached."""
    DEADLINE_PASSED = 4
    WAITS_FOR_PERSON = 5
    """A job waits for somebody to confirm or continue it (`--fail-on-waiting`)."""
    OUTCOME_UNKNOWN = 6
    """A launch or an operation was sent and not answered; it is never sent again."""
    SUPERSEDED = 7
    """Another process runs the shard (`bkjob fleet run`)."""
    HUNG_UP = 129
    """SIGHUP, or the terminal is gone, as shells count it."""
    INTERRUPTED = 130
    """Ctrl-C, as shells count it."""
    QUIT = 131
    """SIGQUIT, as shells count it."""
    NOBODY_LISTENS = 141
    """The reader of our output went away (a broken pipe), as shells count it."""
    TERMINATED = 143
    """SIGTERM, as shells count it."""
