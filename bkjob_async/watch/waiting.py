"""Wait in a watch until a target has ended, or a condition holds."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from bkjob_async.engine.stream.wait_conditions import Condition, Waiting
from bkjob_async.engine.tracking.job_views import are_all_counted, count_hosts_not_begun, target_result
from bkjob_async.errors import BkJobError, ConditionUnreachable, TargetLost, UsageError
from bkjob_async.model.events import Event, Finished, Lost, StepWaiting
from bkjob_async.model.refs import Ref
from bkjob_async.model.result import JobResult
from bkjob_async.watch.polling.poller import Poller
from bkjob_async.watch.stream.readers import batch_notices
from bkjob_async.watch.subscription.subscription import Subscription


async def wait_for(watched: Subscription, poller: Poller, ref: Ref, until: Condition | None) -> JobResult:
    """Wait until *ref* has ended, or *until* holds; return its result, or that so far."""
    if ref not in watched.targets and watched.stream.state != "new" and not watched.is_changing:
        raise UsageError(f"{ref} is no target of this watch")
    began = asyncio.get_running_loop().time()
    # What comes later is behind the newest batch; what was before is in the state.
    notices = watched.stream.reader(
        batch_notices,
        watched.stream.last_cursor or None,
        shows_trouble=False,
        is_over=lambda: (
            is_dropped(watched, ref)
            or (was_in_doubt and has_ended(watched, ref))
            or refusal(watched, poller, ref, began) is not None
        ),
    )
    was_in_doubt = is_in_doubt(watched, ref)
    if (result := reached_before(watched, ref, until)) is not None:
        return result
    async for events in notices:
        for event in events:
            if isinstance(event, Lost) and event.ref == ref:
                raise lost(event)
        if (result := reached_with(watched, ref, until, events)) is not None:
            return result
    was_in_doubt = was_in_doubt and not is_dropped(watched, ref)
    if was_in_doubt and (result := reached_before(watched, ref, until)) is not None:
        return result
    raise refusal(watched, poller, ref, began) or ended_meanwhile(watched, ref)


def refusal(watched: Subscription, poller: Poller, ref: Ref, began: float) -> BkJobError | None:
    """Return what keeps *ref* from being read, by a response since *began*; None where it was read, or may be."""
    error = poller.refusal_of(ref, sent=watched.opened_at, received=began)
    return error if error is not None and watched.states.snapshot(ref) is None else None


def ended_meanwhile(watched: Subscription, ref: Ref) -> UsageError:
    """Return the error of a wait for *ref* that can go on no longer."""
    if is_dropped(watched, ref):
        return UsageError(f"{ref} was dropped from this watch while a wait for it went on")
    return UsageError(f"the watch was closed while a wait for {ref} went on")


def is_dropped(watched: Subscription, ref: Ref) -> bool:
    """Return whether *ref* is no target, and not about to be added."""
    return ref not in watched.targets and not watched.is_changing


def reached_before(watched: Subscription, ref: Ref, until: Condition | None) -> JobResult | None:
    """Return the result that a wait is over with when it begins, None where it goes on; raise `TargetLost`."""
    state, loss = watched.states.state_of(ref), watched.states.delivery.loss_of(ref)
    if loss is not None:
        raise lost(loss)
    if state is None or not state.was_read(ref):
        return None
    return reached(watched, ref, until, target_result(state, ref) if has_ended(watched, ref) else None)


def has_ended(watched: Subscription, ref: Ref) -> bool:
    """Return whether *ref* is over, and no operation was made since that may have it run again."""
    state = watched.states.state_of(ref)
    return state is not None and state.has_finished(ref) and not is_in_doubt(watched, ref)


def is_in_doubt(watched: Subscription, ref: Ref) -> bool:
    """Return whether *ref* was reported as over, and may run again by now: an operation was made since."""
    state = watched.states.state_of(ref)
    run = None if state is None else state.run_of(ref)
    if not watched.is_open or state is None or run is None or watched.states.has_ended_before(ref):
        return False
    return run.announced.finished and state.is_doubtful(run.active_at)


def reached_with(
    watched: Subscription, ref: Ref, until: Condition | None, events: Sequence[Event]
) -> JobResult | None:
    """Return the result that a wait is over with at the *events* of a batch, None where it goes on."""
    waits = (each for each in events if isinstance(each, StepWaiting) and ref in (each.ref, each.ref.job))
    if isinstance(until, Waiting) and any(waits):
        return result_so_far(watched, ref)
    ends = [event.result for event in events if isinstance(event, Finished) and event.ref == ref]
    return reached(watched, ref, until, ends[-1] if ends else None)


def reached(
    watched: Subscription, ref: Ref, until: Condition | None, ended: JobResult | None
) -> JobResult | None:
    """Return the result that a wait is over with, None while it goes on; raise `ConditionUnreachable`."""
    if until is None:
        return ended
    state = watched.states.state_of(ref)
    if ended is None and not (watched.is_in_sync and state is not None and are_all_counted(state, ref)):
        return None  # of a part of the hosts it may hold, and not of all; another event comes
    if ended is None and is_in_doubt(watched, ref):
        return None  # these may be the hosts of the run before
    counts = watched.states.counts(ref)
    if state is not None and ref == state.ref:
        counts = Counter(counts) - count_hosts_not_begun(state)
    holds = until.holds(counts, over=ended is not None)
    if holds is None and ended is not None:
        raise ConditionUnreachable(ended, repr(until))
    return result_so_far(watched, ref) if holds else None


def result_so_far(watched: Subscription, ref: Ref) -> JobResult | None:
    """Return the result that *ref* would have if it ended now, None before it was seen."""
    state = watched.states.state_of(ref)
    return target_result(state, ref) if state is not None and state.was_read(ref) else None


def lost(event: Lost) -> TargetLost:
    """Return the error of a target that cannot be read any more."""
    return TargetLost(event.ref, event.reason.value, event.message)
