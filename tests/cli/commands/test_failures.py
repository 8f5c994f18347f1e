"""Failed hosts are grouped by cause, each once, and their logs are shown in short."""

from __future__ import annotations

from collections.abc import Sequence

from bkjob_async import (
    Batch,
    HostKey,
    HostSnapshot,
    HostStatus,
    JobRef,
    JobResult,
    RunStatus,
    Scope,
    StepRef,
    StepResult,
)
from bkjob_async.cli.watching.failures import last_lines
from bkjob_async.cli.watching.outcome import Outcome
from bkjob_async.model.causes import HostsByCause, hosts_by_cause
from bkjob_async.model.events import StepChanged

JOB = JobRef(Scope.biz(2), 100)
STEP = JOB.step(200)


def host(number: int, code: int, tag: str = "", exit_code: int | None = None) -> HostSnapshot:
    """Return a host with this status."""
    return HostSnapshot(
        host=HostKey(bk_cloud_id=0, ip=f"10.0.0.{number}"),
        status=HostStatus(code),
        tag=tag,
        exit_code=exit_code,
    )


def result(step: StepRef, hosts: Sequence[HostSnapshot]) -> JobResult:
    """Return the result of a job with one step."""
    steps = (StepResult(ref=step, status=RunStatus(4), is_finished=True, failed=tuple(hosts)),)
    return JobResult(ref=step.job, status=RunStatus(4), steps=steps)


def test_hosts_with_the_same_status_tag_and_exit_code_are_one_group() -> None:
    """The largest first; hosts that merely run are none."""
    other = JobRef(Scope.biz(2), 101).step(201)
    failures = hosts_by_cause(
        [
            result(STEP, [host(1, 104, "disk", 28), host(2, 7), host(3, 18), host(4, 104, "", 1)]),
            result(other, [host(5, 104, "disk", 28)]),
        ]
    )

    assert [(group.cause, group.count) for group in failures] == [
        ("SCRIPT_NOT_ZERO_EXIT_CODE, exit code 28, tag 'disk'", 2),
        ("AGENT_NOT_INSTALLED", 1),
        ("SCRIPT_NOT_ZERO_EXIT_CODE, exit code 1", 1),
    ]
    assert str(failures[0]).endswith("'disk': 0:10.0.0.1, 0:10.0.0.5 (in 2:100, 2:101)")


def test_a_step_that_is_in_two_results_counts_once() -> None:
    """A job and a step of it may both be targets."""
    failures = hosts_by_cause([result(STEP, [host(1, 104)]), result(STEP, [host(1, 104)])])

    assert [group.count for group in failures] == [1]


def test_many_hosts_are_counted() -> None:
    """Three hosts of each cause are named."""
    failures = hosts_by_cause([result(STEP, [host(n, 104, f"tag {n}") for n in range(1, 12)])])
    many = hosts_by_cause([result(STEP, [host(n, 18) for n in range(1, 201)])])

    assert len(failures) == 11
    assert str(many[0]) == (
        "200 hosts AGENT_NOT_INSTALLED: 0:10.0.0.1, 0:10.0.0.2, 0:10.0.0.3 and 197 more (in 2:100)"
    )


def test_what_the_platform_says_cannot_steer_a_terminal() -> None:
    """Tags and logs are written by users."""
    assert HostsByCause(status=HostStatus(104), tag="a\x1b[31m\nb", step=STEP).cause == (
        "SCRIPT_NOT_ZERO_EXIT_CODE, tag 'a\\x1b[31m\\nb'"
    )
    assert last_lines("one\n\x1b]0;title\x07two\n\n\n", 5) == ["one", "\\x1b]0;title\\x07two"]
    assert last_lines("\n".join(map(str, range(100))), 2) == ["98", "99"]


def test_a_step_waits_for_a_person_until_it_goes_on() -> None:
    """With the operation that lets it go on; a rolling step has another one."""
    outcome = Outcome()

    def step(code: int) -> StepChanged:
        return StepChanged(ref=STEP, execute_count=0, before=None, after=RunStatus(code), is_finished=False)

    waiting = []
    for code in (2, 7, 2, 15, 3):
        outcome.apply(Batch(1, (step(code),)))
        waiting.append(dict(outcome.waiting))

    assert waiting == [{}, {STEP: "confirm-continue"}, {}, {STEP: "rolling-continue"}, {}]
