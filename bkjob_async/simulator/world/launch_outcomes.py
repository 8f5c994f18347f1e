"""Fates that launches are given by hand, whatever their scripts say."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import define, evolve, field

from bkjob_async.simulator.world.codes import CONFIRM
from bkjob_async.simulator.world.plans import GREEN, Host, HostOutcome, JobPlan, StepPlan
from bkjob_async.simulator.world.plans import hosts as first_hosts


@define(kw_only=True)
class LaunchFates:
    """What becomes of the hosts of the next launches.

    *hosts* has a fate per host, by the name that people read (`cloud:ip`), for the first execution; all *others*,
    and all hosts in later executions, fare as *others* says. *name* picks launches of that name; *times* is how
    many launches are left, None for all that come.
    """

    hosts: Mapping[str, HostOutcome] = field(factory=dict)
    others: HostOutcome = GREEN
    name: str | None = None
    times: int | None = 1

    def is_for(self, name: str) -> bool:
        """Whether a launch of this name is to fare so."""
        return self.times != 0 and self.name in (None, name)


def pick(waiting: list[LaunchFates], name: str) -> LaunchFates | None:
    """Return the first fates for a launch of this name; they are not used up yet."""
    return next((fates for fates in waiting if fates.is_for(name)), None)


def use_up(waiting: list[LaunchFates], fates: LaunchFates) -> None:
    """Count one launch; drop fates that have none left."""
    if fates.times is not None:
        fates.times -= 1
        if fates.times <= 0:
            waiting.remove(fates)


def with_fates(job: JobPlan, fates: LaunchFates) -> JobPlan:
    """Return *job* with its hosts faring as *fates* says; KeyError for a host that it does not have."""
    labels = {host.label for step in job.steps for host in hosts_of(step)}
    for label in fates.hosts:
        if label not in labels:
            raise KeyError(label)
    return evolve(job, steps=tuple(fated(step, fates) for step in job.steps))


def fated(step: StepPlan, fates: LaunchFates) -> StepPlan:
    """Return one step with these fates; a confirmation has none."""
    if step.kind == CONFIRM:
        return step
    pinned = {
        place: fates.hosts[host.label]
        for place, host in enumerate(hosts_of(step))
        if host.label in fates.hosts
    }
    return evolve(step, fates=(fates.others,), retry_fates=(fates.others,), pinned=pinned)


def hosts_of(step: StepPlan) -> tuple[Host, ...]:
    """Return a step's hosts, where it has a count of them as well."""
    return first_hosts(step.hosts) if isinstance(step.hosts, int) else step.hosts
