"""What each dialect sends and reads, against the simulated platform; all operations go round in tests/client/test_round_trip.py."""

from typing import Any, TypeVar

import pytest
from msgspec.structs import replace
from yarl import URL

from bkjob_async.dialects.common.dialect import Dialect
from bkjob_async.dialects.common.status_calls import decode_poll
from bkjob_async.dialects.registry import dialect_by_name
from bkjob_async.errors import NotAuthenticated, NotFound
from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.model.credentials import AppCredentials
from bkjob_async.model.operations.base import (
    GetJobInstanceStatus,
    GetStepInstanceStatus,
    OperateStepInstance,
    Operation,
)
from bkjob_async.model.operations.launches import FastExecuteScript
from bkjob_async.model.operations.queries import (
    BatchGetJobInstanceIpLog,
    GetJobInstanceLog,
    RawCall,
)
from bkjob_async.model.poll_view import times_of
from bkjob_async.model.refs import JobRef
from bkjob_async.simulator.handlers.site import SiteConfig
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.codes import FILE
from bkjob_async.simulator.world.plans import FAILS, SimulatedJob, SimulatedVariable, StepPlan

R = TypeVar("R")

BASE = {"esb": "http://sim/", "gateway": "http://sim/api/bk-job/prod/"}
CREDENTIALS = AppCredentials(bk_app_code="app", bk_app_secret="s3cr3t", bk_username="admin")
SECRET = CREDENTIALS.bk_app_secret

WAYS: list[tuple[str, dict[str, Any]]] = [
    ("esb-job", {}),
    ("esb-job", {"credentials_in": "body"}),
    ("esb-jobv3", {}),
    ("esb-jobv3", {"credentials_in": "body"}),
    ("gateway-v3", {}),
    ("gateway-v3", {"system": True, "acting_user": "admin"}),
    ("gateway-v4", {}),
    ("gateway-v4", {"system": True, "acting_user": "admin"}),
]


class Caller:
    """Sends operations of one dialect to one simulated platform, at its present time."""

    def __init__(self, name: str, options: dict[str, Any], *, site: SiteConfig | None = None) -> None:
        self.dialect: Dialect = dialect_by_name(name, **options)
        self.simulator = Simulator(site=site)
        fails = StepPlan(hosts=3, pinned={1: FAILS})
        steps, version = (
            (fails, StepPlan(hosts=2, kind=FILE)),
            SimulatedVariable(id=1, name="version", value="1.0"),
        )
        self.job = self.simulator.add(SimulatedJob(name="tale", steps=steps, variables=(version,)))
        self.step = self.simulator.steps(self.job)[0]

    def signed(self, operation: Operation[Any]) -> HttpRequest:
        """Return the request of an operation."""
        request = self.dialect.encode(operation)
        url = URL(BASE[self.dialect.name.partition("-")[0]] + str(request.url), encoded=True)
        signed = self.dialect.sign(replace(request, url=url), CREDENTIALS)
        assert SECRET not in str(signed.url)
        return signed

    def json_response(self, operation: Operation[Any]) -> HttpResponse:
        """Send an operation, and return the platform's raw response."""
        return self.simulator.platform.respond(self.signed(operation), self.simulator.world.now)

    def deliver(self, operation: Operation[Any]) -> HttpResponse:
        """Send an operation, and return the response after all faults."""
        return self.simulator.platform.deliver(self.signed(operation), self.simulator.world.now).response

    def advance(self, seconds: float) -> None:
        """Advance the world's time."""
        self.simulator.world.advance(self.simulator.world.now + seconds)

    def call(self, operation: Operation[R]) -> R:
        """Send an operation, and return its typed response."""
        return self.dialect.decode(operation, self.json_response(operation))


def label(way: tuple[str, dict[str, Any]]) -> str:
    """Return a short name of a dialect with its options."""
    return "-".join([way[0], *way[1]])


@pytest.fixture(params=WAYS, ids=label)
def caller(request: pytest.FixtureRequest) -> Caller:
    """Each dialect with its options, an hour after the start of a job whose first step failed."""
    found = Caller(*request.param)
    found.advance(3600)
    return found


def host_addresses(caller: Caller) -> list[str]:
    """Return the addresses of the hosts of the failed step."""
    hosts = caller.simulator.step(caller.step).hosts
    return [f"{host.bk_cloud_id}:{host.ip}" for host in hosts]


