"""Host rows as JSON fragments, encoded once per change and joined when requested."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any

import msgspec

from bkjob_async.simulator.protocol.times import duration_ms, milliseconds, run_time
from bkjob_async.simulator.world.codes import BLANK, CONFIRM, HOST_WAITING, UNFINISHED_HOST
from bkjob_async.simulator.world.hosts import Host
from bkjob_async.simulator.world.records import Execution, Group, Step

Fragment = Callable[[Execution, int], dict[str, Any]]
encode = msgspec.json.encode


def fragments(execution: Execution, make: Fragment, rows: Iterable[int] | None) -> list[bytes]:
    """Return the JSON of rows (None: of all); each is encoded again only after a change."""
    made = execution.rendered.get(make)
    if made is None:
        made = execution.rendered[make] = [None] * len(execution.hosts)
    chosen = range(len(made)) if rows is None else list(rows)
    for row in chosen:
        if made[row] is None:
            made[row] = encode(make(execution, row))
    # One `itemgetter` call is much faster for ten thousand rows.
    picked = (
        made if rows is None else itemgetter(*chosen)(made) if len(chosen) > 1 else [made[n] for n in chosen]
    )
    return [fragment for fragment in picked if fragment is not None]


def rows_json(execution: Execution, make: Fragment, group: Group | None = None) -> msgspec.Raw:
    """Return all rows, or those of one group, as one JSON list; cached until one of them changes."""
    key = (make, group)
    version = execution.version if group is None else execution.changed.get(group, 0)
    kept = execution.joined.get(key)
    if kept is not None and kept[0] == version:
        return msgspec.Raw(kept[1])
    body = json_array(fragments(execution, make, None if group is None else execution.groups[group]))
    execution.joined[key] = (version, body)
    return msgspec.Raw(body)


def hosts_json(step: Step, make: Fragment) -> msgspec.Raw:
    """Return all rows of a step's latest execution; none of a step that has not begun, and of a confirmation."""
    if step.execution is None or step.plan.kind == CONFIRM:
        return msgspec.Raw(b"[]")
    return rows_json(step.execution, make)


def json_array(parts: Iterable[bytes]) -> bytes:
    """Return fragments as one JSON list."""
    return b"[" + b",".join(parts) + b"]"


def waiting_hosts(step: Step) -> tuple[Host, ...]:
    """Return the hosts of a step that has not started; none once it has."""
    return step.hosts if step.status == BLANK and not step.executions else ()


def host_fields(host: Host) -> dict[str, Any]:
    """Return all names of a host."""
    return {
        "bk_host_id": host.bk_host_id,
        "ip": host.ip,
        "ipv6": host.ipv6,
        "bk_agent_id": host.bk_agent_id,
        "bk_cloud_id": host.bk_cloud_id,
        "bk_cloud_name": "Default Area" if host.bk_cloud_id == 0 else f"Area {host.bk_cloud_id}",
    }


def row_tag(execution: Execution, row: int) -> str | None:
    """Return a row's tag: none before its end, an empty one for file transfers."""
    _, tag = execution.group_of(row)
    return "" if execution.step.plan.is_file and execution.statuses[row] != HOST_WAITING else tag


def end_codes(execution: Execution, row: int) -> dict[str, int | None]:
    """Return a row's exit code and its error code, which come with its end."""
    outcome, over = execution.outcomes[row], execution.statuses[row] not in UNFINISHED_HOST
    return {"exit_code": outcome.exit_code if over else None, "error_code": outcome.error_code if over else 0}


def row_times(execution: Execution, row: int) -> dict[str, int | None]:
    """Return a row's times; a total comes with its end."""
    start, end, epoch_ms = execution.starts[row], execution.ends[row], execution.step.job.epoch_ms
    return {
        "start_time": milliseconds(start, epoch_ms),
        "end_time": milliseconds(end, epoch_ms),
        "total_time": duration_ms(run_time(start, end)),
    }
