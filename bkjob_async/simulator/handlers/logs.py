"""Handle requests for the logs of hosts."""

from __future__ import annotations

from typing import Any

from bkjob_async.simulator.handlers.context import RequestContext
from bkjob_async.simulator.handlers.targets import by_entry, by_id, optional_list
from bkjob_async.simulator.protocol import logs as render_logs
from bkjob_async.simulator.protocol import plugin as render_plugin
from bkjob_async.simulator.protocol.api_errors import api_error, missing_parameter, violation
from bkjob_async.simulator.protocol.gateway_v4 import CONTAINER_OBJECT, HOST_OBJECT
from bkjob_async.simulator.protocol.requests import ParsedRequest
from bkjob_async.simulator.world.codes import CONFIRM
from bkjob_async.simulator.world.hosts import Host
from bkjob_async.simulator.world.records import Step

MAX_HOSTS, MAX_OBJECTS = 500, 50


class HostIndex:
    """The hosts of a step by their ids and addresses; others are simulated hosts."""

    def __init__(self, step: Step) -> None:
        """Index the hosts of *step*, without containers."""
        hosts = [host for host in step.hosts if host.container_id is None]
        self._by_id = {host.bk_host_id: host for host in hosts}
        self._by_address = {(host.bk_cloud_id, host.ip): host for host in hosts if host.ip}

    def by_id(self, number: Any) -> Host:
        """Return the host with an id; raise `ApiError` for anything else."""
        host = by_id(number)
        return self._by_id.get(host.bk_host_id, host)

    def by_entry(self, entry: Any, name: str) -> Host:
        """Return the host of `{bk_host_id}` or `{bk_cloud_id, ip}`; raise `ApiError` for anything else."""
        host = by_entry(entry, name)
        own = self._by_address.get((host.bk_cloud_id, host.ip)) if host.ip else None
        return own or self._by_id.get(host.bk_host_id, host)


def v2_job_log(context: RequestContext, request: ParsedRequest) -> list[dict[str, Any]]:
    """Handle `get_job_instance_log`: all logs of all steps."""
    job = context.job(request)
    return [
        render_logs.v2_step_log(step, context.now, legacy_esb=context.site.legacy_esb) for step in job.steps
    ]


def one_log(context: RequestContext, request: ParsedRequest) -> dict[str, Any]:
    """Handle `get_job_instance_ip_log`: one host, named as in the request."""
    step = require_log(context.step(request))
    number, ip = request.integer("bk_host_id"), request.text("ip")
    known_hosts = HostIndex(step)
    if number is not None:
        host = known_hosts.by_id(number)
        names: dict[str, Any] = {"bk_host_id": number, "bk_cloud_id": None, "ip": None}
    elif ip and (cloud := request.integer("bk_cloud_id")) is not None:
        host = known_hosts.by_entry({"bk_cloud_id": cloud, "ip": ip}, "ip")
        names = {"bk_host_id": None, "bk_cloud_id": cloud, "ip": ip}
    else:
        raise missing_parameter("host_id/(bk_cloud_id+ip)")
    kind = render_logs.log_type(step)
    if kind != render_logs.SCRIPT_LOG:
        # The id of a host that was named by its address is not found: see `v3_transfer`.
        found = [*render_logs.downloads(step, host, context.now), *render_logs.uploads(step)]
        files = [render_logs.v3_transfer(transfer, in_batch=False) for transfer in found]
        return {"log_type": kind, **names, "log_content": None, "file_logs": files}
    script = render_logs.host_log(step, host, context.now) or ""
    if number is None and script.strip():
        # The id is that of the log; without a log it is unknown.
        names["bk_host_id"] = host.bk_host_id
    return {"log_type": kind, **names, "log_content": script if script.strip() else None, "file_logs": None}


