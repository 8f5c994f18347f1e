"""Jobs and steps as the ESB's component `job` (version 2) shows them.

They are those of the current backend, which fills the first group of a step only. *legacy_esb* is the component of
old sites: texts with offsets, `retry_count`, every group with its hosts.
Sources of the current one: bk-job's EsbGetJobInstanceStatusResourceImpl, EsbGetStepInstanceStatusResourceImpl, EsbIpDTO.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from bkjob_async.simulator.protocol.gateway_v3 import scope_fields
from bkjob_async.simulator.protocol.groups import GroupQuery, read_step
from bkjob_async.simulator.protocol.rows import hosts_json, waiting_hosts
from bkjob_async.simulator.protocol.times import duration_s, local_text
from bkjob_async.simulator.world.codes import (
    CONFIRM,
    FINAL_RUN,
    HOST_WAITING,
    SUCCESSFUL_HOST,
    UNFINISHED_HOST,
    host_status_text,
)
from bkjob_async.simulator.world.hosts import Host
from bkjob_async.simulator.world.operations import STEP_RULES
from bkjob_async.simulator.world.records import Job, Row, Step

AD_HOC = -1
BAD_AGENT = frozenset({1, 18, 310})
OPERATION_NAMES = {
    2: "Retry failed hosts",
    3: "Ignore error",
    6: "Confirm",
    8: "Retry all hosts",
    9: "Terminate",
    10: "Restart confirmation",
    11: "Next step",
    12: "Skip",
    13: "Continue",
}


def job_status(job: Job, *, legacy_esb: bool) -> dict[str, Any]:
    """Return `data` of a job's status, hosts always included."""
    current = job.current_step.id if job.started is not None else 0
    text = partial(local_text, epoch_ms=job.epoch_ms, offset=legacy_esb)
    scope = {"bk_biz_id": job.ref.scope.id} if legacy_esb else scope_fields(job.ref.scope)
    return {
        "is_finished": job.status in FINAL_RUN,
        "job_instance": {
            **scope,
            "job_instance_id": job.id,
            "bk_job_id": job.plan.plan_id or AD_HOC,
            "status": job.status,
            "name": job.plan.name,
            "operator": job.plan.operator,
            "create_time": text(job.created),
            "start_time": text(job.started),
            "end_time": text(job.ended),
            "total_time": duration_s(job.total),
            "start_way": job.plan.launch_mode,
            "current_step_instance_id": current,
        },
        "blocks": [block(step, legacy_esb=legacy_esb) for step in job.steps],
    }


def block(step: Step, *, legacy_esb: bool) -> dict[str, Any]:
    """Return one step in the block around it."""
    text = partial(local_text, epoch_ms=step.job.epoch_ms, offset=legacy_esb)
    instance: dict[str, Any] = {
        **step_fields(step, legacy_esb=legacy_esb),
        "start_time": text(step.started),
        "end_time": text(step.ended),
        "create_time": text(step.created),
        "total_time": duration_s(step.total),
        "pause": 0 if legacy_esb else None,
        "step_ip_status": hosts_json(step, job_row),
    }
    if not legacy_esb:
        return {"step_instances": [instance]}
    instance["order"] = 1
    instance["operation_list"] = [
        {"operation_code": code, "operation_name": OPERATION_NAMES[code]}
        for code, rule in STEP_RULES.items()
        if step.status in rule.states and rule.confirm == (step.plan.kind == CONFIRM) and not rule.rolling
    ]
    return {
        "type": step.plan.kind,
        "block_order": step.order,
        "block_name": step.name,
        "step_instances": [instance],
    }


def step_fields(step: Step, *, legacy_esb: bool) -> dict[str, Any]:
    """Return the members of a step that both responses have."""
    return {
        "step_instance_id": step.id,
        "step_id": AD_HOC,
        "name": step.name,
        "type": step.plan.kind,
        "operator": step.job.plan.operator,
        "status": step.status,
        "retry_count" if legacy_esb else "execute_count": step.execute_count,
    }


