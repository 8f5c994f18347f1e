"""Host rows as JSON fragments, encoded once per change and joined when requested."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from bkjob_async.simulator.protocol.times import duration_ms, milliseconds, run_time
from bkjob_async.simulator.world.codes import BLANK, HOST_WAITING
from bkjob_async.simulator.world.hosts import Host
from bkjob_async.simulator.world.records import Execution, Group, Row, Step

Fragment = Callable[[Row], dict[str, Any]]
encode = msgspec.json.encode


def fragments(make: Fragment, rows: Iterable[Row]) -> Iterator[bytes]:
    """Yield the JSON of rows; each is encoded again only after a change."""
    for row in rows:
        made = row.rendered.get(make)
        if made is None:
            made = row.rendered[make] = encode(make(row))
        yield made


def rows_json(execution: Execution, make: Fragment, group: Group | None = None) -> msgspec.Raw:
    """Return all rows, or those of one group, as one JSON list; cached until one of them changes."""
    key = (make, group)
    version = execution.version if group is None else execution.changed.get(group, 0)
    kept = execution.joined.get(key)
    if kept is None or kept[0] != version:
        rows = execution.rows if group is None else execution.groups[group]
        kept = execution.joined[key] = (version, json_array(fragments(make, rows)))
    return msgspec.Raw(kept[1])


def hosts_json(step: Step, make: Fragment) -> msgspec.Raw:
    """Return all rows of a step's latest execution; none of a step that has not begun, and of a confirmation."""
    return msgspec.Raw(b"[]") if step.execution is None else rows_json(step.execution, make)


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


def row_tag(row: Row) -> str | None:
    """Return a row's tag: none before its end, an empty one for file transfers."""
    _, tag = row.group
    return "" if row.execution.step.plan.is_file and row.status != HOST_WAITING else tag


def end_codes(row: Row) -> dict[str, int | None]:
    """Return a row's exit code and its error code, which come with its end."""
    if not row.is_finished:
        return {"exit_code": None, "error_code": 0}
    return {"exit_code": row.outcome.exit_code, "error_code": row.outcome.error_code}


def row_times(row: Row) -> dict[str, int | None]:
    """Return a row's times; a total comes with its end."""
    epoch_ms = row.execution.step.job.epoch_ms
    return {
        "start_time": milliseconds(row.start, epoch_ms),
        "end_time": milliseconds(row.end, epoch_ms),
        "total_time": duration_ms(run_time(row.start, row.end)),
    }
