"""Faults of the simulated platform, as each dialect decodes them."""

import pytest

from bkjob_async.dialects.common.status_calls import decode_poll
from bkjob_async.errors import CallFailed, InvalidResponse, PlatformTrouble, Throttled
from bkjob_async.http_messages import HttpResponse
from bkjob_async.model.operations.base import GetJobInstanceStatus, GetStepInstanceStatus, Operation
from bkjob_async.model.snapshot import JobSnapshot
from bkjob_async.model.status import Phase
from bkjob_async.simulator.handlers.site import SiteConfig
from tests.dialects.test_round_trip import WAYS, Caller, label

FAULTS: list[tuple[str, type[CallFailed]]] = [
    ("gateway-rate-limit", Throttled),
    ("gateway-concurrency", Throttled),
    ("esb-rate-limit", Throttled),
    ("esb-timeout", PlatformTrouble),
    ("internal-error", PlatformTrouble),
    ("database-away", PlatformTrouble),
    ("iam-away", PlatformTrouble),
    ("cmdb-away", PlatformTrouble),
    ("gateway-timeout-json", PlatformTrouble),
    ("bad-gateway", PlatformTrouble),
    ("gateway-timeout", PlatformTrouble),
    ("login-page", InvalidResponse),
    ("half-json", InvalidResponse),
    ("garbage", InvalidResponse),
]
PLAIN = [way for way in WAYS if not way[1]]


@pytest.fixture(params=PLAIN, ids=label)
def caller(request: pytest.FixtureRequest) -> Caller:
    """Each dialect in turn, in the middle of a job."""
    found = Caller(*request.param)
    found.advance(3600)
    return found


def operation(caller: Caller) -> GetJobInstanceStatus:
    """Ask for a job with its hosts."""
    return GetJobInstanceStatus(ref=caller.job, return_ip_result=True)


def delivered(caller: Caller, operation: Operation[object], fault: str) -> HttpResponse:
    """Return a response that a fault struck."""
    with caller.simulator.fault(fault):
        return caller.deliver(operation)


@pytest.mark.parametrize(("fault", "kind"), FAULTS)
def test_a_fault_is_the_same_error_everywhere(caller: Caller, fault: str, kind: type[CallFailed]) -> None:
    """Whoever made the error, and in which envelope, it is the same class for calls and for polls."""
    ask = operation(caller)
    response = delivered(caller, ask, fault)

    with pytest.raises(CallFailed) as read:
        caller.dialect.decode(ask, response)
    with pytest.raises(CallFailed) as looked:
        decode_poll(caller.dialect, ask, response)

    assert (type(read.value), str(read.value)) == (kind, str(looked.value))
    assert type(looked.value) is kind
    assert read.value.details.http_status == response.status


def test_the_rate_limit_says_when_it_ends(caller: Caller) -> None:
    """The gateway's header is seconds."""
    ask = operation(caller)

    with pytest.raises(Throttled) as refused:
        caller.dialect.decode(ask, delivered(caller, ask, "gateway-rate-limit"))

    assert refused.value.retry_after is not None
    assert refused.value.retry_after >= 0


def test_unknown_fields_change_nothing(caller: Caller) -> None:
    """What a newer server adds is left alone."""
    ask = operation(caller)

    assert caller.dialect.decode(ask, delivered(caller, ask, "unknown-fields")) == caller.call(ask)


def test_another_encoding_costs_nothing_but_letters(caller: Caller) -> None:
    """Codes, ids and times are the same in every encoding, and names without strange letters too."""
    ask = operation(caller)
    response = delivered(caller, ask, "wrong-charset")

    assert caller.dialect.decode(ask, response) == caller.call(ask)
    assert decode_poll(caller.dialect, ask, response).steps[0].complete


def test_unknown_codes_are_kept(caller: Caller) -> None:
    """A code that nobody has heard of is neither success nor failure, and never a crash."""
    ask = operation(caller)

    snapshot: JobSnapshot = caller.dialect.decode(ask, delivered(caller, ask, "unknown-codes"))

    step = snapshot.steps[0]
    assert step.hosts
    assert (step.status.code, step.status.phase) == (99, Phase.UNKNOWN)
    assert (step.hosts[0].status.code, step.hosts[0].status.phase) == (888, Phase.UNKNOWN)
    assert step.is_finished


def test_doubled_rows_are_handed_on(caller: Caller) -> None:
    """What a host that stands twice means takes more than one response to tell: the engine judges it."""
    ask = operation(caller)

    view = decode_poll(caller.dialect, ask, delivered(caller, ask, "duplicate-rows"))

    rows = [row.ip for group in view.steps[0].groups or () for row in group.rows or ()]
    assert len(set(rows)) < len(rows)
    assert view.steps[0].complete


def test_missing_rows_are_not_complete() -> None:
    """Where hosts are counted, a list that is too short is noticed."""
    caller = Caller("gateway-v3", {})
    caller.advance(3600)
    ask = GetStepInstanceStatus(ref=caller.step)

    assert decode_poll(caller.dialect, ask, delivered(caller, ask, "unknown-fields")).complete
    assert not decode_poll(caller.dialect, ask, delivered(caller, ask, "missing-rows")).complete


@pytest.mark.parametrize("classic", [True, False])
def test_both_backends_of_the_oldest_dialect_are_understood(classic: bool) -> None:  # noqa: FBT001
    """The classic component wants nested parameters, its successor flat ones; times and counters differ."""
    caller = Caller("esb-job", {}, site=SiteConfig(legacy_esb=classic))
    caller.advance(3600)

    job = caller.call(operation(caller))
    step = caller.call(GetStepInstanceStatus(ref=caller.step))

    assert (step.status, step.execute_count, step.is_finished) == (job.steps[0].status, 0, True)
    assert step.times.start_time == job.steps[0].times.start_time
    assert step.times.start_time is not None
    assert (step.times.start_time - job.times.create_time).total_seconds() < 60  # type: ignore[operator]  # a job has one
