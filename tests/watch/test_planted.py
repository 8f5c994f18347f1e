"""The random histories find every planted bug."""

from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from itertools import count
from typing import Any

import pytest
from hypothesis.strategies import SearchStrategy
from msgspec.structs import replace

import bkjob_async as bkjob
from bkjob_async.dialects.common import status_calls, status_views
from bkjob_async.dialects.esb import job_responses as esb_job_answers
from bkjob_async.dialects.gateway import v3_responses as v3_answers
from bkjob_async.engine.delivery import target_delivery
from bkjob_async.engine.delivery.reported import Frozen, Shared
from bkjob_async.engine.delivery.target_delivery import TargetDelivery
from bkjob_async.engine.flow_control import health
from bkjob_async.engine.flow_control.health import wait_after
from bkjob_async.engine.folding.diff import diff
from bkjob_async.engine.host_table import identity
from bkjob_async.engine.host_table.changes import ApplyResult, StatusChanges
from bkjob_async.engine.host_table.columns import small_code
from bkjob_async.engine.host_table.host_statuses import HostStatuses
from bkjob_async.engine.host_table.id_lookups import IdLookups, places_by_id
from bkjob_async.engine.host_table.identity import IdentityIndex, names_of
from bkjob_async.engine.host_table.table import HostTable
from bkjob_async.engine.responses import job_tracker, step_hosts, step_tracker
from bkjob_async.engine.responses.unchanged import known_rows
from bkjob_async.engine.stream.cursor import CursorPosition, CursorSequence, PollStamp
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.job_views import count_hosts
from bkjob_async.engine.tracking.step_state import StepState
from bkjob_async.model.events import HostChanged, Recovered
from bkjob_async.model.status import Phase, host_status
from bkjob_async.watch import waiting
from bkjob_async.watch.callbacks import CallbackReceiver
from bkjob_async.watch.polling import poller, stalls, target_poller
from bkjob_async.watch.polling.poller import Poller
from bkjob_async.watch.polling.stalls import StallTimer, mark_stalled
from bkjob_async.watch.polling.target_poller import TargetPoller
from bkjob_async.watch.polling.target_registry import PollTarget
from bkjob_async.watch.stream.readers import Backlog, Position, Reader
from bkjob_async.watch.stream.stream import EventStream
from bkjob_async.watch.stream.targets import TargetSet
from bkjob_async.watch.subscription.lingering import Lingering
from bkjob_async.watch.subscription.subscription import Subscription
from bkjob_async.wire.limits.permits import WaitingCall
from bkjob_async.wire.limits.request_limiter import RequestLimiter
from tests.watch import history_kinds as kinds
from tests.watch import slow_histories as late
from tests.watch.histories import History, histories
from tests.watch.history_kinds import retried, rolled, skipped, slowly_read
from tests.watch.history_run import run
from tests.watch.planted_faults import Patch, is_found

pytestmark = pytest.mark.deep


def emit_twice(patch: Patch) -> None:
    """Report every change of a host twice."""
    apply_groups = step_hosts.apply_groups
    patch.setattr(
        step_tracker, "apply_groups", lambda *a, **k: [e for e in apply_groups(*a, **k) for _ in "ab"]
    )


def lose_a_host(patch: Patch) -> None:
    """Lose the last host when several move at once, though the table knows."""
    apply = HostTable.apply

    def lossy(self: HostTable, *args: Any, **options: Any) -> ApplyResult:
        taken = apply(self, *args, **options)
        changes = taken.changes
        if len(changes.places) < 2:
            return taken
        fewer = StatusChanges(
            changes.places[:-1], changes.befores[:-1], changes.afters[:-1], changes.rows[:-1]
        )
        return replace(taken, changes=fewer)

    patch.setattr(HostTable, "apply", lossy)


