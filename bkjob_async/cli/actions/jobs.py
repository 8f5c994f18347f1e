"""List the jobs of a scope."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from bkjob_async import UsageError, to_json
from bkjob_async.cli.configuration.connection import client_of
from bkjob_async.cli.exit_codes import ExitCode
from bkjob_async.cli.lines import json_text, write_note, write_out
from bkjob_async.cli.tables import write_table
from bkjob_async.configuration.settings import Settings
from bkjob_async.model.text.printing import counted
from bkjob_async.report.times import seconds_text
from bkjob_async.responses import JobInstance

HEADER = ("JOB", "STATUS", "CREATED", "TIME", "BY", "NAME")
UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
# The platform lists no longer span at once, except through this dialect.
LONGEST, ANY_SPAN = timedelta(days=30), "gateway-v4"
RUNNING, FAILED = 2, 4
# Jobs that are created while the list is read, and a clock that is ahead.
MARGIN = timedelta(minutes=5)


def parse_since(text: str, now: datetime) -> datetime:
    """Return the time that `90s`, `15m`, `1h`, `2d` before *now* is, or an ISO time says; raise `UsageError`."""
    span = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text)
    try:
        since = (
            now - timedelta(seconds=float(span[1]) * UNITS[span[2]])
            if span
            else datetime.fromisoformat(text).astimezone()
        )
    except (ValueError, OverflowError):
        raise UsageError(
            f"--since is 90s, 15m, 1h, 2d or a time as 2026-01-31T12:00, not {text!r:.40}"
        ) from None
    if since > now:
        raise UsageError("--since is in the future")
    return since


async def jobs(
    settings: Settings,
    *,
    running: bool,
    failed: bool,
    since: str,
    name: str | None,
    operator: str | None,
    limit: int,
    as_json: bool,
) -> ExitCode:
    """Write a line for each job, the newest first."""
    if running and failed:
        raise UsageError("give --running or --failed, not both")
    if settings.scope is None:
        raise UsageError("in which scope? give --biz or --biz-set")
    now = datetime.now(UTC)
    begin, end = parse_since(since, now), now + MARGIN
    if settings.get("dialect") != ANY_SPAN:
        end = min(end, begin + LONGEST)
    if end < now:
        write_note(
            f"the platform lists {LONGEST.days} days at a time: until {end.astimezone():%Y-%m-%d %H:%M}"
        )
    status = RUNNING if running else FAILED if failed else None
    found: list[JobInstance] = []
    async with client_of(settings) as client:
        listed = client.get_job_instance_list(begin, end, name=name, operator=operator, status=status)
        async for job in listed:
            found.append(job)
            if len(found) >= limit:
                break
    if as_json:
        for job in found:
            write_out(json_text(job_json(job, now)))
    else:
        write_table(HEADER, [job_row(job, now) for job in found])
    more = listed.total is not None and listed.total > len(found)
    write_note(counted(len(found), "job") + (f" of {listed.total}; --limit shows more" if more else ""))
    return ExitCode.ALL_SUCCEEDED


def job_row(job: JobInstance, now: datetime) -> tuple[str, ...]:
    """Return the row of one job."""
    created = job.times.create_time
    shown = f"{created.astimezone():%m-%d %H:%M:%S}" if created else ""
    return (
        str(job.ref),
        job.status.phase,
        shown,
        seconds_text(seconds_of(job, now)),
        job.operator or "",
        job.name,
    )


def seconds_of(job: JobInstance, now: datetime) -> float | None:
    """Return for how long a job ran, or has been running."""
    times = job.times
    if times.total_time is not None or times.start_time is None or job.status.is_finished:
        return times.total_time
    return (now - times.start_time).total_seconds()


def job_json(job: JobInstance, now: datetime) -> dict[str, Any]:
    """Return one job as JSON values: all of it, and for how long it has been running."""
    written = to_json(job)
    times: dict[str, Any] = written["times"]
    return {
        **written,
        "create_time": times.get("create_time"),
        "start_time": times.get("start_time"),
        "seconds": seconds_of(job, now),
    }
