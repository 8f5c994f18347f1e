"""Hosts with several names in random histories, and hosts that are registered anew while their step runs."""

from __future__ import annotations

import re
from collections.abc import Callable

from attrs import evolve
from msgspec.structs import replace

from bkjob_async.http_messages import HttpResponse
from bkjob_async.simulator.world.hosts import Host
from bkjob_async.simulator.world.plans import SimulatedJob, StepPlan
from tests.watch.histories import FIRST_MIXED_ID, History

ID = re.compile(rb'"bk_host_id": ?(\d+)')
LATER_IDS = 50_000

Tear = Callable[[HttpResponse, float], HttpResponse]


def with_shown_hosts(dialect: str, plan: SimulatedJob) -> SimulatedJob:
    """Return a job without those mixed hosts that a dialect cannot show: containers, and in an ESB hosts with an IPv6 address alone."""

    def is_shown(host: Host) -> bool:
        if dialect == "gateway-v4" or host.bk_host_id < FIRST_MIXED_ID:
            return True
        return host.container_id is None and (dialect.startswith("gateway") or host.ip is not None)

    def shown(step: StepPlan) -> StepPlan:
        hosts = step.hosts
        return step if isinstance(hosts, int) else evolve(step, hosts=tuple(filter(is_shown, hosts)))

    return evolve(plan, steps=tuple(map(shown, plan.steps)))


def registered_anew(history: History, tear: Tear) -> Tear:
    """Return what tears responses as *tear* does, and gives some hosts another id from some moment on.

    Hosts that have no address of version 4 keep theirs: nothing says that they are the same.
    """
    if history.anew is None:
        return tear
    begin, every = history.anew

    def other_id(match: re.Match[bytes]) -> bytes:
        number = int(match[1])
        is_kept = number >= FIRST_MIXED_ID or number % every
        return match[0] if is_kept else b'"bk_host_id":%d' % (number + LATER_IDS)

    def change(response: HttpResponse, now: float) -> HttpResponse:
        torn = tear(response, now)
        return torn if now < begin else replace(torn, body=ID.sub(other_id, torn.body))

    return change
