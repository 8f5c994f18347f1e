"""Requests that the platform rejects, and requests that it accepts because real clients send them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace
from yarl import URL

from bkjob_async.http_messages import HttpRequest
from bkjob_async.model.refs import Scope
from bkjob_async.simulator.handlers.site import SiteConfig
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.plans import SimulatedJob, StepPlan
from tests.simulator.http_calls import AUTHORIZATION, PREFIXES, body, of, request

STATUS = "get_job_instance_status"
CREDENTIALS = {"bk_app_code": "tests", "bk_app_secret": "made-up"}


@pytest.fixture
def simulator() -> Simulator:
    """Return a world with one finished job."""
    simulator = Simulator(site=SiteConfig(plans={}))
    simulator.add(SimulatedJob(steps=(StepPlan(hosts=2),)))
    simulator.world.advance_to_end()
    return simulator


def request_counts(simulator: Simulator, question: HttpRequest) -> tuple[int, Any]:
    """Return the HTTP status and the code, a number or version 4's word."""
    response = simulator.platform.respond(question, simulator.world.now)
    envelope = body(response)
    return response.status, envelope["error"]["code"] if "error" in envelope else envelope.get("code")


V3, V4, ESB, ESB3 = "gateway-v3", "gateway-v4", "esb-job", "esb-jobv3"


@pytest.mark.parametrize(
    ("dialect", "change", "expected"),
    [
        (V3, {"job_instance_id": None}, (200, 1240003)),
        (V3, {"job_instance_id": "abc"}, (200, 1240003)),
        (V3, {"job_instance_id": 0}, (200, 1241007)),
        (V3, {"job_instance_id": 5}, (200, 1244006)),
        (V3, {"bk_scope_type": "galaxy"}, (200, 1240003)),
        (V3, {"bk_scope_type": None, "bk_scope_id": None}, (200, 1240003)),
        (V3, {"bk_scope_id": "3"}, (200, 1244006)),
        (V3, {"return_ip_result": "perhaps"}, (200, 1240003)),
        (V4, {"job_instance_id": None}, (400, "INVALID_ARGUMENT")),
        (V4, {"job_instance_id": 5}, (404, "NOT_FOUND")),
        (ESB, {"job_instance_id": None}, (200, 1241007)),
        (ESB, {"bk_biz_id": None}, (200, 1240003)),
        (ESB, {"bk_biz_id": 3}, (200, 1244006)),
        (ESB3, {"job_instance_id": 5}, (200, 1244006)),
    ],
)
def test_wrong_parameters_are_refused(
    simulator: Simulator, dialect: str, change: dict[str, Any], expected: tuple[int, Any]
) -> None:
    """With the code and the HTTP status that the dialect has for it."""
    given = {**of(simulator.refs[0], dialect), **change}
    wanted = {name: value for name, value in given.items() if value is not None}

    assert request_counts(simulator, request(dialect, STATUS, wanted)) == expected


@pytest.mark.parametrize(
    ("dialect", "operation", "method", "expected"),
    [
        (V3, STATUS, "POST", (200, 1240003)),
        (V3, "operate_step_instance", "GET", (200, 1240003)),
        (V4, STATUS, "POST", (400, "INVALID_ARGUMENT")),
        (V4, "get_step_instance_status", "GET", (404, 1640401)),
        (V3, "get_job_instance_log", "GET", (404, 1640401)),
        (ESB3, "get_step_instance_status", "POST", (404, None)),
        (ESB, "get_step_instance_status", "PUT", (200, 1306209)),
        (ESB, "conquer_the_world", "GET", (404, None)),
    ],
)
def test_wrong_methods_and_paths_are_refused(
    simulator: Simulator, dialect: str, operation: str, method: str, expected: tuple[int, Any]
) -> None:
    """By Job, by the gateway, by the ESB: each with its own code."""
    status, code = request_counts(
        simulator, request(dialect, operation, of(simulator.refs[0]), method=method)
    )

    assert (status, code or None) == expected


