"""The base of every error of this package, and the one for wrong calls; `errors` draws the whole tree."""

from bkjob_async.model.text.printing import printable


class BkJobError(Exception):
    """The base of every error of this package."""

    advice: str = ""

    def __str__(self) -> str:
        return printable(super().__str__())


class UsageError(BkJobError):
    """The call itself makes no sense; nothing was sent."""


class WrongType(UsageError, TypeError):
    """An argument is of another type; callers may expect the built-in error."""


class WrongValue(UsageError, ValueError):
    """An argument has a value that it cannot have; callers may expect the built-in error."""
