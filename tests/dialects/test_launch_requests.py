"""Launches, as each dialect encodes them."""

import base64
from typing import Any

import pytest
from attrs import evolve

from bkjob_async.errors import NotSupported, UsageError
from bkjob_async.model.operations.base import (
    Operation,
)
from bkjob_async.model.operations.codes import (
    FileSourceType,
    RollingExecution,
    RollingMode,
    ScriptLanguage,
    TransferMode,
)
from bkjob_async.model.operations.launches import (
    ExecuteJobPlan,
    FastExecuteScript,
    FastExecuteSql,
    FastTransferFile,
    FileSource,
    GlobalVar,
    PushConfigFile,
    RollingConfig,
    RollingFileSource,
)
from bkjob_async.model.operations.stored_queries import GetPublicScriptVersionDetail
from bkjob_async.model.operations.targets import Targets, TopoNode
from bkjob_async.model.refs import HostKey
from tests.dialects.sample_operations import DIALECTS, SCOPE, parameters, sent

SCRIPT = FastExecuteScript(
    scope=SCOPE,
    targets=[31, 32],
    script_content="echo $1 ü",
    script_param="one two",
    script_language=ScriptLanguage.SHELL,
    account_alias="root",
    timeout=60,
    is_param_sensitive=True,
)


def plain(text: str) -> str:
    """Return what a base64 text means."""
    return base64.b64decode(text).decode()


@pytest.mark.parametrize("name", ["esb-jobv3", "gateway-v3"])
def test_a_script_is_plain_text_here_and_encoded_once_there(name: str) -> None:
    """Content and parameters are encoded whole and once; hosts go by id where all have one."""
    body = sent(name, SCRIPT)

    assert (plain(body["script_content"]), plain(body["script_param"])) == ("echo $1 ü", "one two")
    assert body["target_server"] == {"host_id_list": [31, 32]}
    assert (body["script_language"], body["timeout"], body["account_alias"]) == (1, 60, "root")
    assert body["is_param_sensitive"] == 1
    assert "script_id" not in body


@pytest.mark.parametrize(
    ("name", "member"),
    [("esb-job", "script_type"), ("esb-jobv3", "script_language"), ("gateway-v4", "script_language")],
)
def test_a_text_without_a_language_is_a_shell_script(name: str, member: str) -> None:
    """The platform refuses a text without one; that of a stored script is known there."""
    text = FastExecuteScript(scope=SCOPE, targets="0:10.1.0.31", script_content="ls")

    assert sent(name, text)[member] == ScriptLanguage.SHELL
    assert sent(name, evolve(text, script_language=ScriptLanguage.PYTHON))[member] == ScriptLanguage.PYTHON
    assert member not in sent(name, evolve(text, script_content=None, script_id="7"))


def test_version_4_has_its_own_names_for_targets() -> None:
    """Hosts may be named in different ways there, groups and nodes go with them, or containers are selected."""
    targets = Targets(hosts=[31, "1:10.0.0.9"], dynamic_groups=["g"], topo_nodes=[("set", 5)])
    filters = {
        "kube_cluster_filter": {"cluster_uid_list": ["K8S-1"]},
        "kube_pod_filter": {"pod_name_list": ["web-0"]},
    }

    body = sent("gateway-v4", evolve(SCRIPT, targets=targets))
    containers = sent("gateway-v4", evolve(SCRIPT, targets=Targets(kube_container_filters=[filters])))

    assert body["execute_target"] == {
        "host_list": [{"bk_host_id": 31}, {"bk_cloud_id": 1, "ip": "10.0.0.9"}],
        "dynamic_group_list": [{"id": "g"}],
        "topo_node_list": [{"id": 5, "node_type": "set"}],
    }
    assert containers["execute_target"] == {"kube_container_filters": [filters]}
    assert body["param_sensitive"] is True
    assert "target_server" not in body


CLUSTER = {"cluster_uid_list": ["BCS-K8S-00000"]}
WHOLE_CLUSTER = {"kube_cluster_filter": CLUSTER, "execute_in_whole_cluster": True}


