"""One process is the platform, another watches it over real sockets, and the truth is known."""

from __future__ import annotations

import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import Any

import pytest

from bkjob_async import Batch, Event, Finished, HostChanged, JobRef, JobResult, Ref, StepRef, parse_ref
from bkjob_async.model.json_values import event_from_json
from bkjob_async.model.status import host_status
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.testing import Truth, broken_promises, truth_of
from tests.cli import shell

pytestmark = pytest.mark.slow

# In this world no step of a target ends with hosts that wait for ever: a watch believes in that after 15 s only.
SCENARIO, SEED, SPEED = "chaos", 73, 12
JOBS, LONGEST = 4, 60.0
# By then the watched jobs have been created.
BEGINNING = 5.0
# An ignored error may be provisional, and is believed only after a while.
CLEAR = (3, 4)
DIALECTS = ("gateway-v3", "esb-job")

Lines = list[dict[str, Any]]


def the_same_world() -> tuple[list[Ref], Truth]:
    """Let the same seed tell the same story here; return what to watch of it, and what becomes of that.

    Targets are whole jobs, one step of each beside it, and single steps of jobs that themselves never end.
    """
    world = Simulator(SCENARIO, seed=SEED)
    world.world.advance_to_end(limit=LONGEST)
    targets: list[Ref] = []
    for ref in world.refs[:JOBS]:
        job = world.job(ref)
        over = [step.ref for step in job.steps if step.ended is not None and step.status in CLEAR]
        targets += [ref, *over[:1]] if job.ended is not None else over[:1]
    return targets, truth_of(world.history({target.job for target in targets}))


@pytest.fixture(scope="module")
def watched() -> dict[str, tuple[int, Lines]]:
    """Watch one simulated platform from two processes, one per dialect; return exit codes and lines."""
    targets, _ = the_same_world()
    names = [str(target) for target in targets]
    with shell.simulator(SCENARIO, seed=SEED, speed=SPEED) as url:
        shell.control(url, "pause", {})
        shell.control(url, "advance", {"seconds": BEGINNING})
        options = ("--url", url, "--json", "--interval", "0.1", "--deadline", "40")
        watches = {d: shell.start("watch", *options, "--dialect", d, *names) for d in DIALECTS}
        wait_until_asked(url)
        shell.control(url, "resume", {})
        # Both are read at once: a full pipe would hold its watch up.
        with ThreadPoolExecutor() as readers:
            said = dict(zip(watches, readers.map(shell.ended, watches.values()), strict=True))
    assert all(done.stdout for done in said.values()), [done.stderr for done in said.values()]
    return {
        d: (done.returncode, [json.loads(line) for line in done.stdout.splitlines()])
        for d, done in said.items()
    }


def wait_until_asked(url: str) -> None:
    """Wait until each watch has begun to ask."""
    until = time.monotonic() + shell.PATIENCE
    while time.monotonic() < until:
        asked = Counter(name.partition("/")[0] for name in shell.control(url, "")["request_counts"])
        if set(DIALECTS) <= set(asked):
            return
        time.sleep(0.02)
    raise AssertionError("nobody asks")


def events(lines: Lines) -> list[Event]:
    """Read the lines back."""
    return [event_from_json(line) for line in lines]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_jobs_and_steps_are_watched_at_once(watched: dict[str, tuple[int, Lines]], dialect: str) -> None:
    """Each target ends once, with its own line; some failed, and the exit code says so."""
    targets, _ = the_same_world()
    code, lines = watched[dialect]
    kinds = {type(parse_ref(line["ref"])) for line in lines if line["kind"] == "finished"}

    assert kinds == {JobRef, StepRef}
    assert Counter(line["ref"] for line in lines if line["kind"] == "finished") == Counter(map(str, targets))
    assert code == 1


@pytest.mark.parametrize("dialect", DIALECTS)
def test_each_host_goes_through_what_the_world_did(
    watched: dict[str, tuple[int, Lines]], dialect: str
) -> None:
    """States are missed between two looks, never invented, and the last one is never missed."""
    targets, truth = the_same_world()
    reported: dict[Any, list[int]] = {}
    for line in watched[dialect][1]:
        if line["kind"] == "host_changed":
            run = (parse_ref(line["ref"]), line["execute_count"], line["host"]["label"])
            reported.setdefault(run, []).append(line["after"]["code"])

    for run, codes in reported.items():
        rest = iter(truth.hosts[run])
        assert all(code in rest for code in codes), (run, codes, truth.hosts[run])
    over = {run for run in truth.hosts if run[0] in targets or run[0].job in targets}
    assert {run: codes[-1] for run, codes in reported.items()} == {run: truth.hosts[run][-1] for run in over}
    assert sum(len(codes) > 1 for codes in reported.values()) > 10, (
        "the watch began too late to see anything move"
    )


@pytest.mark.parametrize("dialect", DIALECTS)
def test_results_and_counts_are_the_true_ones(watched: dict[str, tuple[int, Lines]], dialect: str) -> None:
    """A result's status and its hosts by phase are those of the world."""
    _, truth = the_same_world()
    for event in events(watched[dialect][1]):
        if isinstance(event, Finished):
            ref = event.ref
            true_code = truth.steps[ref][-1] if isinstance(ref, StepRef) else truth.jobs[ref][-1]
            counts = Counter(
                host_status(codes[-1]).phase
                for (step, _, _), codes in truth.hosts.items()
                if ref in (step, step.job)
            )

            assert event.result.status.code == true_code
            assert event.result.hosts == counts


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_lines_keep_the_promise_of_the_stream(
    watched: dict[str, tuple[int, Lines]], dialect: str
) -> None:
    """Read back, they are ordered, unique, chained, and batches are whole."""
    _, truth = the_same_world()
    batches = [
        Batch(int(cursor.partition("-")[0]), tuple(batch), cursor)
        for cursor, batch in groupby(
            events(watched[dialect][1]), key=lambda event: event.cursor.partition(".")[0]
        )
    ]

    assert broken_promises(batches, truth=truth) == []


def test_both_dialects_report_the_same_end(watched: dict[str, tuple[int, Lines]]) -> None:
    """Two processes, two languages, one world."""
    ends = []
    for dialect in DIALECTS:
        reported = events(watched[dialect][1])
        hosts = {
            (e.ref, e.execute_count, e.host.label): e.after for e in reported if isinstance(e, HostChanged)
        }
        ends.append((hosts, {e.ref: outline(e.result) for e in reported if isinstance(e, Finished)}))

    assert ends[0] == ends[1]


def outline(result: JobResult) -> Any:
    """Return what both dialects know of a result."""
    return result.status, result.hosts, [(step.ref, step.status, step.execute_count) for step in result.steps]
