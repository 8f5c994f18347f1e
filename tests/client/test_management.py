"""Crons, plans, templates, file sources, agents and scopes, as the platform keeps them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

import bkjob_async as bkjob
from bkjob_async.dialects.registry import dialect_by_name
from bkjob_async.simulator.simulator import Simulator
from tests.client.clients import SCOPE, client_of

pytestmark = pytest.mark.looptime


def sent(operation: bkjob.operations.Operation[Any], dialect: str = "gateway-v3") -> Any:
    """Return the parameters of an operation as they are sent."""
    return msgspec.json.decode(dialect_by_name(dialect).encode(operation).body or b"")


async def test_a_cron_is_created_changed_turned_on_and_deleted() -> None:
    """What is not given of a cron that exists stays as it is."""
    async with client_of(Simulator(), language="en") as (client, _):
        created = await client.save_cron(
            job_plan_id=1001,
            name="nightly",
            expression="0 4 * * *",
            execute_time_zone="Asia/Tokyo",
            global_var_list={"version": "1.2"},
        )
        changed = await client.save_cron(id=created.id, expression="0 5 * * *")
        await client.update_cron_status(created.id, 1)
        seen = await client.get_cron_detail(created.id)
        await client.delete_cron(created.id)
        with pytest.raises(bkjob.NotFound):
            await client.get_cron_detail(created.id)
        with pytest.raises(bkjob.NotFound):
            await client.delete_cron(created.id)

    assert (created.status, changed.status, seen.status) == (2, 2, 1)
    assert (seen.name, seen.expression, seen.execute_time_zone) == ("nightly", "0 5 * * *", "Asia/Tokyo")
    assert {each.name: each.value for each in seen.global_vars}["version"] == "1.2"


async def test_a_cron_without_a_name_or_plan_is_refused() -> None:
    """By the platform, in its words."""
    async with client_of(Simulator(), language="en") as (client, transport):
        with pytest.raises(bkjob.InvalidRequest, match="Cron name cannot be empty"):
            await client.save_cron(job_plan_id=1000)
        with pytest.raises(bkjob.InvalidRequest, match="Invalid job_plan_id"):
            await client.save_cron(name="nightly")
        asked = transport.requests
        with pytest.raises(bkjob.UsageError, match="execute_time needs a zone"):
            await client.save_cron(job_plan_id=1000, name="x", execute_time=datetime(2026, 1, 1))  # noqa: DTZ001
        with pytest.raises(bkjob.UsageError, match="status"):
            await client.update_cron_status(300, 3)

    assert transport.requests == asked


def test_the_time_of_a_cron_is_sent_in_seconds() -> None:
    """Unlike all other times."""
    cron = bkjob.operations.SaveCron(scope=SCOPE, id=3, execute_time=datetime(2026, 1, 1, tzinfo=UTC))

    assert sent(cron)["execute_time"] == 1767225600


@pytest.mark.parametrize("data", [300, {"id": 300}, {"id": 300, "name": None}, None])
def test_the_response_to_a_change_of_a_cron_is_its_id_or_nothing(data: object) -> None:
    """A number in the documents, an object from servers."""
    change = bkjob.operations.UpdateCronStatus(scope=SCOPE, id=300, status=1)
    body = msgspec.json.encode({"code": 0, "result": True, "data": data})

    bkjob.decode(body, operation=change)


def test_the_response_about_another_cron_is_none() -> None:
    """As everywhere."""
    change = bkjob.operations.UpdateCronStatus(scope=SCOPE, id=300, status=1)
    body = msgspec.json.encode({"code": 0, "result": True, "data": {"id": 301}})

    with pytest.raises(bkjob.InvalidResponse):
        bkjob.decode(body, operation=change)


async def test_a_dangerous_script_is_found_line_by_line() -> None:
    """The text travels in base64, and is in no repr."""
    async with client_of(Simulator(), language="en") as (client, _):
        found = await client.check_script("date\nrm -rf /data\n")
        clean = await client.check_script("date")

    assert [(each.line, each.line_content, each.level) for each in found] == [(2, "rm -rf /data", 3)]
    assert clean == ()
    assert "date" not in repr(bkjob.operations.CheckScript(content="date"))


async def test_a_plan_has_the_steps_and_values_that_it_was_created_with() -> None:
    """The other variables are those of the template."""
    simulator = Simulator()
    async with client_of(simulator, "gateway-v4", language="en") as (client, _):
        template = await client.get_job_template_detail(100)
        created = await client.create_job_plan(
            100, "tonight", enable_steps=[template.steps[1].id or 0], variables={"version": "1.3"}
        )
        with pytest.raises(bkjob.CallFailed, match="name already exists"):
            await client.create_job_plan(100, "tonight")
        with pytest.raises(bkjob.NotFound):
            await client.create_job_plan(101, "tonight")
        with pytest.raises(bkjob.InvalidRequest, match="not in template 100"):
            await client.create_job_plan(100, "later", enable_steps=[1])
        with pytest.raises(bkjob.InvalidRequest, match="not exist in template"):
            await client.create_job_plan(100, "later", variables={"unknown": "1"})
    async with client_of(simulator) as (client, _):
        plan = await client.get_job_plan_detail(created.id)

    assert [step.name for step in template.steps] == ["send", "unpack"]
    assert template.steps[1].script is not None
    assert (template.steps[1].script.content, len(template.steps[1].script.hosts)) == ("echo unpacked", 3)
    assert created.job_template_id == 100
    assert [step.name for step in plan.steps] == ["unpack"]
    assert {each.name: each.value for each in plan.global_vars}["version"] == "1.3"


def test_a_variable_without_a_value_follows_the_template() -> None:
    """Hosts are an execution target."""
    plan = bkjob.operations.CreateJobPlan(
        scope=SCOPE,
        job_template_id=100,
        item_name="x",
        variables=[
            bkjob.GlobalVar(name="as before"),
            bkjob.GlobalVar(name="version", value="1"),
            bkjob.GlobalVar(name="hosts", server=[1, "0:10.0.0.2"]),
        ],
    )

    assert sent(plan, "gateway-v4")["variables"] == [
        {"name": "as before", "follow_template": True},
        {"name": "version", "value": "1", "follow_template": False},
        {
            "name": "hosts",
            "execute_target": {"host_list": [{"bk_host_id": 1}, {"bk_cloud_id": 0, "ip": "10.0.0.2"}]},
            "follow_template": False,
        },
    ]


async def test_scopes_come_page_by_page() -> None:
    """Each once; a page has 200 at most."""
    simulator = Simulator()
    simulator.site.scopes = frozenset(bkjob.Scope.biz(number) for number in range(1, 8))
    async with client_of(simulator, "gateway-v4", language="en") as (client, transport):
        found = [each.scope async for each in client.get_user_authorized_scopes(length=3)]
        with pytest.raises(bkjob.UsageError, match="200"):
            await client.get_user_authorized_scopes(length=201).all()

    assert {*found} == simulator.site.scopes
    assert len(found) == 7
    assert transport.requests == 3


async def test_agents_are_asked_for_by_number() -> None:
    """At least one, at most 5000."""
    async with client_of(Simulator(), system=True) as (client, transport):
        (agent,) = await client.query_agent_info(1)
        wrong: list[list[int]] = [[], [*range(1, 5002)]]
        for ids in wrong:
            with pytest.raises(bkjob.UsageError):
                await client.query_agent_info(ids)

    assert (agent.bk_host_id, agent.status, agent.version) == (1, 1, "2.1.6")
    assert transport.requests == 1


async def test_an_unknown_file_source_is_not_found() -> None:
    """And the ESB has no such operation."""
    async with client_of(Simulator(), language="en") as (client, _):
        with pytest.raises(bkjob.NotFound, match="elsewhere"):
            await client.get_file_source_detail("elsewhere")
    async with client_of(Simulator(), "esb-jobv3") as (client, _):
        with pytest.raises(bkjob.NotSupported, match="gateway-v3"):
            await client.get_file_source_detail("releases")
