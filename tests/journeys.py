"""Count the calls and files of one poll and of one command.

`python -m tests.journeys` prints, for a poll without changes, a poll with one changed host of ten, and one command:
the calls within the package, the functions and files they belong to, and how many calls lead into another file. The
command is printed in its three parts, too: until its request is sent, until its response is read, and until the job is
to be polled at once. A coroutine or generator that continues is not called again, and calls by the simulated platform do
not count.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import FrameType

import looptime
from attrs import frozen

import bkjob_async as bkjob
from bkjob_async.testing import HANGS, SimulatedJob, Simulator, StepPlan

PACKAGE = str(Path(bkjob.__file__).parent)
# The simulated platform replaces the network; what it does and calls is not counted.
OUTSIDE = (f"{PACKAGE}/simulator/", f"{PACKAGE}/testing/")
CALLED_BACK = "Session.begin_poll.<locals>.on_received"
CREDENTIALS = bkjob.AppCredentials(bk_app_code="tests", bk_app_secret="not-to-be-seen", bk_username="admin")


# The file of the caller, the file of the function that was called, and its name.
Called = tuple[str, str, str]


@frozen
class Journey:
    """The calls of one poll or command, in numbers."""

    calls: int
    functions: int
    files: int
    file_changes: int
    hops: tuple[str, ...]


def recorded(record: Callable[[FrameType], None]) -> Callable[[FrameType, str, object], None]:
    """Return a profile function that gives every call within the package to *record*, once for each frame."""
    frames = set[FrameType]()

    def profile(frame: FrameType, event: str, _argument: object) -> None:
        begins = event == "call" and frame not in frames and not continues(frame)
        if begins and is_ours(frame) and not is_simulated(frame):
            frames.add(frame)
            record(frame)

    return profile


def continues(frame: FrameType) -> bool:
    """Return True for a coroutine or generator that goes on: functions begin with `RESUME 0`."""
    return frame.f_code.co_code[frame.f_lasti + 1] != 0


def is_ours(frame: FrameType) -> bool:
    """Return True for code of the package itself, as written by hand."""
    file = frame.f_code.co_filename
    return file.startswith(PACKAGE) and not file.startswith(OUTSIDE)


def is_simulated(frame: FrameType) -> bool:
    """Return True for what the simulated platform called, but for what it calls back with a response."""
    outer: FrameType | None = frame
    while outer is not None and outer.f_code.co_qualname != CALLED_BACK:
        if outer.f_code.co_filename.startswith(OUTSIDE):
            return True
        outer = outer.f_back
    return False


def caller(frame: FrameType) -> FrameType | None:
    """Return the nearest frame of the package that leads to *frame*."""
    outer = frame.f_back
    while outer is not None and not is_ours(outer):
        outer = outer.f_back
    return outer


class Recorder:
    """Records the calls between `start` and `stop`."""

    def __init__(self) -> None:
        self._calls: list[Called] = []

    def start(self) -> None:
        """Record from now on."""
        self._calls.clear()
        sys.setprofile(recorded(self._record))

    def stop(self) -> Journey:
        """Stop recording; return what was recorded."""
        sys.setprofile(None)
        return journey_of(self._calls)

    def stop_in_parts(self, *ends: str) -> list[Journey]:
        """Stop recording; return the parts, each of which is followed by the first call of one of these functions."""
        sys.setprofile(None)
        names = [name for _, _, name in self._calls]
        places = [0, *map(names.index, ends), len(names)]
        return [journey_of(self._calls[begin:end]) for begin, end in pairwise(places)]

    def _record(self, frame: FrameType) -> None:
        outer = caller(frame)
        inner = place(frame)
        self._calls.append((place(outer) if outer is not None else inner, inner, frame.f_code.co_qualname))


def journey_of(calls: Sequence[Called]) -> Journey:
    """Return these calls in numbers."""
    hops = tuple(f"{outer} -> {inner}: {name}" for outer, inner, name in calls if outer != inner)
    return Journey(
        calls=len(calls),
        functions=len({(inner, name) for _, inner, name in calls}),
        files=len({inner for _, inner, _ in calls}),
        file_changes=len(hops),
        hops=hops,
    )


def place(frame: FrameType) -> str:
    """Return a frame's file within the package."""
    return frame.f_code.co_filename[len(PACKAGE) + 1 :]


async def journeys() -> dict[str, Journey]:
    """Watch a step of ten hosts in virtual time; return its journeys by name."""
    simulator = Simulator(at_once=True)
    job = simulator.add(SimulatedJob(steps=(StepPlan(hosts=10, outcomes=(HANGS,)),)))
    recorder, found = Recorder(), dict[str, Journey]()
    async with bkjob.connect(
        "http://simulator/api/bk-job/prod",
        CREDENTIALS,
        scope=job.scope,
        transport=simulator.transport(),
        interval=10.0,
    ) as client:
        step = simulator.steps(job)[0]
        async with client.watch(job) as watch:
            batches = watch.batches()
            seen = asyncio.create_task(drained(batches))
            await asyncio.sleep(35)

            recorder.start()
            await asyncio.sleep(10)
            found["a poll without changes"] = recorder.stop()

            simulator.fail_host(step, "0:10.0.0.3", tag="disk")
            recorder.start()
            await asyncio.sleep(10)
            found["a poll with a change"] = recorder.stop()

            recorder.start()
            try:
                await client.operate_job_instance(job, operation_code=1)
            finally:
                found["a command"] = recorder.stop()
                parts = recorder.stop_in_parts("RequestLimiter.on_response", "Poller.on_operation")
                found |= zip(("  to the wire", "  and back", "  and to the next poll"), parts, strict=True)
            seen.cancel()
    return found


async def drained(batches: bkjob.Reader[bkjob.Batch]) -> None:
    """Read every event to the end."""
    async for batch in batches:
        for _ in batch.events:
            pass


def main() -> None:
    """Print the journeys; with `--hops` every call into another file, too."""
    with asyncio.Runner(loop_factory=partial(looptime.new_event_loop, noop_cycles=0)) as runner:
        found = runner.run(journeys())
    print(f"{'':24}{'calls':>7}{'functions':>11}{'files':>7}{'file changes':>14}")
    for name, journey in found.items():
        print(f"{name:24}{journey.calls:7}{journey.functions:11}{journey.files:7}{journey.file_changes:14}")
        if "--hops" in sys.argv:
            print("\n".join(f"    {hop}" for hop in journey.hops))


if __name__ == "__main__":
    main()
