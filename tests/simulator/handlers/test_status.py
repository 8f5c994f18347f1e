"""The status of jobs and steps in each dialect, with filters and quirks."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from bkjob_async.model.refs import StepRef
from bkjob_async.simulator.handlers.site import SiteConfig
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.hosts import container, hosts
from bkjob_async.simulator.world.plans import (
    FAILS,
    HANGS,
    SUCCEEDS,
    DurationRange,
    HostOutcome,
    Rolling,
    SimulatedJob,
    StepPlan,
    exactly,
)
from tests.simulator.http_calls import ask, body, data, of

DISK_FULL = evolve(FAILS, tag="disk full", exit_code=28, log="no space left on device\n")


def simulate(
    *steps: StepPlan, until: float | None = None, site: SiteConfig | None = None
) -> tuple[Simulator, StepRef]:
    """Run one job to its end or *until* a time; return its first step."""
    simulator = Simulator(site=site)
    ref = simulator.add(SimulatedJob(steps=steps))
    if until is None:
        simulator.world.advance_to_end()
    else:
        simulator.world.advance(until)
    return simulator, simulator.steps(ref)[0]


def step_status(simulator: Simulator, step: StepRef, **filters: Any) -> Any:
    """Return the status of a step by version 3, of all batches by default."""
    parameters = {**of(step), "batch": 0, **filters}
    wanted = {name: value for name, value in parameters.items() if value is not None}
    return data(ask(simulator, "get_step_instance_status", wanted))


def groups(answer: Any) -> list[tuple[int, str | None, int, int | None]]:
    """Return groups as (status, tag, host_size, hosts listed or None)."""
    return [
        (
            group["result_type"],
            group["tag"],
            group["host_size"],
            None if group["host_result_list"] is None else len(group["host_result_list"]),
        )
        for group in answer["step_result_group_list"]
    ]


def test_groups_are_sorted_by_status_and_tag() -> None:
    """One group for each pair that occurs."""
    simulator, step = simulate(
        StepPlan(hosts=6, pinned={0: FAILS, 1: DISK_FULL, 2: evolve(SUCCEEDS, tag="blue")})
    )

    found = groups(step_status(simulator, step))

    assert found == [(9, "", 3, 3), (9, "blue", 1, 1), (104, "", 1, 1), (104, "disk full", 1, 1)]


@pytest.mark.parametrize(
    ("filters", "listed"),
    [
        ({"max_host_num_per_group": 1}, [1, 1, 1]),
        ({"max_host_num_per_group": 0}, [4, 1, 1]),
        ({"status": 104}, [None, 1, None]),
        ({"status": 104, "tag": "disk full"}, [None, None, 1]),
        ({"status": 7}, [4, None, None]),
        ({"search_ip": "10.0.0.1"}, [None, 1, None]),
        ({"keyword": "space left"}, [None, None, 1]),
        ({"search_ip": "192.168"}, [None, None, None]),
    ],
)
def test_filters_do_what_the_server_does(filters: dict[str, Any], listed: list[int | None]) -> None:
    """A status without a match lists the first group; a search without hits leaves empty groups."""
    simulator, step = simulate(StepPlan(hosts=6, pinned={0: FAILS, 1: DISK_FULL}))

    found = groups(step_status(simulator, step, **filters))

    assert [group[3] for group in found] == listed
    searches = "search_ip" in filters or "keyword" in filters
    assert [size for _, _, size, _ in found] == ([n or 0 for n in listed] if searches else [4, 1, 1])


def test_without_batch_only_the_latest_batch_comes() -> None:
    """0 is all, 1 the first; without it only the latest, whatever documents say."""
    simulator, step = simulate(StepPlan(hosts=6, rolling=Rolling(sizes=(1, 2, 3))))

    sizes = {batch: groups(step_status(simulator, step, batch=batch))[0][2] for batch in (None, 0, 1, 2, 3)}

    assert sizes == {None: 3, 0: 6, 1: 1, 2: 2, 3: 3}


def test_an_older_execution_is_answered_under_the_latest_number() -> None:
    """The rows are those requested, `execute_count` is not."""
    simulator, step = simulate(StepPlan(hosts=3, pinned={0: FAILS}))
    simulator.world.operate_step(simulator.step(step), 2)
    simulator.world.advance_to_end()

    old = step_status(simulator, step, execute_count=0)

    assert old["execute_count"] == 1
    assert groups(old) == [(9, "", 2, 2), (104, "", 1, 1)]
    assert groups(step_status(simulator, step)) == [(9, "", 3, 3)]


def test_right_after_a_retry_there_are_no_groups() -> None:
    """The key is absent, not empty."""
    simulator, step = simulate(StepPlan(hosts=3, pinned={0: FAILS}))
    simulator.world.operate_step(simulator.step(step), 2)

    answer = step_status(simulator, step)

    assert (answer["status"], answer["execute_count"]) == (4, 1)
    assert "step_result_group_list" not in answer


def test_a_step_that_has_not_started_waits_as_one_group() -> None:
    """Code 5, no tag, exit code and total 0."""
    simulator, step = simulate(StepPlan(outcomes=(HANGS,)), StepPlan(hosts=2), until=5.0)
    second = simulator.steps(step.job)[1]

    (group,) = step_status(simulator, second)["step_result_group_list"]

    assert (group["result_type"], group["tag"], group["host_size"]) == (5, None, 2)
    assert [(row["exit_code"], row["total_time"]) for row in group["host_result_list"]] == [(0, 0)] * 2


def test_a_running_steps_total_is_live_in_its_own_status_only() -> None:
    """The job's response has none."""
    simulator, step = simulate(StepPlan(outcomes=(HANGS,)), until=20.6)

    job = data(ask(simulator, "get_job_instance_status", of(step.job)))

    assert step_status(simulator, step)["total_time"] == 20_000
    assert job["step_instance_list"][0]["total_time"] is None
    assert job["job_instance"]["total_time"] is None


