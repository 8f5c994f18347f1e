"""What users do in a random history: which targets they follow since when, and what they do to jobs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

from attrs import define, field

import bkjob_async as bkjob
from bkjob_async.simulator.world.codes import CONFIRM
from bkjob_async.simulator.world.records import Job
from bkjob_async.simulator.world.world import World
from tests.watch.histories import OPERATIONS

# How often a request that fails is repeated.
ATTEMPTS = 10


def now() -> float:
    """Return the time in the history."""
    return asyncio.get_running_loop().time()


def parts_of(world: World, job: bkjob.JobRef, part: str) -> list[bkjob.Ref]:
    """Return what is watched of a job: itself, its first or last step, its `steps`, or `both`."""
    record = world.jobs.get(job.job_instance_id)
    steps = [step.ref for step in record.steps] if record is not None else []
    if not steps or part == "job":
        return [job]
    if part in ("first", "last"):
        return [steps[0 if part == "first" else -1]]
    return [*steps] if part == "steps" else [job, *steps]


@define
class FollowedTargets:
    """The *targets* of a watch or fleet, when each was *added*, and since when each part of a job is followed (*joins*)."""

    targets: set[bkjob.Ref] = field(factory=set)
    joins: dict[bkjob.Ref, list[float]] = field(factory=dict)
    added: dict[bkjob.Ref, list[float]] = field(factory=dict)

    def note(self, world: World, *refs: bkjob.Ref) -> None:
        """Note that *refs* are targets from now on."""
        for ref in refs:
            for part in parts_of(world, ref, "both") if isinstance(ref, bkjob.JobRef) else [ref]:
                if ref not in self.targets and part not in self.targets and part.job not in self.targets:
                    self.joins.setdefault(part, []).append(now())
            if ref not in self.targets:
                self.added.setdefault(ref, []).append(now())
            self.targets.add(ref)

    def drop(self, ref: bkjob.Ref, batches: Iterable[bkjob.Batch]) -> None:
        """Note that *ref* is a target no more. A step begins anew with its job, where that is one that *batches* lack yet."""
        self.targets.discard(ref)
        if ref == ref.job or ref.job not in self.targets:
            return
        events = (event for batch in batches for event in batch.events)
        if not any(isinstance(event, bkjob.JobChanged) and event.ref == ref.job for event in events):
            self.joins.setdefault(ref, []).append(self.added[ref.job][-1])


async def in_time(
    world: World, refs: Sequence[bkjob.JobRef], actions: Sequence[tuple[Any, ...]]
) -> AsyncIterator[tuple[Job, tuple[Any, ...]]]:
    """Yield each action when its second has come, with the job that its number means; none for a job that is gone."""
    for action in actions:
        await asyncio.sleep(action[0] - now())
        world.advance(now())
        job = world.jobs.get(refs[action[2] % len(refs)].job_instance_id)
        if job is not None:
            yield job, action


async def operate(world: World, client: bkjob.JobClient | None, job: Job, verb: str, number: int) -> None:
    """Operate on a job (`stop`, `start`) or on its current step (`operate`): through *client*, elsewhere without one."""
    code = OPERATIONS[number % len(OPERATIONS)] if verb == "operate" else 1 if verb == "stop" else 2
    if verb == "operate" and client is None:
        world.operate_step(job.current_step, code)
    elif verb == "operate" and client is not None:
        await client.operate_step_instance(job.current_step.ref, operation_code=code)
    elif client is None:
        world.operate_job(job, code)
    else:
        await client.operate_job_instance(job.ref, operation_code=code)


async def confirm(
    world: World,
    client: bkjob.JobClient,
    ref: bkjob.StepRef,
    operations: list[tuple[float, bkjob.JobRef, bool]],
) -> None:
    """Confirm a step that waits, until the platform accepts it or says that it does not wait."""
    job = world.jobs.get(ref.job.job_instance_id)
    if job is None:
        return
    step = next(step for step in job.steps if step.ref == ref)
    code = 6 if step.plan.kind == CONFIRM else 13
    for _ in range(ATTEMPTS):
        operations.append((now(), ref.job, True))
        try:
            await client.operate_step_instance(ref, operation_code=code)
        except bkjob.WrongState:
            return
        except bkjob.CallFailed:
            await asyncio.sleep(5.0)
        else:
            return
        finally:
            operations.append((now(), ref.job, True))
