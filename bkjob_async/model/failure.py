"""The base of every error of this package; `errors` draws the whole tree."""

from typing import ClassVar

from bkjob_async.model.printing import printable


class BkJobError(Exception):
    """The base of every error of this package."""

    advice: ClassVar[str] = ""

    def __str__(self) -> str:
        return printable(super().__str__())
