"""Conditions of `wait` that may hold before the target has ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from attrs import field, frozen
from msgspec import Struct

from bkjob_async.model.base_error import WrongType, in_range
from bkjob_async.model.status import Phase

UNFINISHED = frozenset({Phase.PENDING, Phase.RUNNING})


class Condition(Protocol):
    """A condition on a target that may become true while it runs."""

    def holds(self, hosts: Mapping[Phase, int], *, over: bool) -> bool | None:
        """Return whether the condition holds; None when it never will.

        *hosts* are the numbers of hosts seen so far in the current execution of each step that has begun, by phase.
        *over*: the target has ended.
        """
        ...


def check_condition(until: object) -> None:
    """Raise `UsageError` for what cannot say whether it holds; a class cannot."""
    if until is not None and (isinstance(until, type) or not hasattr(until, "holds")):
        raise WrongType(f"until is a condition, such as HostsDone(0.9) or FirstFailure(), not {until!r:.60}")


@frozen
class HostsDone:
    """A *share* (0 to 1) of the hosts has ended, with or without success.

    The hosts of a job are those of the steps that have begun.
    """

    share: float = field(default=1.0, validator=in_range(0, 1, whole=False, above=True))

    def holds(self, hosts: Mapping[Phase, int], *, over: bool) -> bool | None:
        """Return whether enough hosts have ended; None when the target ended with too few."""
        total = sum(hosts.values())
        done = sum(count for phase, count in hosts.items() if phase not in UNFINISHED)
        if total and done >= self.share * total:
            return True
        return None if over else False


class FirstFailure(Struct, frozen=True):
    """At least one host has ended without success."""

    def holds(self, hosts: Mapping[Phase, int], *, over: bool) -> bool | None:
        """Return whether a host failed; None when the target ended and none did."""
        if any(
            count and phase not in UNFINISHED and phase is not Phase.SUCCESS for phase, count in hosts.items()
        ):
            return True
        return None if over else False


class Waiting(Struct, frozen=True):
    """A step of the target waits for a user: one that is to be confirmed, or a rolling step before its next batch.

    Each `StepWaiting` makes it true once; a wait that an accepted operation of this client has ended counts no more.
    """

    def holds(self, hosts: Mapping[Phase, int], *, over: bool) -> bool | None:  # noqa: ARG002 - the protocol's
        """Return False, as hosts do not show it; None when the target ended."""
        return None if over else False
