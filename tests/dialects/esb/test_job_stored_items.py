"""Lists and details of the ESB's component `job`: the same items under other names."""

from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import evolve

from bkjob_async.errors import InvalidResponse, NotSupported
from bkjob_async.model.operations.stored_queries import (
    GetAccountList,
    GetCronList,
    GetJobPlanDetail,
    GetJobPlanList,
    GetPublicScriptList,
    GetScriptList,
    GetScriptVersionDetail,
)
from bkjob_async.model.operations.targets import Targets
from bkjob_async.simulator.handlers.site import SiteConfig
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.catalog import DATABASE_ACCOUNT, Catalog, SimulatedAccount
from bkjob_async.simulator.world.plans import SimulatedJob
from tests.client.clients import client_of
from tests.dialects.sample_operations import (
    DIALECTS,
    OPERATION_BY_NAME,
    SAMPLES,
    SCOPE,
    decoded,
    host,
    json_response,
    sent,
)

ESB = "esb-job"
CREATED = datetime(2023, 11, 14, tzinfo=UTC)


def test_a_plan_tells_all_that_it_will_do() -> None:
    """Scripts are plain text; what a step does tells its kind, whatever its type says."""
    plan = decoded(f"{ESB}/get_job_plan_detail")
    greet, carry, sure, count = plan.steps
    who, where = plan.global_vars

    assert (plan.id, plan.name, plan.scope, plan.job_template_id) == (12, "greet all", SCOPE, 11)
    assert plan.create_time == CREATED
    assert [step.type for step in plan.steps] == [1, 2, 3, 4]
    assert (greet.script.content, greet.script.parameters, greet.script.timeout) == (
        "echo $1\n",
        "hello",
        600,
    )
    assert (greet.script.account.id, greet.script.account.name, greet.script.hosts) == (
        5,
        "root",
        (host(31),),
    )
    assert greet.script.is_param_sensitive
    assert (carry.file.path, carry.file.sources[0].files, len(carry.file.hosts)) == (
        "/srv",
        ("/opt/a.tgz",),
        1,
    )
    assert (sure.script, sure.approval_message) == (None, "go on?")
    assert (count.script.language, count.script.account.id) == (6, 6)
    assert (who.name, who.value, who.server) == ("who", "world", None)
    assert (where.value, where.server) == (None, Targets(hosts=[host(31)], dynamic_groups=["night-shift"]))
    assert "world" not in repr(plan)


def test_lists_are_pages_of_the_same_items() -> None:
    """Times of scripts and accounts are UTC, which the platform does not say."""
    (plan,) = decoded(f"{ESB}/get_job_plan_list").items
    accounts = decoded(f"{ESB}/get_account_list")
    scripts = decoded(f"{ESB}/get_script_list")
    version = decoded(f"{ESB}/get_script_version_detail")
    (cron,) = decoded(f"{ESB}/get_cron_list").items

    assert (plan.id, plan.name, plan.creator, plan.create_time) == (12, "greet all", "ada", CREATED)
    assert plan.last_modify_time == datetime(2023, 11, 14, 1, 30, tzinfo=UTC)
    assert [(each.id, each.alias, each.category, each.os) for each in accounts.items] == [
        (5, "root", 1, "Linux"),
        (7, "win", 1, "Windows"),
    ]
    assert (scripts.total, scripts.items[0].id, scripts.items[0].online_script_version_id) == (1, "71", 71)
    assert (version.id, version.version, version.content, version.version_desc) == (
        71,
        "greet.2",
        "echo hello\n",
        "louder",
    )
    assert {each.create_time for each in (*accounts.items, *scripts.items, version)} == {CREATED}
    assert decoded(f"{ESB}/get_public_script_list").items[0].scope is None
    assert (cron.id, cron.job_plan_id, cron.expression, cron.status) == (81, 12, "0 3 * * *", 1)


