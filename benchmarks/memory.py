"""Bytes per watched host and per watched step, compared with plain dicts and objects.

*tracemalloc* counts what Python allocated and keeps. *RSS* is what the memory of a new process grew by while the same was
built: it includes what the allocator keeps of freed objects, and of these the rows that were applied are most.
"""

import asyncio
import gc
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from attrs import frozen

from benchmarks.compare.processes import figures_of, memory, print_figures
from benchmarks.offline import poller_without_platform
from benchmarks.scale import scaled
from benchmarks.table import show
from bkjob_async.engine.host_table.machines import Machines
from bkjob_async.engine.host_table.table import HostTable
from bkjob_async.engine.responses.job_tracker import apply_job
from bkjob_async.engine.responses.unchanged import note_unchanged_job
from bkjob_async.engine.scheduling.timer_wheel import TimerWheel
from bkjob_async.engine.stream.cursor import PollStamp
from bkjob_async.model.poll_view import NO_OUTCOME, GroupPollView, JobPollView, Outcome, StepPollView
from bkjob_async.model.refs import HostKey, JobRef, Scope
from bkjob_async.model.snapshot import HostSnapshot, Times
from bkjob_async.model.status import host_status
from bkjob_async.watch.plan import WatchPlan
from bkjob_async.watch.polling.target_registry import PollTarget
from bkjob_async.watch.watch import Watch

HOSTS = scaled(100_000, 2_000)
STEPS = scaled(20_000, 200)
MIB = 1 << 20


@frozen(kw_only=True)
class Row:
    """A host row as a dialect decodes it."""

    status: int
    bk_host_id: int | None = None
    bk_cloud_id: int | None = 0
    ip: str | None = None
    ipv6: str | None = None
    container_id: int | None = None
    container_name: str | None = None
    tag: str | None = None
    exit_code: int | None = None

    def outcome(self) -> Outcome:
        """Return nothing: the host has not ended."""
        return NO_OUTCOME


def by_id(number: int) -> Row:
    """Return a row that names its host by id only."""
    return Row(status=7, bk_host_id=number)


def with_address(number: int) -> Row:
    """Return a row that names its host by id and IPv4 address."""
    return Row(status=7, bk_host_id=number, ip=f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}")


def by_address(number: int) -> Row:
    """Return a row that names its host by address only, as the ESB does."""
    return Row(status=7, ip=f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}")


def by_ipv6(number: int) -> Row:
    """Return a row of a host that has an IPv6 address only."""
    return Row(status=7, bk_host_id=number, ipv6=f"fd00::{number >> 16:x}:{number & 0xFFFF:x}")


def tables_of(row: Callable[[int], Row], hosts_per_step: int, hosts: int, distinct: int = HOSTS) -> object:
    """Return host tables after each host changed once, and the machines that they share: at most so many distinct ones."""
    machines, tables = Machines(), []
    for first in range(0, hosts, hosts_per_step):
        table = HostTable()
        rows = [row(1 + number % distinct) for number in range(first, first + hosts_per_step)]
        table.apply((GroupPollView(rows=rows),), 1, machines=machines)
        table.apply((GroupPollView(status=9, rows=rows),), 2)
        tables.append(table)
    return machines, tables


def traced(build: Callable[[], object]) -> int:
    """Return the bytes that the object returned by *build* keeps alive.

    The least of two times: the interpreter's table of interned strings may grow during one of them, by 1 MiB.
    """
    return min(traced_once(build) for _ in range(2))


def traced_once(build: Callable[[], object]) -> int:
    """Return the bytes that are allocated once *build* has returned its object, and were not before."""
    gc.collect()
    tracemalloc.start()
    kept = build()
    gc.collect()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del kept
    return size


def plain_dicts(hosts: int) -> object:
    """Return a dict of small objects."""
    return {
        number: HostSnapshot(
            host=HostKey(bk_host_id=number, bk_cloud_id=0, ip=f"10.0.0.{number}"), status=host_status(7)
        )
        for number in range(1, hosts + 1)
    }


START = datetime(2026, 1, 1, tzinfo=UTC)


def step_view(number: int, status: int, hosts: int) -> StepPollView:
    """Return a poll view of a step, with its times, and with hosts once it has started."""
    begun = Times(create_time=START, start_time=START + timedelta(seconds=number % 1000))
    rows = [by_id(number * hosts + n + 1) for n in range(hosts)] if status != 1 else []
    return StepPollView(
        step_instance_id=number,
        status=status,
        name=f"step of plan {number % 100}",
        times=begun if status != 1 else Times(create_time=START),
        groups=(GroupPollView(status=9 if status == 3 else 7, size=len(rows), rows=rows),),
        complete=True,
    )


