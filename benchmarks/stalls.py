"""How long the event loop is blocked at most while steps of ten thousand hosts are watched, over real HTTP.

Four steps are watched from their start to their end, at an interval of a second: by a *prompt* reader, which reads every
event as it comes, by a *late* one, which begins after the log has dropped the first events, or without a reader. Other
tasks of the same loop want to run all the time; figures are the longest time that they could not, in milliseconds: elapsed,
as CPU time of the loop's thread, and the longest single garbage collection. The calls below are those that an
application makes in one go.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Coroutine
from statistics import median

import bkjob_async as bkjob
from benchmarks.compare.heartbeat import Heartbeat
from benchmarks.compare.large_steps import LARGE_JOB, LIFE, STEPS
from benchmarks.compare.processes import interleaved, print_figures
from benchmarks.scale import scaled
from benchmarks.table import show

CREDENTIALS = bkjob.AppCredentials(bk_app_code="bench", bk_app_secret="none", bk_username="admin")  # noqa: S106 - made up
HOSTS = scaled(10_000, 200)
ROUNDS = scaled(3, 1)
REPEATS = scaled(5, 1)
BIZ = bkjob.Scope.biz(2)
STEP_TARGETS: list[bkjob.JobRef | bkjob.StepRef] = [bkjob.JobRef(BIZ, n).step(n) for n in range(1, STEPS + 1)]
JOB_TARGET: list[bkjob.JobRef | bkjob.StepRef] = [bkjob.JobRef(BIZ, LARGE_JOB)]

Figures = dict[str, float]
Follow = Callable[[bkjob.Watch], Coroutine[None, None, int]]


async def events(watch: bkjob.Watch) -> int:
    """Read all events; return how many."""
    count = 0
    async for _ in watch:
        count += 1
    return count


async def batches(watch: bkjob.Watch) -> int:
    """Read all batches and their events; return how many."""
    count = 0
    async for batch in watch.batches():
        for _ in batch.events:
            count += 1
    return count


async def results(watch: bkjob.Watch) -> int:
    """Wait for the results, and read no other event."""
    return len(await watch.results())


READERS: dict[str, Follow] = {"events": events, "batches": batches, "results": results}


async def prompt(server: str, targets: list[bkjob.JobRef | bkjob.StepRef], reader: str) -> Figures:
    """Read from the beginning."""
    async with bkjob.connect(server, CREDENTIALS, interval=1.0) as client:
        gc.collect()
        async with Heartbeat() as heart, client.watch(targets) as watch:
            count = await READERS[reader](watch)
    return {**heart.figures("watch"), "events": count}


async def late(server: str, targets: list[bkjob.JobRef | bkjob.StepRef], reader: str) -> Figures:
    """Read from the beginning, but only when the watch has been in sync and half of the life is over."""
    async with bkjob.connect(server, CREDENTIALS, interval=1.0) as client:
        gc.collect()
        async with Heartbeat() as heart, client.watch(targets) as watch:
            await asyncio.sleep(0.5 * LIFE)
            count = await READERS[reader](watch)
            count += await READERS[reader](watch)
    return {**heart.figures("watch"), "events": count}


async def calls(server: str) -> Figures:
    """Measure calls that return large values."""
    found: Figures = {}

    def measure(name: str, call: Callable[[], object]) -> None:
        took = []
        for _ in range(REPEATS):
            gc.collect()
            started = time.thread_time()
            call()
            took.append(1e3 * (time.thread_time() - started))
        found[name] = median(took)

    async with bkjob.connect(server, CREDENTIALS, interval=1.0) as client:
        async with Heartbeat() as heart:
            answer = await client.get_step_instance_status(STEP_TARGETS[0])
        found["get_step_instance_status"] = heart.cpu
        async with Heartbeat() as heart:
            for _ in answer.hosts or ():
                pass
        found["all its hosts"] = heart.cpu
        async with client.watch([*STEP_TARGETS, *JOB_TARGET]) as watch:
            await watch.results()
            measure("snapshot of a step", lambda: watch.snapshot(STEP_TARGETS[0]))
            measure("snapshot of a step, all hosts", lambda: list(watch.snapshot(STEP_TARGETS[0]).hosts))  # type: ignore[union-attr, arg-type]
            measure("progress of a step", lambda: watch.progress(STEP_TARGETS[0]))
            measure("snapshot of a job of four", lambda: watch.snapshot(JOB_TARGET[0]))
            measure("progress of a job of four", lambda: watch.progress(JOB_TARGET[0]))
    return found


def child(way: str, server: str) -> None:
    """Measure one way in this process."""
    kind, _, reader = way.partition(" ")
    if kind == "calls":
        figures = asyncio.run(calls(server))
    else:
        moment, _, what = kind.partition("-")
        targets = JOB_TARGET if what == "job" else STEP_TARGETS
        figures = asyncio.run((prompt if moment == "prompt" else late)(server, targets, reader))
    print_figures(**figures)


WAYS = {
    "prompt-steps events": "four steps, prompt reader of events",
    "prompt-steps batches": "four steps, prompt reader of batches",
    "prompt-steps results": "four steps, results only",
    "late-steps events": "four steps, late reader of events",
    "late-steps batches": "four steps, late reader of batches",
    "prompt-job events": "a job of four steps, prompt reader of events",
    "late-job events": "a job of four steps, late reader of events",
}


def variant(way: str, failing: float) -> str:
    """Return the code that measures *way* with a server of its own."""
    return (
        "from benchmarks.compare.large_steps import running_large_steps\n"
        "from benchmarks.stalls import HOSTS, child\n"
        f"with running_large_steps(HOSTS, failing={failing}) as server: child({way!r}, server)"
    )


def main() -> None:
    """Measure and print."""
    variants = {way: variant(way, 0.03) for way in WAYS} | {"failing": variant("prompt-steps events", 1.0)}
    variants |= {"calls": variant("calls", 0.03), "calls, failing": variant("calls", 1.0)}
    found = interleaved(variants, rounds=ROUNDS)
    rows = [
        (name, *(f"{found[way][f'watch {kind}']:.0f}" for kind in ("wall", "cpu", "own", "collecting")))
        for way, name in (*WAYS.items(), ("failing", "four steps of which all hosts fail, prompt reader"))
    ]
    columns = ("watch", "elapsed", "CPU", "CPU without collection", "longest collection")
    show(f"stalls: the longest turn of the loop in ms, {STEPS} steps of {HOSTS} hosts", columns, rows)
    show(
        f"stalls: one call, CPU in ms, {HOSTS} hosts a step",
        ("call", "3 % failed", "all failed"),
        [
            (name, f"{value:.1f}", f"{found['calls, failing'][name]:.1f}")
            for name, value in found["calls"].items()
        ],
    )