def absence_is_an_event(patch: Patch) -> None:
    """Take a host that an answer leaves out for done."""
    set_statuses = HostTable._set

    def hasty(self: HostTable, places: list[int], smalls: bytes, codes: Any, *rest: Any) -> StatusChanges:
        rows, sequence = rest
        absent = [n for n in range(self.size) if n not in places and rows]
        done = bytes((small_code(9),)) * len(absent)
        all_rows = [*rows, *rows[:1] * len(absent)]
        return set_statuses(self, [*places, *absent], smalls + done, codes, all_rows, sequence)

    patch.setattr(HostTable, "_set", hasty)


def finish_before_settled(patch: Patch) -> None:
    """Call a step finished as soon as its status is final."""
    finish_if_settled = step_tracker.finish_if_settled

    def early(step: StepState, *args: Any, **options: Any) -> Any:
        if step.progress.settling is not None:
            step.progress.settling.rows_settled = True
        return finish_if_settled(step, *args, **options)

    patch.setattr(job_tracker, "finish_if_settled", early)


def ignore_execute_count(patch: Patch) -> None:
    """Take every execution for the first."""
    apply_step_view = step_tracker.apply_step_view
    patch.setattr(
        job_tracker,
        "apply_step_view",
        lambda job, step, view, *a, **k: apply_step_view(job, step, replace(view, execute_count=0), *a, **k),
    )


def wrong_before(patch: Patch) -> None:
    """Report every change as if at first sight."""
    events_of = step_hosts.events_of
    patch.setattr(
        step_hosts,
        "events_of",
        lambda step, moves, *a: events_of(
            step, StatusChanges(moves.places, [None] * len(moves.places), moves.afters, moves.rows), *a
        ),
    )


def torn_batches(patch: Patch) -> None:
    """Deliver the events of one poll in two batches."""
    deliver = Subscription.on_events

    def torn(self: Subscription, target: Any, at: Any, events: Any, times: Any) -> None:
        deliver(self, target, at, events[:1], times)
        deliver(self, target, at, events[1:], times)

    patch.setattr(Subscription, "on_events", torn)


def cursor_off_by_one(patch: Patch) -> None:
    """Skip a batch now and then."""
    step = EventStream.next_batch

    async def skipping(self: EventStream, position: Position) -> Any:
        found = await step(self, position)
        position.place += position.place % 5 == 0
        return found

    patch.setattr(EventStream, "next_batch", skipping)


def forget_a_nudge(patch: Patch) -> None:
    """Take no notice of operations."""
    patch.setattr(Poller, "on_operation", lambda *_, **__: None)
    patch.setattr(Poller, "nudge", lambda *_: None)


def poll_error_is_failure(patch: Patch) -> None:
    """Report a failed poll as hosts that failed."""
    failed = TargetPoller._on_failure

    def blaming(self: TargetPoller, target: PollTarget, request: Any, error: Any, begun: float) -> None:
        failed(self, target, request, error, begun)
        at = self.registry.stamp(self._now())
        for step in target.steps:
            changes = step.hosts.statuses.changes_since()
            for place, before, after in zip(changes.places, changes.befores, changes.afters, strict=True):
                if after in (5, 7) and before is not None:
                    blamed = HostChanged(
                        ref=step.ref,
                        host=step.hosts.keys[place],
                        execute_count=step.execute_count,
                        before=host_status(after),
                        after=host_status(11),
                    )
                    self.registry.publish(target, at, [blamed])
                    return

    patch.setattr(TargetPoller, "_on_failure", blaming)


def believe_doubled_rows(patch: Patch) -> None:
    """Take the last of several rows of a host for the truth."""

    def last(places: list[int], *_: Any, **__: Any) -> Any:
        keep = {place: n for n, place in enumerate(places)}
        return [place if keep[place] == n else -1 for n, place in enumerate(places)], True, {}

    patch.setattr("bkjob_async.engine.host_table.table.choose_rows", last)


def job_before_its_steps(patch: Patch) -> None:
    """Announce the job's end without waiting for its steps."""
    patch.setattr(JobState, "open_steps", lambda _self: [])


