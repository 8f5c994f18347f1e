"""The changes of many hosts as events."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from bkjob_async.model.events import HostChanged
from bkjob_async.model.refs import HostKey, StepRef
from bkjob_async.model.status import host_status


def host_events(
    ref: StepRef,
    hosts: Iterable[HostKey],
    befores: Iterable[int | None],
    afters: Iterable[int],
    *,
    tags: Iterable[str | None],
    exit_codes: Iterable[int | None],
    start_times: Iterable[datetime | None],
    end_times: Iterable[datetime | None],
    execute_count: int,
    epoch: int,
    skipped: bool = False,
) -> list[HostChanged]:
    """Return the changes of *hosts* of step *ref*, whose codes were *befores* and are *afters*."""
    return [
        HostChanged(
            ref=ref,
            host=host,
            execute_count=execute_count,
            before=None if before is None else host_status(before),
            after=host_status(after),
            tag=tag,
            exit_code=exit_code,
            epoch=epoch,
            skipped=skipped,
            start_time=start_time,
            end_time=end_time,
        )
        for host, before, after, tag, exit_code, start_time, end_time in zip(
            hosts, befores, afters, tags, exit_codes, start_times, end_times, strict=True
        )
    ]