def test_a_host_that_moves_between_two_group_reads_is_seen_twice_or_not_at_all() -> None:
    """Above 100 hosts counts come first, then group after group."""
    plan = StepPlan(hosts=200, outcomes=(HostOutcome(duration=DurationRange(1.0, 9.0)),))
    simulator, step = simulate(plan, until=5.0, site=SiteConfig(group_read_seconds=1.0))

    seen: list[int] = []
    answer = step_status(simulator, step)
    for group in answer["step_result_group_list"]:
        seen += [row["bk_host_id"] for row in group["host_result_list"]]
        assert {row["status"] for row in group["host_result_list"]} <= {group["result_type"]}

    assert len(seen) != len(set(seen)) or len(set(seen)) < 200


def test_below_100_hosts_a_response_is_of_one_moment() -> None:
    """All groups agree."""
    plan = StepPlan(hosts=100, outcomes=(HostOutcome(duration=DurationRange(1.0, 9.0)),))
    simulator, step = simulate(plan, until=5.0, site=SiteConfig(group_read_seconds=1.0))

    found = groups(step_status(simulator, step))

    assert sum(size for _, _, size, _ in found) == 100
    assert all(size == listed for _, _, size, listed in found)


def test_host_rows_come_with_a_job_only_on_request() -> None:
    """Null when not requested, empty where there are none."""
    simulator, step = simulate(StepPlan(hosts=2), StepPlan(kind=3, hosts=0))

    without = data(ask(simulator, "get_job_instance_status", of(step.job)))
    rows = data(ask(simulator, "get_job_instance_status", {**of(step.job), "return_ip_result": "True"}))

    assert [s["step_ip_result_list"] for s in without["step_instance_list"]] == [None, None]
    assert [len(s["step_ip_result_list"]) for s in rows["step_instance_list"]] == [2, 0]


def test_a_confirm_step_cannot_be_requested_itself() -> None:
    """1241003."""
    simulator, step = simulate(StepPlan(kind=3, hosts=0))

    assert body(ask(simulator, "get_step_instance_status", of(step)))["code"] == 1241003


def test_containers_are_visible_to_version_4_only() -> None:
    """The others fail."""
    simulator, step = simulate(StepPlan(hosts=(container(1), *hosts(1))))
    with_rows = {**of(step.job), "return_ip_result": "true"}
    v4 = {**of(step.job), "return_execute_object_result": "true"}

    codes = [
        body(ask(simulator, "get_step_instance_status", of(step)))["code"],
        body(ask(simulator, "get_job_instance_status", with_rows))["code"],
        body(ask(simulator, "get_job_instance_status", of(step.job, "esb-job"), dialect="esb-job"))["code"],
    ]
    answer = data(ask(simulator, "get_job_instance_status", v4, dialect="gateway-v4"))

    assert codes == [1240002] * 3
    rows = answer["step_instance_list"][0]["step_execute_object_result_list"]
    assert [row["execute_object"]["type"] for row in rows] == [2, 1]
    assert rows[1]["execute_object"]["resource_id"] == "1"


