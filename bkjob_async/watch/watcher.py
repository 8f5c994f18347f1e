"""The poll engine of one client: every watched job is polled once, however many watches look at it."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import evolve

from bkjob_async.engine.scheduling.poll_planner import PollPlanner
from bkjob_async.engine.tracking.job_tracker import JobTracker
from bkjob_async.engine.tracking.settling import SETTLE_BOUND
from bkjob_async.errors import ClientClosed
from bkjob_async.model.refs import JobRef, Ref
from bkjob_async.observe.observer import Observer
from bkjob_async.watch.explanation import Explanation
from bkjob_async.watch.poller import Polling
from bkjob_async.watch.subscribers import PollTarget, Subscriber
from bkjob_async.wire.session import Session


class PollTargets(Polling):
    """Knows who watches what, and has it polled; stories live as long as some watch wants them."""

    def __init__(
        self, session: Session, *, poll_planner: PollPlanner, workers: int, observers: Iterable[Observer]
    ) -> None:
        """Prepare to ask through *session*; nothing runs before the first target."""
        super().__init__(session, poll_planner=poll_planner, workers=workers, observers=observers)
        self._operated: dict[JobRef, float] = {}

    # What is watched ------------------------------------------------------------------------------------------------

    def join(self, subscriber: Subscriber) -> None:
        """Tell *subscriber* what troubles everybody, now and from now on."""
        self._subscribers.append(subscriber)
        if self.troubles.everywhere is not None:
            at = self._moment()
            subscriber.take(None, at, (evolve(self.troubles.everywhere, cursor=at.cursor, index=1),))

    def part(self, subscriber: Subscriber) -> None:
        """Tell *subscriber* nothing any more; harmless when repeated."""
        if subscriber in self._subscribers:
            self._subscribers.remove(subscriber)
            self._audiences.forget(subscriber)

    def subscribe(self, subscriber: Subscriber, ref: Ref) -> tuple[JobTracker, int | None]:
        """Watch *ref* for *subscriber*; it is looked at as soon as there is room.

        Return its story, and which round of questions can tell how it stands by now; None where nothing was asked yet,
        so that any does.
        """
        now = self._now()
        job = ref.job
        story = self._stories.get(job)
        if story is None:
            story = self._stories[job] = PollTarget(job, operated_at=self._operated.get(job))
            self.poll_planner.begin()
            self._silence.start()
        audience = self._audiences.of(story)
        if subscriber not in audience:
            audience = (*audience, subscriber)
            self._audiences.set(story, audience)
        is_new = story.first_asked_at is None and story.seen_at is None
        story.want(ref)
        story.seek_again(ref)
        story.detail_level = max(other.detail_level for other in audience)
        self._supervisor.due(story, now)
        return story, None if is_new else self._rereads.want(story)

    def unsubscribe(self, subscriber: Subscriber, ref: Ref) -> None:
        """Let go of *ref*, which *subscriber* no longer counts among its own; what nobody watches is not polled."""
        job = ref.job
        story = self._stories.get(job)
        if story is None:
            return
        audience = self._audiences.of(story)
        if not any(ref in other.refs_of(job) for other in audience):
            story.unwant(ref)
        if subscriber.refs_of(job):
            return
        left = tuple(other for other in audience if other is not subscriber)
        self._audiences.set(story, left)
        if left:
            story.detail_level = max(other.detail_level for other in left)
        else:
            del self._stories[job]
            self.poll_planner.end(story)
            self._sweeps.forget(story)
            self._supervisor.forget(story)
            self._rereads.forget(story)

    def story(self, ref: Ref) -> JobTracker | None:
        """Return the story that *ref* belongs to, None when nobody watches it."""
        return self._stories.get(ref.job)

    def last_round(self, job: JobRef) -> int:
        """Return the number of the last round of questions about *job* that was answered whole."""
        story = self._stories.get(job)
        return 0 if story is None else self._rereads.number(story)

    def nudge(self, ref: Ref) -> None:
        """Look at *ref* as soon as there is room, before all that is merely late."""
        story = self._stories.get(ref.job)
        if story is not None:
            self.poll_planner.on_nudge(story)
            self._supervisor.due(story, self._now(), urgent=True)

    def operated(self, ref: Ref) -> None:
        """Take note that an operation went out: what was final may be so no longer."""
        now = self._now()
        self._operated = {job: then for job, then in self._operated.items() if now - then < SETTLE_BOUND}
        self._operated[ref.job] = now
        story = self._stories.get(ref.job)
        if story is not None:
            story.expect_change(now)
            for subscriber in self._audiences.of(story):
                subscriber.check(ref.job)
            self._supervisor.due(story, now)

    def explain(self, ref: Ref) -> Explanation:
        """Say why *ref* is, or is not, being looked at, and when next."""
        story, now = self._stories.get(ref.job), self._now()
        if story is None:
            return Explanation(ref=ref, because="nobody watches it")
        due = self._supervisor.due_at(story)
        return Explanation(
            ref=ref,
            because=self._because(story, ref, now),
            seen_ago=None if story.seen_at is None else now - story.seen_at,
            next_in=None if due is None else max(0.0, due - now),
            failures=story.poll_failures.failures,
        )

    def _because(self, story: PollTarget, ref: Ref, now: float) -> str:
        """Return the first reason that holds, the strongest first."""
        reasons = (
            (ref in story.lost, "it is lost"),
            (self._supervisor.is_busy(story), "it is being asked about"),
            (self.troubles.breaker.is_open, "the platform cannot be reached; single probes try it"),
            (story.poll_failures.failures > 0, "its last poll failed"),
            (story.is_settled(ref, now), "it is over"),
            (story.is_settling(now), "a final status is settling"),
            (story.is_waiting(now), "it waits for a user"),
            (not story.was_read(ref), "it was not seen yet"),
        )
        expected = self.poll_planner.expects(story, now)
        running = expected or f"{story.age(now):.0f} s"
        return next((words for holds, words in reasons if holds), f"it has been running for {running}")

    async def rest(self) -> None:
        """Stop the workers when nothing is watched any more."""
        if not self._stories:
            self._silence.stop()
            await self._supervisor.aclose()

    async def aclose(self) -> None:
        """End every watch and wait until every worker has stopped."""
        for subscriber in tuple(self._subscribers):
            subscriber.fail(ClientClosed("the client was closed while this watch was open"))
        self._silence.stop()
        await self._supervisor.aclose()
