"""Jobs and steps as API version 3 shows them: `get_job_instance_status`, `get_step_instance_status`."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec

from bkjob_async.model.refs import Scope
from bkjob_async.simulator.protocol.groups import Filter, RequestedGroup, read_groups, step_status_at_read
from bkjob_async.simulator.protocol.rows import (
    encode,
    end_codes,
    host_fields,
    hosts_json,
    json_array,
    row_tag,
    row_times,
    waiting_hosts,
)
from bkjob_async.simulator.protocol.times import duration_ms, milliseconds
from bkjob_async.simulator.world.codes import FINAL_RUN, HOST_WAITING, host_status_text
from bkjob_async.simulator.world.records import Execution, Job, Step

TENANT_SET_BUSINESS = 2**63 - 1


def scope_fields(scope: Scope | None) -> dict[str, Any]:
    """Return all fields of a scope, null for none; the oldest one has a fixed number for tenant sets."""
    if scope is None:
        return {"bk_biz_id": None, "bk_scope_type": None, "bk_scope_id": None}
    kind = str(scope.type)
    business = TENANT_SET_BUSINESS if kind == "tenant_set" else scope.id
    return {"bk_biz_id": business, "bk_scope_type": kind, "bk_scope_id": str(scope.id)}


def job_status(job: Job, *, with_hosts: bool, epoch_ms: int) -> dict[str, Any]:
    """Return `data` of a job's status."""
    return {
        "finished": job.status in FINAL_RUN,
        "job_instance": job_fields(job, epoch_ms),
        "step_instance_list": [
            {
                **step_fields(step, epoch_ms),
                "step_ip_result_list": job_hosts(step, epoch_ms) if with_hosts else None,
            }
            for step in job.steps
        ],
    }


def job_fields(job: Job, epoch_ms: int) -> dict[str, Any]:
    """Return the members of a job, as recorded."""
    return {
        **scope_fields(job.ref.scope),
        "job_instance_id": job.id,
        "name": job.plan.name,
        "create_time": milliseconds(job.created, epoch_ms),
        "status": job.status,
        "start_time": milliseconds(job.started, epoch_ms),
        "end_time": milliseconds(job.ended, epoch_ms),
        "total_time": duration_ms(job.total),
    }


def step_fields(step: Step, epoch_ms: int) -> dict[str, Any]:
    """Return the members of a step in a job's status, as recorded."""
    return {
        "status": step.status,
        "total_time": duration_ms(step.total),
        "name": step.name,
        "step_instance_id": step.id,
        "execute_count": step.execute_count,
        "create_time": milliseconds(step.created, epoch_ms),
        "end_time": milliseconds(step.ended, epoch_ms),
        "type": step.plan.kind,
        "start_time": milliseconds(step.started, epoch_ms),
    }


def job_hosts(step: Step, epoch_ms: int) -> msgspec.Raw:
    """Return all hosts of a step's latest execution, all batches."""
    return hosts_json(step, "v3-job", partial(job_row, epoch_ms=epoch_ms, files=step.plan.is_file))


def job_row(execution: Execution, row: int, *, epoch_ms: int, files: bool) -> dict[str, Any]:
    """Return the row of a host in a job's status."""
    host = execution.hosts[row]
    return {
        "bk_host_id": host.bk_host_id,
        "ip": host.ip,
        "bk_cloud_id": host.bk_cloud_id,
        "status": execution.statuses[row],
        "tag": row_tag(execution, row, is_file=files),
        **end_codes(execution, row),
        **row_times(execution, row, epoch_ms),
    }


def step_status(
    step: Step, query: Filter, *, now: float, group_read_seconds: float, language: str, epoch_ms: int
) -> dict[str, Any]:
    """Return `data` of a step's status; the total time of a running step is computed now."""
    fields = step_fields(step, epoch_ms)
    status = fields["status"] = step_status_at_read(
        step, query, now=now, group_read_seconds=group_read_seconds
    )
    if step.started is not None and status not in FINAL_RUN:
        fields |= {"end_time": None, "total_time": duration_ms(now - step.started)}
    groups: list[dict[str, Any]]
    if waiting_hosts(step):
        groups = [unstarted_group(step, query, language)]
    else:
        kind = f"v3-step-{language}"
        make = partial(step_row, epoch_ms=epoch_ms, language=language, files=step.plan.is_file)
        read = read_groups(step, query, kind, make, now=now, group_read_seconds=group_read_seconds)
        groups = [group_fields(group, language, files=step.plan.is_file) for group in read]
    return {**fields, "step_result_group_list": groups} if groups else fields


def group_fields(group: RequestedGroup, language: str, *, files: bool) -> dict[str, Any]:
    """Return a group of one status and tag."""
    return {
        "result_type": group.status,
        "result_type_desc": host_status_text(group.status, language),
        "tag": "" if files else group.tag,
        "host_size": group.size,
        "host_result_list": group.rows,
    }


def unstarted_group(step: Step, query: Filter, language: str) -> dict[str, Any]:
    """Return the one group of a step that has not started."""
    shown = step.hosts[: query.most] if query.most is not None and query.most > 0 else step.hosts
    rows = json_array(
        encode(
            {
                **host_fields(host),
                "status": HOST_WAITING,
                "status_desc": host_status_text(HOST_WAITING, language),
                "tag": None,
                "exit_code": 0,
                "start_time": None,
                "end_time": None,
                "total_time": 0,
            }
        )
        for host in shown
    )
    return group_fields(
        RequestedGroup(status=HOST_WAITING, tag=None, size=len(step.hosts), rows=msgspec.Raw(rows)),
        language,
        files=False,
    )


def step_row(execution: Execution, row: int, *, epoch_ms: int, language: str, files: bool) -> dict[str, Any]:
    """Return the row of a host in a step's status."""
    status = execution.statuses[row]
    return {
        **host_fields(execution.hosts[row]),
        "status": status,
        "status_desc": host_status_text(status, language),
        "tag": row_tag(execution, row, is_file=files),
        "exit_code": end_codes(execution, row)["exit_code"],
        **row_times(execution, row, epoch_ms),
    }