def job_row(row: Row) -> dict[str, Any]:
    """Return the row of a host in a job's status."""
    return {"ip": row.host.ip, "bk_cloud_id": row.host.bk_cloud_id, "status": row.status}


def step_row(row: Row, *, legacy_esb: bool) -> dict[str, Any]:
    """Return the row of a host in a step's status: only its names."""
    return group_host(row.host, legacy_esb=legacy_esb)


def group_host(host: Host, *, legacy_esb: bool) -> dict[str, Any]:
    """Return a host as groups name it; the current backend leaves most names null."""
    names = {"bk_cloud_id": host.bk_cloud_id, "ip": host.ip}
    if legacy_esb:
        return names
    unset = dict.fromkeys(("bk_cloud_name", "ipv6", "bk_agent_id", "alive"))
    return {"bk_host_id": host.bk_host_id, **names, **unset}


def step_status(step: Step, query: GroupQuery, language: str, *, legacy_esb: bool) -> dict[str, Any]:
    """Return `data` of a step's status."""
    text = partial(local_text, epoch_ms=step.job.epoch_ms, offset=False)
    total = step.total
    if legacy_esb and step.started is not None and step.status not in FINAL_RUN:
        total = query.now - step.started
    scope = {"bk_biz_id": step.job.ref.scope.id} if legacy_esb else scope_fields(step.job.ref.scope)
    numbers: dict[str, int | None] = {**counters(step)} if legacy_esb else dict.fromkeys(COUNTERS)
    return {
        "is_finished": step.status in FINAL_RUN,
        "step_instance_detail": {
            **step_fields(step, legacy_esb=legacy_esb),
            "job_instance_id": step.job.id,
            **scope,
            "start_time": text(step.started),
            "end_time": text(step.ended),
            "total_time": duration_s(total),
            "target_ips": joined(step.hosts),
            "abnormal_agent_ips": joined(without_agent(step)) if legacy_esb else None,
            **numbers,
        },
        "step_instance_analyse_result": step_groups(step, query, language, legacy_esb=legacy_esb),
    }


def step_groups(step: Step, query: GroupQuery, language: str, *, legacy_esb: bool) -> list[dict[str, Any]]:
    """Return a step's groups; the current backend lists the hosts of the first one only."""
    if waiting_hosts(step):
        rows = [group_host(host, legacy_esb=legacy_esb) for host in step.hosts]
        return [group_fields(HOST_WAITING, len(rows), rows, language)]
    _, read = read_step(step, query, STEP_ROWS[legacy_esb])
    return [
        group_fields(group.status, group.size, group.rows, language)
        if legacy_esb or place == 0
        else {**group_name(group.status, language), "count": 0}
        for place, group in enumerate(read)
    ]


def group_fields(status: int, size: int, rows: object, language: str) -> dict[str, Any]:
    """Return a group with its hosts."""
    return {**group_name(status, language), "count": size, "ip_list": rows}


def group_name(status: int, language: str) -> dict[str, Any]:
    """Return the status of a group, as a number and as a text."""
    return {"result_type": status, "result_type_text": host_status_text(status, language)}


def joined(hosts: Iterable[Host]) -> str:
    """Return the addresses of hosts as one text."""
    return ",".join(host.label for host in hosts)


def without_agent(step: Step) -> list[Host]:
    """Return the targets without a working agent."""
    return [row.host for row in step.rows if row.status in BAD_AGENT]


# Rows are kept by the function that made them.
STEP_ROWS = {legacy: partial(step_row, legacy_esb=legacy) for legacy in (False, True)}
COUNTERS = ("total_ip_num", "abnormal_agent_ip_num", "running_ip_num", "fail_ip_num", "success_ip_num")


def counters(step: Step) -> dict[str, int]:
    """Return the numbers of hosts by progress."""
    codes = [row.status for row in step.rows]
    bad = sum(code in BAD_AGENT for code in codes)
    running = sum(code in UNFINISHED_HOST for code in codes)
    good = sum(code in SUCCESSFUL_HOST for code in codes)
    numbers = (len(step.hosts), bad, running, len(codes) - running - good, good)
    return dict(zip(COUNTERS, numbers, strict=True))
