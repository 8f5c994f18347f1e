"""The logs of hosts as each dialect shows them: what a script has printed or a transfer has done so far."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

from bkjob_async.simulator.protocol.gateway_v4 import execute_object
from bkjob_async.simulator.protocol.rows import end_codes
from bkjob_async.simulator.protocol.times import duration_s, local_text, run_time
from bkjob_async.simulator.world.codes import CONFIRM, FILE, FINAL_RUN, HOST_WAITING, UNFINISHED_HOST
from bkjob_async.simulator.world.hosts import Host
from bkjob_async.simulator.world.records import Execution, Step

SCRIPT_LOG, FILE_LOG = 1, 2
UPLOAD, DOWNLOAD = 0, 1
FILE_DONE, FILE_FAILED, FILE_LOADING = 4, 5, 3


def log_type(step: Step) -> int:
    """Return the kind of a step's logs."""
    return FILE_LOG if step.plan.kind == FILE else SCRIPT_LOG


def output_so_far(execution: Execution, row: int, now: float) -> str:
    """Return a host's output so far; it grows while the host runs."""
    text, status = execution.outcomes[row].log, execution.statuses[row]
    if status == HOST_WAITING:
        return ""
    start, end = execution.run_times.get(row, (0.0, None))
    if status not in UNFINISHED_HOST or not text:
        return text
    share = 0.5 if end is None or end <= start else min(1.0, (now - start) / (end - start))
    return text[: int(len(text) * max(0.0, share))]


def rows_of(step: Step, host: Host) -> Iterator[tuple[Execution, int]]:
    """Yield a host's rows in the latest execution."""
    execution = step.execution
    if execution is not None:
        for row, other in enumerate(execution.hosts):
            if other == host:
                yield execution, row


def host_log(step: Step, host: Host, now: float) -> str | None:
    """Return the log of a host in the latest execution; None before it has a row."""
    texts = [output_so_far(execution, row, now) for execution, row in rows_of(step, host)]
    return "".join(texts) if texts else None


def file_logs(step: Step, host: Host, now: float) -> list[dict[str, Any]]:
    """Return the uploads of all sources, and the download of a host."""
    entries: list[dict[str, Any]] = []
    names = [name for name in step.plan.content.split(",") if name]
    for execution, row in rows_of(step, host):
        status = execution.statuses[row]
        state = FILE_LOADING if status in UNFINISHED_HOST else FILE_DONE if status == 9 else FILE_FAILED
        for name in names:
            entries.append(file_log(UPLOAD, FILE_DONE, name, host, "uploaded"))
            entries.append(file_log(DOWNLOAD, state, name, host, output_so_far(execution, row, now)))
    return entries


def file_log(mode: int, status: int, name: str, host: Host, text: str) -> dict[str, Any]:
    """Return the upload of one file from its source, or its download to the target."""
    source = {"bk_host_id": 1, "bk_cloud_id": 0, "ip": "10.0.0.1"}
    target = {"bk_host_id": host.bk_host_id, "bk_cloud_id": host.bk_cloud_id, "ip": host.ip}
    entry: dict[str, Any] = {
        "mode": mode,
        "src_ip": source,
        "src_path": name,
        "status": status,
        "log_content": text,
        "size": "1 KB",
        "speed": "1 KB/s",
        "process": "100%" if status == FILE_DONE else "50%",
    }
    if mode == DOWNLOAD:
        entry |= {"dest_ip": target, "dest_path": name}
    return entry


def v2_step_log(step: Step, now: float, epoch_ms: int, *, legacy_esb: bool) -> dict[str, Any]:
    """Return one step of `get_job_instance_log`: logs by status and tag, escaped by the current backend."""
    groups: dict[tuple[int, str | None], list[dict[str, Any]]] = {}
    execution = step.execution
    if execution is not None and step.plan.kind != CONFIRM:
        for row in range(len(execution.hosts)):
            entry = v2_host_log(step, execution, row, now, epoch_ms, legacy_esb=legacy_esb)
            groups.setdefault(execution.group_of(row), []).append(entry)
    return {
        "is_finished": step.status in FINAL_RUN,
        "step_instance_id": step.id,
        "name": step.name,
        "status": step.status,
        "step_results": [
            {"ip_status": status, "tag": tag, "ip_logs": logs}
            for (status, tag), logs in sorted(groups.items(), key=lambda item: (item[0][0], item[0][1] or ""))
        ],
    }


def v2_host_log(
    step: Step, execution: Execution, row: int, now: float, epoch_ms: int, *, legacy_esb: bool
) -> dict[str, Any]:
    """Return one host's log; a host that never ran has no times."""
    start, end = execution.starts[row], execution.ends[row]
    host, text = execution.hosts[row], output_so_far(execution, row, now)
    total = duration_s(run_time(start, end)) or 0.0
    times = {
        "start_time": local_text(start, epoch_ms, offset=legacy_esb),
        "end_time": local_text(end, epoch_ms, offset=legacy_esb),
    }
    return {
        **(times if total else {}),
        "total_time": total,
        "retry_count" if legacy_esb else "execute_count": step.execute_count,
        **end_codes(execution, row),
        "log_content": text if legacy_esb else escape(text),
        "bk_cloud_id": host.bk_cloud_id,
        "ip": host.ip,
    }


def v4_log(step: Step, host: Host, now: float) -> dict[str, Any]:
    """Return one execute object's log."""
    named: dict[str, Any] = {"execute_object": execute_object(host)}
    if log_type(step) == SCRIPT_LOG:
        return {**named, "log_content": host_log(step, host, now) or ""}
    logs = file_logs(step, host, now)
    return {
        **named,
        "upload_log": [entry for entry in logs if entry["mode"] == UPLOAD],
        "download_log": [entry for entry in logs if entry["mode"] == DOWNLOAD],
    }
