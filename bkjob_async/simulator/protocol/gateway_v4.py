"""Jobs as API version 4 shows them: execute objects, and no key without a value."""

from __future__ import annotations

from typing import Any

from bkjob_async.simulator.protocol.gateway_v3 import job_fields, step_fields
from bkjob_async.simulator.protocol.rows import end_codes, host_fields, hosts_json, row_tag, row_times
from bkjob_async.simulator.world.codes import FINAL_RUN
from bkjob_async.simulator.world.hosts import Host
from bkjob_async.simulator.world.records import Job, Row, Step

HOST_OBJECT, CONTAINER_OBJECT = 1, 2


def without_nulls(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the members that are not None."""
    return {name: value for name, value in fields.items() if value is not None}


def job_status(job: Job, *, with_hosts: bool) -> dict[str, Any]:
    """Return `data` of a job's status."""
    return {
        "finished": job.status in FINAL_RUN,
        "job_instance": without_nulls(job_fields(job)),
        "step_instance_list": [job_step(step, with_hosts=with_hosts) for step in job.steps],
    }


def job_step(step: Step, *, with_hosts: bool) -> dict[str, Any]:
    """Return one step, with its execute objects where they were requested and there are any."""
    fields = without_nulls(step_fields(step))
    if not with_hosts:
        return fields
    rows = hosts_json(step, job_row)
    return fields if bytes(rows) == b"[]" else {**fields, "step_execute_object_result_list": rows}


def job_row(row: Row) -> dict[str, Any]:
    """Return the row of an execute object."""
    return without_nulls(
        {
            "execute_object": execute_object(row.host),
            "status": row.status,
            "tag": row_tag(row),
            "exit_code": end_codes(row)["exit_code"],
            **row_times(row),
        }
    )


def execute_object(host: Host) -> dict[str, Any]:
    """Return a host or container as an execute object; its resource id is text."""
    if host.container_id is None:
        names = without_nulls(host_fields(host))
        return {"type": HOST_OBJECT, "resource_id": str(host.bk_host_id), "host": names}
    container = {
        "id": host.container_id,
        "container_id": f"docker://{host.container_id:064x}",
        "name": host.container_name,
        "node_host_id": host.bk_host_id,
    }
    return {
        "type": CONTAINER_OBJECT,
        "resource_id": str(host.container_id),
        "container": without_nulls(container),
    }
