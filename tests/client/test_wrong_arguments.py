"""Every wrong argument is a typed error that names it and says what to write, before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from inspect import isawaitable
from typing import Any

import pytest

import bkjob_async as bkjob
from bkjob_async import operations
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.plans import SimulatedJob
from tests.client.clients import CREDENTIALS, URLS, client_of

Slip = tuple[Callable[..., Any], type[Exception], Sequence[str]]
HOST = "0:10.0.0.1"
SCOPE = bkjob.Scope.biz(2)
TYPE, VALUE = bkjob.WrongType, bkjob.WrongValue
# As callers see the package who check no types.
untyped: Any = bkjob


async def is_refused(slip: Callable[..., Any], given: Sequence[Any], error: type[Exception]) -> str:
    """Return the text of the error that a slip raises, which is of this class."""
    with pytest.raises(error) as refused:
        made = slip(*given)
        if isawaitable(made):
            await made
    assert isinstance(refused.value, bkjob.UsageError)
    return str(refused.value)


OPTIONS: Sequence[tuple[Mapping[str, Any], type[Exception], Sequence[str]]] = [
    ({"dialect": 3}, TYPE, ["dialect", "'gateway-v3'", "not int"]),
    ({"retries": 3}, TYPE, ["retries", "Retries(attempts=3)"]),
    ({"retries": bkjob.Retries}, TYPE, ["retries", "not the class Retries"]),
    ({"http": {}}, TYPE, ["http", "HttpOptions", "not dict"]),
    ({"callbacks": "x"}, TYPE, ["callbacks", "CallbackReceiver(base=...)"]),
    ({"session": 5}, TYPE, ["session", "ClientSession"]),
    ({"transport": 5}, TYPE, ["transport", "send", "aclose", "not int"]),
    ({"observers": 5}, TYPE, ["observers=[...]", "not int"]),
    ({"observers": print}, TYPE, ["observers=[...]"]),
    ({"language": "fr"}, VALUE, ["language", "'en'", "'zh-cn'", "not 'fr'"]),
    ({"credentials_in": "cookie", "dialect": "esb-job"}, VALUE, ["credentials_in", "'header'", "'cookie'"]),
    ({"tenant": 5}, bkjob.UsageError, ["tenant", "text"]),
    ({"name": 5}, TYPE, ["name", "text"]),
    ({"profile": 5}, TYPE, ["profile", "text"]),
    ({"scope": 0}, TYPE, ["scope", "Scope.biz(2)"]),
]


@pytest.mark.parametrize(("options", "error", "words"), OPTIONS)
async def test_a_client_is_made_of_the_parts_that_it_takes(
    options: Mapping[str, Any], error: type[Exception], words: Sequence[str]
) -> None:
    """Else `connect` refuses them, and not the first call."""
    slip = lambda: untyped.connect(**{"url": URLS["gateway-v3"], "credentials": CREDENTIALS, **options})  # noqa: E731

    said = await is_refused(slip, (), error)

    assert [word for word in words if word not in said] == []


VALUES: Sequence[Slip] = [
    (lambda: untyped.open_journal(5), TYPE, ["url", "'sqlite:///fleet.db'", "not int"]),
    (lambda: untyped.open_journal("memory:", keep=5), TYPE, ["keep", "Keep"]),
    (lambda: untyped.check(5, CREDENTIALS), TYPE, ["URL", "text", "not int"]),
    (lambda: untyped.RunReport("2:100"), TYPE, ["targets", "RunReport(['2:100'])", "not str"]),
    (lambda: untyped.RunReport(b"2:100"), TYPE, ["targets", "not bytes"]),
    (lambda: untyped.RunReport(5), TYPE, ["targets", "not int"]),
    (lambda: untyped.RunReport().read_journal(5, "night"), TYPE, ["url", "'sqlite:///fleet.db'", "not int"]),
    (lambda: untyped.HostsDone("0.5"), TYPE, ["HostsDone: share", "number", "not str"]),
    (lambda: untyped.HostsDone(True), TYPE, ["HostsDone: share", "number", "not bool"]),
    (lambda: untyped.HostsDone(2), VALUE, ["HostsDone: share", "1", "not 2"]),
    (lambda: untyped.HostsDone(-1), VALUE, ["HostsDone: share", "0", "not -1"]),
    (lambda: untyped.HostsDone(float("nan")), VALUE, ["HostsDone: share", "not nan"]),
    (lambda: untyped.Retries(attempts=-1), VALUE, ["Retries: attempts", "from 1", "not -1"]),
    (lambda: untyped.Retries(attempts="3"), TYPE, ["Retries: attempts", "whole number", "not str"]),
    (lambda: untyped.Retries(first=-1.0), VALUE, ["Retries: first", "not -1.0"]),
    (lambda: untyped.HttpOptions(connections="8"), TYPE, ["HttpOptions: connections", "whole number"]),
    (lambda: untyped.HttpOptions(headers=5), TYPE, ["HttpOptions: headers"]),
    (
        lambda: untyped.AppCredentials(bk_app_code="", bk_app_secret="x"),
        VALUE,
        ["AppCredentials: bk_app_code", "empty"],
    ),
    (
        lambda: untyped.AppCredentials(bk_app_code="x", bk_app_secret=" "),
        VALUE,
        ["AppCredentials: bk_app_secret", "empty"],
    ),
    (lambda: untyped.AccessToken(access_token=""), VALUE, ["AccessToken: access_token", "empty"]),
    (lambda: untyped.as_ref(b"2:100"), TYPE, ["a bytes names no job or step", "'2:100'"]),
    (
        lambda: operations.FastExecuteScript(scope=SCOPE, targets=HOST, timeout=0),
        VALUE,
        ["timeout", "from 1 to 259200", "not 0"],
    ),
    (lambda: untyped.FileSource(files=5), TYPE, ["files", "text", "not int"]),
    (lambda: untyped.FileSource(files=b"/data/a"), TYPE, ["files", "text", "not bytes"]),
    (lambda: untyped.FileSource(files="/a", server=[]), VALUE, ["server", "no host", HOST]),
    (lambda: untyped.Targets(topo_nodes=5), TYPE, ["topo_nodes", "TopoNode", "not int"]),
    (lambda: untyped.Targets(topo_nodes=[5]), TYPE, ["topo_nodes", "TopoNode", "not int"]),
    (lambda: untyped.Targets(kube_container_filters=5), TYPE, ["mapping", "not int"]),
]


@pytest.mark.parametrize(("slip", "error", "words"), VALUES)
async def test_a_value_is_refused_where_it_is_made(
    slip: Callable[[], Any], error: type[Exception], words: Sequence[str]
) -> None:
    """By its constructor, in the words of whoever wrote it."""
    said = await is_refused(slip, (), error)

    assert [word for word in words if word not in said] == []


CALLS: Sequence[Slip] = [
    (lambda c: c.watch(b"20000000001"), TYPE, ["a bytes names no job or step"]),
    (lambda c: c.watch([b"20000000001"]), TYPE, ["a bytes names no job or step"]),
    (lambda c: c.wait(b"20000000001"), TYPE, ["a bytes names no job or step"]),
    (lambda c: c.status(bytearray(b"20000000001")), TYPE, ["a bytearray names no job or step"]),
    (lambda c: c.watch(callbacks=1), TYPE, ["callbacks", "CallbackReceiver"]),
    (lambda c: c.watch(journal=5, name="night"), TYPE, ["journal", "Journal", "not int"]),
    (lambda c: c.watch("2:100").hosts(scope=2), TYPE, ["scope", "Scope.biz(2)", "not 2"]),
    (lambda c: c.watch("2:100").hosts(scope="2"), TYPE, ["scope", "Scope.biz(2)", "not '2'"]),
    (lambda c: c.watch("2:100").events(scope=2), TYPE, ["scope", "Scope.biz(2)", "not 2"]),
    (lambda c: c.job(100, scope=0), TYPE, ["scope", "Scope.biz(2)"]),
    (lambda c: c.with_options(retries=3), TYPE, ["retries", "Retries(attempts=3)"]),
    (lambda c: c.with_options(request_timeout="5"), TYPE, ["request_timeout", "number", "not str"]),
    (lambda c: c.with_options(request_timeout=0), VALUE, ["request_timeout", "not 0"]),
    (lambda c: c.with_options(priority="high"), VALUE, ["priority", "'urgent'", "'high'"]),
    (lambda c: c.run_script(5, HOST), TYPE, ["script", "text (str)", "not int"]),
    (lambda c: c.run_script(b"uptime", HOST), TYPE, ["script", "text (str)", "not bytes"]),
    (lambda c: c.run_script(" ", HOST), VALUE, ["script", "empty"]),
    (lambda c: c.run_script("uptime", None), TYPE, ["hosts", "'cloud:ip'", "not NoneType"]),
    (lambda c: c.run_script("uptime", b"10.0.0.1"), TYPE, ["hosts", "'cloud:ip'", "not bytes"]),
    (lambda c: c.run_script("uptime", [None]), VALUE, ["host", "'cloud:ip'", "not NoneType"]),
    (lambda c: c.run_script("uptime", []), VALUE, ["no host", HOST]),
    (lambda c: c.run_script("uptime", bkjob.Targets()), VALUE, ["no host", HOST]),
    (lambda c: c.run_script("uptime", bkjob.HostKey(ip="x")), VALUE, ["hosts", "'x'", HOST]),
    (lambda c: c.run_script("uptime", HOST, account=None), TYPE, ["account", "not NoneType"]),
    (lambda c: c.run_script("uptime", HOST, account=5.0), TYPE, ["account", "not float"]),
    (lambda c: c.run_script("uptime", HOST, account=0), VALUE, ["account", "not 0"]),
    (lambda c: c.run_script("uptime", HOST, account=""), VALUE, ["account", "empty"]),
    (lambda c: c.run_script("uptime", HOST, name=5), TYPE, ["name", "text (str)", "not int"]),
    (lambda c: c.run_script("uptime", HOST, parameters=["a"]), TYPE, ["parameters", "text", "not list"]),
    (lambda c: c.run_script("uptime", HOST, rolling="x"), TYPE, ["rolling", "RollingConfig", "not str"]),
    (lambda c: c.run_script("uptime", HOST, language="shell"), TYPE, ["language", "ScriptLanguage.SHELL"]),
    (lambda c: c.run_script("uptime", HOST, timeout="5"), TYPE, ["timeout", "whole number", "not str"]),
    (lambda c: c.run_script("uptime", HOST, timeout=0), VALUE, ["timeout", "from 1 to 259200", "not 0"]),
    (lambda c: c.run_script("uptime", HOST, scope=2), TYPE, ["scope", "Scope.biz(2)", "not 2"]),
    (lambda c: c.run_script("uptime", HOST, until=5), TYPE, ["until", "HostsDone(0.9)"]),
    (lambda c: c.run_plan("1000"), TYPE, ["job_plan_id", "whole number", "not str"]),
    (lambda c: c.run_plan(1000, 5), TYPE, ["variables", "{'version': '1.3'}", "not int"]),
    (lambda c: c.run_plan(1000, "ab"), TYPE, ["variables", "{'version': '1.3'}", "not str"]),
    (lambda c: c.run_plan(1000, {"version": None}), TYPE, ["version", "text", "not NoneType"]),
    (lambda c: c.run_plan(1000, until=5), TYPE, ["until", "HostsDone(0.9)"]),
    (lambda c: c.send_file(5, "/data/", HOST, source=HOST), TYPE, ["files", "text", "not int"]),
    (lambda c: c.send_file([5], "/data/", HOST, source=HOST), TYPE, ["files", "text", "not int"]),
    (lambda c: c.send_file([], "/data/", HOST, source=HOST), VALUE, ["files", "no file"]),
    (lambda c: c.send_file("/a", 5, HOST, source=HOST), TYPE, ["destination", "text", "not int"]),
    (lambda c: c.send_file("/a", "/data/", [], source=HOST), VALUE, ["no host", HOST]),
    (lambda c: c.send_file("/a", "/data/", HOST, source=[]), VALUE, ["server", "no host"]),
    (lambda c: c.send_file("/a", "/data/", HOST, source=None), TYPE, ["source", "'cloud:ip'"]),
    (lambda c: c.send_file("/a", "/data/", HOST, source=HOST, mode="x"), TYPE, ["mode", "TransferMode"]),
    (lambda c: c.fast_execute_script(5, HOST), TYPE, ["script_content", "text (str)", "not int"]),
    (lambda c: c.fast_execute_script("x", HOST, account_id="5"), TYPE, ["account_id", "whole number"]),
    (lambda c: c.fast_execute_script("x", HOST, rolling_config=5), TYPE, ["rolling_config", "RollingConfig"]),
    (lambda c: c.fast_execute_sql("x", [], db_account_id=3), VALUE, ["no host", HOST]),
    (lambda c: c.fast_transfer_file(5, "/data/", HOST), TYPE, ["file_source_list", "FileSource", "not int"]),
    (lambda c: c.fast_transfer_file(["/a"], "/data/", HOST), TYPE, ["FileSource", "not str"]),
    (
        lambda c: c.fast_transfer_file([untyped.FileSource(files="/a", account_id="root")], "/data/", HOST),
        TYPE,
        ["FileSource: account_id", "not str"],
    ),
    (
        lambda c: c.run_script("uptime", HOST, rolling=untyped.RollingConfig(expression=10)),
        TYPE,
        ["RollingConfig: expression", "text", "not int"],
    ),
    (
        lambda c: c.execute_job_plan(1, [untyped.GlobalVar(name="version", value=1.3)]),
        TYPE,
        ["GlobalVar: value", "text", "not float"],
    ),
    (lambda c: c.push_config_file({"motd": "x"}, "/etc/", []), VALUE, ["no host", HOST]),
    (lambda c: c.push_config_file(5, "/etc/", HOST), TYPE, ["file_list", "mapping", "not int"]),
    (lambda c: c.push_config_file({"motd": 5}, "/etc/", HOST), TYPE, ["motd", "text", "not int"]),
    (lambda c: c.logs("2:100", hosts=5.0), TYPE, ["hosts", "'cloud:ip'", "not float"]),
    (lambda c: c.call("get_job_instance_status", 5), TYPE, ["parameters", "mapping", "not int"]),
    (lambda c: c.call("get_job_instance_status", []), TYPE, ["parameters", "mapping", "not list"]),
    (lambda c: c.call("any_thing", {"when": object()}), TYPE, ["any_thing: ", "parameter 'when'", "object"]),
    (lambda c: c.call("any_thing", {"a": [1, {"b": {2 + 1j}}]}), TYPE, ["parameter 'a'", "complex"]),
    (lambda c: c.call("any_thing", {"a": [object()]}, method="GET"), TYPE, ["parameter 'a'", "object"]),
    (lambda c: c.call("any_thing", {1: 2}, method="GET"), TYPE, ["name of a parameter", "text, not 1"]),
    (lambda c: c.call("any_thing", {(1, 2): 2}), TYPE, ["name of a parameter", "text, not (1, 2)"]),
    (lambda c: c.call("get job"), VALUE, ["name", "'get job'"]),
    (lambda c: c.call("get_job_instance_status", method="PUT"), VALUE, ["method", "'GET'", "'PUT'"]),
    (lambda c: c.call("get_job_instance_status", scope=2), TYPE, ["scope", "Scope.biz(2)"]),
    (lambda c: c.call(5), TYPE, ["operation", "not int"]),
    (lambda c: c.get_job_instance_status(100, request_timeout="5"), TYPE, ["request_timeout", "number"]),
    (
        lambda c: c.get_step_instance_status("2:100/200", max_host_num_per_group="1"),
        TYPE,
        ["max_host_num_per_group", "whole number"],
    ),
    (lambda c: c.operate_job_instance("2:100", "TERMINATE"), TYPE, ["operation_code", "whole number"]),
    (lambda c: c.operate_step_instance("2:100/200", operation_code="x"), TYPE, ["operation_code"]),
    (
        lambda c: c.operate_job_instance("2:100", bkjob.StepOperation.RETRY_FAILED_HOSTS),
        TYPE,
        ["operation_code", "not be a StepOperation"],
    ),
    (
        lambda c: c.operate_step_instance("2:100/200", operation_code=bkjob.JobOperation.START),
        TYPE,
        ["operation_code", "not be a JobOperation"],
    ),
]


@pytest.mark.looptime
@pytest.mark.parametrize(("slip", "error", "words"), CALLS)
async def test_a_call_is_refused_before_it_is_sent(
    slip: Callable[[bkjob.JobClient], Any], error: type[Exception], words: Sequence[str]
) -> None:
    """With the name of the argument, what it may be, and what it was."""
    simulator = Simulator()
    simulator.add(SimulatedJob())
    async with client_of(simulator) as (client, transport):
        said = await is_refused(slip, (client,), error)

        assert transport.requests == 0
    assert [word for word in words if word not in said] == []
