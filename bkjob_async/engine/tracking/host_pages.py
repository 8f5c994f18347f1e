"""Pages of the hosts of a job or step, those that failed first.

An example. A step has seen the hosts 0 to 5 run (r), fail (f) and succeed (s), and two are shown at a time:

    places   0 1 2 3 4 5
    phases   s f r f s f
    page 1   1 3             after: FAILED-200-3
    now host 4 fails too, and host 2 succeeds
    page 2   4 5             after: FAILED-200-5
    page 3   0 2             the last

A place never changes, so a page begins behind the host that the last one ended with, whatever happened in between.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.step_views import hosts_at
from bkjob_async.errors import UsageError
from bkjob_async.model.refs import Ref, StepRef
from bkjob_async.model.snapshot import HostPage, HostSnapshot
from bkjob_async.model.status import Phase

ORDER = (
    Phase.FAILED,
    Phase.ABNORMAL,
    Phase.UNKNOWN,
    Phase.STOPPED,
    Phase.WAITING,
    Phase.STOPPING,
    Phase.RUNNING,
    Phase.PENDING,
    Phase.IGNORED,
    Phase.SKIPPED,
    Phase.SUCCESS,
)

Place = tuple[int, int, int]
"""A place in the order of pages: the class of the host's phase, the index of its step, the host's place in it."""


def host_page(
    job: JobState, ref: Ref, phases: Collection[Phase] | None, after: str | None, limit: int
) -> HostPage:
    """Return at most *limit* hosts of *ref* behind *after*, those in *phases* alone if given.

    Raises `UsageError` for an *after* that no page of this job has.
    """
    classes = {phase: number for number, phase in enumerate(ORDER, 1) if phases is None or phase in phases}
    columns = [
        step.hosts.statuses.classes(classes) if ref in (job.ref, step.ref) else b"" for step in job.steps
    ]
    begin = (0, 0, -1) if after is None else place_of(job, after)
    found: list[Place] = []
    for place in places_behind(columns, [*classes.values()], begin):
        found.append(place)
        if len(found) > limit:
            break
    return HostPage(
        hosts=tuple(hosts_of(job, found[:limit])),
        total=sum(len(column) - column.count(0) for column in columns),
        after=text_of(job, found[limit - 1]) if len(found) > limit else None,
    )


def places_behind(columns: list[bytes], classes: list[int], begin: Place) -> Iterator[Place]:
    """Yield the places behind *begin*; *columns* has the class of each host of each step."""
    for number in classes:
        for index, column in enumerate(columns):
            if (number, index) < begin[:2]:
                continue
            place = begin[2] if (number, index) == begin[:2] else -1
            while (place := column.find(number, place + 1)) >= 0:
                yield number, index, place


def hosts_of(job: JobState, found: list[Place]) -> Iterator[tuple[StepRef, HostSnapshot]]:
    """Yield the hosts at these places with their steps, in this order."""
    made: dict[tuple[int, int], HostSnapshot] = {}
    for index in {index for _, index, _ in found}:
        places = [place for _, other, place in found if other == index]
        hosts = hosts_at(job.steps[index], places)
        made.update(((index, place), host) for place, host in zip(places, hosts, strict=True))
    for _, index, place in found:
        yield job.steps[index].ref, made[index, place]


def text_of(job: JobState, place: Place) -> str:
    """Return a place as text."""
    return f"{ORDER[place[0] - 1]}-{job.steps[place[1]].ref.step_instance_id}-{place[2]}"


def place_of(job: JobState, text: str) -> Place:
    """Read back what `text_of` wrote; raise `UsageError` for anything else."""
    try:
        phase, step, place = text.split("-")
        ids = [each.ref.step_instance_id for each in job.steps]
        return ORDER.index(Phase(phase)) + 1, ids.index(int(step)), int(place)
    except ValueError:
        raise UsageError(f"no page of hosts of {job.ref} ends at {text!r}") from None