def watched_jobs(steps: int, steps_of_a_job: int, hosts: int) -> Callable[[], object]:
    """Return what builds watched jobs, one step of each running, with the job's entry in the timer wheel.

    The refs of the jobs are not counted.
    """
    refs = [JobRef(Scope.biz(2), 10**10 + number) for number in range(steps // steps_of_a_job)]

    def build() -> object:
        targets: dict[JobRef, PollTarget] = {}
        schedule: TimerWheel[PollTarget] = TimerWheel()
        for number, ref in enumerate(refs):
            target = targets[ref] = PollTarget(ref)
            target.add_target(ref)
            first = 3 * 10**10 + number * steps_of_a_job
            running = steps_of_a_job // 2
            views = [
                step_view(first + n, 2 if n == running else 3 if n < running else 1, hosts)
                for n in range(steps_of_a_job)
            ]
            view = JobPollView(status=2, name=f"plan {number % 100}", times=views[0].times, steps=views)
            for now in (float(number), number + 60.0):  # what a step keeps while its end settles is gone then
                apply_job(target, view, PollStamp(now, number, ""))
            note_unchanged_job(target, view, number + 61.0)
            target.ended = ()  # durations were learnt from it
            schedule.put(target, number / 1_000)  # a thousand polls a second
        return targets, schedule

    return build


def watch_cost(steps: int) -> float:
    """Return bytes per target of a whole watch: single steps, polled once, with an empty event log."""
    scope = Scope.biz(2)
    refs = [JobRef(scope, number).step(1) for number in range(1, steps + 1)]
    view = StepPollView(step_instance_id=1, status=2, groups=(), complete=True)

    async def watch() -> int:
        poller = poller_without_platform(view)
        watch = Watch(WatchPlan(poller=poller, check_client=lambda: None, refs=refs, linger=None))
        watch._stream.log._limit = 0  # noqa: SLF001 - the log has a fixed size
        async with watch:
            while poller.polls < steps:  # noqa: ASYNC110 - there is no event for it
                await asyncio.sleep(0)
            gc.collect()
            return tracemalloc.get_traced_memory()[0]

    gc.collect()
    tracemalloc.start()
    size = asyncio.run(watch())
    tracemalloc.stop()
    return size / steps


BASELINE = f"dict of attrs objects, {HOSTS} hosts"
HOST_BUILDS: dict[str, tuple[Callable[[], object], int]] = {
    BASELINE: (partial(plain_dicts, HOSTS), HOSTS),
    "ids, 1 000 hosts a step": (partial(tables_of, by_id, 1_000, HOSTS), HOSTS),
    "ids, 10 hosts a step": (partial(tables_of, by_id, 10, HOSTS // 10), HOSTS // 10),
    "ids and addresses, 1 000 hosts a step": (partial(tables_of, with_address, 1_000, HOSTS), HOSTS),
    "addresses, 1 000 hosts a step": (partial(tables_of, by_address, 1_000, HOSTS), HOSTS),
    "the same 1 000 machines, 1 000 a step": (partial(tables_of, with_address, 1_000, HOSTS, 1_000), HOSTS),
    "the same 1 000 machines, 10 a step": (partial(tables_of, with_address, 10, HOSTS, 1_000), HOSTS),
    "IPv6, 1 000 hosts a step": (partial(tables_of, by_ipv6, 1_000, HOSTS // 10), HOSTS // 10),
}
STEP_BUILDS: dict[str, tuple[Callable[[], object], int]] = {
    f"jobs of {steps} steps, {hosts} hosts each": (watched_jobs(STEPS, steps, hosts), STEPS)
    for steps, hosts in ((1, 0), (5, 0), (1, 1), (5, 1), (5, 10))
}


def resident(name: str) -> float:
    """Return by how many bytes per host or step the memory of a new process grows while it is built."""
    return figures_of(f"from benchmarks.memory import child; child({name!r})")["bytes"]


def child(name: str) -> None:
    """Build in this process."""
    build, count = (HOST_BUILDS | STEP_BUILDS)[name]
    gc.collect()
    before = memory("VmRSS")
    kept = build()
    gc.collect()
    print_figures(bytes=(memory("VmRSS") - before) * MIB / count)
    del kept


def main() -> None:
    """Measure and print."""
    sizes = {name: traced(build) / count for name, (build, count) in HOST_BUILDS.items()}
    rows = [
        (name, f"{size:.1f}", f"{size / sizes[BASELINE]:.3f}", f"{resident(name):.0f}")
        for name, size in sizes.items()
    ]
    show("memory: bytes per watched host (tracemalloc)", ("what", "bytes/host", "ratio", "RSS"), rows)
    show(
        "memory: bytes per watched step",
        ("what", "bytes/step", "RSS"),
        [
            *(
                (name, f"{traced(build) / count:.0f}", f"{resident(name):.0f}")
                for name, (build, count) in STEP_BUILDS.items()
            ),
            ("single step in a watch, without its ref", f"{watch_cost(STEPS):.0f}", "-"),
        ],
    )
