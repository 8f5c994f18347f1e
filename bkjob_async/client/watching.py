"""Watches, waits, and the durations that watches learned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from bkjob_async.client.caller import Caller
from bkjob_async.engine.scheduling.duration_stats import DurationStats
from bkjob_async.engine.stream.wait_conditions import Condition
from bkjob_async.errors import (
    UsageError,
)
from bkjob_async.journal.journal import Journal, open_journal
from bkjob_async.journal.urls import check_fleet_name
from bkjob_async.model.base_error import WrongType, WrongValue, check_type
from bkjob_async.model.detail_level import DetailLevel
from bkjob_async.model.events import Trouble
from bkjob_async.model.ref_input import RefLike, as_refs
from bkjob_async.model.result import JobResult
from bkjob_async.watch.callbacks import CallbackReceiver
from bkjob_async.watch.plan import Recording, WatchPlan
from bkjob_async.watch.watch import Watch
from bkjob_async.wire.tracebacks import hide_call_arguments

Deadline = float | timedelta | None


@hide_call_arguments
def watch(
    client: Caller,
    refs: Iterable[RefLike] | RefLike = (),
    *,
    journal: str | Journal | None = None,
    name: str | None = None,
    takeover: bool = True,
    deadline: Deadline = None,
    linger: float | None = 0.0,
    detail_level: DetailLevel = DetailLevel.EVERY_CHANGE,
    callbacks: CallbackReceiver | None = None,
) -> Watch:
    """Watch jobs and steps, and iterate over their events.

    Open the watch with `async with`.

    *refs* is one or many of what `job` and `step` take; raises `UsageError` at once for what names none. *deadline* is
    seconds or a timedelta, counted from the opening: then the iterators deliver what there is and raise
    `DeadlineExceeded`. The watch ends *linger* seconds after all targets have settled; None keeps it open until it is
    left. *detail_level* says how closely hosts are followed; at every level the end of steps and jobs is seen at once.
    Each callback that *callbacks* receives makes it poll the named job once; by default the client's own receiver.

    With a *journal*, what `open_journal` takes or returns, the watch is recorded under *name*, and a watch that another
    process opens under this name continues it: with the same targets and *refs*, and with what changed in between. A
    target that is dropped is removed from the record. Opening the watch raises `FleetBusy` where another process holds
    the name and *takeover* is False, and other errors of `JournalError` where the journal cannot be used.

    >>> async with client.watch([job], deadline=600) as watch:
    ...     async for result in watch.as_finished():
    ...         print(result)
    2:20000000001 FAIL: 1 step; 1 FAILED, 2 SUCCESS; not well: 0:10.0.0.2
    """
    client._lifetime.check()
    check_how_closely(detail_level, linger)
    check_type("callbacks", callbacks, CallbackReceiver | None, "CallbackReceiver()")
    check_type("journal", journal, str | Journal | None, "journal='sqlite:///fleet.db'")
    targets = as_refs(refs, client.scope)
    opened = Watch(
        WatchPlan(
            poller=client._poller,
            check_client=client._lifetime.check,
            refs=targets,
            deadline=seconds(deadline),
            linger=linger,
            detail_level=detail_level,
            scope=client.scope,
            fleet=fleet_of(journal, name, take_over=takeover),
        )
    )
    callbacks = callbacks or client._callbacks
    if callbacks is not None:
        callbacks.attach(opened)
    return opened


def fleet_of(journal: str | Journal | None, name: str | None, *, take_over: bool) -> Recording | None:
    """Return where a watch is recorded, None for nowhere; raise `UsageError` for half of it."""
    if journal is None:
        if name is not None:
            raise UsageError("a name is for a watch with a journal: give journal=, too")
        return None
    if name is None:
        raise UsageError("a watch with a journal needs a name, under which it is continued: name=")
    check_fleet_name(name)
    is_own = isinstance(journal, str)
    opened = open_journal(journal) if isinstance(journal, str) else journal
    return Recording(journal=opened, name=name, take_over=take_over, is_own=is_own)


async def wait(
    client: Caller, ref: RefLike, *, until: Condition | None = None, deadline: Deadline = None
) -> JobResult:
    """Wait until a job or step has ended; return its result.

    The result is returned whether the job succeeded or not.

    *ref* is anything that `job` or `step` takes: a ref, an id, text, a link, what a launch returned. *deadline* is
    seconds or a timedelta. With *until* (`HostsDone`, `FirstFailure`, `Waiting`, or a condition of your own) it returns
    the result so far as soon as the condition holds. Raises `ConditionUnreachable` when it cannot hold any more,
    `DeadlineExceeded` with the last snapshot, and `TargetLost` when the target cannot be read any more. Before the
    first successful poll it also raises the error of wrong credentials, `InvalidResponse` where all that came for 30
    seconds was none of the platform's responses, and `Throttled` when the gateway has refused every request for a
    minute. The job is never touched.

    >>> launch = await client.execute_job_plan(1000)
    >>> result = await client.wait(launch, deadline=3600)
    >>> print(result)
    2:20000000002 SUCCESS: 1 step; 3 SUCCESS
    """
    ref = client._ref(ref)
    # A condition is about hosts; a plain wait may let small moves of large steps collect.
    detail_level = DetailLevel.COALESCED if until is None else DetailLevel.EVERY_CHANGE
    with client._session.observe.around("wait", ref):
        async with watch(client, ref, deadline=deadline, detail_level=detail_level) as opened:
            return await opened.wait(ref, until=until)


def nudge(client: Caller, ref: RefLike) -> None:
    """Poll *ref* as soon as possible, if this client watches it, as `Watch.nudge` does.

    >>> async with client.watch(job, linger=60) as watch:
    ...     client.nudge(job)
    """
    client._lifetime.check()
    client._poller.nudge(client._ref(ref))


def durations(client: Caller) -> tuple[DurationStats, ...]:
    """Return the durations of earlier runs, per job and step name.

    >>> result = await client.run_plan(1000)
    >>> [(stats.job, stats.runs, round(stats.median, 1)) for stats in client.durations()]
    [('plan #', 1, 6.6), ('plan #', 1, 7.2)]
    """
    return tuple(client._poller.planner.durations)


def export_durations(client: Caller) -> dict[str, Any]:
    """Return the durations as JSON values, for `connect(duration_stats=...)` of a later process.

    >>> stored = json.dumps(client.export_durations())
    >>> later = bkjob.connect("https://bkapi.example.com/api/bk-job/prod", credentials, duration_stats=json.loads(stored))
    """
    return client._poller.planner.durations.exported()


def import_durations(client: Caller, exported: Mapping[str, Any]) -> int:
    """Take over what another client exported, of names of which it saw more runs; return of how many.

    Raises `UsageError` for other data.

    >>> stored = client.export_durations()
    >>> client.import_durations(stored)
    0
    """
    return client._poller.planner.take_durations(exported)


def outage(client: Caller) -> Trouble | None:
    """Return why no target of this client can be polled, None while the platform responds.

    >>> print(client.outage())
    None
    """
    return client._poller.errors.outage


def check_how_closely(detail_level: object, linger: object) -> None:
    """Raise `UsageError` for a level or a time to linger that cannot be one."""
    if not isinstance(detail_level, DetailLevel):
        raise WrongType(
            f"detail_level is a DetailLevel, such as DetailLevel.END_ONLY, not {detail_level!r:.60}"
        )
    if linger is None:
        return
    if isinstance(linger, bool) or not isinstance(linger, int | float) or not linger >= 0:
        raise WrongValue(f"linger is a number of seconds, or None to stay open, not {linger!r:.60}")


def seconds(deadline: Deadline) -> float | None:
    """Return a deadline in seconds; raise `UsageError` for one that is not positive."""
    if deadline is None:
        return None
    value: object = deadline.total_seconds() if isinstance(deadline, timedelta) else deadline
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise WrongType(f"a deadline is seconds or a timedelta, not {deadline!r:.60}")
    if not value > 0:
        raise WrongValue("a deadline is a positive number of seconds")
    return value
