"""What went wrong with the polls of one job; most jobs never need it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from attrs import evolve, frozen

from bkjob_async.model.events import Lost, Trouble
from bkjob_async.model.refs import Ref

NO_COUNTS: Mapping[Ref, int] = MappingProxyType({})
NONE_LOST: Mapping[Ref, Lost] = MappingProxyType({})
NO_TROUBLE: Mapping[Ref, Trouble] = MappingProxyType({})


@frozen(kw_only=True)
class PollFailures:
    """Failed polls of one job.

    *failures* counts them in a row, *not_found* answers that a target is not there; *troubled* is the trouble
    that was told, by target, *lost* the targets given up. *job_rows_refused* counts refusals to show hosts with the job.
    """

    failures: int = 0
    not_found: Mapping[Ref, int] = NO_COUNTS
    troubled: Mapping[Ref, Trouble] = NO_TROUBLE
    stalled: bool = False
    lost: Mapping[Ref, Lost] = NONE_LOST
    job_rows_refused: int = 0

    def cleared(self) -> PollFailures:
        """Return what is left once an answer came."""
        if self is NONE:
            return self
        left = evolve(self, failures=0, stalled=False)
        return NONE if left == NONE else left


NONE = PollFailures()
