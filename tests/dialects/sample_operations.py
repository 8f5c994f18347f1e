"""The sample responses beside these tests, and the operation of each."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

import bkjob_async as bkjob
from bkjob_async.dialects.common.dialect import Dialect
from bkjob_async.dialects.registry import dialect_by_name
from bkjob_async.http_messages import HttpRequest, HttpResponse

SCOPE = bkjob.Scope.biz(2)
JOB = bkjob.JobRef(SCOPE, 7001)
STEP = JOB.step(8001)
HOST = "0:10.1.0.31"
DAY = datetime(2023, 11, 14, tzinfo=UTC)

OPERATIONS: tuple[bkjob.operations.Operation[Any], ...] = (
    bkjob.operations.GetJobInstanceStatus(ref=JOB, return_ip_result=True),
    bkjob.operations.GetStepInstanceStatus(ref=STEP),
    bkjob.operations.GetStepInstanceDetail(ref=STEP),
    bkjob.operations.GetJobInstanceLog(ref=JOB),
    bkjob.operations.GetJobInstanceIpLog(ref=STEP, host=HOST),
    bkjob.operations.BatchGetJobInstanceIpLog(ref=STEP, hosts=[31, 32]),
    bkjob.operations.GetJobInstanceList(
        scope=SCOPE, create_time_start=DAY, create_time_end=DAY.replace(day=15), length=2
    ),
    bkjob.operations.GetJobInstanceGlobalVarValue(ref=JOB),
    bkjob.operations.OperateStepInstance(ref=STEP, operation_code=2),
    bkjob.operations.OperateJobInstance(ref=JOB, operation_code=1),
    bkjob.operations.ExecuteJobPlan(scope=SCOPE, job_plan_id=12),
    bkjob.operations.FastExecuteScript(
        scope=SCOPE, targets=HOST, script_content="date", account_alias="root"
    ),
    bkjob.operations.FastExecuteSql(scope=SCOPE, targets=HOST, script_content="select 1", db_account_id=6),
    bkjob.operations.FastTransferFile(
        scope=SCOPE,
        sources=[bkjob.FileSource(files="/opt/a.tgz", server=HOST, account_alias="root")],
        file_target_path="/srv",
        targets=HOST,
        account_alias="root",
    ),
    bkjob.operations.PushConfigFile(
        scope=SCOPE, files={"a.conf": "x=1"}, file_target_path="/etc", targets=HOST, account_alias="root"
    ),
)
STORED: tuple[bkjob.operations.Operation[Any], ...] = (
    bkjob.operations.GetJobTemplateList(scope=SCOPE, item_name="greet"),
    bkjob.operations.GetJobPlanList(scope=SCOPE, item_name="greet"),
    bkjob.operations.GetJobPlanDetail(scope=SCOPE, job_plan_id=12),
    bkjob.operations.GetAccountList(scope=SCOPE, category=1),
    bkjob.operations.GetScriptList(scope=SCOPE),
    bkjob.operations.GetScriptVersionList(scope=SCOPE, script_id="5c1b", return_script_content=True),
    bkjob.operations.GetScriptVersionDetail(scope=SCOPE, id=71),
    bkjob.operations.GetPublicScriptList(),
    bkjob.operations.GetPublicScriptVersionList(script_id="5c1b"),
    bkjob.operations.GetPublicScriptVersionDetail(id=71, scope=SCOPE),
    bkjob.operations.GetCronList(scope=SCOPE, create_time_start=DAY, create_time_end=DAY.replace(day=15)),
    bkjob.operations.GetCronDetail(scope=SCOPE, id=81),
)
EXTRAS: tuple[bkjob.operations.Operation[Any], ...] = (
    bkjob.operations.GenerateLocalFileUploadUrl(scope=SCOPE, file_names="a.txt"),
    bkjob.operations.QueryGseTask(step_instance_id=8001),
    bkjob.operations.QueryJobInstance(gse_task_id="GSETASK:S:20231114:1"),
    bkjob.operations.GetScriptTaskContext(ref=STEP, host=31),
    bkjob.operations.GetFileTaskContext(ref=STEP, host=31, mode=1),
    bkjob.operations.BkciPluginFastExecuteScript(
        scope=SCOPE, targets=HOST, script_content="date", account_alias="root"
    ),
    bkjob.operations.BkciPluginFastTransferFile(
        scope=SCOPE,
        sources=[bkjob.FileSource(files="/opt/a.tgz", server=HOST, account_alias="root")],
        file_target_path="/srv",
        targets=HOST,
        account_alias="root",
    ),
    bkjob.operations.BkciPluginGetJobInstanceStatus(ref=JOB, return_ip_result=True),
    bkjob.operations.BkciPluginBatchGetJobInstanceExecuteObjectLog(ref=STEP, hosts=[31]),
)
OPERATIONS += STORED + EXTRAS
OPERATION_BY_NAME = {operation.name: operation for operation in OPERATIONS}
DIALECTS: dict[str, Dialect] = {
    name: dialect_by_name(name) for name in ("esb-job", "esb-jobv3", "gateway-v3", "gateway-v4")
}

FOLDER = Path(__file__).parent / "samples"
SAMPLES: dict[str, Any] = {
    path.relative_to(FOLDER).with_suffix("").as_posix(): json.loads(path.read_text())
    for path in sorted(FOLDER.rglob("*.json"))
}


def sample_call(sample: str) -> tuple[Dialect, bkjob.operations.Operation[Any]]:
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


def host(number: int) -> bkjob.HostKey:
    """Return one of the hosts of the samples."""
    return bkjob.HostKey(bk_host_id=number, bk_cloud_id=0, ip=f"10.1.0.{number}")


def parameters(request: HttpRequest) -> dict[str, Any]:
    """Return the parameters of a request, from its query or its body."""
    if request.method == "GET":
        assert request.body is None
        return dict(request.url.query)
    assert not request.url.query_string
    body: dict[str, Any] = msgspec.json.decode(request.body or b"")
    return body


def sent(name: str, operation: bkjob.operations.Operation[Any]) -> dict[str, Any]:
    """Return the parameters that an operation is sent with."""
    return parameters(DIALECTS[name].encode(operation))
