"""A made-up run of many jobs, as batches with times: what a watch would have reported of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from random import Random

import bkjob_async as bkjob
from bkjob_async.engine.journaling.records import encode_record
from bkjob_async.engine.stream.cursor import place
from bkjob_async.journal.store import Holder, StoredRecord
from bkjob_async.model.events import Batch, Event, Finished, HostChanged, JobChanged, StepChanged
from bkjob_async.model.refs import HostKey, StepRef
from bkjob_async.model.result import JobResult, StepResult
from bkjob_async.model.snapshot import HostSnapshot, Times
from bkjob_async.model.status import host_status, run_status

BEGAN = 1_795_282_200.0
SCOPE = bkjob.Scope.biz(2)
CLIENT = "0a1b2c3d"
CAUSES = ((104, "", 1), (104, "", 2), (16, "", None), (1, "", None), (104, "disk full", 28))
PENDING, RUNNING, SUCCESS = 5, 7, 9

Timed = tuple[float, int, list[Event]]


def placed(number: int, events: Sequence[Event], at: float) -> Batch:
    """Return events as batch *number* at Unix time *at*."""
    time = datetime.fromtimestamp(at, UTC)
    place(events, f"{number}-{CLIENT}", time)
    return Batch(number, tuple(events), f"{number}-{CLIENT}", at=time)


def host_key(number: int) -> HostKey:
    """Return a host by its number."""
    return HostKey(
        bk_host_id=number + 1, bk_cloud_id=0, ip=f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    )


def moved(
    ref: StepRef, number: int, before: int | None, after: int, cause: tuple[int, str, int | None]
) -> HostChanged:
    """Return the change of a host."""
    _, tag, exit_code = cause
    is_final = after not in (PENDING, RUNNING)
    return HostChanged(
        ref=ref,
        host=host_key(number),
        execute_count=0,
        before=None if before is None else host_status(before),
        after=host_status(after),
        tag=tag if is_final else None,
        exit_code=exit_code if is_final else None,
    )


def job_batches(job: int, first: int, hosts: int, dice: Random) -> Iterator[Timed]:
    """Yield the batches of one job with one step, with their times."""
    ref = bkjob.JobRef(SCOPE, 20_000_000_000 + job)
    step, name = ref.step(30_000_000_000 + job), f"deploy app-{job % 13} zone {job % 7}"
    start, period = dice.uniform(0, 200), 5.0
    ends = []
    for number in range(hosts):
        failed = dice.random() < 0.07
        took = 10.0 if failed and dice.random() < 0.5 else min(900.0, dice.lognormvariate(4.0, 0.8))
        code, tag, exit_code = dice.choice(CAUSES) if failed else (SUCCESS, "", 0)
        ends.append((start + 2 * period + took, first + number, (code, tag, exit_code)))
    ok = SUCCESS, "", 0
    yield (
        start,
        job,
        [
            JobChanged(ref=ref, before=None, after=run_status(2), is_finished=False, name=name),
            StepChanged(
                ref=step, execute_count=0, before=None, after=run_status(2), is_finished=False, name="rollout"
            ),
            *(moved(step, number, None, PENDING, ok) for _, number, _ in ends),
        ],
    )
    half = hosts // 2
    yield start + period, job, [moved(step, number, PENDING, RUNNING, ok) for _, number, _ in ends[:half]]
    yield start + 2 * period, job, [moved(step, number, PENDING, RUNNING, ok) for _, number, _ in ends[half:]]
    ends.sort()
    polls = [
        (poll, list(each))
        for poll, each in groupby(ends, key=lambda end: start + period * -(-(end[0] - start) // period))
    ]
    for poll, some in polls:
        events: list[Event] = [moved(step, number, RUNNING, cause[0], cause) for _, number, cause in some]
        if poll == polls[-1][0]:
            events += ending(step, name, ends, poll - start)
        yield poll, job, events


def ending(
    step: StepRef, name: str, ends: list[tuple[float, int, tuple[int, str, int | None]]], took: float
) -> list[Event]:
    """Return the events of the end of a job."""
    failed = [
        HostSnapshot(host=host_key(number), status=host_status(code), tag=tag, exit_code=exit_code)
        for _, number, (code, tag, exit_code) in ends
        if code != SUCCESS
    ]
    status = run_status(4 if failed else 3)
    result = StepResult(
        ref=step, status=status, is_finished=True, name="rollout", times=Times(total_time=took), failed=failed
    )
    job = JobResult(ref=step.job, status=status, name=name, times=Times(total_time=took), steps=(result,))
    return [
        StepChanged(
            ref=step, execute_count=0, before=run_status(2), after=status, is_finished=True, name="rollout"
        ),
        JobChanged(ref=step.job, before=run_status(2), after=status, is_finished=True, name=name),
        Finished(ref=step.job, result=job),
    ]


def run_of(hosts: int, hosts_per_job: int = 20, seed: int = 1) -> list[Timed]:
    """Return a run of so many hosts in jobs of one step, in the order of time."""
    dice = Random(seed)
    batches = [
        timed
        for job, first in enumerate(range(0, hosts, hosts_per_job))
        for timed in job_batches(job, first, min(hosts_per_job, hosts - first), dice)
    ]
    # To the millisecond, as lines have them.
    return sorted(((round(at, 3), job, events) for at, job, events in batches), key=lambda timed: timed[0])


def write_lines(batches: list[Timed], file: Path) -> None:
    """Write a run as `bkjob watch --json` would."""
    with file.open("w", encoding="utf-8") as out:
        for at, _, events in batches:
            moment = datetime.fromtimestamp(BEGAN + at, UTC).isoformat(timespec="milliseconds")
            for event in events:
                line = {**bkjob.event_to_json(event), "at": moment}
                out.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")


async def write_journal(batches: list[Timed], url: str, name: str) -> None:
    """Write a run into a journal, as a watch would."""
    async with bkjob.open_journal(url) as journal:
        opened = await journal.store.open(name, Holder("bench", 1), take_over=True)
        jobs = {job for _, job, _ in batches}
        records = [
            StoredRecord(
                number,
                BEGAN + at,
                encode_record(
                    number,
                    time=BEGAN + at,
                    term=opened.term,
                    client=CLIENT,
                    batch=placed(number, events, BEGAN + at),
                ),
            )
            for number, (at, _, events) in enumerate(batches, opened.head + 1)
        ]
        for begin in range(0, len(records), 500):
            await journal.store.append(
                name,
                term=opened.term,
                head=opened.head + begin,
                records=records[begin : begin + 500],
                targets=len(jobs),
            )
        await journal.store.release(name, term=opened.term)