def ignored_error_is_final(patch: Patch) -> None:
    """Take code 6 for the end, although a rolling step shows it between batches."""
    patch.setattr("bkjob_async.engine.tracking.step_state.PROVISIONAL", -1)


def read_twice(patch: Patch) -> None:
    """Deliver an event again after it was delivered."""
    step = Reader.__anext__
    last: list[Any] = []

    async def again(self: Reader[Any]) -> Any:
        if len(last) % 7 == 6:
            last.append(None)
            return last[-2]
        last.append(await step(self))
        return last[-1]

    patch.setattr(Reader, "__anext__", again)


def changes_before_the_present(patch: Patch) -> None:
    """Give a reader that catches up the changes of jobs whose turn has not come."""
    is_caught_up = Backlog._is_caught_up

    def all_are(self: Backlog, part: Any) -> bool:
        jobs, self.jobs = self.jobs, {}
        found = is_caught_up(self, part)
        self.jobs = jobs
        return found

    patch.setattr(Backlog, "_is_caught_up", all_are)


# Where watches share a job.


def believe_answers_about_others(patch: Patch) -> None:
    """Take whatever comes back for the answer to what was asked."""
    for answers in (status_views, v3_answers, esb_job_answers):
        patch.setattr(answers, "check_ref", lambda *_: None)


def read_on_behind_the_batch(patch: Patch) -> None:
    """Take the cursor of an event for that of its batch."""
    place = CursorSequence.parse
    patch.setattr(
        CursorSequence, "parse", lambda self, cursor: CursorPosition(place(self, cursor).sequence, None)
    )


def forget_own_retry(patch: Patch) -> None:
    """Ask for open steps only, though one that ended was just operated on, and take their responses for one about it."""
    apply_step = job_tracker.apply_step

    def apply(job: JobState, *response: Any) -> Any:
        job.operated_at = None
        return apply_step(job, *response)

    patch.setattr("bkjob_async.watch.polling.target_poller.apply_step", apply)
    patch.setattr(
        "bkjob_async.engine.tracking.next_request.requestable_steps",
        lambda job, _: [] if job.is_target else job.open_steps(),
    )


def forget_operations_by_the_clock(patch: Patch) -> None:
    """Believe what was seen before an operation when enough time has passed, though every read failed since."""
    on_failure = TargetPoller._on_failure

    def forget(self: TargetPoller, target: PollTarget, *rest: Any) -> None:
        if target.must_read_after_operation(self._now()):
            target.operated_at = None
        on_failure(self, target, *rest)

    patch.setattr(TargetPoller, "_on_failure", forget)


def remember_for_others(patch: Patch) -> None:
    """Give a watch that joins what another one saw long ago."""
    subscribe = Poller.subscribe
    patch.setattr(Poller, "subscribe", lambda *a: (subscribe(*a)[0], None))


def end_with_the_others(patch: Patch) -> None:
    """See that a target is over only when all of its job are."""
    after_poll = TargetPoller._settle
    patch.setattr(
        TargetPoller,
        "_settle",
        lambda self, target, now, begun, **_: after_poll(self, target, now, begun, may_settle=False),
    )


def last_batch_speaks(patch: Patch) -> None:
    """Let the last of a host's rows say how it ended."""
    patch.setattr(
        "bkjob_async.engine.host_table.repeated_rows.worst_row", lambda positions, *_: positions[-1]
    )


def report_overlaps_again(patch: Patch) -> None:
    """Report what joins the targets of a watch without regard to what it follows."""
    patch.setattr(
        target_delivery, "diff", lambda reported, job, targets, _=(), **_k: diff(reported, job, targets)
    )


def forget_when_it_joined(patch: Patch) -> None:
    """Take what was reported of a target before it was added for known to every reader."""
    joined = TargetDelivery._take_joined

    def forgetful(self: TargetDelivery, *args: Any) -> Any:
        found = joined(self, *args)
        self._reported.update({ref: Shared() for ref in found})
        return found

    patch.setattr(TargetDelivery, "_take_joined", forgetful)


