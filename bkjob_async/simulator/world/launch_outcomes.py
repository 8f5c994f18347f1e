"""Host outcomes that a caller sets for launches, whatever their scripts say."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import define, evolve, field

from bkjob_async.simulator.world.codes import CONFIRM
from bkjob_async.simulator.world.plans import SUCCEEDS, HostOutcome, SimulatedJob, StepPlan, hosts_of


@define(kw_only=True)
class LaunchOutcomes:
    """The outcomes of the hosts of the next launches.

    *hosts* has an outcome per host (`cloud:ip`) for the first execution; all other hosts, and all hosts in
    later executions, have the outcome *others*. *name* picks launches of that name; *times* is how many
    launches are left, None for all that come.
    """

    hosts: Mapping[str, HostOutcome] = field(factory=dict)
    others: HostOutcome = SUCCEEDS
    name: str | None = None
    times: int | None = 1


def pick(waiting: list[LaunchOutcomes], name: str) -> LaunchOutcomes | None:
    """Return the first outcomes for a launch of this name; they are not used up yet."""
    return next((each for each in waiting if each.times != 0 and each.name in (None, name)), None)


def use_up(waiting: list[LaunchOutcomes], outcomes: LaunchOutcomes) -> None:
    """Count one launch; drop outcomes that have none left."""
    if outcomes.times is not None:
        outcomes.times -= 1
        if outcomes.times <= 0:
            waiting.remove(outcomes)


def with_launch_outcomes(job: SimulatedJob, outcomes: LaunchOutcomes) -> SimulatedJob:
    """Return *job* with the outcomes of its hosts; KeyError for a host that it does not have."""
    labels = {host.label for step in job.steps for host in hosts_of(step)}
    for label in outcomes.hosts:
        if label not in labels:
            raise KeyError(label)
    return evolve(job, steps=tuple(step_with_outcomes(step, outcomes) for step in job.steps))


def step_with_outcomes(step: StepPlan, outcomes: LaunchOutcomes) -> StepPlan:
    """Return one step with these outcomes; a confirmation has none."""
    if step.kind == CONFIRM:
        return step
    pinned = {
        place: outcomes.hosts[host.label]
        for place, host in enumerate(hosts_of(step))
        if host.label in outcomes.hosts
    }
    return evolve(step, outcomes=(outcomes.others,), retry_outcomes=(outcomes.others,), pinned=pinned)
