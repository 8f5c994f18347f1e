"""The call that reads the status of a job: strictly or leniently, as a snapshot or as a poll view."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import tzinfo
from typing import Any, Literal

from bkjob_async.dialects.common.dialect import Call
from bkjob_async.dialects.common.envelopes import open_envelope
from bkjob_async.dialects.common.json_fields import JsonObject
from bkjob_async.dialects.common.parsed import ParsedJob, job_poll_view, job_snapshot
from bkjob_async.http_messages import HttpResponse
from bkjob_async.model.poll_view import JobPollView
from bkjob_async.model.refs import JobRef
from bkjob_async.model.snapshot import JobSnapshot


def job_status_call(
    method: str,
    parameters: Callable[[Any], Mapping[str, Any]],
    read: Callable[[JobRef, JsonObject], ParsedJob],
    read_strictly: Callable[[JobRef, HttpResponse, tzinfo], ParsedJob | None],
    *,
    poll: Callable[[JobRef, HttpResponse], JobPollView | None] | None = None,
    paths: Literal["system", "user"] | None = None,
) -> Call:
    """Return a line of a dialect's table for an operation whose *ref* is a job.

    *read* reads any response that can be understood, *read_strictly* one that is exactly as documented. *poll* makes
    a poll view without reading every row in full; it is tried first. Both return None for any other response.
    """

    def snapshot(operation: Any, envelope: JsonObject) -> JobSnapshot:
        return job_snapshot(read(operation.ref, envelope), operation.ref)

    def strict_snapshot(operation: Any, response: HttpResponse, zone: tzinfo) -> JobSnapshot | None:
        job = read_strictly(operation.ref, response, zone)
        return None if job is None else job_snapshot(job, operation.ref)

    def poll_view(operation: Any, response: HttpResponse, zone: tzinfo) -> JobPollView:
        ref = operation.ref
        view = None if poll is None else poll(ref, response)
        if view is not None:
            return view
        job = read_strictly(ref, response, zone)
        return job_poll_view(job or read(ref, JsonObject(open_envelope(response), zone=zone)))

    return Call(method, parameters, snapshot, read_strict=strict_snapshot, read_poll=poll_view, paths=paths)
