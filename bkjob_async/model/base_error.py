"""The base of every error of this package, and the one for wrong calls; `errors` draws the whole tree."""

from typing import ClassVar

from bkjob_async.model.printing import printable


class BkJobError(Exception):
    """The base of every error of this package."""

    advice: ClassVar[str] = ""

    def __str__(self) -> str:
        return printable(super().__str__())


class UsageError(BkJobError):
    """The call itself makes no sense; nothing was sent."""