def test_a_failed_step_reads_the_same_everywhere(caller: Caller) -> None:
    """One host failed; the job shows it in every dialect, and so does the step where it can be requested."""
    snapshot = caller.call(GetJobInstanceStatus(ref=caller.job, return_ip_result=True))

    step = snapshot.steps[0]
    assert (snapshot.is_finished, snapshot.status.code, snapshot.name) == (True, 4, "tale")
    assert [(row.host.label, row.status.code) for row in step.hosts or ()] == list(
        zip(host_addresses(caller), (9, 104, 9), strict=True)
    )
    assert step.times.start_time is not None
    assert snapshot.times.create_time is not None
    assert snapshot.times.create_time.timestamp() == caller.simulator.world.epoch_ms // 1000
    if GetStepInstanceStatus in caller.dialect.calls and caller.dialect.capabilities.step_status:
        asked_itself = caller.call(GetStepInstanceStatus(ref=caller.step))
        assert {row.host.label: row.status for row in asked_itself.hosts or ()} == {
            row.host.label: row.status for row in step.hosts or ()
        }


def test_a_view_agrees_with_a_snapshot(caller: Caller) -> None:
    """The engine and callers read the same values from one response."""
    operation = GetJobInstanceStatus(ref=caller.job, return_ip_result=True)
    response = caller.json_response(operation)

    view, snapshot = (
        decode_poll(caller.dialect, operation, response),
        caller.dialect.decode(operation, response),
    )

    assert (view.status, view.finished) == (snapshot.status.code, snapshot.is_finished)
    for seen, step in zip(view.steps, snapshot.steps, strict=True):
        rows = [row.details() for group in seen.groups or () for row in seen.named(group.rows or ())]
        assert (seen.status, seen.execute_count, times_of(seen)) == (
            step.status.code,
            step.execute_count,
            step.times,
        )
        assert tuple(rows) == (step.hosts or ())
    assert view.steps[0].complete


def test_logs_are_complete(caller: Caller) -> None:
    """Every host's log is there, by whichever operation of the dialect."""
    addresses = host_addresses(caller)
    if caller.dialect.name == "esb-job":
        rows = caller.call(GetJobInstanceLog(ref=caller.job))[0].hosts
    else:
        rows = caller.call(BatchGetJobInstanceIpLog(ref=caller.step, hosts=addresses)).hosts

    assert sorted(row.host.label for row in rows) == sorted(addresses)
    assert all(row.text for row in rows)


@pytest.mark.parametrize("caller", [way for way in WAYS if way[0] != "gateway-v4"], indirect=True, ids=label)
def test_a_retry_is_accepted(caller: Caller) -> None:
    """The operation is accepted, and the step runs again."""
    caller.call(OperateStepInstance(ref=caller.step, operation_code=2))
    caller.advance(600)

    step = caller.call(GetJobInstanceStatus(ref=caller.job, return_ip_result=True)).steps[0]

    assert (step.execute_count, step.status.code) == (1, 3)


def test_a_launched_script_can_be_read(caller: Caller) -> None:
    """The job that a launch names exists."""
    launched = caller.call(
        FastExecuteScript(
            scope=caller.job.scope,
            targets=host_addresses(caller),
            script_content="date",
            script_language=1,
            account_alias="root",
        )
    )
    caller.advance(60)

    assert len(caller.call(GetJobInstanceStatus(ref=launched.ref)).steps) == 1


def test_anything_else_is_called_raw(caller: Caller) -> None:
    """A raw call gives the plain data."""
    data = caller.call(
        RawCall(
            name="get_job_instance_status",
            parameters={"job_instance_id": caller.job.job_instance_id},
            scope=caller.job.scope,
            method="GET",
        )
    )

    assert data["job_instance"]["status"] == 4


@pytest.mark.parametrize(("name", "options"), WAYS)
def test_wrong_credentials_are_a_typed_error_without_the_secret(name: str, options: dict[str, Any]) -> None:
    """Each platform has its own response, and the error is the same."""
    caller = Caller(name, options, site=SiteConfig(app_secret="another"))

    with pytest.raises(NotAuthenticated) as refused:
        caller.call(GetJobInstanceStatus(ref=caller.job))

    assert SECRET not in repr(refused.value)
    assert refused.value.request_ids


def test_a_job_that_is_not_there_is_not_found(caller: Caller) -> None:
    """An unknown id is the same error in every dialect."""
    with pytest.raises(NotFound):
        caller.call(GetJobInstanceStatus(ref=JobRef(caller.job.scope, 999_999_999)))
