"""The parameters of launches: their targets, and what the server rejects."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from bkjob_async.model.refs import ScopeType
from bkjob_async.simulator.handlers.site import SiteConfig
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.hosts import Host, containers_of_filter, host, hosts_of_group
from tests.simulator.http_calls import ask, body, data

V3, V4, ESB, ESB3 = "gateway-v3", "gateway-v4", "esb-job", "esb-jobv3"
SCRIPT = base64.b64encode(b"true").decode()
BIZ = {"bk_scope_type": "biz", "bk_scope_id": "2"}
COMMON = {**BIZ, "script_content": SCRIPT, "account_alias": "root"}
WEB = [{"id": "web"}]
SETS = [{"id": 7, "node_type": "set"}]
CLUSTER = {"kube_cluster_filter": {"cluster_uid_list": ["K8S-1"]}}
PODS = {**CLUSTER, "kube_pod_filter": {"pod_name_list": ["app"]}}


def launch(dialect: str = V3, operation: str = "fast_execute_script", **given: Any) -> tuple[int, Any, str]:
    """Launch something; return the HTTP status, the code and the words of the response."""
    response = ask(Simulator(), operation, {**COMMON, **given}, dialect=dialect, method="POST")
    answer = body(response)
    if "error" in answer:
        (detail,) = answer["error"]["details"]
        return response.status, answer["error"]["code"], detail["message"]
    return response.status, answer.get("code", 0), answer.get("message", "")


def hosts_of(dialect: str, **given: Any) -> set[Host]:
    """Launch something; return the hosts that it is for."""
    simulator = Simulator()
    data(ask(simulator, "fast_execute_script", {**COMMON, **given}, dialect=dialect, method="POST"))
    return set(simulator.job(simulator.refs[0]).hosts())


def test_version_4_adds_groups_and_nodes_to_the_hosts() -> None:
    """All of them are targets."""
    target = {"host_list": [{"bk_host_id": 1}], "dynamic_group_list": WEB, "topo_node_list": SETS}

    assert hosts_of(V4, execute_target=target) == {
        host(1),
        *hosts_of_group("group web"),
        *hosts_of_group("set 7"),
    }


@pytest.mark.parametrize(
    ("dialect", "target"),
    [
        (V3, {"target_server": {"host_id_list": [1], "dynamic_group_list": WEB, "topo_node_list": SETS}}),
        (ESB3, {"target_server": {"host_id_list": [1], "dynamic_group_list": WEB, "topo_node_list": SETS}}),
        (ESB, {"bk_biz_id": 2, "target_server": {"dynamic_group_id_list": ["web"], "topo_node_list": SETS}}),
        (ESB, {"bk_biz_id": 2, "custom_query_id": ["web"]}),
    ],
)
def test_a_group_has_the_same_hosts_in_every_dialect(dialect: str, target: dict[str, Any]) -> None:
    """However it is spelled there."""
    assert set(hosts_of_group("group web")) <= hosts_of(dialect, **target)


def test_names_of_other_operations_are_ignored() -> None:
    """As the server does with every parameter that it does not know."""
    target = {"host_list": [{"bk_host_id": 1}], "host_dynamic_group_list": WEB, "nonsense": 1}

    assert hosts_of(V4, execute_target=target, target_server={"host_id_list": [5]}, nonsense=1) == {host(1)}


def test_containers_are_found_by_filters() -> None:
    """The same ones every time."""
    found = hosts_of(V4, execute_target={"kube_container_filters": [PODS]})

    assert found == set(containers_of_filter(repr(PODS)))


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ({}, "empty"),
        (
            {"host_list": [{"bk_host_id": 1}], "kube_container_filters": [PODS]},
            "cannot mix host and container",
        ),
        ({"dynamic_group_list": WEB, "kube_container_filters": [PODS]}, "cannot mix host and container"),
        ({"kube_container_filters": [{"kube_pod_filter": {}}]}, "cluster filter cannot be empty"),
        ({"kube_container_filters": [CLUSTER]}, "execute_in_whole_cluster"),
        ({"dynamic_group_list": ["web"]}, "Bad Request"),
        ({"topo_node_list": [{"id": 7}]}, "Topo node type"),
    ],
)
def test_version_4_refuses_targets_that_are_none(target: dict[str, Any], words: str) -> None:
    """400 and INVALID_ARGUMENT."""
    status, code, message = launch(V4, "fast_execute_script", execute_target=target)

    assert (status, code) == (400, "INVALID_ARGUMENT")
    assert words in message


HERE = {"target_server": {"host_id_list": [1, 2, 3]}}
WAITS = {
    "batch_start_wait_fixed_ms": 1000,
    "batch_start_wait_random_min_ms": 0,
    "batch_start_wait_random_max_ms": 2000,
}
PARALLEL = {"type": 1, "mode": 1, "execution_mode": 2, "expression": "1"}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"timeout": 259_201}, "between 1 and 259200"),
        ({"timeout": 0}, "between 1 and 259200"),
        ({"rolling_config": PARALLEL}, "fixed wait(ms) cannot be null"),
        (
            {"rolling_config": {**PARALLEL, **WAITS, "batch_start_wait_random_max_ms": None}},
            "random wait max(ms)",
        ),
        ({"rolling_config": {**PARALLEL, **WAITS, "batch_start_wait_fixed_ms": 3_600_001}}, "range"),
        ({"rolling_config": {**PARALLEL, **WAITS, "batch_start_wait_random_min_ms": 2001}}, "less than"),
        ({"callback_url": "ftp://here"}, "allowed list"),
        ({"rolling_config": {"type": 2, "mode": 1}}, "file source config"),
    ],
)
def test_what_breaks_a_rule_is_refused(given: dict[str, Any], words: str) -> None:
    """1240003 with HTTP 200, in the words of the server."""
    status, code, message = launch(V3, "fast_execute_script", **HERE, **given)

    assert (status, code) == (200, 1240003)
    assert words in message


def test_what_keeps_the_rules_is_taken() -> None:
    """The longest timeout, and parallel batches that say how far apart they start."""
    simulator = Simulator()
    given = {**COMMON, **HERE, "timeout": 259_200, "rolling_config": {**PARALLEL, **WAITS}}

    data(ask(simulator, "fast_execute_script", given, method="POST"))

    rolling = simulator.job(simulator.refs[0]).plan.steps[0].rolling
    assert rolling is not None
    assert (rolling.parallel, rolling.stagger) == (True, 2.0)


@pytest.mark.parametrize(("dialect", "where"), [(V3, "server"), (ESB, "target_server"), (ESB, None)])
def test_files_can_roll_over_their_sources(dialect: str, where: str | None) -> None:
    """So many sources a batch, and every batch for every target; version 2 names sources in its own way."""
    addresses = {"ip_list": [{"bk_cloud_id": 0, "ip": f"10.0.1.{n}"} for n in range(1, 4)]}
    source = {"file_list": ["/a"], "files": ["/a"], **({where: addresses} if where else addresses)}
    limits = {"max_execute_object_num_in_batch": 2}
    given = {
        **COMMON,
        "bk_biz_id": 2,
        "target_server": {"ip_list": [{"bk_cloud_id": 0, "ip": "10.0.0.1"}]},
        "file_source_list" if dialect == V3 else "file_source": [source],
        "file_target_path": "/srv",
        "rolling_config": {"type": 2, "mode": 1, "file_source": limits},
    }
    simulator = Simulator()
    operation = "fast_transfer_file" if dialect == V3 else "fast_push_file"

    data(ask(simulator, operation, given, dialect=dialect, method="POST"))
    simulator.world.advance_to_end(600)

    job = simulator.job(simulator.refs[0])
    execution = job.steps[0].execution
    assert job.status == 3
    assert execution is not None
    assert [row.batch for row in execution.rows] == [1, 2]


@pytest.mark.parametrize("operation", ["fast_execute_script", "push_config_file", "execute_job_plan"])
@pytest.mark.parametrize(("url", "code"), [("http://ours/x", 0), ("http://theirs/x", 1240003)])
def test_a_list_of_allowed_callbacks_refuses_the_others(operation: str, url: str, code: int) -> None:
    """At the launch of anything."""
    simulator = Simulator(site=SiteConfig(allowed_callbacks=("http://ours/",)))
    given = {
        **COMMON,
        **HERE,
        "job_plan_id": 1000,
        "file_list": [{"file_name": "a.conf", "content": SCRIPT}],
        "file_target_path": "/etc",
        "callback_url": url,
    }

    assert body(ask(simulator, operation, given, method="POST"))["code"] == code


@pytest.mark.parametrize("operation", ["fast_execute_script", "fast_execute_sql", "execute_job_plan"])
def test_every_launch_may_wait_to_be_started(operation: str) -> None:
    """`start_task` false."""
    simulator = Simulator()
    given = {**COMMON, **HERE, "db_account_id": 6, "job_plan_id": 1000, "start_task": False}

    data(ask(simulator, operation, given, method="POST"))
    simulator.world.advance(600)

    assert simulator.job(simulator.refs[0]).status == 1


@pytest.mark.parametrize(
    ("given", "scope"),
    [
        ({"bk_biz_id": 2}, ("biz", "2", 2)),
        ({"bk_biz_id": 9_999_999}, ("biz_set", "9999999", 9_999_999)),
        ({"bk_biz_id": 10_000_000}, ("biz", "10000000", 10_000_000)),
        ({"bk_scope_type": "biz_set", "bk_scope_id": "9", "bk_biz_id": 2}, ("biz_set", "9", 9)),
        pytest.param(
            {"bk_scope_type": "tenant_set", "bk_scope_id": "1"},
            ("tenant_set", "1", 2**63 - 1),
            marks=pytest.mark.skipif("tenant_set" not in list(ScopeType), reason="the model has none yet"),
        ),
    ],
)
def test_scopes_are_read_and_written_as_on_the_platform(
    given: dict[str, Any], scope: tuple[str, str, int]
) -> None:
    """A business id alone is enough, and may be that of a business set; responses have all spellings."""
    simulator = Simulator()
    launched = data(
        ask(simulator, "execute_job_plan", {**given, "job_plan_id": 1000}, dialect=ESB3, method="POST")
    )

    ids = {**given, "job_instance_id": launched["job_instance_id"]}
    found = data(ask(simulator, "get_job_instance_status", ids, dialect=ESB3))["job_instance"]

    assert (found["bk_scope_type"], found["bk_scope_id"], found["bk_biz_id"]) == scope
