"""Every operation in every state: allowed exactly where the platform allows it."""

from __future__ import annotations

import pytest

from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.plans import HANGS, Rolling, SimulatedJob, StepPlan
from bkjob_async.simulator.world.records import Step
from tests.simulator.http_calls import ask, body, of

RUN_CODES = range(1, 16)
OPERATIONS = range(1, 15)
REFUSED, UNKNOWN = 1241003, 1241002

# Kind of step -> operation -> the states in which it is taken on; written down from the platform's own table.
ALLOWED = {
    "script": {2: {4, 9, 11}, 3: {4, 9}, 8: {4, 9, 11}, 11: {11}, 12: {10}},
    "rolling": {2: {4, 9, 11}, 3: {4, 9}, 8: {4, 9, 11}, 11: {11}, 12: {10}, 13: {7}},
    "confirm": {6: {7}, 9: {7}, 10: {13}},
}
KNOWN = {2, 3, 6, 8, 9, 10, 11, 12, 13}
STEPS = {
    "script": StepPlan(outcomes=(HANGS,)),
    "rolling": StepPlan(outcomes=(HANGS,), rolling=Rolling(sizes=(1, 2), mode=3)),
    "confirm": StepPlan(kind=3, hosts=0),
}
# Those after which the job is written down as running before anything else happens.
AT_ONCE = {2, 3, 6, 8, 11, 13}


def stand(kind: str, status: int) -> tuple[Simulator, Step]:
    """Return a step of a kind, put into a state."""
    simulator = Simulator()
    ref = simulator.add(SimulatedJob(steps=(STEPS[kind],)))
    simulator.world.advance(5.0)
    step = simulator.step(simulator.steps(ref)[0])
    step.set_status(status, 5.0)
    step.job.set_status(status, 5.0)
    return simulator, step


@pytest.mark.parametrize("kind", list(ALLOWED))
@pytest.mark.parametrize("operation", OPERATIONS)
def test_each_state_takes_on_what_is_documented(kind: str, operation: int) -> None:
    """Taken on, 1241003, or 1241002 for what is no operation."""
    answers = {}
    for status in RUN_CODES:
        simulator, step = stand(kind, status)
        parameters = {**of(step.ref), "operation_code": operation}
        answers[status] = body(ask(simulator, "operate_step_instance", parameters, method="POST"))["code"]

    allowed = ALLOWED[kind].get(operation, set())
    otherwise = REFUSED if operation in KNOWN else UNKNOWN
    assert answers == {status: 0 if status in allowed else otherwise for status in RUN_CODES}


@pytest.mark.parametrize("operation", sorted(KNOWN))
def test_only_some_operations_write_the_job_down_as_running_at_once(operation: int) -> None:
    """2, 3, 6, 8, 11 and 13 do; after 9, 10 and 12 the job shows its old status until the event is handled."""
    kind = next(kind for kind in ("rolling", "confirm") if operation in ALLOWED[kind])
    status = min(ALLOWED[kind][operation])
    simulator, step = stand(kind, status)

    ask(simulator, "operate_step_instance", {**of(step.ref), "operation_code": operation}, method="POST")

    assert step.job.status == (2 if operation in AT_ONCE else status)


@pytest.mark.parametrize("operation", [0, 1, 2, 3])
def test_jobs_are_terminated_and_started_where_that_is_documented(operation: int) -> None:
    """1 in 2 and 7, else 1241003; 2 in 1, else 1241015."""
    answers = {}
    for status in RUN_CODES:
        simulator, step = stand("script", status)
        parameters = {**of(step.job.ref), "operation_code": operation}
        answers[status] = body(ask(simulator, "operate_job_instance", parameters, method="POST"))["code"]

    allowed = {1: {2, 7}, 2: {1}}.get(operation, set())
    otherwise = {1: REFUSED, 2: 1241015}.get(operation, UNKNOWN)
    assert answers == {status: 0 if status in allowed else otherwise for status in RUN_CODES}


def test_only_a_named_person_may_confirm() -> None:
    """Others get 1244016."""
    simulator = Simulator()
    ref = simulator.add(SimulatedJob(steps=(StepPlan(kind=3, hosts=0, confirmers=("lisi",)),)))
    simulator.world.advance(5.0)
    parameters = {**of(simulator.steps(ref)[0]), "operation_code": 6}

    assert body(ask(simulator, "operate_step_instance", parameters, method="POST"))["code"] == 1244016


@pytest.mark.parametrize("dialect", ["gateway-v3", "esb-job", "esb-jobv3"])
def test_an_operation_names_what_it_was_done_to(dialect: str) -> None:
    """The response has the ids and says nothing about the new status."""
    simulator, step = stand("script", 4)
    parameters = {**of(step.ref, dialect), "operation_code": 2}

    answer = body(ask(simulator, "operate_step_instance", parameters, dialect=dialect, method="POST"))

    assert answer["data"] == {
        "job_instance_id": step.job.id,
        "step_instance_id": step.id,
        "job_instance_name": None,
    }
