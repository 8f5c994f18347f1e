"""Jobs and steps as API version 3 shows them: `get_job_instance_status`, `get_step_instance_status`."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec

from bkjob_async.model.refs import Scope
from bkjob_async.simulator.protocol.groups import GroupQuery, read_step
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
from bkjob_async.simulator.world.records import Job, Row, Step

TENANT_SET_BUSINESS = 2**63 - 1


def scope_fields(scope: Scope | None) -> dict[str, Any]:
    """Return all fields of a scope, null for none; the oldest one has a fixed number for tenant sets."""
    if scope is None:
        return {"bk_biz_id": None, "bk_scope_type": None, "bk_scope_id": None}
    kind = str(scope.type)
    business = TENANT_SET_BUSINESS if kind == "tenant_set" else scope.id
    return {"bk_biz_id": business, "bk_scope_type": kind, "bk_scope_id": str(scope.id)}


def job_status(job: Job, *, with_hosts: bool) -> dict[str, Any]:
    """Return `data` of a job's status."""
    return {
        "finished": job.status in FINAL_RUN,
        "job_instance": job_fields(job),
        "step_instance_list": [
            {
                **step_fields(step),
                "step_ip_result_list": hosts_json(step, job_row) if with_hosts else None,
            }
            for step in job.steps
        ],
    }


def job_fields(job: Job) -> dict[str, Any]:
    """Return the members of a job, as recorded."""
    return {
        **scope_fields(job.ref.scope),
        "job_instance_id": job.id,
        "name": job.plan.name,
        "create_time": milliseconds(job.created, job.epoch_ms),
        "status": job.status,
        "start_time": milliseconds(job.started, job.epoch_ms),
        "end_time": milliseconds(job.ended, job.epoch_ms),
        "total_time": duration_ms(job.total),
    }


def step_fields(step: Step) -> dict[str, Any]:
    """Return the members of a step in a job's status, as recorded."""
    epoch_ms = step.job.epoch_ms
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


def job_row(row: Row) -> dict[str, Any]:
    """Return the row of a host in a job's status."""
    host = row.host
    return {
        "bk_host_id": host.bk_host_id,
        "ip": host.ip,
        "bk_cloud_id": host.bk_cloud_id,
        "status": row.status,
        "tag": row_tag(row),
        **end_codes(row),
        **row_times(row),
    }


def step_status(step: Step, query: GroupQuery, language: str) -> dict[str, Any]:
    """Return `data` of a step's status; the total time of a running step is computed now."""
    status, read = read_step(step, query, STEP_ROWS[language])
    fields = {**step_fields(step), "status": status}
    if step.started is not None and status not in FINAL_RUN:
        fields |= {"end_time": None, "total_time": duration_ms(query.now - step.started)}
    groups = [
        group_fields(group.status, "" if step.plan.is_file else group.tag, group.size, group.rows, language)
        for group in read
    ]
    if waiting_hosts(step):
        groups = [unstarted_group(step, query, language)]
    return {**fields, "step_result_group_list": groups} if groups else fields


def group_fields(
    status: int, tag: str | None, size: int, rows: msgspec.Raw | None, language: str
) -> dict[str, Any]:
    """Return a group of one status and tag."""
    return {
        "result_type": status,
        "result_type_desc": host_status_text(status, language),
        "tag": tag,
        "host_size": size,
        "host_result_list": rows,
    }


def unstarted_group(step: Step, query: GroupQuery, language: str) -> dict[str, Any]:
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
    return group_fields(HOST_WAITING, None, len(step.hosts), msgspec.Raw(rows), language)


def step_row(row: Row, *, language: str) -> dict[str, Any]:
    """Return the row of a host in a step's status."""
    return {
        **host_fields(row.host),
        "status": row.status,
        "status_desc": host_status_text(row.status, language),
        "tag": row_tag(row),
        "exit_code": end_codes(row)["exit_code"],
        **row_times(row),
    }


# Rows are kept by the function that made them.
STEP_ROWS = {language: partial(step_row, language=language) for language in ("en", "zh-cn")}
