"""Refs in every form that callers may pass, and errors for all others."""

from typing import Any

import pytest

from bkjob_async.errors import UsageError
from bkjob_async.model.operations.responses import JobLaunch
from bkjob_async.model.ref_input import as_job_ref, as_ref, as_refs, as_step_ref
from bkjob_async.model.refs import HostKey, JobRef, Ref, Scope, StepRef

HOME = Scope.biz(2)
JOB, STEP = JobRef(HOME, 5), StepRef(HOME, 5, 7)
ELSEWHERE = JobRef(Scope.biz_set(9), 5)


def untyped(make: Any) -> Any:
    """Return *make* as callers see it who do not check types."""
    return make


@pytest.mark.parametrize(
    ("given", "ref"),
    [
        (JOB, JOB),
        (STEP, STEP),
        (5, JOB),
        ("5", JOB),
        (" 5/7 ", STEP),
        ("2:5", JOB),
        ("2:5/7", STEP),
        ("biz_set:9:5", ELSEWHERE),
        ("tenant_set:1:5", JobRef(Scope.tenant_set(1), 5)),
        (JobLaunch(ref=JOB), JOB),
        (JobLaunch(ref=JOB, step=STEP), JOB),
        ("https://job.example.com/api_execute/5", JOB),
        ("https://job.example.com/t/job/api_execute/5/?stepInstanceId=7&retryCount=0&batch=1", STEP),
        ("https://job.example.com/api_execute_step/5/7?retryCount=0&batch=0", STEP),
        ("job.example.com/api_execute_step/5/7", STEP),
        ("https://job.example.com/biz_set/9/execute/task/5", ELSEWHERE),
        ("https://job.example.com/biz_set/9/execute/step/5?stepInstanceId=7", ELSEWHERE.step(7)),
        ("https://job.example.com/biz_set/9/execute/quick-launch/5", ELSEWHERE),
        ("https://job.example.com/2/execute/step/5", JOB),
    ],
)
def test_every_name_of_a_target_is_taken(given: Any, ref: Ref) -> None:
    """A ref, an id, text, a link of the console, a response; a scope that is named goes before the default."""
    assert as_ref(given, HOME) == ref
    assert as_refs([given], HOME) == as_refs(given, HOME) == (ref,)


@pytest.mark.parametrize(
    "given",
    [
        *(True, 0, -1, 5.0, None, [5], b"5", object()),
        *("", "five", "2:", "2:x", "5/", "2:0", "0", "https://job.example.com/home", "https://[broken"),
        *("https://job.example.com/api_execute/five", HostKey(bk_host_id=5)),
        *(
            f"https://job.example.com/api_execute/5?stepInstanceId={step}"
            for step in ("", "x", "7x", "0", "²")
        ),
    ],
)
def test_anything_else_is_a_usage_error_that_says_what_is_accepted(given: Any) -> None:
    """With the remedy, and without the query of a link."""
    with pytest.raises(UsageError, match=r"JobRef|api_execute/100|positive") as refused:
        as_ref(given, HOME)
    assert "Attribute" not in str(refused.value)


def test_a_bare_id_needs_a_scope() -> None:
    """The message says where to give one."""
    for given in (5, "5/7", "https://job.example.com/api_execute/5?token=s3cr3t"):
        with pytest.raises(UsageError, match=r"connect\(scope=") as refused:
            as_ref(given)
        assert "s3cr3t" not in str(refused.value)


def test_a_job_is_not_a_step_and_a_step_not_a_job() -> None:
    """What is done to a whole job is never done because a step was named."""
    assert as_job_ref("2:5") == JOB
    with pytest.raises(UsageError, match="its job, 2:5"):
        as_job_ref(STEP)  # type: ignore[arg-type]
    assert as_step_ref(STEP) == as_step_ref("2:5/7") == as_step_ref(5, 7, HOME) == STEP
    assert as_step_ref(JobLaunch(ref=JOB, step=STEP)) == as_step_ref(STEP, 7) == STEP
    for given in (JOB, JobLaunch(ref=JOB), 5):
        with pytest.raises(UsageError, match="a step needs"):
            as_step_ref(given, None, HOME)
    with pytest.raises(UsageError, match="another"):
        as_step_ref(STEP, 8)
    with pytest.raises(UsageError, match="positive"):
        as_step_ref(JOB, 0)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: untyped(JobRef)(2, 3), r"scope must be a Scope, not 2: JobRef\(Scope.biz\(2\)"),
        (lambda: untyped(JobRef)(HOME, "3"), "JobRef: job_instance_id must be a whole number"),
        (lambda: untyped(JobRef)(HOME, True), "JobRef: job_instance_id must be a whole number"),
        (lambda: untyped(StepRef)(2, 3, 4), "scope must be a Scope"),
        (lambda: untyped(JOB.step)("7"), "StepRef: step_instance_id must be a whole number"),
        (lambda: untyped(JOB.step)(0), "StepRef: step_instance_id must be positive"),
        (lambda: untyped(StepRef.of)(HOME, 1), "must be a JobRef"),
        (lambda: untyped(Scope.biz)("2"), "Scope: id must be a whole number .*, not '2'"),
        (lambda: untyped(Scope.biz)(0), "Scope: id must be positive, not 0"),
        (lambda: untyped(Scope)("Biz!", 2), "biz, biz_set, tenant_set, not 'Biz!'"),
        (lambda: untyped(Scope)(2, 2), "biz, biz_set, tenant_set, not 2"),
        (lambda: untyped(HostKey)(bk_host_id="1"), "HostKey: bk_host_id must be a whole number"),
        (lambda: untyped(HostKey)(bk_host_id=0), "HostKey: bk_host_id must be positive"),
        (lambda: untyped(HostKey)(ip=10), "HostKey: ip must be text"),
        (lambda: untyped(HostKey)(bk_cloud_id="0"), "HostKey: bk_cloud_id must be a whole number"),
        (lambda: HostKey.parse("10.0.0.1:22"), "'cloud:ip', .* not '10.0.0.1:22'"),
        (lambda: HostKey.parse("db-1"), "not 'db-1'"),
        (lambda: HostKey.parse("#x"), "'#host_id', not '#x'"),
    ],
)
def test_constructors_say_what_is_wrong(make: Any, says: str) -> None:
    """In one sentence without the classes behind it."""
    with pytest.raises((TypeError, ValueError), match=says) as refused:
        make()
    assert "Attribute" not in str(refused.value.args)


def test_an_address_may_stand_alone() -> None:
    """It is in cloud 0 then, in either version of the protocol."""
    assert HostKey.parse("10.0.0.1") == HostKey(bk_cloud_id=0, ip="10.0.0.1")
    assert HostKey.parse("fe80::1") == HostKey.parse("0:[fe80::1]") == HostKey(bk_cloud_id=0, ipv6="fe80::1")


def test_an_unknown_kind_of_scope_is_kept_as_text() -> None:
    """It is never taken for a business, and reads back as it was printed."""
    scope = Scope("planet", 3)

    assert (scope.type, str(scope), Scope.parse("planet:3")) == ("planet", "planet:3", scope)
    assert scope != Scope.biz(3)
    assert Scope.tenant_set(3).type == "tenant_set"