@pytest.mark.parametrize("more", [{"hosts": 31}, {"dynamic_groups": "g"}, {"topo_nodes": [("set", 5)]}, None])
def test_what_version_4_refuses_is_not_sent(more: dict[str, Any] | None) -> None:
    """Hosts beside containers, and no target at all."""
    targets = Targets(kube_container_filters=[WHOLE_CLUSTER], **more) if more else Targets()

    with pytest.raises(UsageError, match="mixed" if more else "name the targets"):
        DIALECTS["gateway-v4"].encode(evolve(SCRIPT, targets=targets))


@pytest.mark.parametrize(
    ("filters", "says"),
    [
        ({}, "kube_cluster_filter"),
        ({"kube_pod_filter": {"pod_name_list": ["web-0"]}}, "kube_cluster_filter"),
        ({"kube_cluster_filter": {"cluster_uid_list": []}}, "cluster_uid_list"),
        ({"kube_cluster_filter": "BCS-K8S-00000"}, "cluster_uid_list"),
        ({"kube_cluster_filter": CLUSTER}, "execute_in_whole_cluster"),
        ({"kube_cluster_filter": CLUSTER, "kube_pod_filter": {}}, "execute_in_whole_cluster"),
    ],
)
def test_containers_of_no_certain_cluster_are_not_sent(filters: dict[str, Any], says: str) -> None:
    """The platform refuses them; what is to be added is said before anything is sent."""
    with pytest.raises(UsageError, match=says):
        DIALECTS["gateway-v4"].encode(evolve(SCRIPT, targets=Targets(kube_container_filters=[filters])))


def test_a_whole_cluster_may_be_meant() -> None:
    """If it is said."""
    body = sent("gateway-v4", evolve(SCRIPT, targets=Targets(kube_container_filters=[WHOLE_CLUSTER])))

    assert body["execute_target"] == {"kube_container_filters": [WHOLE_CLUSTER]}


WAITS: dict[str, Any] = {
    "batch_start_wait_fixed_ms": 1000,
    "batch_start_wait_random_min_ms": 0,
    "batch_start_wait_random_max_ms": 500,
}


@pytest.mark.parametrize("name", ["esb-jobv3", "gateway-v3", "gateway-v4"])
def test_batches_in_parallel_say_when_they_start(name: str) -> None:
    """All three times go out under the platform's names; a mode is for batches one after the other."""
    config = RollingConfig(execution_mode=RollingExecution.PARALLEL, expression="1 10%", **WAITS)

    body = sent(name, evolve(SCRIPT, rolling_config=config))

    assert body["rolling_config"] == {"execution_mode": 2, "expression": "1 10%", **WAITS}


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"batch_start_wait_fixed_ms": None}, "need batch_start_wait_fixed_ms"),
        ({"batch_start_wait_random_min_ms": -1}, "0 to 3600000"),
        ({"batch_start_wait_random_max_ms": 3_600_001}, "0 to 3600000"),
        ({"batch_start_wait_random_min_ms": 501}, "must not be less"),
        ({"type": 2}, "cannot run in parallel"),
    ],
)
def test_a_parallel_execution_that_the_platform_refuses_is_not_sent(
    changed: dict[str, Any], says: str
) -> None:
    """The three times are needed, bounded and in order; sources do not roll in parallel."""
    config = RollingConfig(**{"execution_mode": 2, "expression": "1", **WAITS, **changed})

    with pytest.raises(UsageError, match=says):
        DIALECTS["gateway-v3"].encode(evolve(SCRIPT, rolling_config=config))


