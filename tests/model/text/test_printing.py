"""How texts of the platform and long lists are printed."""

import pytest

from bkjob_async import (
    Batch,
    BkJobError,
    CallFailed,
    ErrorDetails,
    Event,
    Finished,
    HostChanged,
    HostGroup,
    HostKey,
    HostSnapshot,
    HostStatus,
    JobFailed,
    JobRef,
    JobResult,
    JobSnapshot,
    Lost,
    LostReason,
    NotFound,
    Phase,
    Recovered,
    RunStatus,
    Scope,
    StepResult,
    StepSnapshot,
    TargetLost,
    Trouble,
)
from bkjob_async.model.operations.responses import JobLaunch
from bkjob_async.model.text.printing import first_of, printable

# What clears a terminal, what turns the direction of writing, what breaks a line.
EVIL = "a\x1b[2J\x9b31m\u202eb\u2066c\r\nd\u2028e"
JOB = JobRef(Scope.biz(2), 100)
STEP = JOB.step(5)
CONTAINER = HostKey(container_id=3, container_name=EVIL)
FAILED = HostStatus(11)

EVENTS: list[Event] = [
    HostChanged(ref=STEP, host=CONTAINER, execute_count=0, before=None, after=FAILED, tag=EVIL),
    HostChanged(
        ref=STEP, host=HostKey(bk_cloud_id=0, ip=EVIL), execute_count=0, before=None, after=FAILED, tag=EVIL
    ),
    Trouble(ref=JOB, error="PlatformTrouble", message=EVIL),
    Lost(ref=JOB, reason=LostReason.GONE, message=EVIL),
    Finished(ref=JOB, result=JobResult(ref=JOB, status=RunStatus(4), name=EVIL)),
]
ERRORS: list[BkJobError] = [
    CallFailed(ErrorDetails(operation=EVIL, message=EVIL, code=EVIL)),
    TargetLost(JOB, EVIL, EVIL),
    BkJobError(EVIL),
]


@pytest.mark.parametrize("shown", [*EVENTS, *ERRORS, CONTAINER], ids=lambda shown: type(shown).__name__)
def test_what_is_shown_cannot_steer_a_terminal(shown: object) -> None:
    """One line of letters that can be seen, as text and in a repr."""
    assert str(shown).isprintable()
    assert repr(shown).isprintable()


def test_plain_text_of_any_language_stays_as_it_is() -> None:
    """Escapes are for what cannot be seen."""
    assert printable("发布 café → ∅") == "发布 café → ∅"
    assert printable("a\nb\x85\u200f") == "a\\nb\\x85\\u200f"


def rows(count: int) -> tuple[HostSnapshot, ...]:
    """Return so many failed hosts."""
    return tuple(
        HostSnapshot(host=HostKey(bk_cloud_id=0, ip=f"10.0.{n // 256}.{n % 256}"), status=FAILED)
        for n in range(count)
    )


def test_a_result_of_many_hosts_is_short() -> None:
    """Counts, and the first few by name."""
    step = StepResult(
        ref=STEP, status=RunStatus(4), is_finished=True, hosts={Phase.FAILED: 500}, failed=rows(500)
    )
    result = JobResult(ref=JOB, status=RunStatus(4), steps=(step,))

    assert repr(result) == (
        "<JobResult 2:100 FAIL: 1 step; 500 FAILED; not well: 0:10.0.0.0, 0:10.0.0.1, 0:10.0.0.2 and 497 more>"
    )
    assert len(repr(step)) < 200
    assert len(repr(Finished(ref=JOB, result=result))) < 400
    assert len(repr(JobFailed(result))) < 300


def test_a_snapshot_of_many_hosts_is_short() -> None:
    """As are its groups, and the job that it is part of."""
    group = HostGroup(status=FAILED, tag=EVIL, size=500, hosts=rows(500))
    step = StepSnapshot(
        ref=STEP, status=RunStatus(4), is_finished=True, name=EVIL, groups=(group,), hosts=rows(500)
    )
    job = JobSnapshot(ref=JOB, status=RunStatus(4), is_finished=True, name=EVIL, steps=(step,) * 50)

    for shown in (group, step, job):
        assert len(repr(shown)) < 300
        assert repr(shown).isprintable()
        assert str(shown).isprintable()
    assert "500 hosts: 0:10.0.0.0 FAILED, " in str(step)
    assert "50 steps: 5 FAIL, 5 FAIL, 5 FAIL and 47 more" in str(job)


def test_a_launch_is_printed_as_its_job() -> None:
    """With its name, as a result and a snapshot are; the repr has all of it."""
    launch = JobLaunch(ref=JOB, name="deploy", step=STEP)

    assert [str(launch), str(JobLaunch(ref=JOB))] == ["2:100 'deploy'", "2:100"]
    assert str(JobLaunch(ref=JOB, name=EVIL)).isprintable()
    assert "step=StepRef" in repr(launch)


def test_a_batch_of_many_events_is_short() -> None:
    """Its first events are shown, and how many there are."""
    batch = Batch(7, tuple(EVENTS) * 100)

    assert repr(batch).startswith("<Batch #7 500 events: ")
    assert len(repr(batch)) < 500


def test_a_short_list_is_named_whole() -> None:
    """Nothing is more than it is."""
    assert first_of([1, 2, 3]) == "1, 2, 3"
    assert first_of([1, 2, 3, 4]) == "1, 2, 3 and 1 more"


def test_a_request_id_is_named_once() -> None:
    """A gateway repeats it in headers and body."""
    ids = {"X-Bkapi-Request-Id": "abc", "X-Request-Id": "abc", "request_id": "abc", "job_request_id": "def"}
    text = str(NotFound(ErrorDetails(operation="get_job_instance_status", request_ids=ids)))

    assert text.count("abc") == 1
    assert "X-Bkapi-Request-Id abc, job_request_id def" in text


@pytest.mark.parametrize(("targets", "whose"), [(1, "the only target"), (20, "all 20 targets")])
def test_trouble_with_the_platform_is_about_all_targets(targets: int, whose: str) -> None:
    """Where there is one, it is named so."""
    trouble = Trouble(ref=None, error="TransportFailed", message="refused", targets=targets)

    assert whose in str(trouble)
    assert str(Recovered(ref=None, targets=targets)).startswith(f"{whose} recovered")
