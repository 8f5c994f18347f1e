"""The configuration of one simulated installation."""

from __future__ import annotations

from attrs import define, field

from bkjob_async.model.refs import Scope
from bkjob_async.simulator.world.catalog import DEFAULT_CATALOG, Catalog
from bkjob_async.simulator.world.codes import FILE
from bkjob_async.simulator.world.launch_outcomes import LaunchOutcomes
from bkjob_async.simulator.world.plans import HostOutcome, SimulatedJob, SimulatedVariable, StepPlan

HOSTS_VARIABLE = SimulatedVariable(id=11, name="hosts", kind=3, description="where it runs")

# The plans of a site by default.
DEFAULT_PLANS: dict[int, SimulatedJob] = {
    1000: SimulatedJob(name="plan 1000", variables=(HOSTS_VARIABLE,)),
    1001: SimulatedJob(
        name="release",
        steps=(
            StepPlan(name="send", kind=FILE, content="/data/app.tar.gz"),
            StepPlan(name="unpack", content="echo unpacked"),
        ),
        variables=(HOSTS_VARIABLE, SimulatedVariable(id=12, name="version", value="1.0.0", is_required=True)),
    ),
}


@define(kw_only=True)
class SiteConfig:
    """The configuration of one installation; it can be changed at any time.

    *app_code*, *app_secret* and *access_token* None accept any that are not empty. *require_user* requires a user
    outside `system` paths. *scopes* None accepts every scope. *forbidden* scopes need a permission that the user lacks.
    *legacy_esb* is the component of old sites behind the ESB's `job`, in place of the current backend.
    *group_read_seconds* is how many seconds the reading of one group of a step with more than 100 hosts takes.
    *outcomes* are the outcomes of the hosts of launches, chosen by weight; with None the script of a launch is
    interpreted, and one that cannot be is rejected; *launch_outcomes* take precedence over both. *plans* are the job
    plans that can be launched, *catalog* is what else the lists show. *allowed_callbacks* are the beginnings of the
    URLs that may be called back, None for all (a feature of newer platforms). *web_url* begins links to the web
    console.
    """

    app_code: str | None = None
    app_secret: str | None = field(default=None, repr=False)
    access_token: str | None = field(default=None, repr=False)
    require_user: bool = False
    scopes: frozenset[Scope] | None = None
    forbidden: set[Scope] = field(factory=set)
    forbidden_apis: set[str] = field(factory=set)
    legacy_esb: bool = False
    group_read_seconds: float = 0.002
    outcomes: tuple[HostOutcome, ...] | None = None
    launch_outcomes: list[LaunchOutcomes] = field(factory=list)
    plans: dict[int, SimulatedJob] = field(factory=lambda: dict(DEFAULT_PLANS))
    catalog: Catalog = DEFAULT_CATALOG
    allowed_callbacks: tuple[str, ...] | None = None
    web_url: str = "http://job.example.com"
