"""Lists of jobs, and the values of their variables."""

from __future__ import annotations

from typing import Any

import pytest

from bkjob_async.model.refs import JobRef, Scope
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.codes import CONFIRM, FILE
from bkjob_async.simulator.world.plans import SimulatedJob, SimulatedVariable, StepPlan
from tests.simulator.http_calls import ask, body, data, of

BIZ = {"bk_scope_type": "biz", "bk_scope_id": "2"}
VARIABLES = (
    SimulatedVariable(id=1, name="hosts", kind=3),
    SimulatedVariable(id=2, name="version", value="1.0"),
    SimulatedVariable(id=3, name="key", kind=4, value="secret"),
)


def span(simulator: Simulator, days: int = 1) -> dict[str, int]:
    """Return a range of creation times around the world's beginning."""
    epoch = simulator.world.epoch_ms
    return {"create_time_start": epoch - 1000, "create_time_end": epoch - 1000 + days * 86_400_000}


def test_lists_are_filtered_and_paged_newest_first() -> None:
    """With a total in version 3, without in version 4."""
    simulator = Simulator()
    refs = [
        simulator.add(SimulatedJob(name=f"job {n}", operator="lisi" if n % 2 else "admin")) for n in range(6)
    ]
    given = {**BIZ, **span(simulator)}

    page = data(ask(simulator, "get_job_instance_list", {**given, "operator": "lisi", "length": 2}))
    named = data(ask(simulator, "get_job_instance_list", {**given, "name": "job 3"}))
    long_ago = {**given, "create_time_start": 1, "create_time_end": 2}
    by_id = data(
        ask(simulator, "get_job_instance_list", {**long_ago, "job_instance_id": refs[0].job_instance_id})
    )
    v4 = data(ask(simulator, "get_job_instance_list", given, dialect="gateway-v4"))

    assert [entry["job_instance_id"] for entry in page["data"]] == [
        refs[5].job_instance_id,
        refs[3].job_instance_id,
    ]
    assert (page["total"], page["length"]) == (3, 2)
    assert [len(named["data"]), len(by_id["data"]), len(v4["job_instance_list"])] == [1, 1, 6]
    assert "total" not in v4


@pytest.mark.parametrize("dialect", ["gateway-v3", "esb-jobv3"])
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"create_time_start": 0}, 1241007),
        ({"create_time_end": 1}, 1241007),
        ({"create_time_start": 1}, 1241002),
        ({"create_time_start": 1, "job_instance_id": 1}, 1241002),
        ({"length": 1001}, 1240003),
        ({"start": -1}, 1240003),
    ],
)
def test_lists_of_version_3_have_bounds(change: dict[str, Any], code: int, dialect: str) -> None:
    """A range of 30 days that does not end before it begins, even for one job, and a page of 1000."""
    simulator = Simulator()
    given = {**BIZ, **span(simulator), **change}

    assert body(ask(simulator, "get_job_instance_list", given, dialect=dialect))["code"] == code


@pytest.mark.parametrize(("dialect", "code"), [("gateway-v3", 1240003), ("esb-jobv3", 1241007)])
def test_lists_need_both_times(dialect: str, code: int) -> None:
    """A query without one is refused by the server's framework, a body by the operation."""
    simulator = Simulator()
    job = simulator.add(SimulatedJob()).job_instance_id
    given = {**BIZ, **span(simulator), "job_instance_id": job}
    del given["create_time_end"]

    assert body(ask(simulator, "get_job_instance_list", given, dialect=dialect))["code"] == code


def test_lists_of_version_4_have_no_longest_range() -> None:
    """The platform's own command-line client asks for 31 days."""
    simulator = Simulator()
    ref = simulator.add(SimulatedJob())
    given = {**BIZ, **span(simulator, days=31)}

    (job,) = data(ask(simulator, "get_job_instance_list", given, dialect="gateway-v4"))["job_instance_list"]

    assert job["job_instance_id"] == ref.job_instance_id


def variables_in(simulator: Simulator, ref: JobRef, dialect: str) -> Any:
    """Return what a dialect reports of a job's variables."""
    names = {"esb-job": "job_instance_var_values", "gateway-v3": "step_instance_var_list"}
    asked = "get_job_instance_global_var_value"
    return data(ask(simulator, asked, of(ref, dialect), dialect=dialect))[names[dialect]]


def test_text_variables_of_a_job_are_reported_for_its_script_steps() -> None:
    """In each dialect's names; variables of other types, and steps that send files or ask, are left out."""
    simulator = Simulator()
    steps = (StepPlan(kind=FILE, content="/a"), StepPlan(), StepPlan(kind=CONFIRM, hosts=0), StepPlan())
    ref = simulator.add(SimulatedJob(steps=steps, variables=VARIABLES))
    scripts = [simulator.steps(ref)[place].step_instance_id for place in (1, 3)]

    assert variables_in(simulator, ref, "gateway-v3") == [
        {"step_instance_id": step, "global_var_list": [{"name": "version", "value": "1.0", "type": 1}]}
        for step in scripts
    ]
    assert variables_in(simulator, ref, "esb-job") == [
        {
            "step_instance_id": step,
            "step_instance_var_values": [{"name": "version", "value": "1.0", "category": 1}],
        }
        for step in scripts
    ]


def test_a_launched_plan_reports_the_values_of_its_launch() -> None:
    """What the launch does not set has the plan's value."""
    simulator = Simulator()
    order = {**BIZ, "job_plan_id": 1001, "global_var_list": [{"name": "version", "value": "2.0"}]}
    launched = data(ask(simulator, "execute_job_plan", order, method="POST"))
    ref = JobRef(Scope.biz(2), launched["job_instance_id"])

    (step,) = variables_in(simulator, ref, "gateway-v3")

    assert step["global_var_list"] == [{"name": "version", "value": "2.0", "type": 1}]


@pytest.mark.parametrize(
    ("variables", "v3", "v2"),
    [((), [], None), (VARIABLES[:1], [[]], [None])],
    ids=["no variables", "no text among them"],
)
def test_jobs_without_text_variables_report_none(
    variables: tuple[SimulatedVariable, ...], v3: list[Any], v2: list[Any] | None
) -> None:
    """Version 3 has empty lists; version 2 has null."""
    simulator = Simulator()
    ref = simulator.add(SimulatedJob(variables=variables))
    old = variables_in(simulator, ref, "esb-job")

    assert [step["global_var_list"] for step in variables_in(simulator, ref, "gateway-v3")] == v3
    assert (old and [step["step_instance_var_values"] for step in old]) == v2
