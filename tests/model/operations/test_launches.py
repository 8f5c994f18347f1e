"""Launches as values: their arguments, and what is never in the repr."""

import pytest

from bkjob_async.model.operations.details import ScriptDetail
from bkjob_async.model.operations.launches import (
    ExecuteJobPlan,
    FastExecuteScript,
    FastExecuteSql,
    FastTransferFile,
    FileSource,
    GlobalVar,
    PushConfigFile,
)
from bkjob_async.model.operations.queries import RawCall
from bkjob_async.model.operations.responses import HostLog, Variable
from bkjob_async.model.operations.targets import Targets
from bkjob_async.model.refs import HostKey, Scope

SCOPE = Scope.biz(2)
SECRET = "hunter2"


@pytest.mark.parametrize(
    "value",
    [
        FastExecuteScript(scope=SCOPE, targets=1, script_content=SECRET, script_param=SECRET),
        FastExecuteScript(scope=SCOPE, targets=1, host_password_list=[{"encrypted_password": SECRET}]),
        FastExecuteSql(scope=SCOPE, targets=1, db_account_id=1, script_content=SECRET),
        PushConfigFile(scope=SCOPE, targets=1, file_target_path="/", files={"a": SECRET}),
        ExecuteJobPlan(scope=SCOPE, job_plan_id=1, global_vars={"password": SECRET}),
        GlobalVar(name="password", value=SECRET),
        Variable(name="password", value=SECRET),
        HostLog(host=HostKey(bk_host_id=1), text=SECRET),
        ScriptDetail(content=SECRET, parameters=SECRET),
        RawCall(name="x", parameters={"password": SECRET}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_may_be_secret_does_not_show(value: object) -> None:
    """Scripts, parameters, contents, passwords and values stay out of every repr."""
    assert SECRET not in f"{value!r} {value!s}"


def test_short_forms_are_understood() -> None:
    """One host, one file, one source, a mapping of variables: no list is needed."""
    files = FastTransferFile(
        scope=SCOPE, sources=FileSource(files="/a", server=7), file_target_path="/", targets="10.0.0.1"
    )
    plan = ExecuteJobPlan(scope=SCOPE, job_plan_id=1, global_vars={"a": "b", "hosts": Targets(hosts=7)})

    assert files.sources == (FileSource(files=["/a"], server=Targets(hosts=[7])),)
    assert files.targets.hosts == (HostKey(bk_cloud_id=0, ip="10.0.0.1"),)
    assert plan.global_vars == (GlobalVar(name="a", value="b"), GlobalVar(name="hosts", server=[7]))


@pytest.mark.parametrize("timeout", [0, -1, 259_201])
def test_a_timeout_that_no_platform_takes_is_refused(timeout: int) -> None:
    """Seconds from one to three days."""
    with pytest.raises(ValueError, match="timeout"):
        FastExecuteScript(scope=SCOPE, targets=1, timeout=timeout)


def test_what_starts_something_goes_out_once() -> None:
    """Launches are not repeatable; a raw call is by its method, unless it is said otherwise."""
    assert not any(
        kind.repeatable
        for kind in (ExecuteJobPlan, FastExecuteScript, FastExecuteSql, FastTransferFile, PushConfigFile)
    )
    assert RawCall(name="x", method="GET").repeatable
    assert not RawCall(name="x").repeatable
    assert RawCall(name="x", repeatable=True).repeatable
