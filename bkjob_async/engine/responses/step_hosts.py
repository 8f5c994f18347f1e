"""Apply the host rows of a response to a step: hosts that changed, and details of those that failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bkjob_async.engine.group_polling.group_poller import (
    MAX_FULL_READ_HOSTS,
    CountsOnly,
    GroupPoller,
    ReadMode,
)
from bkjob_async.engine.host_table.changes import ApplyResult, StatusChanges
from bkjob_async.engine.host_table.table import HostTable
from bkjob_async.engine.stream.cursor import PollStamp
from bkjob_async.engine.tracking.step_state import (
    CONFIRMATION,
    NO_HOSTS,
    NO_PROGRESS,
    NO_WAITS,
    Settling,
    StepState,
)
from bkjob_async.model.events import Event, HostChanged, Reopened
from bkjob_async.model.poll_view import NO_OUTCOME, GroupPollView, HostRow, NamedRow, StepPollView
from bkjob_async.model.snapshot import HostSnapshot
from bkjob_async.model.status import SUCCESSFUL_HOST_CODES, UNFINISHED_HOST_CODES, host_status


def apply_groups(
    step: StepState,
    view: StepPollView,
    groups: Sequence[GroupPollView],
    stamp: PollStamp,
    *,
    read_mode: ReadMode,
    may_defer: bool,
) -> list[Event]:
    """Apply the groups of a response that was requested in *read_mode*; return the events."""
    if read_mode is None:
        return apply_all_rows(step, view, groups, stamp)
    group_poller, moves = step.progress.group_poller, None
    if group_poller is None:
        return []  # there are no earlier counts to compare with
    requested = None if isinstance(read_mode, CountsOnly) else read_mode
    if group_poller.round is None and not group_poller.begin_round(step.hosts, groups, may_defer=may_defer):
        return []
    if requested is not None:
        lookups = stamp.machines.lookups
        moves = group_poller.apply_group(step.hosts, groups, requested, stamp.sequence, lookups)
    if moves is None:
        taken = step.hosts.apply(
            groups,
            stamp.sequence,
            view.named,
            machines=stamp.machines,
            forward_only=True,
        )
        group_poller.record_rows(taken, groups, requested=requested)
        moves = taken.changes
    tag, remaining = "", group_poller.infer_remaining()
    if remaining is not None:
        places, (code, tag) = remaining
        moves += step.hosts.infer_status(places, code, stamp.sequence)
    return apply_status_changes(step, moves, view, stamp, tag=tag)


def apply_all_rows(
    step: StepState, view: StepPollView, groups: Sequence[GroupPollView], stamp: PollStamp
) -> list[Event]:
    """Apply the rows of a response that was requested with all hosts; return the events."""
    if step.hosts is NO_HOSTS and any(group.rows for group in groups):
        step.hosts = HostTable()
    hosts, group_poller = step.hosts, step.progress.group_poller
    taken = hosts.apply(groups, stamp.sequence, view.named, machines=stamp.machines, complete=view.complete)
    if view.complete and taken.trusted and len(hosts.keys) > MAX_FULL_READ_HOSTS:
        group_poller = step.own_progress().group_poller = group_poller or GroupPoller(stamp.now)
        group_poller.on_full_read(stamp.now, groups)
    elif group_poller is not None:
        group_poller.abandon_round()
    if not taken.trusted:
        progress = step.own_progress()
        if progress.distrusted_since is None:
            progress.distrusted_since = stamp.now
    elif step.progress is not NO_PROGRESS:
        step.progress.distrusted_since = None
    step.digest = view.digest if view.complete and taken.trusted and taken.each_once else 0
    events = apply_status_changes(step, taken.changes, view, stamp)
    settling = step.progress.settling
    if settling is not None or step.announced.finished:
        update_failures(step, view, groups, taken)
    if settling is not None:
        settling.all_rows_read = taken.trusted and view.complete
        settling.rows_settled = (
            settling.all_rows_read and hosts.statuses.unfinished_count == 0 and are_listed(step)
        )
    return events


def are_listed(step: StepState) -> bool:
    """Return False if hosts of the step's execution may be missing from a response that lists none.

    A retry has its own execution at once, and its hosts and its status only later: until then the step shows how the
    execution before ended, without hosts.
    """
    if step.hosts.statuses.counts():
        return True
    return step.hosts.size == 0 and (step.execute_count == 0 or step.type == CONFIRMATION)


def has_same_counts(step: StepState, groups: Sequence[GroupPollView]) -> bool:
    """Return True if the groups have the sizes that the known statuses of all hosts give."""
    group_poller = step.progress.group_poller
    return group_poller is not None and group_poller.has_same_counts(groups)


def reopen_step(step: StepState, stamp: PollStamp, *, new_execution: bool) -> list[Event]:
    """Begin another epoch: what was final is not final any more, or another execution began."""
    was_finished = step.announced.finished
    step.retract_end(stamp.sequence)
    step.epoch += 1
    group_poller, step.progress = step.progress.group_poller, NO_PROGRESS
    step.running_since = None
    step.digest = 0
    if group_poller is not None:
        group_poller.abandon_round()
        step.own_progress().group_poller = group_poller
    if new_execution:
        step.execution_began_at = step.execution_seconds = None
        step.waits = NO_WAITS
        step.own_progress().is_first_of_execution = True
        if step.hosts is not NO_HOSTS:
            step.hosts.begin_execution(stamp.sequence)
        step.failures = None
    return [Reopened(ref=step.ref, epoch=step.epoch)] if was_finished else []


def apply_status_changes(
    step: StepState, moves: StatusChanges, view: StepPollView, stamp: PollStamp, *, tag: str = ""
) -> list[Event]:
    """Apply what the status changes of hosts mean for the step; return the events. *tag* is that of hosts without a row."""
    if not moves.places:
        return []
    events: list[Event] = []
    progress = step.progress
    if step.announced.finished:
        # A row that moves after the step was announced finished: finish it again, with the right result.
        events += reopen_step(step, stamp, new_execution=False)
        progress = step.own_progress()
        progress.settling = Settling(stamp.now)
    elif progress.settling is not None:
        progress.settling.rows_settled = False
    keep_failures(step, moves, view, tag)
    return [*events, *events_of(step, moves, view, tag)]


def events_of(step: StepState, moves: StatusChanges, view: StepPollView, tag: str) -> list[HostChanged]:
    """Return the events of hosts whose status changed; *tag* is that of hosts without a row."""
    by_code = tags_by_code(view.groups or ())
    rows = moves.rows if by_code is not None else with_names(view, moves.rows)
    no_tag = "" if view.tells_tags else None
    own_tags = (
        {code: by_code.get(code) or no_tag for code in set(moves.afters)} if by_code is not None else {}
    )
    ref, keys, execute_count, epoch = step.ref, step.hosts.keys, step.execute_count, step.epoch
    statuses = {code: host_status(code) for code in {*moves.befores, *moves.afters} if code is not None}
    events: list[HostChanged] = []
    # One loop over all members: what is first seen of ten thousand hosts is made here.
    for place, before, after, row in zip(moves.places, moves.befores, moves.afters, rows, strict=True):
        its_tag: str | None = tag
        exit_code, start_time, end_time = NO_OUTCOME
        if row is not None:
            exit_code, start_time, end_time = row.outcome()
            if after in UNFINISHED_HOST_CODES:
                exit_code = end_time = None  # of an earlier run, if any
            its_tag = row.tag
            if by_code is None:
                its_tag = its_tag or no_tag
            elif its_tag is None:
                its_tag = own_tags[after]
        events.append(
            HostChanged(
                ref=ref,
                host=keys[place],
                execute_count=execute_count,
                before=None if before is None else statuses[before],
                after=statuses[after],
                tag=its_tag,
                exit_code=exit_code,
                epoch=epoch,
                start_time=start_time,
                end_time=end_time,
            )
        )
    return events


def with_names(view: StepPollView, rows: Sequence[HostRow | None]) -> Sequence[NamedRow | None]:
    """Return *rows* with all their names."""
    named = iter(view.named([row for row in rows if row is not None]))
    return [None if row is None else next(named) for row in rows]


def keep_failures(step: StepState, moves: StatusChanges, view: StepPollView, tag: str) -> None:
    """Keep the details of hosts that failed; forget those of hosts that no longer are failed."""
    failed = {code for code in set(moves.afters) if is_failure(code)}
    if step.failures is not None and any(
        code is not None and is_failure(code) for code in set(moves.befores)
    ):
        step.forget_failures(moves.places)
    if not failed:
        return
    failures = step.failures = step.failures or {}
    found = [n for n, code in enumerate(moves.afters) if code in failed]
    for n, row in zip(found, with_names(view, [moves.rows[n] for n in found]), strict=True):
        if row is not None:
            failures[moves.places[n]] = row
        else:  # no response listed it: this is what its group says
            host, status = step.hosts.keys[moves.places[n]], host_status(moves.afters[n])
            failures[moves.places[n]] = HostSnapshot(host=host, status=status, tag=tag)


def update_failures(
    step: StepState, view: StepPollView, groups: Sequence[GroupPollView], taken: ApplyResult
) -> None:
    """Read the details of failed hosts again: exit codes and times are written late."""
    failures = step.failures
    if not failures:
        return
    begin = 0
    for group in groups:
        rows = group.rows or ()
        begin, places = begin + len(rows), taken.places[begin : begin + len(rows)]
        # If every host is listed once, no failed host is in the group of another status.
        if group.status is None or is_failure(group.status) or not taken.each_once:
            known = [n for n, place in enumerate(places) if place in failures]
            for n, row in zip(known, view.named([rows[n] for n in known]), strict=True):
                failures[places[n]] = row


def tags_by_code(groups: Sequence[GroupPollView]) -> Mapping[int, str] | None:
    """Return the tag of each status that has one; None if hosts of one status have several."""
    tags: dict[int, str] = {}
    for group in groups:
        if group.status is not None and group.tag != tags.setdefault(group.status, group.tag):
            return None
    return tags


def is_failure(code: int) -> bool:
    """Return True for the final code of a host that did not succeed."""
    return code not in UNFINISHED_HOST_CODES and code not in SUCCESSFUL_HOST_CODES
