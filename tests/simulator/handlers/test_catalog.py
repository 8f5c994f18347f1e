"""Lists of plans, templates, accounts, scripts and crons, and each of them in full."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from bkjob_async.simulator.handlers.site import SiteConfig
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.catalog import Catalog, SimulatedAccount
from bkjob_async.simulator.world.plans import SimulatedJob, SimulatedVariable, StepPlan
from tests.simulator.http_calls import ask, body, data

V3, ESB, ESB3 = "gateway-v3", "esb-job", "esb-jobv3"
BIZ = {"bk_scope_type": "biz", "bk_scope_id": "2"}
LISTS = (
    "get_job_plan_list",
    "get_job_template_list",
    "get_account_list",
    "get_script_list",
    "get_public_script_list",
    "get_cron_list",
)
DAY_MS = 86_400_000


def response_data(operation: str, dialect: str = V3, site: SiteConfig | None = None, **given: Any) -> Any:
    """Return the data of a response of a default site."""
    return data(ask(Simulator(site=site), operation, {**BIZ, **given}, dialect=dialect))


def code(operation: str, dialect: str = V3, **given: Any) -> tuple[int, int]:
    """Return the HTTP status and the code of an error."""
    response = ask(Simulator(), operation, {**BIZ, **given}, dialect=dialect)
    return response.status, body(response)["code"]


@pytest.mark.parametrize("dialect", [V3, ESB3])
@pytest.mark.parametrize("operation", LISTS)
def test_every_list_has_entries_and_a_total(operation: str, dialect: str) -> None:
    """The default site has entries of each kind; pages are 20 long."""
    page = response_data(operation, dialect)

    assert page["total"] == len(page["data"]) > 0
    assert (page["start"], page["length"]) == (0, 20)
    assert all(entry["name" if operation != "get_account_list" else "account"] for entry in page["data"])


@pytest.mark.parametrize("operation", LISTS)
def test_pages_out_of_bounds_are_corrected(operation: str) -> None:
    """No page starts below 0 or is longer than 1000; after the end it is empty."""
    page = response_data(operation, start=-5, length=5000)
    last = response_data(operation, start=page["total"], length=0)

    assert (page["start"], page["length"]) == (0, 1000)
    assert (last["data"], last["total"], last["length"]) == ([], page["total"], 20)


def test_pages_cover_a_long_list() -> None:
    """Every plan once, newest first."""
    site = SiteConfig(plans={number: SimulatedJob(name=f"plan {number}") for number in range(1, 46)})

    pages = [response_data("get_job_plan_list", site=site, start=start, length=20) for start in (0, 20, 40)]

    assert [entry["id"] for page in pages for entry in page["data"]] == list(range(45, 0, -1))
    assert {page["total"] for page in pages} == {45}


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, [1001, 1000]),
        ({"name": "rel"}, [1001]),
        ({"job_template_id": 100}, [1001, 1000]),
        ({"job_template_id": 7}, []),
        ({"creator": "nobody"}, []),
        ({"last_modify_user": "admin"}, [1001, 1000]),
    ],
)
def test_plans_are_filtered(given: dict[str, Any], found: list[int]) -> None:
    """By a part of the name, by template, by author."""
    assert [entry["id"] for entry in response_data("get_job_plan_list", **given)["data"]] == found


def test_times_are_milliseconds_and_those_of_crons_seconds() -> None:
    """Filters have the same units."""
    epoch = Simulator().world.epoch_ms
    plan = response_data("get_job_plan_list")["data"][0]
    cron = response_data("get_cron_list")["data"][0]

    assert (plan["create_time"], cron["create_time"]) == (epoch - DAY_MS, (epoch - DAY_MS) // 1000)
    assert response_data("get_job_plan_list", create_time_start=epoch)["total"] == 0
    assert response_data("get_cron_list", create_time_start=cron["create_time"])["total"] == 2


@pytest.mark.parametrize("dialect", [V3, ESB3])
def test_a_plan_is_shown_with_its_steps_and_variables(dialect: str) -> None:
    """Scripts are base64; hosts are those of the variable."""
    plan = response_data("get_job_plan_detail", dialect, job_plan_id=1001)

    sends, unpacks = plan["step_list"]
    hosts, version = plan["global_var_list"]
    assert (plan["id"], plan["name"], plan["job_template_id"]) == (1001, "release", 100)
    assert (sends["type"], sends["file_info"]["file_source_list"][0]["file_list"]) == (
        2,
        ["/data/app.tar.gz"],
    )
    assert base64.b64decode(unpacks["script_info"]["script_content"]) == b"echo unpacked"
    assert [host["bk_host_id"] for host in hosts["server"]["ip_list"]] == [1, 2, 3]
    assert (version["name"], version["value"], version["type"], version["required"]) == (
        "version",
        "1.0.0",
        1,
        1,
    )


def test_the_value_of_a_cipher_is_hidden() -> None:
    """Only its name is shown."""
    plan = SimulatedJob(variables=(SimulatedVariable(id=1, name="key", kind=4, value="p4ss"),))

    detail = response_data("get_job_plan_detail", site=SiteConfig(plans={5: plan}), job_plan_id=5)

    assert detail["global_var_list"][0]["value"] == "******"


def test_accounts_are_filtered_by_what_they_are_for() -> None:
    """Of the system, or of a database."""
    assert [entry["alias"] for entry in response_data("get_account_list", category=2)["data"]] == ["dba"]
    assert [entry["os"] for entry in response_data("get_account_list", alias="system")["data"]] == ["Windows"]
    assert response_data("get_account_list", account="roo")["total"] == 0
    own = SiteConfig(catalog=Catalog(accounts=(SimulatedAccount(id=4, name="app"),)))
    assert response_data("get_account_list", site=own)["data"][0]["alias"] == "app"


@pytest.mark.parametrize("public", [False, True])
def test_a_script_leads_to_its_versions_and_their_content(public: bool) -> None:  # noqa: FBT001 - both twins
    """List, versions, one version; content only where it is requested."""
    word = "public_script" if public else "script"
    script = response_data(f"get_{word}_list")["data"][0]
    bare = response_data(f"get_{word}_version_list", script_id=script["id"])
    full = response_data(f"get_{word}_version_list", script_id=script["id"], return_script_content="true")
    online = response_data(f"get_{word}_version_detail", id=script["online_script_version_id"])
    named = response_data(f"get_{word}_version_detail", script_id=script["id"], version=online["version"])

    assert {entry["content"] for entry in bare["data"]} == {None}
    assert all(entry["content"] for entry in full["data"])
    assert online == named
    assert (online["script_id"], online["status"]) == (script["id"], 1)
    assert (script["bk_scope_type"] is None) == public


def test_versions_of_unknown_scripts_are_an_empty_list() -> None:
    """Scripts of a scope are not public; one version in full is found in both places."""
    own = response_data("get_script_list")["data"][0]

    assert response_data("get_script_version_list", script_id="nothing")["total"] == 0
    assert response_data("get_public_script_version_list", script_id=own["id"])["total"] == 0
    assert response_data("get_script_version_detail", id=510)["bk_scope_type"] is None


def test_crons_are_shown_with_the_plan_that_they_run() -> None:
    """An id makes all other filters ineffective; details have variables."""
    running = response_data("get_cron_list", status=1)["data"]
    one = response_data("get_cron_list", id=301, name="nonsense")["data"]
    detail = response_data("get_cron_detail", id=300)

    assert [cron["id"] for cron in running] == [300]
    assert [(cron["id"], cron["status"], cron["global_var_list"]) for cron in one] == [(301, 2, None)]
    assert (detail["job_plan_id"], detail["expression"], len(detail["global_var_list"])) == (
        1000,
        "0 4 * * ?",
        1,
    )


@pytest.mark.parametrize(
    ("operation", "given", "v3", "esb"),
    [
        ("get_job_plan_detail", {"job_plan_id": 5}, (200, 1243009), (200, 1243009)),
        ("get_job_plan_detail", {}, (200, 1240003), (200, 1241007)),
        ("get_cron_detail", {"id": 5}, (200, 1245001), (200, 1245001)),
        ("get_cron_detail", {"id": 0}, (200, 1241002), (200, 1241002)),
        ("get_cron_list", {"id": 5}, (200, 1245001), (200, 1245001)),
        ("get_account_list", {"category": 3}, (200, 1241007), (200, 1241007)),
        ("get_script_list", {"script_language": 9}, (200, 1241005), (200, 1241005)),
        ("get_script_version_list", {}, (200, 1240003), (200, 1241007)),
        ("get_script_version_detail", {"script_id": "x"}, (200, 1241005), (200, 1241005)),
        ("get_script_version_detail", {"id": 9}, (200, 1243001), (200, 1243001)),
        ("get_public_script_version_detail", {"id": 501}, (200, 1243001), (200, 1243001)),
        ("get_job_plan_list", {"bk_scope_type": "galaxy"}, (200, 1240003), (200, 1240003)),
    ],
)
def test_refusals(operation: str, given: dict[str, Any], v3: tuple[int, int], esb: tuple[int, int]) -> None:
    """With the codes of both dialects."""
    assert code(operation, V3, **given) == v3
    assert code(operation, ESB3, **given) == esb


def test_version_4_has_no_lists() -> None:
    """Its gateway has none of these paths."""
    answer = ask(Simulator(), "get_job_plan_list", BIZ, dialect="gateway-v4")

    assert (answer.status, body(answer)["code"]) == (404, 1640401)


def old_data(operation: str, **given: Any) -> Any:
    """Return the data of a response of version 2."""
    site = SiteConfig(plans={9: SimulatedJob(name="old", steps=(StepPlan(content="true"),))})
    return data(ask(Simulator(site=site), operation, {"bk_biz_id": 2, **given}, dialect=ESB, method="POST"))


def test_version_2_lists_under_its_own_names() -> None:
    """Plans are `bk_job_id`, times are texts, scripts are plain, and there are no totals."""
    (job,) = old_data("get_job_list", name="ol")
    detail = old_data("get_job_detail", bk_job_id=9)
    (cron,) = old_data("get_cron_list", cron_status=2)
    script = old_data("get_script_list", return_script_content=True)["data"][0]

    assert (job["bk_job_id"], job["create_time"]) == (9, "2025-12-31 08:00:00")
    assert (detail["steps"][0]["script_content"], detail["steps"][0]["type"]) == ("true", 1)
    assert (cron["cron_id"], cron["cron_name"]) == (301, "on demand")
    assert (script["id"], script["content"]) == (501, "uptime")


def test_version_2_shows_a_public_script_to_who_names_a_scope() -> None:
    """Any scope; the number of no version is 1243047."""
    answers = [
        body(ask(Simulator(), "get_script_detail", given, dialect=ESB, method="POST"))["code"]
        for given in ({"id": 510}, {"id": 510, "bk_biz_id": 2}, {"id": 9, "bk_biz_id": 2})
    ]

    assert answers == [1240003, 0, 1243047]


def test_version_2_writes_times_of_scripts_and_accounts_in_utc() -> None:
    """And those of all else in its own zone."""
    found = [
        old_data("get_script_list")["data"][0],
        old_data("get_script_list", is_public=True)["data"][0],
        old_data("get_public_script_list")["data"][0],
        old_data("get_script_detail", id=510),
        old_data("get_os_account")[0],
        old_data("get_own_db_account_list")[0],
    ]

    assert {entry["create_time"] for entry in found} == {"2025-12-31 00:00:00"}
    assert [entry["public"] for entry in found[:4]] == [False, True, True, True]


@pytest.mark.parametrize(
    ("given", "count"),
    [
        ({"create_time_start": "2025-12-31"}, 1),
        ({"create_time_start": "2026-01-01"}, 0),
        ({"create_time_end": "2025-12-31"}, 0),
        ({"last_modify_time_end": "2026-01-01"}, 1),
        ({"last_modify_user": "nobody"}, 0),
    ],
)
def test_version_2_compares_days(given: dict[str, str], count: int) -> None:
    """A last day ends where it begins."""
    assert len(old_data("get_job_list", **given)) == count
