"""Answers to the operations that the gateway offers to the pipeline plug-in alone (`bkci_plugin_*`)."""

from __future__ import annotations

from typing import Any

from bkjob_async.simulator.handlers.context import RequestContext, api_error
from bkjob_async.simulator.handlers.logs import readable
from bkjob_async.simulator.handlers.targets import listed
from bkjob_async.simulator.protocol import plugin as render_plugin
from bkjob_async.simulator.protocol.gateway_v4 import CONTAINER_OBJECT, HOST_OBJECT
from bkjob_async.simulator.protocol.requests import ParsedRequest, missing_parameter
from bkjob_async.simulator.world.inputs import LOCAL_FILE
from bkjob_async.simulator.world.plans import Host
from bkjob_async.simulator.world.records import Step


def job_status(context: RequestContext, request: ParsedRequest) -> dict[str, Any]:
    """Answer `bkci_plugin_get_job_instance_status`, containers included."""
    with_objects = request.flag("include_execute_object_task_result")
    return render_plugin.job_status(
        context.job(request), with_objects=with_objects, epoch_ms=context.epoch_ms
    )


def logs(context: RequestContext, request: ParsedRequest) -> dict[str, Any]:
    """Answer `bkci_plugin_batch_get_job_instance_execute_object_log`."""
    step = readable(context.step(request))
    given = list(listed(dict(request.parameters), "execute_object_list"))
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


def refuse_local_files(request: ParsedRequest) -> None:
    """Refuse files that were uploaded: the plug-in does not send those."""
    sources = request.parameters.get("file_source_list")
    for entry in sources if isinstance(sources, list) else ():
        if isinstance(entry, dict) and entry.get("file_type") == LOCAL_FILE:
            raise api_error(1241010, "bk-ci plugin does not support local file source")
