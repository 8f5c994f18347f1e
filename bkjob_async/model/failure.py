"""The base of every error of this package; `errors` draws the whole tree."""

from typing import ClassVar


class BkJobError(Exception):
    """The base of every error of this package."""

    advice: ClassVar[str] = ""
