"""What one can wait for, short of the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from attrs import field, frozen, validators

from bkjob_async.model.status import Phase

UNFINISHED = frozenset({Phase.PENDING, Phase.RUNNING})


class Condition(Protocol):
    """Something that becomes true of a target while it runs."""

    def holds(self, hosts: Mapping[Phase, int], *, over: bool) -> bool | None:
        """Tell whether it is true of these counts of hosts; None when it never will be.

        *hosts* counts the hosts seen so far, in the present execution of each step; *over*: the target has ended.
        """
        ...


@frozen
class HostsDone:
    """That a *share* (0..1) of the hosts are done, well or not; a job's hosts are those of the steps begun so far."""

    share: float = field(default=1.0, validator=[validators.gt(0.0), validators.le(1.0)])

    def holds(self, hosts: Mapping[Phase, int], *, over: bool) -> bool | None:
        """Tell whether enough hosts are done; None when it ended with too few."""
        total = sum(hosts.values())
        done = sum(count for phase, count in hosts.items() if phase not in UNFINISHED)
        if total and done >= self.share * total:
            return True
        return None if over else False


@frozen
class FirstFailure:
    """That the first host has ended without success."""

    def holds(self, hosts: Mapping[Phase, int], *, over: bool) -> bool | None:
        """Tell whether any host failed; None when it ended and none did."""
        if any(
            count and phase not in UNFINISHED and phase is not Phase.SUCCESS for phase, count in hosts.items()
        ):
            return True
        return None if over else False
