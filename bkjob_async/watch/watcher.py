"""The poll engine of one client: asks what is due, tells every watch what is news."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from itertools import count
from typing import Protocol

from attrs import evolve

from bkjob_async.engine.breaker import Breaker
from bkjob_async.engine.cadence import SETTLE_BOUND, SETTLE_INTERVAL, Cadence
from bkjob_async.engine.job_story import JobStory
from bkjob_async.engine.moment import Moment
from bkjob_async.engine.plan import Question, begin_follow_ups, next_question
from bkjob_async.engine.verdict import NOT_FOUND_TWICE, Verdict, judge
from bkjob_async.errors import BkJobError, CallFailed, ClientClosed
from bkjob_async.model.events import Event, LostReason, Recovered, Stalled, Trouble
from bkjob_async.model.operations import GetJobInstanceStatus
from bkjob_async.model.refs import JobRef, Ref
from bkjob_async.observe.observer import Mended, Observer, Polled, Troubled
from bkjob_async.watch.explanation import Explanation
from bkjob_async.watch.supervisor import Supervisor
from bkjob_async.wire.session import Session

STALLED_AFTER = 60.0
STALLED_LOOKS = 5
LOST_REASONS = {Verdict.NOT_FOUND: LostReason.NOT_FOUND, Verdict.FORBIDDEN: LostReason.FORBIDDEN}


class Subscriber(Protocol):
    """A watch, as the engine sees it: it wants some targets and takes what concerns them."""

    @property
    def revisit(self) -> float | None:
        """Seconds between looks at what is over, None to look no more."""
        ...

    def refs_of(self, job: JobRef) -> AbstractSet[Ref]:
        """Return the targets that belong to *job*."""
        ...

    def take(self, job: JobRef | None, at: Moment, events: Sequence[Event]) -> None:
        """Take in news about *job*, or about everything (None)."""
        ...

    def check(self, job: JobRef) -> None:
        """See again which targets of *job* have settled."""
        ...

    def fail(self, error: BaseException) -> None:
        """End, because the engine broke."""
        ...


class Watcher:
    """Polls every watched job once, however many watches look at it.

    Stories live as long as some watch wants them; workers run as long as there are stories.
    """

    def __init__(
        self, session: Session, *, cadence: Cadence, workers: int, observers: Iterable[Observer]
    ) -> None:
        """Prepare to ask through *session*; nothing runs before the first target."""
        self._session = session
        self._cadence = cadence
        self._observers = tuple(observers)
        self._supervisor: Supervisor[JobRef] = Supervisor(self._poll, crashed=self._crashed, workers=workers)
        self._stories: dict[JobRef, JobStory] = {}
        self._wanted_by: dict[JobRef, list[Subscriber]] = {}
        self._subscribers: list[Subscriber] = []
        self._breaker = Breaker()
        self._probing: JobRef | None = None
        self._sequence = count(1)
        self._operated: dict[JobRef, float] = {}
        self._polls = 0
        self.client_error: BkJobError | None = None
        self._everywhere: Trouble | None = None

    # What is watched ------------------------------------------------------------------------------------------------

    def join(self, subscriber: Subscriber) -> None:
        """Tell *subscriber* what troubles everybody, now and from now on."""
        self._subscribers.append(subscriber)
        if self._everywhere is not None:
            at = self._moment()
            subscriber.take(None, at, (evolve(self._everywhere, cursor=at.cursor),))

    def part(self, subscriber: Subscriber) -> None:
        """Tell *subscriber* nothing any more; harmless when repeated."""
        if subscriber in self._subscribers:
            self._subscribers.remove(subscriber)

    def subscribe(self, subscriber: Subscriber, ref: Ref) -> JobStory:
        """Watch *ref* for *subscriber*; it is looked at as soon as there is room."""
        now = self._now()
        job = ref.job
        story = self._stories.get(job)
        if story is None:
            story = self._stories[job] = JobStory(job, operated_at=self._operated.get(job))
            self._wanted_by[job] = []
        if subscriber not in self._wanted_by[job]:
            self._wanted_by[job].append(subscriber)
        known = ref in story.targets
        story.want(ref)
        if not known or not story.is_settled(ref, now):
            self._supervisor.due(job, now)
        return story

    def unsubscribe(self, subscriber: Subscriber, ref: Ref) -> None:
        """Let go of *ref*, which *subscriber* no longer counts among its own; what nobody watches is not polled."""
        job = ref.job
        story = self._stories.get(job)
        if story is None:
            return
        wanted_by = self._wanted_by[job]
        if not any(ref in other.refs_of(job) for other in wanted_by):
            story.unwant(ref)
        if not subscriber.refs_of(job) and subscriber in wanted_by:
            wanted_by.remove(subscriber)
        if not wanted_by:
            del self._stories[job], self._wanted_by[job]
            self._supervisor.forget(job)

    def story(self, ref: Ref) -> JobStory | None:
        """Return the story that *ref* belongs to, None when nobody watches it."""
        return self._stories.get(ref.job)

    def present(self, ref: Ref) -> tuple[Moment, tuple[Event, ...]]:
        """Return where *ref* stands, for a watch that joins a story already being told."""
        at = self._moment()
        story = self._stories[ref.job]
        return at, tuple(story.present({ref}, at.cursor))

    def nudge(self, ref: Ref) -> None:
        """Look at *ref* as soon as there is room."""
        if ref.job in self._stories:
            self._supervisor.due(ref.job, self._now())

    def operated(self, ref: Ref) -> None:
        """Take note that an operation went out: what was final may be so no longer."""
        now = self._now()
        self._operated = {job: then for job, then in self._operated.items() if now - then < SETTLE_BOUND}
        self._operated[ref.job] = now
        story = self._stories.get(ref.job)
        if story is not None:
            story.expect_change(now)
            for subscriber in self._wanted_by[ref.job]:
                subscriber.check(ref.job)
            self._supervisor.due(ref.job, now)

    @property
    def polls(self) -> int:
        """How many questions have been asked."""
        return self._polls

    def explain(self, ref: Ref) -> Explanation:
        """Say why *ref* is, or is not, being looked at, and when next."""
        story, now = self._stories.get(ref.job), self._now()
        if story is None:
            return Explanation(ref=ref, because="nobody watches it")
        due = self._supervisor.schedule.due_at(ref.job)
        return Explanation(
            ref=ref,
            because=self._because(story, ref, now),
            seen_ago=None if story.seen_at is None else now - story.seen_at,
            next_in=None if due is None else max(0.0, due - now),
            failures=story.failures,
        )

    def _because(self, story: JobStory, ref: Ref, now: float) -> str:
        """Return the first reason that holds, the strongest first."""
        reasons = (
            (ref in story.lost, "it is lost"),
            (self._supervisor.is_busy(ref.job), "it is being asked about"),
            (self._breaker.is_open, "the platform cannot be reached; single probes try it"),
            (story.failures > 0, "its last poll failed"),
            (story.is_settled(ref, now), "it is over"),
            (story.is_settling(now), "a final status is settling"),
            (story.is_waiting(now), "it waits for a user"),
            (not story.was_read(ref), "it was not seen yet"),
        )
        return next(
            (words for holds, words in reasons if holds), f"it has been running for {story.age(now):.0f} s"
        )

    # One poll -------------------------------------------------------------------------------------------------------

    async def _poll(self, job: JobRef) -> None:
        story = self._stories.get(job)
        if story is None or self._waits_for_probe(job):
            return
        started = self._now()
        question = next_question(story, self._session.dialect.capabilities)
        self._polls += 1
        if story.first_asked_at is None:
            story.first_asked_at = started
        try:
            if isinstance(question, GetJobInstanceStatus):
                look = await self._session.look(question)
            else:
                step_look = await self._session.look(question)
        except BkJobError as error:
            if self._stories.get(job) is story:
                self._failed(story, question, error)
                self._observe(
                    Polled(
                        ref=question.ref,
                        question=question.name,
                        seconds=self._now() - started,
                        error=type(error).__name__,
                    )
                )
            return
        finally:
            if self._probing == job:
                self._probing = None
        if self._stories.get(job) is not story:
            return  # dropped while the question was on its way
        self._way_is_open(self._now())
        at = self._moment()
        events = self._recovered(story, at)
        if isinstance(question, GetJobInstanceStatus):
            events += story.apply_job(look, at)  # pyright: ignore[reportPossiblyUnboundVariable] - the same question was asked
            events += self._missing_steps(story, at)
            begin_follow_ups(story, question, self._session.dialect.capabilities)
        else:
            events += story.apply_step(step_look, at)  # pyright: ignore[reportPossiblyUnboundVariable] - it was the other one
        self._publish(job, at, events)
        self._next(story, at.now)
        self._observe(
            Polled(ref=question.ref, question=question.name, seconds=at.now - started, events=len(events))
        )

    def _next(self, story: JobStory, now: float) -> None:
        """Decide when the story is looked at again, if ever."""
        job = story.ref
        if job not in self._stories:
            return
        if story.pending:
            self._supervisor.due(job, now)
        elif not all(story.is_settled(ref, now) for ref in story.targets):
            wait = self._cadence.next_wait(
                age=story.age(now), settling=story.is_settling(now), waiting=story.is_waiting(now)
            )
            self._supervisor.due(job, now + wait)
        else:
            for subscriber in tuple(self._wanted_by[job]):
                subscriber.check(job)
            revisits = [s.revisit for s in self._wanted_by.get(job, ()) if s.revisit is not None]
            if revisits:
                self._supervisor.due(job, now + min(revisits))

    def _missing_steps(self, story: JobStory, at: Moment) -> list[Event]:
        """Give up single steps that the job does not have."""
        events: list[Event] = []
        for ref in story.targets:
            if ref == story.ref or story.was_read(ref) or ref in story.lost:
                continue
            if story.count_not_found(ref) >= NOT_FOUND_TWICE:
                events += story.lose(ref, LostReason.NOT_FOUND, "the job has no such step", at.cursor)
        return events

    # Trouble --------------------------------------------------------------------------------------------------------

    def _failed(self, story: JobStory, question: Question, error: BkJobError) -> None:
        """Say what a failed poll means, and when to try again."""
        verdict = judge(error, question, story)
        story.pending = ()
        if verdict not in (Verdict.CLIENT_TROUBLE, Verdict.GATEWAY_TROUBLE, Verdict.THROTTLED):
            self._way_is_open(self._now())
        at = self._moment()
        if verdict is Verdict.ASK_OTHERWISE:
            # Not at once: should the other question be refused as well, this must not become a busy loop.
            self._supervisor.due(story.ref, at.now + SETTLE_INTERVAL)
            return
        story.failures += 1
        events: list[Event] = []
        if verdict in LOST_REASONS:
            reason = LOST_REASONS[verdict]
            if reason is LostReason.NOT_FOUND and story.was_read(question.ref):
                reason = LostReason.GONE
            events += story.lose(question.ref, reason, str(error), at.cursor)
        elif verdict not in (Verdict.THROTTLED, Verdict.UNSURE):
            events += self._troubled(story, question, error, verdict, at)
        events += self._stalled(story, at)
        self._publish(story.ref, at, events)
        if all(story.is_settled(ref, at.now) for ref in story.targets):
            self._next(story, at.now)
            return
        told = error.retry_after if isinstance(error, CallFailed) else None
        wait = max(told or 0.0, self._cadence.after_failure(story.failures))
        self._supervisor.due(
            story.ref, max(at.now + wait, self._breaker.probe_at if self._breaker.is_open else 0.0)
        )

    def _troubled(
        self, story: JobStory, question: Question, error: BkJobError, verdict: Verdict, at: Moment
    ) -> list[Event]:
        """Announce trouble once: of the target, or of the whole way to the platform."""
        if verdict in (Verdict.CLIENT_TROUBLE, Verdict.GATEWAY_TROUBLE):
            opened = self._breaker.failed(
                story.ref,
                at.now,
                targets=len(self._stories),
                at_once=verdict is Verdict.CLIENT_TROUBLE,
            )
            if opened:
                self.client_error = error if verdict is Verdict.CLIENT_TROUBLE else None
                self._everywhere = Trouble(
                    ref=None, error=type(error).__name__, message=str(error), targets=len(self._stories)
                )
                self._tell_all(self._everywhere)
                self._observe(Troubled(ref=None, message=str(error), targets=len(self._stories)))
            if self._breaker.is_open:
                return []
        affected = tuple(ref for ref in self._affected(story, question) if ref not in story.troubled)
        if not affected:
            return []
        if not story.troubled:
            self._observe(Troubled(ref=question.ref, message=str(error)))
        story.troubled += affected
        return [
            Trouble(ref=ref, error=type(error).__name__, message=str(error), cursor=at.cursor)
            for ref in affected
        ]

    @staticmethod
    def _affected(story: JobStory, question: Question) -> list[Ref]:
        """Return the targets that a question would have told something about."""
        if question.ref in story.targets:
            return [question.ref]
        return (
            [story.ref]
            if story.whole
            else sorted((ref for ref in story.targets if ref not in story.lost), key=str)
        )

    def _recovered(self, story: JobStory, at: Moment) -> list[Event]:
        """Announce, once, that polling this target works again."""
        troubled, story.troubled = story.troubled, ()
        if troubled:
            self._observe(Mended(ref=story.ref))
        return [
            Recovered(ref=ref, cursor=at.cursor)
            for ref in troubled
            if ref in story.targets and ref not in story.lost
        ]

    def _way_is_open(self, now: float) -> None:
        """Take note that the platform answers; announce it where it did not before."""
        if not self._breaker.succeeded():
            return
        self.client_error = self._everywhere = None
        self._tell_all(Recovered(ref=None, targets=len(self._stories)))
        self._observe(Mended(ref=None, targets=len(self._stories)))
        for number, job in enumerate(self._stories):
            # Everything is due again, but not all at once.
            self._supervisor.due(job, now + min(10.0, number * 0.01))

    def _stalled(self, story: JobStory, at: Moment) -> list[Event]:
        since = story.seen_at if story.seen_at is not None else story.first_asked_at
        silence = at.now - since if since is not None else 0.0
        bound = max(STALLED_AFTER, STALLED_LOOKS * (self._cadence.interval or 0.0))
        if story.stalled or silence < bound:
            return []
        story.stalled = True
        return [Stalled(ref=ref, seconds=silence, cursor=at.cursor) for ref in sorted(story.targets, key=str)]

    def _waits_for_probe(self, job: JobRef) -> bool:
        """Whether this poll must wait because only single probes may try the way."""
        if not self._breaker.is_open:
            return False
        now = self._now()
        if self._probing is None and now >= self._breaker.probe_at:
            self._probing = job
            return False
        # Recovery makes everything due at once; this is for the case that the probing target is dropped.
        self._supervisor.due(job, now + self._breaker.longest)
        return True

    # Telling --------------------------------------------------------------------------------------------------------

    def _publish(self, job: JobRef, at: Moment, events: Sequence[Event]) -> None:
        for subscriber in tuple(self._wanted_by.get(job, ())):
            subscriber.take(job, at, events)

    def _tell_all(self, event: Trouble | Recovered) -> None:
        at = self._moment()
        for subscriber in tuple(self._subscribers):
            subscriber.take(None, at, (evolve(event, cursor=at.cursor),))

    def _crashed(self, error: BaseException) -> None:
        for subscriber in tuple(self._subscribers):
            subscriber.fail(error)

    def _observe(self, observation: Polled | Troubled | Mended) -> None:
        for observer in self._observers:
            observer(observation)

    def _moment(self) -> Moment:
        """Return the time now with a new place in the stream."""
        sequence = next(self._sequence)
        return Moment(self._now(), sequence, str(sequence))

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    async def rest(self) -> None:
        """Stop the workers when nothing is watched any more."""
        if not self._stories:
            await self._supervisor.aclose()

    async def aclose(self) -> None:
        """End every watch and wait until every worker has stopped."""
        for subscriber in tuple(self._subscribers):
            subscriber.fail(ClientClosed("the client was closed while this watch was open"))
        self._stories.clear()
        self._wanted_by.clear()
        await self._supervisor.aclose()