@pytest.mark.parametrize("path", ["/", "/api/v5/get_job_instance_status", "/api/c/compapi/v2/cc/search_host"])
def test_other_paths_are_not_found(simulator: Simulator, path: str) -> None:
    """404, with the gateway's code or the ESB's lack of one."""
    question = HttpRequest(method="GET", url=URL(f"http://sim{path}"))

    status, code = request_counts(simulator, question)

    assert status == 404
    assert (code is None) == ("/api/c/" in path)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, (400, 1640001)),
        ("not json", (400, 1640001)),
        ("{}", (400, 1640001)),
        ('{"bk_app_code":"tests","bk_app_secret":""}', (400, 1640001)),
        ('{"bk_app_code":"tests","bk_app_secret":"wrong"}', (400, 1640001)),
        ('{"access_token":"right"}', (200, 0)),
        ('{"access_token":"wrong"}', (400, 1640001)),
        ('{"bk_app_code":"tests","bk_app_secret":"right"}', (200, 0)),
    ],
)
def test_the_gateway_reads_credentials_from_its_header_alone(
    simulator: Simulator, header: str | None, expected: tuple[int, int]
) -> None:
    """Pinned ones must be right."""
    simulator.site.app_secret = simulator.site.access_token = "right"
    question = request(
        V3, STATUS, {**of(simulator.refs[0]), "bk_app_code": "tests", "bk_app_secret": "right"}
    )
    headers = {} if header is None else {"x-bkapi-authorization": header}

    assert request_counts(simulator, replace(question, headers=headers)) == expected


def test_a_user_can_be_required_except_on_system_paths(simulator: Simulator) -> None:
    """`system` twins act for whom a header names."""
    simulator.site.require_user = True
    question = request(V3, STATUS, of(simulator.refs[0]))
    headers = {"X-Bkapi-Authorization": json.dumps(CREDENTIALS)}
    system = str(question.url).replace("/api/v3/", "/api/v3/system/")

    assert request_counts(simulator, replace(question, headers=headers)) == (400, 1640001)
    assert request_counts(simulator, replace(question, headers=headers, url=URL(system))) == (200, 0)


@pytest.mark.parametrize("names", [("bk_app_code", "bk_app_secret"), ("app_code", "app_secret")])
@pytest.mark.parametrize("place", ["query", "body", "header"])
def test_the_esb_reads_credentials_wherever_they_are(
    simulator: Simulator, place: str, names: tuple[str, str]
) -> None:
    """Header, body, query; old names and new ones."""
    given = dict(zip(names, ("tests", "made-up"), strict=True))
    parameters = of(simulator.refs[0], ESB)
    url = URL(PREFIXES[ESB] + STATUS + "/")
    questions = {
        "query": HttpRequest(method="GET", url=url.with_query({**parameters, **given})),
        "body": HttpRequest(method="POST", url=url, body=json.dumps({**parameters, **given}).encode()),
        "header": HttpRequest(
            method="GET", url=url.with_query(parameters), headers={"X-Bkapi-Authorization": AUTHORIZATION}
        ),
    }

    assert request_counts(simulator, questions[place]) == (200, 0)
    bare = HttpRequest(method="GET", url=url.with_query(parameters))
    assert request_counts(simulator, bare) == (200, 1306000)


@pytest.mark.parametrize("spelling", ["true", "True", "1", "on", "yes"])
def test_yes_has_many_spellings(simulator: Simulator, spelling: str) -> None:
    """Spring knows them all."""
    question = request(V3, STATUS, {**of(simulator.refs[0]), "return_ip_result": spelling})

    rows = body(simulator.platform.respond(question, simulator.world.now))["data"]["step_instance_list"][0]

    assert len(rows["step_ip_result_list"]) == 2


@pytest.mark.parametrize(
    ("nested", "is_old", "code"),
    [(True, True, 0), (False, True, 0), (False, False, 0), (True, False, 1241007)],
)
def test_the_esb_takes_step_parameters_flat_and_nested(
    simulator: Simulator, code: int, *, nested: bool, is_old: bool
) -> None:
    """The component of old sites reads both, the current backend only flat ones."""
    simulator.site.legacy_esb = is_old
    step = simulator.steps(simulator.refs[0])[0]
    ids = {"job_instance_id": step.job_instance_id, "step_instance_id": step.step_instance_id}
    parameters = {"bk_biz_id": 2, "params": ids} if nested else {"bk_biz_id": 2, **ids}

    question = request(ESB, "get_step_instance_status", parameters, method="POST")

    assert request_counts(simulator, question) == (200, code)


def test_a_business_id_names_a_scope_except_where_it_does_not(simulator: Simulator) -> None:
    """Old spelling for jobs; ids of business sets; no such parameter on a step's status."""
    ref = simulator.refs[0]
    step = simulator.steps(ref)[0]
    old = {"bk_biz_id": 2, "job_instance_id": ref.job_instance_id}
    in_set = simulator.add(SimulatedJob(scope=Scope.biz_set(8_000_001)))

    assert request_counts(simulator, request(V3, STATUS, old)) == (200, 0)
    set_id = {"bk_biz_id": 8_000_001, "job_instance_id": in_set.job_instance_id}
    assert request_counts(simulator, request(V3, STATUS, set_id)) == (200, 0)
    stepped = {**old, "step_instance_id": step.step_instance_id}
    assert request_counts(simulator, request(V3, "get_step_instance_status", stepped)) == (200, 1240003)