def recover_from_nothing(patch: Patch) -> None:
    """Report to who joins in trouble only its end."""
    patch.setattr(TargetDelivery, "_is_signal", lambda _self, event, _joined: isinstance(event, Recovered))
    patch.setattr(TargetDelivery, "_troubles", lambda *_: ())


def settle_for_good(patch: Patch) -> None:
    """Take a target that was over for over, though it runs again."""
    settle = TargetSet.settle

    def once(self: TargetSet, ref: Any, *, over: bool) -> None:
        if over:
            settle(self, ref, over=True)

    patch.setattr(TargetSet, "settle", once)


def end_linger_by_the_clock(patch: Patch) -> None:
    """End a watch that has lingered without another poll."""
    patch.setattr(Lingering, "_poll_once_more", lambda self: self._end())


def lose_twice(patch: Patch) -> None:
    """Give a reader that catches up every loss, also of one that it has read of."""
    present = TargetDelivery.present

    def forgetful(self: TargetDelivery, *args: Any, **options: Any) -> Any:
        lost = {ref: each for ref, each in self._reported.items() if isinstance(each, Frozen)}
        self._reported.update({ref: replace(each, since=10**9) for ref, each in lost.items()})
        return present(self, *args, **options)

    patch.setattr(TargetDelivery, "present", forgetful)


def count_the_lost_on(patch: Patch) -> None:
    """Count the hosts of a lost target as other targets of its job show them."""
    patch.setattr(
        TargetDelivery,
        "counts",
        lambda self, job, refs: (
            count_hosts(job, job.ref)
            if job.ref in refs and not self.is_joining(job.ref)
            else sum((Counter(count_hosts(job, ref)) for ref in refs if not self.is_joining(ref)), Counter())
        ),
    )


def count_compacted_changes_alone(patch: Patch) -> None:
    """Report no counts behind what comes in place of what was compacted away."""
    patch.setattr(HostStatuses, "has_changed", lambda *_: False)


def try_again_at_once(patch: Patch) -> None:
    """Repeat a failed poll long before its time."""
    patch.setattr(health, "wait_after", lambda *args: 0.1 * wait_after(*args))


def report_what_others_see_later(patch: Patch) -> None:
    """Let a watch that has ended report its jobs as another watch sees them now."""
    patch.setattr("bkjob_async.watch.subscription.target_release.copy", lambda state: state)
    patch.setattr("bkjob_async.watch.subscription.target_release.copy_of", lambda state: state)


def believe_old_responses(patch: Patch) -> None:
    """Take a response with an earlier execution for a new one."""
    patch.setattr(job_tracker, "is_outdated", lambda *_: False)


def know_every_response(patch: Patch) -> None:
    """Take each response about a job or step for the one before."""
    patch.setattr(status_calls, "content_of", lambda response: response.status)


def never_believe_a_backup(patch: Patch) -> None:
    """Ignore an earlier execution for ever."""
    patch.setattr(job_tracker, "RESTORED_AFTER_SECONDS", 1e9)


def confirm_nothing_after_a_callback(patch: Patch) -> None:
    """Take the first final status behind a callback for confirmed."""
    finish = job_tracker.finish_settled_step
    called: set[int] = set()
    deliver = CallbackReceiver._deliver

    def note(self: CallbackReceiver, callback: bkjob.Callback) -> None:
        called.add(callback.job_instance_id)
        deliver(self, callback)

    def hasty(job: JobState, step: StepState, stamp: PollStamp) -> Any:
        if step.progress.settling is not None and job.ref.job_instance_id in called:
            step.progress.settling.rows_settled = True
        return finish(job, step, stamp)

    patch.setattr(CallbackReceiver, "_deliver", note)
    patch.setattr(job_tracker, "finish_settled_step", hasty)


