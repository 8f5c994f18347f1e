"""Faults of random histories: errors, torn responses, responses about other jobs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from random import Random
from typing import Any

from yarl import URL

import bkjob_async as bkjob
from bkjob_async.http_messages import HttpRequest, HttpResponse
from bkjob_async.simulator.handlers.platform import Platform
from bkjob_async.simulator.world.plans import DurationRange, HostOutcome, SimulatedJob, StepPlan
from bkjob_async.simulator.world.world import World
from tests.watch.histories import HALF_READABLE, SLOWEST, FaultWindow, History

HTML = HttpResponse(status=502, body=b"<html>bad gateway</html>")
BACKING = HttpResponse(
    status=200, body=b'{"result": false, "code": 1215001, "message": "IAM API data unexpected"}'
)
BACKING_IN_V4 = HttpResponse(
    status=500,
    body=b'{"error": {"code": "INTERNAL", "message": "IAM API data unexpected",'
    b' "details": [{"code": "1215001"}]}, "job_request_id": "1"}',
)
FAULTS: dict[str, HttpResponse | bkjob.BkJobError] = {
    "html": HTML,
    "half": HttpResponse(status=200, body=b'{"result": true, "code": 0, "data": {"jo'),
    "timeout": bkjob.RequestTimedOut(bkjob.ErrorDetails(message="no answer")),
    "refused": bkjob.TransportFailed(bkjob.ErrorDetails(message="refused", sent=False)),
    "throttled": HttpResponse(status=200, body=b'{"result": false, "code": 1306429, "message": "slow down"}'),
    "internal": HttpResponse(status=200, body=b'{"result": false, "code": 1240002, "message": "oops"}'),
    "backing": BACKING,
    "credentials": HttpResponse(
        status=400, body=b'{"result": false, "code": 1640001, "message": "who are you"}'
    ),
}
FORBIDDEN = {
    "gateway-v4": HttpResponse(
        status=403,
        body=b'{"error": {"code": "NO_PERMISSION", "message": "apply for it"}, "job_request_id": "1"}',
    )
}
STEP_REFUSED = HttpResponse(
    status=200, body=b'{"result": false, "code": 1240003, "message": "illegal parameters"}'
)
WITH_ROWS = re.compile(r"return_(ip|execute_object)_result\W+true", re.IGNORECASE)
STEP_WITH_EVEN_ID = re.compile(r"30000000\d\d[02468]\b")
FORBIDDEN_BY_CODE = HttpResponse(
    status=200, body=b'{"result": false, "code": 9900403, "message": "apply for it"}'
)
STRANGER = SimulatedJob(
    job_instance_id=999_999,
    first_step_id=888_001,
    steps=(
        StepPlan(hosts=2, outcomes=(HostOutcome(status=9, tag="strange", duration=DurationRange(0.0, 1.0)),)),
    )
    * 2,
)

Spoiler = Callable[[HttpRequest, float], HttpResponse | bkjob.BkJobError | None]


def spoiler(history: History, dice: Random, forbidden: int) -> Spoiler:
    """Return what puts errors, or answers about another job, in place of answers while a fault lasts.

    *forbidden* is the id of the job that must not be read while the fault of that name lasts.
    """
    strange = World(history.seed, at_once=True)
    strange.add(STRANGER)
    others = Platform(strange)

    def spoil(request: HttpRequest, now: float) -> HttpResponse | bkjob.BkJobError | None:
        for window in history.faults:
            if not window.covers(now) or window.is_slow:
                continue
            if window.kind in ("forbidden", "reads", *HALF_READABLE):
                refusal = refusal_of(request, window.kind, history.dialect, forbidden)
                if refusal is not None:
                    return refusal
            elif dice.random() >= window.share:
                continue
            elif window.kind in FAULTS:
                return FAULTS[window.kind]
            elif window.kind in ("another job", "another scope") and is_read(request):
                response = others.respond(about_the_stranger(request), now)
                if window.kind == "another job":
                    return response
                job = re.search(r"20000000\d{3}", said(request))
                body = response.body.replace(b"999999", job[0].encode() if job else b"999999")
                body = re.sub(rb'"bk_scope_id": ?"2"', b'"bk_scope_id":"3"', body)
                body = re.sub(rb'"bk_biz_id": ?2\b', b'"bk_biz_id":3', body)
                return HttpResponse(status=response.status, headers=response.headers, body=body)
        return None

    return spoil


def launch_spoiler(history: History) -> Callable[[HttpRequest, HttpResponse, float], HttpResponse]:
    """Return what puts trouble of a backing service in place of the responses of launches that were carried out."""

    def spoil(request: HttpRequest, response: HttpResponse, now: float) -> HttpResponse:
        is_launch = request.url.path.rstrip("/").endswith("fast_execute_script")
        in_trouble = any(window.kind == "launch" and window.covers(now) for window in history.faults)
        if not (is_launch and in_trouble):
            return response
        return BACKING_IN_V4 if history.dialect == "gateway-v4" else BACKING

    return spoil


def delays(
    windows: Iterable[FaultWindow], dice: Random
) -> Callable[[HttpRequest, float], tuple[float, float]]:
    """Return what says how many seconds a request takes more, and its response behind that, while such a fault lasts."""
    slow = [window for window in windows if window.is_slow]

    def delay(_request: HttpRequest, now: float) -> tuple[float, float]:
        for window in slow:
            if window.covers(now) and dice.random() < window.share:
                seconds = SLOWEST * dice.choice((0.05, 0.3, 1.0)) * dice.uniform(0.5, 1.0)
                return (seconds, 0.0) if window.kind == "slow request" else (0.0, seconds)
        return 0.0, 0.0

    return delay


def refusal_of(
    request: HttpRequest, kind: str, dialect: str, forbidden: int
) -> HttpResponse | bkjob.BkJobError | None:
    """Return the refusal of a job that must not be read, of reads of one kind, of all reads; None for other requests."""
    if kind == "reads":
        return HTML if is_read(request) else None
    if kind in HALF_READABLE:
        is_step = request.url.path.rstrip("/").endswith("get_step_instance_status")
        has_rows = is_read(request) and not is_step and WITH_ROWS.search(said(request))
        is_even = is_step and STEP_WITH_EVEN_ID.search(said(request))
        if not {"one step": is_even, "steps": is_step}.get(kind, has_rows):
            return None
        return FAULTS["timeout"] if kind in ("rows", "steps") else STEP_REFUSED
    if is_read(request) and str(forbidden) in said(request):
        return FORBIDDEN.get(dialect, FORBIDDEN_BY_CODE)
    return None


def is_read(request: HttpRequest) -> bool:
    """Whether a request asks for the status of a job or a step."""
    return request.url.path.rstrip("/").endswith(("get_job_instance_status", "get_step_instance_status"))


def said(request: HttpRequest) -> str:
    """Return all that a request says, as text."""
    return f"{request.url} {(request.body or b'').decode()}"


def about_the_stranger(request: HttpRequest) -> HttpRequest:
    """Return the same question about the other job."""

    def other(text: str) -> str:
        return re.sub(r"30000000\d{3}", "888001", re.sub(r"20000000\d{3}", "999999", text))

    return HttpRequest(
        method=request.method,
        url=URL(other(str(request.url))),
        headers=request.headers,
        body=None if request.body is None else other(request.body.decode()).encode(),
    )


def tearer(history: History, dice: Random) -> Callable[[HttpResponse, float], HttpResponse]:
    """Return what tears answers: a host in two groups, or a row left out."""
    last: dict[tuple[object, ...], tuple[int, str]] = {}

    def tear(response: HttpResponse, now: float) -> HttpResponse:
        if b"step_result_group_list" not in response.body:
            return response
        answer = json.loads(response.body)
        data = answer.get("data") or {}
        groups = [g for g in data.get("step_result_group_list") or () if g.get("host_result_list")]
        lists = [group["host_result_list"] for group in groups]
        run = (data.get("step_instance_id"), data.get("execute_count"))
        # Groups are read one after the other: a host that moved on since the last look stands where it was, too.
        stale = [
            (row, other)
            for group in groups
            for row in group["host_result_list"]
            for other in groups
            if other is not group and place_of(other) == last.get((*run, row["bk_host_id"]))
        ]
        for group in groups:
            for row in group["host_result_list"]:
                last[*run, row["bk_host_id"]] = place_of(group)
        kinds = {w.kind for w in history.faults if w.covers(now) and dice.random() < w.share}
        if "missing" in kinds and lists:
            rows = dice.choice(lists)
            rows.pop(dice.randrange(len(rows)))
        elif "torn" in kinds and stale:
            row, other = dice.choice(stale)
            other["host_result_list"].append({**row, "status": place_of(other)[0]})
            other["host_size"] += 1
        else:
            return response
        return HttpResponse(status=200, body=json.dumps(answer).encode())

    return tear


def place_of(group: dict[str, Any]) -> tuple[int, str]:
    """Return the status and the tag of the hosts of a group."""
    return group["host_result_list"][0]["status"], group.get("tag") or ""