def test_requests_have_the_names_of_this_dialect() -> None:
    """Days as dates; no list of public scripts names a business."""
    cron = GetCronList(scope=SCOPE, item_name="night", id=8, status=1, create_time_start=CREATED)
    scripts = {"script_name": "a", "script_type": "1", "start": "0", "length": "20"}

    assert sent(ESB, cron) == {
        "bk_biz_id": "2",
        "cron_name": "night",
        "cron_id": "8",
        "cron_status": "1",
        "create_time_start": "2023-11-14",
        "start": "0",
        "length": "20",
    }
    assert sent(ESB, GetScriptList(scope=SCOPE, item_name="a", script_language=1)) == {
        "bk_biz_id": "2",
        **scripts,
    }
    assert sent(ESB, GetPublicScriptList(item_name="a", script_language=1)) == scripts
    assert sent(ESB, GetJobPlanDetail(scope=SCOPE, job_plan_id=12)) == {"bk_biz_id": "2", "bk_job_id": "12"}


@pytest.mark.parametrize(
    ("operation", "match"),
    [
        (GetJobPlanList(scope=SCOPE, job_template_id=1), "job_template_id"),
        (GetJobPlanList(scope=SCOPE, create_time_start=CREATED.replace(hour=1)), "compares days"),
        (GetAccountList(scope=SCOPE), "category=1"),
        (GetAccountList(scope=SCOPE, category=1, alias="root"), "alias"),
        (GetScriptVersionDetail(scope=SCOPE, script_id="a", version="b"), "script_id, version"),
    ],
)
def test_what_the_dialect_would_ignore_is_refused(operation: Any, match: str) -> None:
    """Before it is sent."""
    with pytest.raises(NotSupported, match=match):
        DIALECTS[ESB].encode(operation)


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("get_job_plan_detail", {"bk_job_id": 13}),
        ("get_job_plan_detail", {"bk_scope_id": "3", "bk_biz_id": 3}),
        ("get_script_version_detail", {"id": 72}),
    ],
)
def test_another_answer_is_not_believed(name: str, changed: dict[str, Any]) -> None:
    """An item with another id, or of another scope."""
    sample = SAMPLES[f"{ESB}/{name}"]
    body = {**sample, "data": {**sample["data"], **changed}}

    with pytest.raises(InvalidResponse):
        DIALECTS[ESB].decode(OPERATION_BY_NAME[name], json_response(body))


def test_a_cron_that_is_not_there_is_listed_nowhere() -> None:
    """The platform lists it as a null."""
    body = {**SAMPLES[f"{ESB}/get_cron_list"], "data": [None]}

    assert DIALECTS[ESB].decode(GetCronList(scope=SCOPE, id=5), json_response(body)).items == ()


def test_a_later_page_of_accounts_is_cut_out_of_all() -> None:
    """The platform has no pages of them."""
    second = evolve(OPERATION_BY_NAME["get_account_list"], start=1, length=1)  # type: ignore[misc]
    page: Any = DIALECTS[ESB].decode(second, json_response(SAMPLES[f"{ESB}/get_account_list"]))

    assert ([account.id for account in page.items], page.total, page.next_start) == ([7], 2, None)


@pytest.mark.looptime
async def test_long_lists_are_read_page_by_page() -> None:
    """Every item once, though nobody counts them."""
    plans = {number: SimulatedJob(name=f"plan {number}") for number in range(1, 46)}
    accounts = tuple(SimulatedAccount(id=n, name=f"db{n}", category=DATABASE_ACCOUNT) for n in range(1, 30))
    site = SiteConfig(plans=plans, catalog=Catalog(accounts=accounts))

    async with client_of(Simulator(site=site), ESB) as (client, transport):
        found = await client.get_job_plan_list(length=20).all()
        assert (len({plan.id for plan in found}), transport.requests) == (45, 3)
        owned = await client.get_account_list(category=2, length=20).all()

    assert [(account.id, account.category) for account in owned] == [(n, 2) for n in range(1, 30)]