@pytest.mark.parametrize("name", ["esb-jobv3", "gateway-v3"])
def test_files_that_were_uploaded_are_sent_by_their_path(name: str) -> None:
    """Local files lie on no host; a single file may get another name on its way."""
    source = FileSource(files="1/8f/ada/a.txt", file_type=FileSourceType.LOCAL)
    operation = FastTransferFile(
        scope=SCOPE, sources=source, file_target_path="/srv", file_target_name="b.txt", targets=[31]
    )

    body = sent(name, operation)

    assert body["file_source_list"] == [{"file_list": ["1/8f/ada/a.txt"], "file_type": 2}]
    assert (body["file_target_name"], body["file_target_path"]) == ("b.txt", "/srv")
    with pytest.raises(UsageError, match="no host"):
        sent(name, evolve(operation, sources=evolve(source, server=[31])))
    for lacking in (operation, evolve(operation, file_target_name=None)):
        with pytest.raises(NotSupported, match="gateway-v3"):
            sent("esb-job", evolve(lacking, targets="0:10.1.0.31"))


@pytest.mark.parametrize("name", ["esb-job", "esb-jobv3", "gateway-v3"])
def test_every_quick_launch_may_have_a_name(name: str) -> None:
    """The name that lists show, in every dialect that starts them."""
    at = "0:10.1.0.31"
    for launch in (
        evolve(SCRIPT, targets=at, task_name="night"),
        FastExecuteSql(scope=SCOPE, targets=at, db_account_id=6, script_content="x", task_name="night"),
        FastTransferFile(
            scope=SCOPE,
            sources=FileSource(files="/a", server=at),
            file_target_path="/",
            targets=at,
            task_name="night",
        ),
        PushConfigFile(scope=SCOPE, files={"a": ""}, file_target_path="/", targets=at, task_name="night"),
    ):
        assert sent(name, launch)["task_name"] == "night"


def test_what_newer_interfaces_take_goes_out() -> None:
    """A callback for small files, a start that waits for SQL; the oldest dialect refuses both."""
    push = PushConfigFile(
        scope=SCOPE,
        files={"a": ""},
        file_target_path="/",
        targets="0:10.1.0.31",
        callback_url="https://me/x",
    )
    sql = FastExecuteSql(
        scope=SCOPE, targets="0:10.1.0.31", db_account_id=6, script_content="x", start_task=False
    )

    assert sent("gateway-v3", push)["callback_url"] == "https://me/x"
    assert sent("gateway-v3", sql)["start_task"] is False
    for launch in (push, sql):
        with pytest.raises(NotSupported, match="gateway-v3"):
            sent("esb-job", launch)


def test_the_oldest_dialect_has_its_own_names_for_everything() -> None:
    """Timeout, account, language, callback and targets are called otherwise there."""
    targets = Targets(hosts="0:10.1.0.31", dynamic_groups="g", topo_nodes=[TopoNode("set", 5)])

    body = sent("esb-job", evolve(SCRIPT, targets=targets, callback_url="https://me/x", script_id="12"))

    assert {
        "bk_biz_id": 2,
        "script_id": 12,
        "script_type": 1,
        "script_timeout": 60,
        "account": "root",
        "is_param_sensitive": 1,
        "bk_callback_url": "https://me/x",
        "target_server": {
            "ip_list": [{"bk_cloud_id": 0, "ip": "10.1.0.31"}],
            "dynamic_group_id_list": ["g"],
            "topo_node_list": [{"id": 5, "node_type": "set"}],
        },
    }.items() <= body.items()


@pytest.mark.parametrize(
    "operation",
    [
        evolve(SCRIPT, targets="0:10.1.0.31", rolling_config=RollingConfig(mode=1, expression="1 *2")),
        evolve(SCRIPT, targets="0:10.1.0.31", start_task=False),
        evolve(SCRIPT, targets="0:10.1.0.31", account_id=5),
        evolve(SCRIPT, targets=Targets(kube_container_filters=[{}])),
        ExecuteJobPlan(scope=SCOPE, job_plan_id=12, start_task=False),
    ],
)
def test_an_option_that_a_dialect_would_drop_is_refused(operation: Operation[Any]) -> None:
    """Nothing that was requested gets lost without a word."""
    with pytest.raises(NotSupported, match="gateway-v3"):
        DIALECTS["esb-job"].encode(operation)


