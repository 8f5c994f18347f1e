"""Answers about the inputs of a step."""

from __future__ import annotations

from typing import Any

from bkjob_async.simulator.handlers.context import RequestContext
from bkjob_async.simulator.protocol.inputs import plain, step_inputs
from bkjob_async.simulator.protocol.requests import ParsedRequest


def step_detail(context: RequestContext, request: ParsedRequest) -> dict[str, Any]:
    """Answer `get_step_instance_detail`: what a step was told to do."""
    step = context.step(request, legacy=False, code=1240003)
    return step_inputs(step.id, step.name, step.plan, step.hosts, coding=plain)
