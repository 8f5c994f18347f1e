"""A database replica that lags behind, for random histories: it shows steps as they were before their last retry, and no new jobs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any

from bkjob_async.http_messages import HttpRequest, HttpResponse
from tests.watch.histories import History
from tests.watch.history_faults import is_read, said

Executions = Mapping[int, int]

# For so many seconds a job that was just launched is not found: less than after which it is lost (`small_bounds`).
LAG = 2.5
NOT_FOUND_BY_CODE = HttpResponse(
    status=200, body=b'{"result": false, "code": 1244006, "message": "no such job"}'
)
NOT_FOUND = {
    "gateway-v4": HttpResponse(
        status=404, body=b'{"error": {"code": "NOT_FOUND", "message": "no such job"}, "job_request_id": "1"}'
    )
}


class LaggingReplica:
    """Answers some reads with an earlier execution of a step while the fault of that name lasts, and none of a job just launched.

    Only who *knows* of a later execution is shown an earlier one: at first sight nobody can distinguish it from the present.
    """

    def __init__(self, history: History, dice: Random, knows: Callable[[int, int], bool]) -> None:
        """Answer in *history*; *knows* says whether a later execution of a step than the given one was seen."""
        self._windows = [window for window in history.faults if window.kind == "lagging"]
        self._dice = dice
        self._knows = knows
        self._newest: dict[str, tuple[Executions, HttpResponse]] = {}
        self._old: dict[str, tuple[Executions, HttpResponse]] = {}
        self._not_found = NOT_FOUND.get(history.dialect, NOT_FOUND_BY_CODE)
        self._launched: dict[str, float] = {}

    def outdate(self, request: HttpRequest, response: HttpResponse, now: float) -> HttpResponse:
        """Return the response, or an old one in its place."""
        if self._windows and request.url.path.rstrip("/").endswith("fast_execute_script"):
            self._launched |= dict.fromkeys(re.findall(r"20000000\d{3}", response.body.decode()), now)
        if not self._windows or not is_read(request):
            return response
        if any(window.covers(now) for window in self._windows) and any(
            now - at < LAG and job in said(request) for job, at in self._launched.items()
        ):
            return self._not_found
        executions = dict(executions_in(json.loads(response.body)))
        key = said(request)
        newest = self._newest.get(key)
        if newest is not None and any(
            count > newest[0].get(step, count) for step, count in executions.items()
        ):
            self._old[key] = newest
        if executions:
            self._newest[key] = executions, response
        lags = any(window.covers(now) and self._dice.random() < window.share for window in self._windows)
        old = self._old.get(key)
        if lags and old is not None and any(self._knows(*step) for step in old[0].items()):
            return old[1]
        return response


def executions_in(value: Any) -> Iterator[tuple[int, int]]:
    """Yield the steps in a body with their execute_count."""
    if isinstance(value, dict):
        step, count = value.get("step_instance_id"), value.get("execute_count")
        if step is not None and count is not None:
            yield int(step), int(count)
        for part in value.values():
            yield from executions_in(part)
    elif isinstance(value, list):
        for part in value:
            yield from executions_in(part)
