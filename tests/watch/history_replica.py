"""A database replica that lags behind, for random histories: it shows steps as they were before their last retry."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any

from bkjob_async.http_messages import HttpRequest, HttpResponse
from tests.watch.histories import History
from tests.watch.history_faults import is_read, said

Executions = Mapping[int, int]


class LaggingReplica:
    """Answers some reads with an earlier execution of a step while the fault of that name lasts.

    Only who *knows* of a later execution is shown an earlier one: at first sight nobody can distinguish it from the present.
    """

    def __init__(self, history: History, dice: Random, knows: Callable[[int, int], bool]) -> None:
        """Answer in *history*; *knows* says whether a later execution of a step than the given one was seen."""
        self._windows = [window for window in history.faults if window.kind == "lagging"]
        self._dice = dice
        self._knows = knows
        self._newest: dict[str, tuple[Executions, HttpResponse]] = {}
        self._old: dict[str, tuple[Executions, HttpResponse]] = {}

    def outdate(self, request: HttpRequest, response: HttpResponse, now: float) -> HttpResponse:
        """Return the response, or an old one in its place."""
        if not self._windows or not is_read(request):
            return response
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
