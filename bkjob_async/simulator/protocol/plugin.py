"""Jobs and logs as the operations for the pipeline plug-in show them: version 4's objects in version 3's envelope."""

from __future__ import annotations

from typing import Any

from bkjob_async.simulator.protocol import logs as render_logs
from bkjob_async.simulator.protocol.gateway_v3 import job_status as v3_job_status
from bkjob_async.simulator.protocol.gateway_v3 import step_fields
from bkjob_async.simulator.protocol.gateway_v4 import CONTAINER_OBJECT, HOST_OBJECT
from bkjob_async.simulator.protocol.rows import end_codes, hosts_json, row_tag, row_times
from bkjob_async.simulator.world.hosts import Host
from bkjob_async.simulator.world.records import Job, Row, Step


def execute_object(host: Host) -> dict[str, Any]:
    """Return a host or container; the container's own id has another name than in version 4."""
    if host.container_id is None:
        names = {"bk_host_id": host.bk_host_id, "bk_cloud_id": host.bk_cloud_id, "ip": host.ip}
        return {"type": HOST_OBJECT, "resource_id": str(host.bk_host_id), "host": names}
    container = {
        "id": host.container_id,
        "container_uid": f"docker://{host.container_id:064x}",
        "name": host.container_name,
    }
    return {"type": CONTAINER_OBJECT, "resource_id": str(host.container_id), "container": container}


def job_status(job: Job, *, with_objects: bool) -> dict[str, Any]:
    """Return `data` of a job's status."""
    fields = v3_job_status(job, with_hosts=False)
    steps = [
        {
            **step_fields(step),
            "execute_object_result_list": hosts_json(step, object_row) if with_objects else None,
        }
        for step in job.steps
    ]
    return {**fields, "step_instance_list": steps}


def object_row(row: Row) -> dict[str, Any]:
    """Return the row of an execute object."""
    return {
        "execute_object": execute_object(row.host),
        "status": row.status,
        "tag": row_tag(row),
        **end_codes(row),
        **row_times(row),
    }


def logs(step: Step, hosts: list[Host], now: float) -> dict[str, Any]:
    """Return `data` of the logs of some execute objects; null where the step's logs are of the other kind."""
    kind = render_logs.log_type(step)
    scripts: list[dict[str, Any]] | None = None
    files: list[dict[str, Any]] | None = None
    if kind == render_logs.SCRIPT_LOG:
        scripts = [
            {"execute_object": execute_object(host), "log_content": text}
            for host in hosts
            if (text := render_logs.host_log(step, host, now)) is not None
        ]
    else:
        files = [
            {
                "execute_object": execute_object(host),
                "file_atomic_task_logs": [
                    file_log(transfer) for transfer in render_logs.transfers(step, host, now)
                ],
            }
            for host in hosts
        ]
    return {
        "job_instance_id": step.job.id,
        "step_instance_id": step.id,
        "log_type": kind,
        "script_execute_object_task_logs": scripts,
        "file_execute_object_task_logs": files,
    }


def file_log(transfer: render_logs.Transfer) -> dict[str, Any]:
    """Return one file's transfer between execute objects."""
    shown = render_logs.v3_transfer(transfer, in_batch=True)
    kept = {name: value for name, value in shown.items() if name not in ("src_ip", "dest_ip")}
    kept["src_execute_object"] = execute_object(transfer.source)
    if transfer.target is not None:
        kept["dest_execute_object"] = execute_object(transfer.target)
    return kept