def end_a_wait_early(patch: Patch) -> None:
    """End a wait until a condition holds a poll early: one host that still runs counts as failed."""
    reached = waiting.reached

    class Early:
        def __init__(self, until: bkjob.Condition) -> None:
            self.until = until

        def holds(self, hosts: Mapping[Phase, int], *, over: bool) -> bool | None:
            moved = Counter(hosts)
            if moved[Phase.RUNNING]:
                moved.subtract({Phase.RUNNING: 1, Phase.FAILED: -1})
            return self.until.holds(moved, over=over)

    patch.setattr(
        waiting,
        "reached",
        lambda watched, ref, until, ended: reached(watched, ref, until and Early(until), ended),
    )


def wait_for_what_was(patch: Patch) -> None:
    """Let a wait in a watch return the end from before an operation."""
    patch.setattr(waiting, "is_in_doubt", lambda *_: False)


def forget_launches(patch: Patch) -> None:
    """Take a job for missing that was just launched, and is not found twice."""
    patch.setattr(poller.Poller, "on_launch", lambda *_: None)


def in_sync_at_the_first_batch(patch: Patch) -> None:
    """Say that a watch is in sync with the first thing that it gives."""
    patch.setattr(TargetSet, "all_read", True)


# Where responses come late.


def know_too_early(patch: Patch) -> None:
    """Take what is known of rows when they are requested for what is known when they come."""

    def early(function: Any, *args: Any) -> Any:
        if function is not known_rows:
            return partial(function, *args)
        known = known_rows(*args)
        return lambda: known

    patch.setattr(target_poller, "partial", early)


def stall_again(patch: Patch) -> None:
    """Report at each check that a target is stalled."""

    def again(target: JobState, silence: float) -> Any:
        events = mark_stalled(target, silence)
        target.poll_failures = replace(target.poll_failures, stalled=False).or_none()
        return events

    patch.setattr(stalls, "mark_stalled", again)


def stall_in_secret(patch: Patch) -> None:
    """Report no target as stalled."""
    patch.setattr(stalls, "mark_stalled", lambda *_: [])


def stall_while_it_is_seen(patch: Patch) -> None:
    """Report a target as stalled though one step of it is seen, which is not the one that was seen first."""
    check = StallTimer._check

    def from_the_first_poll(self: StallTimer, target: PollTarget, now: float) -> None:
        seen_at, target.seen_at = target.seen_at, target.job_seen_at
        check(self, target, now)
        target.seen_at = seen_at

    patch.setattr(StallTimer, "_check", from_the_first_poll)


def forget_in_the_queue(patch: Patch) -> None:
    """Give some late polls no permit, ever: they stay late."""
    queue = RequestLimiter.queue
    queued = count(1)

    def forgetful(self: RequestLimiter, waiter: Any) -> None:
        if isinstance(waiter, WaitingCall) or next(queued) % 20:
            queue(self, waiter)
        else:
            self.waiting += 1

    patch.setattr(RequestLimiter, "queue", forgetful)


def open_no_resource_again(patch: Patch) -> None:
    """Wait for no window of the quota of a single resource: what waits for it goes with another request."""
    next_waiter = RequestLimiter._next_waiter

    def without_waiting(self: RequestLimiter, now: float) -> Any:
        found = next_waiter(self, now)
        return None if isinstance(found, float) and self.resource_queues else found

    patch.setattr(RequestLimiter, "_next_waiter", without_waiting)


# Where hosts have several names.


def take_another_id_for_another_host(patch: Patch) -> None:
    """Take a host that is registered anew for another one."""
    patch.setattr(IdentityIndex, "_by_conflicting_id", lambda *_: None)


def forget_cloud_areas(patch: Patch) -> None:
    """Take hosts with one address in two cloud areas for one."""

    def names(host: Any) -> Any:
        return [(0, name[1]) if isinstance(name, tuple) else name for name in names_of(host)]

    patch.setattr(identity, "names_of", names)


