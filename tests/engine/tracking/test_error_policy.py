"""What a failed poll means for the watch."""

import pytest

from bkjob_async.engine.tracking.error_policy import Verdict, judge
from bkjob_async.engine.tracking.job_tracker import JobStory
from bkjob_async.engine.tracking.next_request import ask_job, ask_step
from bkjob_async.errors import (
    ApiNotFound,
    ApplicationNotAllowed,
    CallFacts,
    CallFailed,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    PlatformTrouble,
    RequestTimedOut,
    Throttled,
    UnusableAnswer,
    WrongState,
)
from tests.engine.looks import JOB, at, host, job, step

STEP = JOB.step(200)
INTERNAL = PlatformTrouble(CallFacts(code=1240002, http_status=200))


def story() -> JobStory:
    """Return a story of a job with one running step whose hosts were never read."""
    story = JobStory(JOB)
    story.want(JOB)
    story.apply_job(job(2, step(2)), at(0))
    return story


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (NotAuthenticated(CallFacts()), Verdict.CLIENT_TROUBLE),
        (ApplicationNotAllowed(CallFacts()), Verdict.CLIENT_TROUBLE),
        (ApiNotFound(CallFacts()), Verdict.CLIENT_TROUBLE),
        (RequestTimedOut(CallFacts()), Verdict.GATEWAY_TROUBLE),
        (PlatformTrouble(CallFacts(http_status=502)), Verdict.GATEWAY_TROUBLE),
        (PlatformTrouble(CallFacts(code=1306201, http_status=200)), Verdict.GATEWAY_TROUBLE),
        (Throttled(CallFacts()), Verdict.THROTTLED),
        (NotFound(CallFacts()), Verdict.UNSURE),
        (NotAllowed(CallFacts()), Verdict.TARGET_TROUBLE),
        (UnusableAnswer(CallFacts(http_status=200)), Verdict.TARGET_TROUBLE),
        (INTERNAL, Verdict.TARGET_TROUBLE),
    ],
    ids=lambda value: value.name if isinstance(value, Verdict) else type(value).__name__,
)
def test_who_is_in_trouble(error: CallFailed, verdict: Verdict) -> None:
    """One target, everybody, or nobody yet."""
    assert judge(error, ask_job(JOB, with_rows=False), story()) is verdict


def test_unknown_twice_is_unknown() -> None:
    """Once may be a database that is behind; an answer in between starts over."""
    told, question = story(), ask_job(JOB, with_rows=False)
    assert judge(NotFound(CallFacts()), question, told) is Verdict.UNSURE
    told.apply_job(job(2), at(1))
    assert judge(NotFound(CallFacts()), question, told) is Verdict.UNSURE

    assert judge(NotFound(CallFacts()), question, told) is Verdict.NOT_FOUND


def test_a_confirmation_is_asked_about_through_its_job() -> None:
    """1241003 to a step question is the answer of a step that has no hosts."""
    told = story()

    assert judge(WrongState(CallFacts(code=1241003)), ask_step(STEP), told) is Verdict.ASK_OTHERWISE
    assert not told.tracker(200).visible


def test_a_container_step_is_believed_when_it_repeats() -> None:
    """1240002 may be a passing error as well: at its end the step is asked once more."""
    told = story()
    verdicts = [judge(INTERNAL, ask_step(STEP), told) for _ in range(3)]
    assert verdicts == [Verdict.UNSURE, Verdict.UNSURE, Verdict.ASK_OTHERWISE]
    assert not told.tracker(200).needs_rows

    told.apply_job(job(2, step(3)), at(9))
    assert told.tracker(200).needs_rows


def test_what_showed_its_hosts_does_not_lose_them_to_a_bad_moment() -> None:
    """A step whose hosts were read is of a kind that shows them."""
    told = story()
    told.apply_step(step(2, [host(1, 7)]), at(1))

    assert {judge(INTERNAL, ask_step(STEP), told) for _ in range(9)} == {Verdict.TARGET_TROUBLE}
    assert told.tracker(200).visible