@pytest.mark.parametrize("name", ["esb-jobv3", "gateway-v3"])
def test_hosts_that_cannot_be_named_alike_are_refused(name: str) -> None:
    """The platform ignores addresses where ids stand beside them, so they are never sent together."""
    both = HostKey(bk_host_id=31, bk_cloud_id=0, ip="10.1.0.31")

    assert sent(name, evolve(SCRIPT, targets=[both, "0:10.1.0.9"]))["target_server"] == {
        "ip_list": [{"bk_cloud_id": 0, "ip": "10.1.0.31"}, {"bk_cloud_id": 0, "ip": "10.1.0.9"}]
    }
    with pytest.raises(UsageError, match="name all hosts"):
        sent(name, evolve(SCRIPT, targets=[31, "0:10.1.0.9"]))
    with pytest.raises(NotSupported, match="gateway-v4"):
        sent(name, evolve(SCRIPT, targets=HostKey(container_id=5)))


def test_a_host_without_an_address_is_refused_where_only_addresses_go() -> None:
    """The error says which host, and how to name it."""
    with pytest.raises(UsageError, match="#31 has no IPv4 address"):
        sent("esb-job", SCRIPT)


def test_a_rolling_configuration_travels_whole() -> None:
    """Only what is said is sent, and what has no name here goes as it is."""
    rolling = RollingConfig(
        mode=RollingMode.MANUAL,
        expression="10% +10",
        file_source=RollingFileSource(max_execute_object_num_in_batch=2),
        extra={"batch_start_wait_seconds": 5},
    )

    assert sent("gateway-v3", evolve(SCRIPT, rolling_config=rolling))["rolling_config"] == {
        "mode": 3,
        "expression": "10% +10",
        "file_source": {"max_execute_object_num_in_batch": 2},
        "batch_start_wait_seconds": 5,
    }


def test_a_plan_takes_variables_by_name_or_id() -> None:
    """A text is a value, targets are a server; a mapping is the short form."""
    short = ExecuteJobPlan(
        scope=SCOPE, job_plan_id=12, global_vars={"region": "north", "hosts": Targets(hosts=[31])}
    )
    long = evolve(short, global_vars=[GlobalVar(id=436, server="0:10.1.0.31"), GlobalVar(id=437, value="x")])

    assert sent("gateway-v3", short)["global_var_list"] == [
        {"name": "region", "value": "north"},
        {"name": "hosts", "server": {"host_id_list": [31]}},
    ]
    body = sent("esb-job", long)
    assert (body["bk_job_id"], DIALECTS["esb-job"].encode(long).url.name) == (12, "")
    assert body["global_vars"] == [
        {"id": 436, "target_server": {"ip_list": [{"bk_cloud_id": 0, "ip": "10.1.0.31"}]}},
        {"id": 437, "value": "x"},
    ]


FILES = FastTransferFile(
    scope=SCOPE,
    sources=[
        FileSource(files=["/a", "/b"], server=[31], account_id=100),
        FileSource(files="bucket/c", file_source_code="cos"),
    ],
    file_target_path="/srv",
    targets=[32],
    account_alias="root",
    transfer_mode=TransferMode.STRICT,
)


def test_files_come_from_hosts_or_third_parties() -> None:
    """A third-party source has an id or a code instead of hosts and account."""
    body = sent("gateway-v3", FILES)

    assert body["file_source_list"] == [
        {"file_list": ["/a", "/b"], "file_type": 1, "server": {"host_id_list": [31]}, "account": {"id": 100}},
        {"file_list": ["bucket/c"], "file_type": 3, "file_source_code": "cos"},
    ]
    assert (body["transfer_mode"], body["file_target_path"]) == (1, "/srv")


def test_files_go_by_other_names_in_the_oldest_dialect() -> None:
    """`fast_transfer_file` is `fast_push_file` there."""
    source = FileSource(files="/a", server="0:10.1.0.31", account_alias="root")
    operation = evolve(FILES, sources=source, targets="0:10.1.0.32", transfer_mode=None)

    request = DIALECTS["esb-job"].encode(operation)

    assert request.url.path == "api/c/compapi/v2/job/fast_push_file/"
    assert parameters(request)["file_source"] == [
        {
            "files": ["/a"],
            "account": "root",
            "target_server": {"ip_list": [{"bk_cloud_id": 0, "ip": "10.1.0.31"}]},
        }
    ]


