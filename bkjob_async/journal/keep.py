"""How much of the past a journal keeps."""

from __future__ import annotations

from datetime import timedelta

import msgspec
from attrs import evolve, field, frozen

from bkjob_async.errors import UsageError


def _positive_age(_instance: object, _attribute: object, value: object) -> None:
    if not isinstance(value, timedelta) or value <= timedelta(0):
        raise UsageError("Keep(age=...) is a timedelta of more than nothing")


def _positive_size(_instance: object, _attribute: object, value: object) -> None:
    if not isinstance(value, int) or value <= 0:
        raise UsageError("Keep(bytes=...) is a number of bytes, more than none")


@frozen(kw_only=True)
class Keep:
    """How much of each fleet's past is kept: nothing older than *age*, and at most so many *bytes* of records.

    The present state of a fleet is always kept, with every record behind the last checkpoint. A reader whose cursor is
    older than what is kept gets the newest of each host.
    """

    age: timedelta = field(default=timedelta(days=7), validator=_positive_age)
    bytes: int = field(default=1 << 30, validator=_positive_size)

    def in_parts(self, count: int) -> Keep:
        """Return how much each of so many equal parts keeps."""
        return evolve(self, bytes=max(1, self.bytes // count))


KEEP = Keep()


class Keeps(msgspec.Struct):
    """How much a store keeps of each fleet that this process writes: *of_others*, unless it was set by name."""

    of_others: Keep
    _own: dict[str, Keep] = msgspec.field(default_factory=dict)

    def of(self, name: str) -> Keep:
        """Return how much is kept of the fleet *name*."""
        return self._own.get(name, self.of_others)

    def set(self, name: str, keep: Keep) -> None:
        """Keep so much of the fleet *name* from its next sign of life on."""
        self._own[name] = keep
