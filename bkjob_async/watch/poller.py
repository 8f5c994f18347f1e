"""One poll after the other: what is due is asked, what is answered is told."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Iterable, Iterator, Sequence

from attrs import evolve

from bkjob_async.engine.flow_control.outage_detector import SLOWEST_RATE, OutageDetector
from bkjob_async.engine.flow_control.retry import Retries
from bkjob_async.engine.group_polling.group_poller import read_mode_of
from bkjob_async.engine.scheduling.list_polling import ListPoller, is_list_pollable
from bkjob_async.engine.scheduling.poll_interval import slot_after
from bkjob_async.engine.scheduling.poll_planner import PollPlanner
from bkjob_async.engine.stream.cursor import CursorSequence, PollStamp
from bkjob_async.engine.stream.lazy_events import EventOrLazy, event_count, with_indexes
from bkjob_async.engine.tracking.error_policy import NOT_FOUND_TWICE, ErrorAction, classify_poll_error
from bkjob_async.engine.tracking.job_tracker import NO_NEWS, JobTracker
from bkjob_async.engine.tracking.next_request import THE_JOB, Question, begin_follow_ups, next_request
from bkjob_async.engine.tracking.settling import SETTLE_INTERVAL
from bkjob_async.errors import BkJobError
from bkjob_async.model.events import Event, LostReason, Recovered, Trouble
from bkjob_async.model.operations.base import GetJobInstanceStatus
from bkjob_async.model.operations.queries import GetJobInstanceList
from bkjob_async.model.poll_view import JobPollView, StepPollView
from bkjob_async.model.refs import JobRef, Scope
from bkjob_async.observe.dispatch import ObserverDispatch
from bkjob_async.observe.observer import Observer, PollCompleted
from bkjob_async.watch.cooperative import CooperativeLoop
from bkjob_async.watch.error_reporting import HELD_BACK, REACHABILITY_UNKNOWN, ErrorReporting, stalled
from bkjob_async.watch.list_pollers import ListPollers, unseen_until
from bkjob_async.watch.rereads import Rereads
from bkjob_async.watch.silence import SilenceTimer
from bkjob_async.watch.subscribers import NOBODY, Audiences, PollTarget, Subscriber
from bkjob_async.watch.worker_pool import WorkerPool
from bkjob_async.wire.session import Session

# A target whose polls fail on their way, while others get through, is tried again after so many seconds at most.
LONGEST_WITHOUT_WAY = 15.0
ONCE = Retries(attempts=1)
DONE = object()


class Polling:
    """Asks about one job after the other, takes in what is answered, and tells those who want to hear it.

    Workers run as long as there are stories.
    """

    def __init__(
        self, session: Session, *, poll_planner: PollPlanner, workers: int, observers: Iterable[Observer]
    ) -> None:
        """Prepare to ask through *session*; nothing runs before the first target."""
        self._session = session
        self.poll_planner = poll_planner
        self._observe = ObserverDispatch(observers)
        self._sweeps = ListPollers(session.dialect.capabilities, poll_planner.cadence)
        self._supervisor: WorkerPool[PollTarget | ListPoller[PollTarget]] = WorkerPool(
            self._ask, crashed=self._crashed, workers=workers, group=scope_of
        )
        self._stories: dict[JobRef, PollTarget] = {}
        self._audiences = Audiences()
        self._rereads = Rereads()
        self._subscribers: list[Subscriber] = []
        self.troubles = ErrorReporting(tell_all=self._tell_all, observe=self._observe)
        self.places = CursorSequence(secrets.token_hex(4))
        self._polls = 0
        self._outage_detector = OutageDetector()
        self._silence = SilenceTimer(
            self._stories.values(),
            interval=poll_planner.cadence.interval,
            is_held_up=self._is_held_up,
            tell=self._tell_stalled,
        )
        self._again: Iterator[None] = iter(())
        self._looking_again = CooperativeLoop(lambda: next(self._again, DONE) is not DONE)

    @property
    def polls(self) -> int:
        """How many questions have been asked."""
        return self._polls

    # One poll -------------------------------------------------------------------------------------------------------

    def _ask(self, key: PollTarget | ListPoller[PollTarget]) -> Awaitable[None]:
        return self._sweep(key) if isinstance(key, ListPoller) else self._poll(key)

    async def _poll(self, story: PollTarget) -> None:
        if story.audience == NOBODY:
            return
        started = self._now()
        if self.troubles.breaker.is_open:
            held_back = self.troubles.delay_if_open(story, started)
            if held_back is not None:
                self._supervisor.due(story, held_back)
                return
        if story.pace is not None:
            self.poll_planner.asked(story, started, self._queue())
        if not story.pending and (self._rereads.begin(story) or self._is_revisited(story, started)):
            story.pending = (THE_JOB,)
        scarce = self._session.limiter.waiting > 0
        question = next_request(story, self._session.dialect.capabilities, requests_are_scarce=scarce)
        self._polls += 1
        if story.first_asked_at is None and story.seen_at is None:
            story.first_asked_at = started
        try:
            look = await self._session.poll(question)
        except BkJobError as error:
            if story.audience != NOBODY:
                self._failed(story, question, error, started)
                self._observe_poll(question, self._now() - started, error=type(error).__name__)
            return
        if story.audience != NOBODY:  # else it was dropped while the question was on its way
            self._heed(story, question, look, started)

    def _heed(
        self, story: PollTarget, question: Question, look: JobPollView | StepPollView, started: float
    ) -> None:
        """Take in an answer, and tell what is news."""
        if not self.troubles.breaker.has_no_failures:
            self._way_is_open(started)
        at = self._moment()
        if self._outage_detector.on_response(at.now, sent=started) and self._supervisor.overdue:
            self._look_at_all_again()
        asked = at.now if self._outage_detector.was_in_outage(started) else started
        events: Sequence[EventOrLazy] = (
            self.troubles.recovered(story, at) if story.poll_failures.troubled else ()
        )
        if isinstance(look, JobPollView):
            events = [*events, *story.apply_job(look, at), *self._missing_steps(story, at)]
        else:
            reading = None if isinstance(question, GetJobInstanceStatus) else read_mode_of(question)
            news = story.apply_step(look, at, reading)
            if news is NO_NEWS and self._goes_on(story, at.now):
                self._go_on(story, at, asked)
                self._observe_poll(question, at.now - started)
                return
            events = [*events, *news]
        begin_follow_ups(story, question, self._session.dialect.capabilities)
        if not story.pending:
            self._rereads.answered(story)
        self._publish(story, at, events)
        self._next(story, at.now, asked, told=bool(events))
        self._observe_poll(question, at.now - started, events)

    def _goes_on(self, story: PollTarget, now: float) -> bool:
        """Whether no question about a story is left, nobody waits for it, and only what it shows can change anything."""
        if story.pending or story.operated_at is not None or story in self._rereads:
            return False
        return not story.all_settled(now)

    def _is_revisited(self, story: PollTarget, now: float) -> bool:
        """Whether a single step is over that somebody wants to see again, while others are asked for themselves."""
        if story.whole or len(story.singles) < 2 or story.job_seen_at is None:
            return False
        every = self._revisit(story)
        if every is None or now - story.job_seen_at < every:
            return False
        return any(story.has_finished(ref) for ref in story.singles)

    def _revisit(self, story: PollTarget) -> float | None:
        """Return the seconds between looks at what is over, None to look no more."""
        return min((s.revisit for s in self._audiences.of(story) if s.revisit is not None), default=None)

    def _go_on(self, story: PollTarget, at: PollStamp, asked: float) -> None:
        """Look again later at what stands as it stood."""
        for subscriber in self._audiences.of(story):
            if not subscriber.is_in_sync:
                subscriber.take(story.ref, at, NO_NEWS)
        if story.audience != NOBODY:
            self._supervisor.due(story, self._next_look(story, at.now, asked))

    def _queue(self) -> float:
        """Return how many seconds of requests wait for their turn."""
        limiter = self._session.limiter
        pace = limiter.requests_per_second
        return limiter.waiting / pace if pace else 0.0

    def _next(self, story: PollTarget, now: float, asked: float, *, told: bool) -> None:
        """See who is through with a story, asked about at *asked*, and decide when it is looked at again, if ever."""
        if story.ended:
            expects_callbacks = any(s.expects_callbacks for s in self._audiences.of(story))
            self.poll_planner.learn(story, now, expects_callbacks=expects_callbacks)
        if told or story.operated_at is not None or story in self._rereads:
            self._check(story)
        if story.audience == NOBODY:
            return
        if story.pending or self._is_awaited(story):
            self._supervisor.due(story, now)
        elif not story.all_settled(now):
            self._supervisor.due(story, self._next_look(story, now, asked))
            self._have_swept(story, now)
        else:
            self._sweeps.forget(story)
            self.poll_planner.rest(story)
            self._check(story)
            every = self._revisit(story)
            if every is not None and story.audience != NOBODY:
                self._supervisor.due(story, now + every)

    def _check(self, story: PollTarget) -> None:
        """Let those who want to hear of a story see which of their targets have settled."""
        for subscriber in self._audiences.of(story):
            subscriber.check(story.ref)

    def _is_awaited(self, story: PollTarget) -> bool:
        """Whether somebody waits for a story to be read anew."""
        if story not in self._rereads:
            return False
        if any(subscriber.awaits(story.ref) for subscriber in self._audiences.of(story)):
            return True
        self._rereads.forget(story)
        return False

    def _next_look(self, story: PollTarget, now: float, asked: float) -> float:
        """Return when a story that goes on, asked about at *asked*, is looked at again."""
        if self.poll_planner.cadence.interval is not None:
            return self.poll_planner.next_look(story, now, asked=asked)
        audience = self._audiences.of(story)
        ends = [s.ends_at for s in audience if s.ends_at is not None]
        return self.poll_planner.next_look(
            story,
            now,
            limit=self._session.limiter.requests_per_second,
            expects_callbacks=any(s.expects_callbacks for s in audience),
            ends_in=min(ends) - now if ends else None,
        )

    def _missing_steps(self, story: JobTracker, at: PollStamp) -> list[Event]:
        """Give up single steps that the job does not have."""
        events: list[Event] = []
        for ref in story.singles:
            if story.was_read(ref) or ref in story.lost:
                continue
            if story.count_not_found(ref) >= NOT_FOUND_TWICE:
                events += story.lose(ref, LostReason.NOT_FOUND, "the job has no such step", at.cursor)
        return events

    def _failed(self, story: PollTarget, question: Question, error: BkJobError, asked: float) -> None:
        """Say what a failed poll, begun at *asked*, means, and when to try again."""
        verdict = classify_poll_error(error, question, story)
        story.give_up_round()
        if verdict not in REACHABILITY_UNKNOWN:
            self._way_is_open(asked)
        at = self._moment()
        if verdict is ErrorAction.USE_OTHER_REQUEST:
            # Not at once: should the other question be refused as well, this must not become a busy loop.
            self._supervisor.due(story, at.now + SETTLE_INTERVAL)
            return
        story.poll_failures = evolve(story.poll_failures, failures=story.poll_failures.failures + 1)
        was_open = self.troubles.breaker.is_open
        events = self.troubles.failed(story, question, error, verdict, at, targets=len(self._stories))
        if self.troubles.breaker.is_open and not was_open:
            self._outage_detector.on_circuit_open()
        if not events:
            at = self._moment()  # something may have been told to everybody meanwhile
        self._publish(story, at, events)
        if story.all_settled(at.now) and not self._is_awaited(story):
            self._next(story, at.now, asked, told=True)
            return
        if events:
            self._check(story)
        if story.audience == NOBODY:
            return
        self._supervisor.due(story, self.troubles.try_again(at.now + self._backoff(story, verdict)))

    def _backoff(self, story: PollTarget, verdict: ErrorAction) -> float:
        """Return the seconds until a failed poll is tried again, as far as it concerns this story alone."""
        cadence, failures = self.poll_planner.cadence, story.poll_failures.failures
        if verdict is ErrorAction.THROTTLED:
            return cadence.after_failure(
                1
            )  # how long nothing gets through is known where requests wait for their turn
        if verdict is ErrorAction.GATEWAY_TROUBLE:
            if len(self._stories) < 2:
                return self.troubles.breaker.longest_wait  # nobody else finds out that the platform is back
            return cadence.after_failure(failures, LONGEST_WITHOUT_WAY)
        return cadence.after_failure(failures)

    def _way_is_open(self, sent: float) -> None:
        """Take note that the platform answers a request *sent* then; after an outage, look at everything again."""
        if self.troubles.answered(len(self._stories), self._now(), sent=sent):
            self._look_at_all_again()

    def _look_at_all_again(self) -> None:
        """Look at everything again after an outage, as many a second as is usual."""
        self._again = self._look_again(tuple(self._stories.values()), self._now())
        self._looking_again.go()

    def _look_again(self, stories: Sequence[PollTarget], now: float) -> Iterator[None]:
        """Make one story after the other due, each in its own slot where looks are at a short fixed interval."""
        number, interval = 0, self.poll_planner.cadence.interval
        rate = self._outage_detector.resume_rate(len(stories))
        for story in stories:
            if self._is_wanted(story, now) and self._was_held_up(story, now):
                if interval is not None and len(stories) > interval * SLOWEST_RATE:
                    at = slot_after(story.ref, interval, now)
                else:
                    at = now + number / rate
                self._supervisor.reschedule(story, at)
                number += 1
            yield

    def _is_wanted(self, story: PollTarget, now: float) -> bool:
        """Return whether somebody watches *story* and it is not over, or waits for it to be read anew."""
        return story.audience != NOBODY and (story in self._rereads or not story.all_settled(now))

    def _was_held_up(self, story: PollTarget, now: float) -> bool:
        """Return whether an outage may have kept a look at *story* from being made."""
        return story.poll_failures.failures > 0 or story.due is None or story.due <= now + HELD_BACK

    def _is_held_up(self, story: PollTarget, now: float) -> bool:
        """Return whether a look at *story* is overdue, under way, failed, or not made because of an outage."""
        if story.due is None:
            return not self._supervisor.is_idle(story)
        by = now + HELD_BACK if self.troubles.breaker.is_open else now
        return story.poll_failures.failures > 0 or story.due <= by

    def _tell_stalled(self, story: PollTarget, silence: float) -> None:
        at = self._moment()
        self._publish(story, at, stalled(story, at, silence))

    # Lists in place of many polls -----------------------------------------------------------------------------------

    def _have_swept(self, story: PollTarget, now: float) -> None:
        """Let a list speak for a story where that is worth it."""
        sweep = self._sweeps.note(story)
        if sweep is not None and sweep.is_worthwhile(now) and self._supervisor.is_idle(sweep):
            self._supervisor.due(sweep, now + sweep.interval)

    async def _sweep(self, sweep: ListPoller[PollTarget]) -> None:
        """Ask for a page of the jobs that run, and heed what it hints at."""
        started = self._now()
        question = sweep.question(self._sweeps.page)
        if question is None or not sweep.is_worthwhile(started) or self.troubles.breaker.is_open:
            return  # the next look at one of its jobs begins anew
        self._polls += 1
        try:
            page = await self._session.call(question, retries=ONCE, urgent=False)
        except BkJobError as error:
            now = self._now()
            sweep.failed(now)
            self._observe_poll(question, now - started, error=type(error).__name__)
            return
        now = self._now()
        hints = sweep.on_page(page, now)
        for story in hints.still:
            if is_list_pollable(story):
                until = unseen_until(story, self._audiences.of(story), sweep.next_word(now))
                self._supervisor.postpone(story, until)
                self.poll_planner.postponed(story, until)
        for story in hints.moved:
            self._supervisor.due(story, now)
        if sweep.is_worthwhile(now):
            self._supervisor.due(sweep, now + sweep.next_wait())
        self._observe_poll(question, now - started)

    # AnnouncedState --------------------------------------------------------------------------------------------------------

    def _publish(self, story: PollTarget, at: PollStamp, events: Sequence[EventOrLazy]) -> None:
        with_indexes(events)
        for subscriber in self._audiences.of(story):
            subscriber.take(story.ref, at, events)

    def _tell_all(self, event: Trouble | Recovered) -> None:
        at = self._moment()
        for subscriber in tuple(self._subscribers):
            subscriber.take(None, at, (evolve(event, cursor=at.cursor, index=1),))

    def _crashed(self, error: BaseException) -> None:
        for subscriber in tuple(self._subscribers):
            subscriber.fail(error)

    def _observe_poll(
        self,
        question: Question | GetJobInstanceList,
        seconds: float,
        events: Sequence[EventOrLazy] = (),
        error: str | None = None,
    ) -> None:
        """Tell of one poll whoever wants to know."""
        if not self._observe.wants_polls:
            return
        ref = None if isinstance(question, GetJobInstanceList) else question.ref
        count = event_count(events)
        self._observe(
            PollCompleted(ref=ref, question=question.name, seconds=seconds, events=count, error=error)
        )

    def _moment(self) -> PollStamp:
        """Return the time now with a new place in the stream."""
        return self.places.next_stamp(asyncio.get_running_loop().time())

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def scope_of(key: PollTarget | ListPoller[PollTarget]) -> Scope:
    """Return whose share polls count towards."""
    return key.scope if isinstance(key, ListPoller) else key.ref.scope
