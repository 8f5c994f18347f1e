"""What failed polls make the engine say, once each: of a target, of the way to the platform."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import evolve

from bkjob_async.engine.flow_control.circuit_breaker import CircuitBreaker
from bkjob_async.engine.stream.cursor import PollStamp
from bkjob_async.engine.tracking.error_policy import ErrorAction
from bkjob_async.engine.tracking.job_tracker import JobTracker
from bkjob_async.engine.tracking.next_request import Question
from bkjob_async.engine.tracking.poll_failures import NO_TROUBLE
from bkjob_async.errors import BkJobError
from bkjob_async.model.events import Event, LostReason, Recovered, Stalled, Trouble
from bkjob_async.model.operations.base import GetStepInstanceStatus
from bkjob_async.model.refs import Ref
from bkjob_async.observe.observer import Observation, PollingFailed, PollingRecovered
from bkjob_async.watch.subscribers import NOBODY, PollTarget

STALLED_AFTER = 60.0
STALLED_LOOKS = 5
# What may not be polled now is thought of again after so many seconds.
HELD_BACK = 10.0
LOST_REASONS = {ErrorAction.NOT_FOUND: LostReason.NOT_FOUND, ErrorAction.FORBIDDEN: LostReason.FORBIDDEN}
# These say nothing about whether the platform can be reached at all.
REACHABILITY_UNKNOWN = (ErrorAction.CLIENT_TROUBLE, ErrorAction.GATEWAY_TROUBLE, ErrorAction.THROTTLED)


class ErrorReporting:
    """Keeps count of failed polls of all targets, and of what was said about them.

    `everywhere` is the trouble that all targets are in, `client_error` the refusal of the credentials behind it.
    """

    def __init__(
        self, *, tell_all: Callable[[Trouble | Recovered], None], observe: Callable[[Observation], None]
    ) -> None:
        """Tell what concerns everybody through *tell_all*."""
        self.breaker = CircuitBreaker()
        self.everywhere: Trouble | None = None
        self.client_error: BkJobError | None = None
        self._next_probe: PollTarget | None = None
        self._tell_all = tell_all
        self._observe = observe

    # The way to the platform ----------------------------------------------------------------------------------------

    def delay_if_open(self, story: PollTarget, now: float) -> float | None:
        """Return until when a poll of *story* must wait, now that only single probes may try the way; None for not."""
        if self.breaker.try_probe(now):
            self._next_probe = None
            return None
        if self._next_probe is None or self._next_probe.audience == NOBODY:
            self._next_probe = story
        # Recovery makes everything due again; the others come back by themselves in case the next probe is dropped.
        return self.breaker.probe_at if self._next_probe is story else now + HELD_BACK

    def answered(self, targets: int, now: float, *, sent: float) -> bool:
        """Take note that the platform answers a request *sent* then; announce it, and return True, where it did not."""
        if not self.breaker.on_success(now, sent=sent):
            return False
        self._next_probe = None
        self.client_error = self.everywhere = None
        self._tell_all(Recovered(ref=None, targets=targets))
        self._observe(PollingRecovered(ref=None, targets=targets))
        return True

    def try_again(self, due: float) -> float:
        """Return when a failed poll is tried again: *due* by itself, with the next probe where only probes may go."""
        return self.breaker.probe_at if self.breaker.is_open else due

    # Targets --------------------------------------------------------------------------------------------------------

    def failed(
        self,
        story: JobTracker,
        question: Question,
        error: BkJobError,
        verdict: ErrorAction,
        at: PollStamp,
        *,
        targets: int,
    ) -> list[Event]:
        """Say what a failed poll means, as far as it was not said."""
        if verdict in LOST_REASONS:
            reason = LOST_REASONS[verdict]
            if reason is LostReason.NOT_FOUND and story.was_read(question.ref):
                reason = LostReason.GONE
            return story.lose(question.ref, reason, str(error), at.cursor)
        if verdict in (ErrorAction.THROTTLED, ErrorAction.RETRY_ONCE):
            return []
        if verdict in (ErrorAction.CLIENT_TROUBLE, ErrorAction.GATEWAY_TROUBLE):
            self._doubt_the_way(
                story, error, at, for_all=verdict is ErrorAction.CLIENT_TROUBLE, targets=targets
            )
            if self.breaker.is_open:
                return []
        known = story.poll_failures.troubled
        troubled = {
            ref: Trouble(ref=ref, error=type(error).__name__, message=str(error), cursor=at.cursor)
            for ref in affected_by(story, question)
            if ref not in known
        }
        if troubled and not known:
            self._observe(PollingFailed(ref=question.ref, message=str(error)))
        story.poll_failures = evolve(story.poll_failures, troubled={**known, **troubled})
        return list(troubled.values())

    def _doubt_the_way(
        self, story: JobTracker, error: BkJobError, at: PollStamp, *, for_all: bool, targets: int
    ) -> None:
        if not self.breaker.on_failure(story.ref, at.now, targets=targets, at_once=for_all):
            return
        self.client_error = error if for_all else None
        self.everywhere = Trouble(ref=None, error=type(error).__name__, message=str(error), targets=targets)
        self._tell_all(self.everywhere)
        self._observe(PollingFailed(ref=None, message=str(error), targets=targets))

    def recovered(self, story: JobTracker, at: PollStamp) -> list[Event]:
        """Announce, once, that polling this target works again."""
        troubled = story.poll_failures.troubled
        if troubled:
            story.poll_failures = evolve(story.poll_failures, troubled=NO_TROUBLE)
            self._observe(PollingRecovered(ref=story.ref))
        return [
            Recovered(ref=ref, cursor=at.cursor)
            for ref in troubled
            if ref in story.targets and ref not in story.lost
        ]


def affected_by(story: JobTracker, question: Question) -> Sequence[Ref]:
    """Return the targets that a question would have told something about: a step, and its job; or all of a job."""
    refs = [ref for ref in story.targets if ref not in story.lost]
    if isinstance(question, GetStepInstanceStatus):
        about = [ref for ref in refs if ref in (question.ref, story.ref)]
        refs = about or refs
    return sorted(refs, key=str)


def longest_silence(interval: float | None) -> float:
    """Return after how many seconds without an answer a target is stalled."""
    return max(STALLED_AFTER, STALLED_LOOKS * (interval or 0.0))


def stalled(story: JobTracker, at: PollStamp, silence: float) -> list[Event]:
    """Announce, once, that nothing could be seen of a story's targets for *silence* seconds."""
    story.poll_failures = evolve(story.poll_failures, stalled=True)
    targets = sorted((ref for ref in story.targets if ref not in story.lost), key=str)
    return [Stalled(ref=ref, seconds=silence, cursor=at.cursor) for ref in targets]