def many_logs(context: RequestContext, request: ParsedRequest) -> dict[str, Any]:
    """Handle `batch_get_job_instance_ip_log`: at most 500 hosts."""
    step = require_log(context.step(request))
    given, known_hosts = dict(request.parameters), HostIndex(step)
    hosts = [known_hosts.by_id(number) for number in optional_list(given, "host_id_list")]
    hosts += [known_hosts.by_entry(entry, "ip_list") for entry in optional_list(given, "ip_list")]
    if not hosts or len(hosts) > MAX_HOSTS:
        raise missing_parameter("host_id_list/ip_list")
    kind = render_logs.log_type(step)
    answer = {"job_instance_id": step.job.id, "step_instance_id": step.id, "log_type": kind}
    if kind == render_logs.SCRIPT_LOG:
        logs: list[dict[str, Any]] = [
            {**host_names(host), "log_content": text}
            for host in hosts
            if (text := render_logs.host_log(step, host, context.now)) is not None
        ]
        return {**answer, "script_task_logs": logs or None, "file_task_logs": None}
    files = [
        {
            "bk_host_id": host.bk_host_id,
            "bk_cloud_id": host.bk_cloud_id,
            "ip": host.ip,
            "file_logs": [render_logs.v3_transfer(transfer, in_batch=True) for transfer in found],
        }
        for host in hosts
        if (found := render_logs.transfers(step, host, context.now))
    ]
    return {**answer, "script_task_logs": None, "file_task_logs": files or None}


def host_names(host: Host) -> dict[str, Any]:
    """Return a host's names in a batch of logs of scripts."""
    return {
        "host_id": host.bk_host_id,
        "bk_host_id": host.bk_host_id,
        "bk_cloud_id": host.bk_cloud_id,
        "ip": host.ip,
        "ipv6": host.ipv6,
    }


def v4_logs(context: RequestContext, request: ParsedRequest) -> dict[str, Any]:
    """Handle `batch_get_job_instance_execute_object_log`: at most 50 objects, the first list counts."""
    step = require_log(context.step(request))
    given, known_hosts = dict(request.parameters), HostIndex(step)
    containers = {host.container_id: host for host in step.hosts if host.container_id is not None}
    hosts = [known_hosts.by_id(number) for number in optional_list(given, "host_id_list")]
    hosts = hosts or [known_hosts.by_entry(entry, "ip_list") for entry in optional_list(given, "ip_list")]
    asked_for = len(hosts) or len(list(optional_list(given, "container_id_list")))
    hosts = hosts or [containers[n] for n in optional_list(given, "container_id_list") if n in containers]
    if not asked_for:
        raise violation("Host_empty")
    if asked_for > MAX_OBJECTS:
        raise violation("InvalidExecuteObjectsSize", min=1, max=MAX_OBJECTS)
    kind = render_logs.log_type(step)
    sources = {upload.source for upload in render_logs.uploads(step)} if kind == render_logs.FILE_LOG else ()
    logs = [
        render_logs.v4_log(step, host, context.now) for host in hosts if host in step.hosts or host in sources
    ]
    answer = {"job_instance_id": step.job.id, "step_instance_id": step.id, "log_type": kind}
    if not logs:
        return answer
    name = "script" if kind == render_logs.SCRIPT_LOG else "file"
    return {**answer, f"{name}_step_execute_object_logs": logs}


def plugin_logs(context: RequestContext, request: ParsedRequest) -> dict[str, Any]:
    """Handle `bkci_plugin_batch_get_job_instance_execute_object_log`."""
    step = require_log(context.step(request))
    given = list(optional_list(dict(request.parameters), "execute_object_list"))
    if not given:
        raise missing_parameter("execute_object_list")
    hosts = [host for entry in given if (host := object_named(step, entry)) is not None]
    return render_plugin.logs(step, hosts, context.now)


def object_named(step: Step, entry: Any) -> Host | None:
    """Return the target that an entry of kind and resource id names; None for one that the step does not have."""
    kind = entry.get("type") if isinstance(entry, dict) else None
    number = str(entry.get("resource_id") or "") if isinstance(entry, dict) else ""
    if kind not in (HOST_OBJECT, CONTAINER_OBJECT) or not number.isdecimal():
        raise missing_parameter("execute_object_list")
    return find_object(step, kind, int(number))


def find_object(step: Step, kind: int, number: int) -> Host | None:
    """Return a step's host or container by its resource id."""
    for host in step.hosts:
        if kind == CONTAINER_OBJECT and host.container_id == number:
            return host
        if kind == HOST_OBJECT and host.container_id is None and host.bk_host_id == number:
            return host
    return None


def require_log(step: Step) -> Step:
    """Return a step that has logs; raise `ApiError` for a confirmation."""
    if step.plan.kind == CONFIRM:
        raise api_error(1241003)
    return step