def test_small_files_are_encoded() -> None:
    """Text and bytes are contents alike."""
    operation = PushConfigFile(
        scope=SCOPE,
        files={"a": "ü", "b": b"\x00"},
        file_target_path="/etc",
        targets="0:10.1.0.31",
        account_alias="r",
    )

    for name in ("esb-job", "gateway-v3"):
        assert sent(name, operation)["file_list"] == [
            {"file_name": "a", "content": "w7w="},
            {"file_name": "b", "content": "AA=="},
        ]
    assert sent("esb-job", operation)["ip_list"] == [{"bk_cloud_id": 0, "ip": "10.1.0.31"}]


def test_what_text_files_are_put_onto_in_the_oldest_dialect() -> None:
    """Hosts alone, or groups and nodes alone: its current backend leaves these out in silence beside hosts."""
    push = PushConfigFile(
        scope=SCOPE,
        files={"a": ""},
        file_target_path="/",
        account_alias="r",
        targets=Targets(dynamic_groups="g"),
    )

    grouped = sent("esb-job", push)
    assert (grouped["target_server"], "ip_list" in grouped) == ({"dynamic_group_id_list": ["g"]}, False)
    with pytest.raises(NotSupported, match="start two"):
        sent("esb-job", evolve(push, targets=Targets(hosts="0:10.1.0.31", dynamic_groups="g")))


def test_the_oldest_dialect_is_given_ids_beside_addresses() -> None:
    """Its backend takes them, and finds hosts by their addresses: one without is refused here."""
    host = HostKey(bk_host_id=7, bk_cloud_id=0, ip="10.1.0.31")

    body = sent("esb-job", evolve(SCRIPT, targets=host))

    assert body["target_server"]["ip_list"] == [{"bk_cloud_id": 0, "ip": "10.1.0.31", "bk_host_id": 7}]
    with pytest.raises(UsageError, match="cloud:ip"):
        sent("esb-job", evolve(SCRIPT, targets=7))


@pytest.mark.parametrize("name", ["esb-jobv3", "gateway-v3"])
def test_a_host_variable_is_a_target(name: str) -> None:
    """By its name; version 4 and the oldest dialect have none."""
    launch = evolve(SCRIPT, targets=Targets(hosts=7, variable="web"))

    assert sent(name, launch)["target_server"] == {"variable": "web", "host_id_list": [7]}
    for other in ("esb-job", "gateway-v4"):
        with pytest.raises(NotSupported):
            sent(other, launch)


@pytest.mark.parametrize("name", ["esb-jobv3", "gateway-v3"])
def test_the_account_of_a_source_may_have_a_name(name: str) -> None:
    """Beside its id or its alias."""
    source = FileSource(files="/a", server="0:10.1.0.31", account_alias="root", account_name="root-name")
    launch = FastTransferFile(scope=SCOPE, sources=source, file_target_path="/", targets="0:10.1.0.31")

    (sent_source,) = sent(name, launch)["file_source_list"]

    assert sent_source["account"] == {"alias": "root", "name": "root-name"}
    with pytest.raises(NotSupported):
        sent("esb-job", launch)


def test_the_oldest_dialect_needs_a_scope_for_a_public_script() -> None:
    """Whatever scope the user may see."""
    query = GetPublicScriptVersionDetail(id=510)

    with pytest.raises(UsageError, match="scope"):
        sent("esb-job", query)
    parameters = DIALECTS["esb-job"].encode(evolve(query, scope=SCOPE)).url.query
    assert dict(parameters) == {"id": "510", "bk_biz_id": "2"}


def test_sql_names_a_database_account() -> None:
    """SQL runs by an account of the database."""
    body = sent(
        "gateway-v3", FastExecuteSql(scope=SCOPE, targets=[31], db_account_id=6, script_content="select 1")
    )

    assert (body["db_account_id"], plain(body["script_content"])) == (6, "select 1")
