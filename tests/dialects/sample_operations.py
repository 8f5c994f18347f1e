"""The sample responses beside these tests, and the operation of each."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from bkjob_async.dialects.common.dialect import TableDialect
from bkjob_async.dialects.registry import dialect_by_name
from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.model.operations.base import (
    GetJobInstanceStatus,
    GetStepInstanceStatus,
    OperateJobInstance,
    OperateStepInstance,
    Operation,
)
from bkjob_async.model.operations.extra_operations import (
    BkciPluginBatchGetJobInstanceExecuteObjectLog,
    BkciPluginFastExecuteScript,
    BkciPluginFastTransferFile,
    BkciPluginGetJobInstanceStatus,
    GenerateLocalFileUploadUrl,
    GetFileTaskContext,
    GetScriptTaskContext,
    QueryGseTask,
    QueryJobInstance,
)
from bkjob_async.model.operations.launches import (
    ExecuteJobPlan,
    FastExecuteScript,
    FastExecuteSql,
    FastTransferFile,
    FileSource,
    PushConfigFile,
)
from bkjob_async.model.operations.queries import (
    BatchGetJobInstanceIpLog,
    GetJobInstanceGlobalVarValue,
    GetJobInstanceIpLog,
    GetJobInstanceList,
    GetJobInstanceLog,
    GetStepInstanceDetail,
)
from bkjob_async.model.operations.stored_queries import (
    GetAccountList,
    GetCronDetail,
    GetCronList,
    GetJobPlanDetail,
    GetJobPlanList,
    GetJobTemplateList,
    GetPublicScriptList,
    GetPublicScriptVersionDetail,
    GetPublicScriptVersionList,
    GetScriptList,
    GetScriptVersionDetail,
    GetScriptVersionList,
)
from bkjob_async.model.refs import HostKey, JobRef, Scope

SCOPE = Scope.biz(2)
JOB = JobRef(SCOPE, 7001)
STEP = JOB.step(8001)
HOST = "0:10.1.0.31"
DAY = datetime(2023, 11, 14, tzinfo=UTC)

OPERATIONS: tuple[Operation[Any], ...] = (
    GetJobInstanceStatus(ref=JOB, return_ip_result=True),
    GetStepInstanceStatus(ref=STEP),
    GetStepInstanceDetail(ref=STEP),
    GetJobInstanceLog(ref=JOB),
    GetJobInstanceIpLog(ref=STEP, host=HOST),
    BatchGetJobInstanceIpLog(ref=STEP, hosts=[31, 32]),
    GetJobInstanceList(scope=SCOPE, create_time_start=DAY, create_time_end=DAY.replace(day=15), length=2),
    GetJobInstanceGlobalVarValue(ref=JOB),
    OperateStepInstance(ref=STEP, operation_code=2),
    OperateJobInstance(ref=JOB, operation_code=1),
    ExecuteJobPlan(scope=SCOPE, job_plan_id=12),
    FastExecuteScript(scope=SCOPE, targets=HOST, script_content="date", account_alias="root"),
    FastExecuteSql(scope=SCOPE, targets=HOST, script_content="select 1", db_account_id=6),
    FastTransferFile(
        scope=SCOPE,
        sources=[FileSource(files="/opt/a.tgz", server=HOST, account_alias="root")],
        file_target_path="/srv",
        targets=HOST,
        account_alias="root",
    ),
    PushConfigFile(
        scope=SCOPE, files={"a.conf": "x=1"}, file_target_path="/etc", targets=HOST, account_alias="root"
    ),
)
STORED: tuple[Operation[Any], ...] = (
    GetJobTemplateList(scope=SCOPE, item_name="greet"),
    GetJobPlanList(scope=SCOPE, item_name="greet"),
    GetJobPlanDetail(scope=SCOPE, job_plan_id=12),
    GetAccountList(scope=SCOPE, category=1),
    GetScriptList(scope=SCOPE),
    GetScriptVersionList(scope=SCOPE, script_id="5c1b", return_script_content=True),
    GetScriptVersionDetail(scope=SCOPE, id=71),
    GetPublicScriptList(),
    GetPublicScriptVersionList(script_id="5c1b"),
    GetPublicScriptVersionDetail(id=71),
    GetCronList(scope=SCOPE, create_time_start=DAY, create_time_end=DAY.replace(day=15)),
    GetCronDetail(scope=SCOPE, id=81),
)
EXTRAS: tuple[Operation[Any], ...] = (
    GenerateLocalFileUploadUrl(scope=SCOPE, file_names="a.txt"),
    QueryGseTask(step_instance_id=8001),
    QueryJobInstance(gse_task_id="GSETASK:S:20231114:1"),
    GetScriptTaskContext(ref=STEP, host=31),
    GetFileTaskContext(ref=STEP, host=31, mode=1),
    BkciPluginFastExecuteScript(scope=SCOPE, targets=HOST, script_content="date", account_alias="root"),
    BkciPluginFastTransferFile(
        scope=SCOPE,
        sources=[FileSource(files="/opt/a.tgz", server=HOST, account_alias="root")],
        file_target_path="/srv",
        targets=HOST,
        account_alias="root",
    ),
    BkciPluginGetJobInstanceStatus(ref=JOB, return_ip_result=True),
    BkciPluginBatchGetJobInstanceExecuteObjectLog(ref=STEP, hosts=[31]),
)
OPERATIONS += STORED + EXTRAS
OPERATION_BY_NAME = {operation.name: operation for operation in OPERATIONS}
DIALECTS: dict[str, TableDialect] = {
    name: dialect_by_name(name) for name in ("esb-job", "esb-jobv3", "gateway-v3", "gateway-v4")
}

FOLDER = Path(__file__).parent / "samples"
SAMPLES: dict[str, Any] = {
    path.relative_to(FOLDER).with_suffix("").as_posix(): json.loads(path.read_text())
    for path in sorted(FOLDER.rglob("*.json"))
}


def sample_call(sample: str) -> tuple[TableDialect, Operation[Any]]:
    """Return the dialect and the operation of a sample response."""
    codec, _, name = sample.partition("/")
    return DIALECTS[codec], OPERATION_BY_NAME[name.partition(".")[0]]


def json_response(body: object, status: int = 200, **headers: str) -> HttpResponse:
    """Return a response with this JSON body."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpResponse(status=status, headers=named, body=msgspec.json.encode(body))


def decoded(sample: str) -> Any:
    """Return the decoded sample."""
    codec, operation = sample_call(sample)
    return codec.decode(operation, json_response(SAMPLES[sample]))


def host(number: int) -> HostKey:
    """Return one of the hosts of the samples."""
    return HostKey(bk_host_id=number, bk_cloud_id=0, ip=f"10.1.0.{number}")


def parameters(request: HttpRequest) -> dict[str, Any]:
    """Return the parameters of a request, from its query or its body."""
    if request.method == "GET":
        assert request.body is None
        return dict(request.url.query)
    assert not request.url.query_string
    body: dict[str, Any] = msgspec.json.decode(request.body or b"")
    return body


def sent(name: str, operation: Operation[Any]) -> dict[str, Any]:
    """Return the parameters that an operation is sent with."""
    return parameters(DIALECTS[name].encode(operation))