def test_version_4_leaves_out_what_has_no_value() -> None:
    """And knows neither `result` nor `code`."""
    simulator, step = simulate(StepPlan(outcomes=(HANGS,)), until=5.0)

    answer = body(ask(simulator, "get_job_instance_status", of(step.job), dialect="gateway-v4"))

    assert set(answer) == {"data", "job_request_id"}
    assert "end_time" not in answer["data"]["job_instance"]
    assert "step_execute_object_result_list" not in answer["data"]["step_instance_list"][0]


def test_the_classic_component_tells_times_with_and_without_an_offset() -> None:
    """With one in a job's status, without in a step's; seconds, not milliseconds."""
    old = SiteConfig(legacy_esb=True)
    simulator, step = simulate(StepPlan(hosts=1, outcomes=(HostOutcome(duration=exactly(2.0)),)), site=old)

    job = data(ask(simulator, "get_job_instance_status", of(step.job, "esb-job"), dialect="esb-job"))
    own = data(ask(simulator, "get_step_instance_status", of(step, "esb-job"), dialect="esb-job"))

    assert job["job_instance"]["start_time"] == "2026-01-01 08:00:00 +0800"
    assert own["step_instance_detail"]["start_time"] == "2026-01-01 08:00:00"
    assert job["blocks"][0]["step_instances"][0]["retry_count"] == 0
    assert own["step_instance_detail"]["total_time"] == 2.6
    assert own["step_instance_analyse_result"] == [
        {
            "result_type": 9,
            "result_type_text": "Success",
            "count": 1,
            "ip_list": [{"bk_cloud_id": 0, "ip": "10.0.0.1"}],
        }
    ]


def test_the_current_backend_fills_the_first_group_only() -> None:
    """The others count 0 and list no hosts."""
    simulator, step = simulate(StepPlan(hosts=3, pinned={0: FAILS}), site=SiteConfig())

    own = data(ask(simulator, "get_step_instance_status", of(step, "esb-job"), dialect="esb-job"))

    assert [(g["result_type"], g["count"], "ip_list" in g) for g in own["step_instance_analyse_result"]] == [
        (9, 2, True),
        (104, 0, False),
    ]
    assert own["step_instance_analyse_result"][0]["ip_list"][0] == {
        "bk_host_id": 2, "bk_cloud_id": 0, "bk_cloud_name": None, "ip": "10.0.0.2", "ipv6": None,
        "bk_agent_id": None, "alive": None,
    }  # fmt: skip
    detail = own["step_instance_detail"]
    assert (detail["bk_biz_id"], detail["bk_scope_type"], detail["bk_scope_id"]) == (2, "biz", "2")
    assert detail["execute_count"] == 0
    assert detail["total_ip_num"] is None
    assert detail["abnormal_agent_ips"] is None


def test_the_current_backend_shows_all_batches_and_no_total_of_a_running_step() -> None:
    """Its hosts that wait have ids as well."""
    plan = StepPlan(hosts=2, outcomes=(HANGS,), rolling=Rolling(sizes=(1, 1)))
    simulator, step = simulate(plan, until=5.0)

    own = data(ask(simulator, "get_step_instance_status", of(step, "esb-job"), dialect="esb-job"))

    (waiting, _) = own["step_instance_analyse_result"]
    assert [host["bk_host_id"] for host in waiting["ip_list"]] == [2]
    assert own["step_instance_detail"]["total_time"] is None


@pytest.mark.parametrize("dialect", ["gateway-v3", "gateway-v4", "esb-jobv3"])
def test_times_are_unix_milliseconds(dialect: str) -> None:
    """Counted from the world's epoch."""
    simulator, step = simulate(StepPlan(hosts=1))

    job = data(ask(simulator, "get_job_instance_status", of(step.job), dialect=dialect))

    assert job["job_instance"]["start_time"] == simulator.world.epoch_ms + 300


def test_a_row_is_rendered_again_only_after_it_moved() -> None:
    """A long response is bytes that are kept."""
    simulator, step = simulate(StepPlan(hosts=50, outcomes=(HANGS,)), until=5.0)
    step_status(simulator, step)
    execution = simulator.step(step).execution
    assert execution is not None
    before = [[*row.rendered.values()] for row in execution.rows]

    simulator.world.end_host(simulator.step(step), "0:10.0.0.7")
    step_status(simulator, step)

    after = [[*row.rendered.values()] for row in execution.rows]
    pairs = enumerate(zip(before, after, strict=True))
    assert [n for n, ((one,), (other,)) in pairs if one is not other] == [6]