def test_permissions_are_refused_with_what_to_apply_for(simulator: Simulator) -> None:
    """9900403 with the permission, in version 4 under `error.data`."""
    simulator.site.forbidden.add(Scope.biz(2))
    answers = {
        dialect: body(simulator.platform.respond(request(dialect, STATUS, of(simulator.refs[0])), 1e3))
        for dialect in (V3, V4, ESB3)
    }

    assert answers[V3]["code"] == answers[ESB3]["code"] == 9900403
    assert answers[V3]["permission"]["actions"][0]["id"] == "view_history"
    assert answers[V4]["error"]["code"] == "NO_PERMISSION"
    assert answers[V4]["error"]["data"] == answers[V3]["permission"]


def test_an_application_may_lack_an_api(simulator: Simulator) -> None:
    """1640301 with 403, or the ESB's 1306403."""
    simulator.site.forbidden_apis.add(STATUS)

    assert request_counts(simulator, request(V3, STATUS, of(simulator.refs[0]))) == (403, 1640301)
    assert request_counts(simulator, request(ESB, STATUS, of(simulator.refs[0], ESB))) == (200, 1306403)


def test_scopes_can_be_unknown(simulator: Simulator) -> None:
    """1243051 where the site knows which there are."""
    simulator.site.scopes = frozenset({Scope.biz(7)})

    assert request_counts(simulator, request(V3, STATUS, of(simulator.refs[0]))) == (200, 1243051)


def test_no_secret_is_ever_echoed(simulator: Simulator) -> None:
    """Neither in a response nor in the repr of a site."""
    simulator.site.app_secret = "right"
    question = request(V3, STATUS, of(simulator.refs[0]))

    response = simulator.platform.respond(question, simulator.world.now)

    said = f"{response.body!r} {dict(response.headers)} {simulator.site!r} {question!r}"
    assert "made-up" not in said
    assert "right" not in said.replace("rights", "")


@pytest.mark.parametrize("junk", [b"", b"[]", b"\xff\xfe", b"{", b"null", b'"text"'])
@pytest.mark.parametrize("dialect", [V3, V4, ESB, ESB3])
def test_bodies_that_are_none_are_refused_in_good_order(
    simulator: Simulator, dialect: str, junk: bytes
) -> None:
    """Never a crash."""
    question = replace(request(dialect, "fast_execute_script", {}, method="POST"), body=junk)

    _, code = request_counts(simulator, question)

    assert code in {1240003, 1241007, 1306406, 1306000, "INVALID_ARGUMENT"}


@pytest.mark.parametrize(
    ("dialect", "language", "change", "message"),
    [
        (V3, "en", {"job_instance_id": 5}, "Task instance does not exist"),
        (V3, "zh-cn", {"job_instance_id": 5}, "作业实例不存在"),
        (V3, "en", {"job_instance_id": 0}, "Missing or invalid request parameter [job_instance_id]"),
        (V3, "en", {"job_instance_id": "abc"}, "Bad Request"),
        (V3, "en", {"bk_scope_type": "galaxy"}, "Invalid bk_scope_type"),
        (V3, "zh-cn", {"bk_scope_type": "galaxy"}, "非法的资源范围类型"),
        (ESB, "en", {"bk_biz_id": 0}, "Invalid bk_biz_id"),
        (ESB3, "zh-cn", {"job_instance_id": 5}, "作业实例不存在"),
    ],
)
def test_errors_are_in_the_words_and_the_language_of_the_platform(
    simulator: Simulator, dialect: str, language: str, change: dict[str, Any], message: str
) -> None:
    """A violated constraint is 1240003 with its words alone."""
    given = {**of(simulator.refs[0], dialect), **change}
    asked = request(dialect, STATUS, given)
    headers = {**asked.headers, "Blueking-Language": language}

    answer = body(simulator.platform.respond(replace(asked, headers=headers), 1e3))

    assert (answer["result"], answer["message"]) == (False, message)


def test_version_4_names_the_field_of_a_violated_constraint(simulator: Simulator) -> None:
    """The words of the constraint are among the details, under a code of their own."""
    given = {**of(simulator.refs[0]), "job_instance_id": 0}

    error = body(simulator.platform.respond(request(V4, STATUS, given), 1e3))["error"]

    assert error["message"] == "Fields [jobInstanceId] bind failed"
    assert error["details"] == [{"code": "1241025", "message": "Job instance id must be a positive number"}]
