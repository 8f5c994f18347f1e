"""Watching and waiting: until when, and what a wait is over with."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from bkjob_async.client.calling import Calling
from bkjob_async.engine.stream.wait_conditions import Condition
from bkjob_async.errors import (
    BkJobError,
    ConditionUnreachable,
    ErrorDetails,
    TargetLost,
    Throttled,
    UsageError,
)
from bkjob_async.model.detail_level import DetailLevel
from bkjob_async.model.events import Finished, Lost, Stalled, Trouble
from bkjob_async.model.ref_input import RefLike, as_refs
from bkjob_async.model.refs import Ref
from bkjob_async.model.result import JobResult
from bkjob_async.watch.callbacks import CallbackReceiver
from bkjob_async.watch.picking import events_but_hosts
from bkjob_async.watch.watch import Watch

Deadline = float | timedelta | None


class Waits(Calling):
    """Watches and waits."""

    def watch(
        self,
        refs: Iterable[RefLike] | RefLike,
        *,
        deadline: Deadline = None,
        linger: float | None = 0.0,
        detail_level: DetailLevel = DetailLevel.EVERY_CHANGE,
        callbacks: CallbackReceiver | None = None,
    ) -> Watch:
        """Watch jobs and steps; `async with` the watch, then iterate it.

        *refs* is one or many of what `job` and `step` take; raises `UsageError` at once for what names none.
        *deadline* is seconds from its opening: then its iterators deliver what there is and raise `DeadlineExceeded`.
        The watch ends *linger* seconds after all targets have settled; None keeps it open until it is left.
        *detail_level* says how closely hosts are followed; steps and jobs are seen to end at once in any.
        Each callback that *callbacks* receives makes it poll the named job once; by default the client's own receiver.
        """
        self._lifetime.check()
        targets = as_refs(refs, self.scope)
        watch = Watch(
            self._watcher,
            targets,
            deadline=seconds(deadline),
            linger=linger,
            detail_level=detail_level,
            scope=self.scope,
        )
        callbacks = callbacks or self._callbacks
        if callbacks is not None:
            callbacks.attach(watch)
        return watch

    async def wait(
        self, ref: RefLike, *, until: Condition | None = None, deadline: Deadline = None
    ) -> JobResult:
        """Wait until a job or step is over; return how it ended, well or not.

        *ref* is anything that `job` or `step` takes: a ref, an id, text, a link, what a launch returned.

        With *until* (`HostsDone`, `FirstFailure`, or a condition of your own) it returns as soon as that is true, with
        the result so far. Raises `ConditionUnreachable` when it no longer can be, `DeadlineExceeded` with the last snapshot,
        `TargetLost` when the target cannot be read any more. Before anything was seen, it raises the error itself when
        credentials do not work, and `Throttled` when the gateway has let nothing through for a minute. The job is never
        touched.
        """
        ref = self._ref(ref)
        # A condition is about hosts; a plain wait may let small moves of large steps collect.
        detail_level = DetailLevel.COALESCED if until is None else DetailLevel.EVERY_CHANGE
        async with self.watch(ref, deadline=deadline, detail_level=detail_level) as watch:
            async for batch in watch.batches():
                news = tuple(events_but_hosts(batch))
                for event in news:
                    if isinstance(event, Lost):
                        raise TargetLost(ref, event.reason.value, event.message)
                    if isinstance(event, Trouble | Stalled) and watch.snapshot(ref) is None:
                        self._raise_if_hopeless()
                ended = [e.result for e in news if isinstance(e, Finished) and e.ref == ref]
                result = reached(watch, ref, until, ended)
                if result is not None:
                    return result
        raise BkJobError(f"the watch of {ref} ended without a result")

    def nudge(self, ref: RefLike) -> None:
        """Look at *ref* as soon as there is room, where a watch or wait of this client wants it."""
        self._lifetime.check()
        self._watcher.nudge(self._ref(ref))

    def _raise_if_hopeless(self) -> None:
        error = self._watcher.troubles.client_error
        if error is not None:
            raise error
        if self._session.limiter.quota.is_closed and not self._watcher.troubles.breaker.is_open:
            message = "nothing could be read yet: the gateway lets nothing through"
            raise Throttled(ErrorDetails(operation="wait", message=message, sent=False))


def seconds(deadline: Deadline) -> float | None:
    """Return a deadline in seconds; raise `UsageError` for one that is not positive."""
    if deadline is None:
        return None
    value = deadline.total_seconds() if isinstance(deadline, timedelta) else float(deadline)
    if not value > 0:
        raise UsageError("a deadline is a positive number of seconds")
    return value


def reached(watch: Watch, ref: Ref, until: Condition | None, ended: list[JobResult]) -> JobResult | None:
    """Return the result that a wait is over with, None while it goes on; raise `ConditionUnreachable`."""
    if until is None:
        return ended[-1] if ended else None
    holds = until.holds(watch.counts(ref), over=bool(ended))
    if holds is None and ended:
        raise ConditionUnreachable(ended[-1], repr(until))
    return watch.progress(ref) if holds else None