def look_up_in_another_table(patch: Patch) -> None:
    """Take the places of another table with as many hosts."""
    known: dict[int, Any] = {}
    patch.setattr(IdLookups, "of", lambda _, keys: known.setdefault(len(keys), places_by_id(keys)))


# A bug that shows in one kind of history only is looked for in that kind.
KINDS: dict[Callable[[Patch], None], SearchStrategy[History]] = {
    forget_a_nudge: retried,
    finish_before_settled: skipped,
    ignore_execute_count: retried,
    ignored_error_is_final: rolled,
    changes_before_the_present: slowly_read,
    believe_answers_about_others: kinds.mistaken,
    read_on_behind_the_batch: kinds.cut_apart,
    forget_own_retry: kinds.retried_step,
    forget_operations_by_the_clock: kinds.retried_unread,
    remember_for_others: kinds.joined_late,
    end_with_the_others: kinds.one_part_over,
    last_batch_speaks: kinds.two_batches,
    report_overlaps_again: kinds.added_job,
    forget_when_it_joined: kinds.overflowing,
    recover_from_nothing: kinds.joined_in_trouble,
    settle_for_good: kinds.reopened_in_linger,
    end_linger_by_the_clock: kinds.retried_as_linger_ends,
    lose_twice: kinds.lost_for_the_slow,
    report_what_others_see_later: kinds.followed_on,
    try_again_at_once: kinds.all_fails,
    count_the_lost_on: kinds.dropped_when_lost,
    count_compacted_changes_alone: kinds.dropped_and_added,
    believe_old_responses: kinds.lagging,
    never_believe_a_backup: kinds.restored,
    confirm_nothing_after_a_callback: kinds.called_back,
    end_a_wait_early: kinds.waited_for,
    forget_launches: kinds.launched_unseen,
    wait_for_what_was: kinds.waited_for_again,
    open_no_resource_again: late.scarce,
    know_too_early: late.silent_again,
    stall_again: late.silent,
    stall_in_secret: late.silent,
    stall_while_it_is_seen: late.silent,
    forget_in_the_queue: late.scarce,
}
PLANTED: tuple[Callable[[Patch], None], ...] = (
    emit_twice,
    lose_a_host,
    absence_is_an_event,
    finish_before_settled,
    ignore_execute_count,
    wrong_before,
    torn_batches,
    cursor_off_by_one,
    forget_a_nudge,
    poll_error_is_failure,
    believe_doubled_rows,
    job_before_its_steps,
    ignored_error_is_final,
    read_twice,
    changes_before_the_present,
    believe_answers_about_others,
    read_on_behind_the_batch,
    forget_own_retry,
    forget_operations_by_the_clock,
    remember_for_others,
    end_with_the_others,
    last_batch_speaks,
    report_overlaps_again,
    forget_when_it_joined,
    recover_from_nothing,
    settle_for_good,
    end_linger_by_the_clock,
    lose_twice,
    report_what_others_see_later,
    try_again_at_once,
    count_the_lost_on,
    count_compacted_changes_alone,
    believe_old_responses,
    know_every_response,
    never_believe_a_backup,
    confirm_nothing_after_a_callback,
    end_a_wait_early,
    wait_for_what_was,
    forget_launches,
    in_sync_at_the_first_batch,
    take_another_id_for_another_host,
    forget_cloud_areas,
    look_up_in_another_table,
    know_too_early,
    stall_again,
    stall_in_secret,
    stall_while_it_is_seen,
    forget_in_the_queue,
    open_no_resource_again,
)


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_found(
    plant: Callable[[Patch], None], monkeypatch: Patch, loop_errors: list[Any]
) -> None:
    """Within a few hundred random histories, at least one breaks a promise."""
    plant(monkeypatch)

    # A crash is a find as well.
    assert is_found(KINDS.get(plant, histories), run, most=1500)
    loop_errors.clear()
