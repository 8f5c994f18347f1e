"""The logs of hosts as each dialect shows them: what a script has printed or a transfer has done so far."""

from __future__ import annotations

from html import escape
from typing import Any

from attrs import frozen

from bkjob_async.simulator.protocol.gateway_v4 import execute_object
from bkjob_async.simulator.protocol.rows import end_codes, host_fields
from bkjob_async.simulator.protocol.times import duration_s, local_text, run_time
from bkjob_async.simulator.world.codes import FILE, FINAL_RUN, HOST_WAITING
from bkjob_async.simulator.world.hosts import Host, host_by_id
from bkjob_async.simulator.world.records import Row, Step

SCRIPT_LOG, FILE_LOG = 1, 2
UPLOAD, DOWNLOAD = 0, 1
PLATFORM_HOST = 1
FILE_DONE, FILE_FAILED, FILE_LOADING = 4, 5, 3


def log_type(step: Step) -> int:
    """Return the kind of a step's logs."""
    return FILE_LOG if step.plan.kind == FILE else SCRIPT_LOG


def output_so_far(row: Row, now: float) -> str:
    """Return a host's output so far; it grows while the host runs."""
    text = row.outcome.log
    if row.status == HOST_WAITING:
        return ""
    start, end = row.runs or (0.0, None)
    if row.is_finished or not text:
        return text
    share = 0.5 if end is None or end <= start else min(1.0, (now - start) / (end - start))
    return text[: int(len(text) * max(0.0, share))]


def rows_of(step: Step, host: Host) -> list[Row]:
    """Return a host's rows in the latest execution."""
    return [row for row in step.rows if row.host == host]


def host_log(step: Step, host: Host, now: float) -> str | None:
    """Return the log of a host in the latest execution; None before it has a row."""
    texts = [output_so_far(row, now) for row in rows_of(step, host)]
    return "".join(texts) if texts else None


@frozen
class Transfer:
    """One file on its way: its upload from a source (*mode* 0), or its download to a *target* (1)."""

    mode: int
    path: str
    status: int
    text: str
    source: Host
    target: Host | None = None


def source_of(step: Step, path: str) -> Host:
    """Return the host that a file comes from; the platform's own for uploaded files."""
    for source in step.plan.inputs.sources:
        if path in source.files and source.hosts:
            return host_by_id(source.hosts[0][0])
    return host_by_id(PLATFORM_HOST)


def uploads(step: Step) -> list[Transfer]:
    """Return the uploads from all sources, none before the step has begun."""
    if step.execution is None:
        return []
    return [Transfer(UPLOAD, path, FILE_DONE, "uploaded", source_of(step, path)) for path in paths(step)]


def downloads(step: Step, host: Host, now: float) -> list[Transfer]:
    """Return the downloads to a host."""
    found = []
    for row in rows_of(step, host):
        text = output_so_far(row, now)
        state = FILE_LOADING if not row.is_finished else FILE_DONE if row.status == 9 else FILE_FAILED
        found += [Transfer(DOWNLOAD, path, state, text, source_of(step, path), host) for path in paths(step)]
    return found


def transfers(step: Step, host: Host, now: float) -> list[Transfer]:
    """Return what a host uploads as a source and downloads as a target."""
    own = [upload for upload in uploads(step) if upload.source.bk_host_id == host.bk_host_id]
    return own + downloads(step, host, now)


def paths(step: Step) -> list[str]:
    """Return the files that a step sends."""
    return [name for name in step.plan.content.split(",") if name]


def progress_fields(transfer: Transfer) -> dict[str, str]:
    """Return how far a transfer is."""
    process = "100%" if transfer.status == FILE_DONE else "50%"
    return {"size": "1 KB", "speed": "1 KB/s", "process": process}


def v3_transfer(transfer: Transfer, *, in_batch: bool) -> dict[str, Any]:
    """Return a transfer as version 3 shows it: of a single host's log only the ids of its hosts are left.

    Sources: bk-job's EsbGetJobInstanceIpLogV3ResourceImpl.toEsbFileLogV3DTO, where `fromCloudIp` takes an address without
    a cloud for none, and EsbBatchGetJobInstanceIpLogV3ResourceImpl.toEsbFileLogV3DTO.
    """
    is_download = transfer.target is not None
    progress = progress_fields(transfer)
    return {
        "mode": transfer.mode,
        "src_ip": ip_fields(transfer.source, only_id=not in_batch),
        "src_path": transfer.path,
        "dest_ip": None if transfer.target is None else ip_fields(transfer.target, only_id=not in_batch),
        "dest_path": transfer.path if is_download else None,
        "status": transfer.status,
        "log_content": transfer.text,
        **(progress if in_batch else dict.fromkeys(progress)),
    }


def ip_fields(host: Host, *, only_id: bool = False) -> dict[str, Any]:
    """Return a host as the platform's EsbIpDTO, nulls included."""
    fields = {**host_fields(host), "alive": None}
    return {**dict.fromkeys(fields), "bk_host_id": host.bk_host_id} if only_id else fields


def v4_transfer(transfer: Transfer) -> dict[str, Any]:
    """Return a transfer as version 4 shows it, without nulls. Source: bk-job's V4FileLogDTO."""
    target = transfer.target
    return {
        "mode": transfer.mode,
        "src_execute_object": execute_object(transfer.source),
        "src_path": transfer.path,
        **(
            {}
            if target is None
            else {"dest_execute_object": execute_object(target), "dest_path": transfer.path}
        ),
        "status": transfer.status,
        "log_content": transfer.text,
        **progress_fields(transfer),
    }


def v2_step_log(step: Step, now: float, *, legacy_esb: bool) -> dict[str, Any]:
    """Return one step of `get_job_instance_log`: logs by status and tag, escaped by the current backend."""
    groups: dict[tuple[int, str | None], list[dict[str, Any]]] = {}
    for row in step.rows:
        groups.setdefault(row.group, []).append(v2_host_log(row, now, legacy_esb=legacy_esb))
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


def v2_host_log(row: Row, now: float, *, legacy_esb: bool) -> dict[str, Any]:
    """Return one host's log; a host that never ran has no times, or null ones."""
    step, text = row.execution.step, output_so_far(row, now)
    total = duration_s(run_time(row.start, row.end)) or 0.0
    times = {
        "start_time": local_text(row.start, step.job.epoch_ms, offset=legacy_esb),
        "end_time": local_text(row.end, step.job.epoch_ms, offset=legacy_esb),
    }
    return {
        **(times if total or not legacy_esb else {}),
        "total_time": total,
        "retry_count" if legacy_esb else "execute_count": step.execute_count,
        **end_codes(row),
        "log_content": text if legacy_esb else escape(text),
        "bk_cloud_id": row.host.bk_cloud_id,
        "ip": row.host.ip,
    }


def v4_log(step: Step, host: Host, now: float) -> dict[str, Any]:
    """Return one execute object's log."""
    named: dict[str, Any] = {"execute_object": execute_object(host)}
    if log_type(step) == SCRIPT_LOG:
        return {**named, "log_content": host_log(step, host, now) or ""}
    found = transfers(step, host, now)
    listed = {
        name: [v4_transfer(transfer) for transfer in found if transfer.mode == mode]
        for name, mode in (("upload_log", UPLOAD), ("download_log", DOWNLOAD))
    }
    return {**named, **{name: logs for name, logs in listed.items() if logs}}
