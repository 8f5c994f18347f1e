"""What every answer is made from: the world, how the site is set up, and the moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, field, frozen

from bkjob_async.model.refs import Scope
from bkjob_async.simulator.protocol.permission import PERMISSION_DENIED, permission
from bkjob_async.simulator.protocol.requests import ApiError, ParsedRequest
from bkjob_async.simulator.protocol.words import words
from bkjob_async.simulator.world.catalog import USUAL_CATALOG, Catalog
from bkjob_async.simulator.world.codes import FILE
from bkjob_async.simulator.world.inputs import Variable
from bkjob_async.simulator.world.launch_outcomes import LaunchOutcomes
from bkjob_async.simulator.world.operations import OperationNotAllowed
from bkjob_async.simulator.world.plans import HostOutcome, JobPlan, StepPlan
from bkjob_async.simulator.world.records import Job, Step
from bkjob_async.simulator.world.world import World

HOSTS_VARIABLE = Variable(id=11, name="hosts", kind=3, description="where it runs")

# The plans that a site has unless it is given others.
USUAL_PLANS: dict[int, JobPlan] = {
    1000: JobPlan(name="plan 1000", variables=(HOSTS_VARIABLE,)),
    1001: JobPlan(
        name="release",
        steps=(
            StepPlan(name="send", kind=FILE, content="/data/app.tar.gz"),
            StepPlan(name="unpack", content="echo unpacked"),
        ),
        variables=(HOSTS_VARIABLE, Variable(id=12, name="version", value="1.0.0", is_required=True)),
    ),
}


@define(kw_only=True)
class SiteConfig:
    """How one installation is set up; changed at any time.

    *app_code*, *app_secret* and *access_token* None take any that are not empty. *require_user* asks for a user outside `system`
    paths. *scopes* None knows every scope. *forbidden* scopes need a permission that the user lacks. *legacy_esb* is the
    old component behind the ESB's `job`. *group_read_seconds* is how many seconds the reading of one group of a step with more than
    100 hosts takes. *outcomes* is what becomes of the hosts of launches, drawn by weight; with None the script of a launch
    says it, and one that cannot be interpreted is refused; *launch_outcomes* come before either. *plans* are the job plans
    that can be launched, *catalog* is what else the lists show. *allowed_callbacks* are the beginnings of the URLs that
    may be called back, None for all (a feature of newer platforms). *web_url* begins links to the web console.
    """

    app_code: str | None = None
    app_secret: str | None = field(default=None, repr=False)
    access_token: str | None = field(default=None, repr=False)
    require_user: bool = False
    scopes: frozenset[Scope] | None = None
    forbidden: set[Scope] = field(factory=set)
    forbidden_apis: set[str] = field(factory=set)
    legacy_esb: bool = True
    group_read_seconds: float = 0.002
    outcomes: tuple[HostOutcome, ...] | None = None
    launch_outcomes: list[LaunchOutcomes] = field(factory=list)
    plans: dict[int, JobPlan] = field(factory=lambda: dict(USUAL_PLANS))
    catalog: Catalog = USUAL_CATALOG
    allowed_callbacks: tuple[str, ...] | None = None
    web_url: str = "http://job.example.com"


@frozen(kw_only=True)
class RequestContext:
    """One request's look at everything."""

    world: World
    site: SiteConfig
    now: float

    @property
    def epoch_ms(self) -> int:
        """The Unix time of the world's beginning."""
        return self.world.epoch_ms

    def scope(self, request: ParsedRequest, *, legacy: bool = True) -> Scope:
        """Return the scope asked for, or refuse one that is unknown or forbidden."""
        scope = request.scope(legacy=legacy)
        if self.site.scopes is not None and scope not in self.site.scopes:
            raise api_error(1243051)
        if scope in self.site.forbidden:
            raise ApiError(PERMISSION_DENIED, words(PERMISSION_DENIED), details=permission(scope))
        return scope

    def job(self, request: ParsedRequest, *, legacy: bool = True, code: int = 1241007) -> Job:
        """Return the job asked for; unknown, archived and foreign ones look alike."""
        scope = self.scope(request, legacy=legacy)
        job = self.world.job(request.id("job_instance_id", code=code), scope)
        if job is None:
            raise api_error(1244006)
        return job

    def step(self, request: ParsedRequest, *, legacy: bool = True, code: int = 1241007) -> Step:
        """Return the step asked for."""
        job_id = request.id("job_instance_id", code=code)
        step_id = request.id("step_instance_id", code=code)
        job = self.world.job(job_id, self.scope(request, legacy=legacy))
        if job is None:
            raise api_error(1244006)
        step = job.step(step_id)
        if step is None:
            raise api_error(1244007)
        return step


Handler = Callable[[RequestContext, ParsedRequest], Any]
EVERYBODY, SYSTEMS, USERS = "everybody", "systems", "users"


@frozen
class Route:
    """What answers an operation, by which methods it may be asked, and on which of the gateway's two paths."""

    handle: Handler
    methods: frozenset[str]
    audience: str = EVERYBODY

    def is_for(self, *, system: bool) -> bool:
        """Whether the operation is on the path that was taken: the plain one, or `system/`."""
        return self.audience == EVERYBODY or (self.audience == SYSTEMS) == system


READ = frozenset({"GET"})
WRITE = frozenset({"POST"})
EITHER = frozenset({"GET", "POST"})


def api_error(code: int, reason: str | None = None) -> ApiError:
    """Return a refusal of Job's own; some name a *reason*."""
    return ApiError(code, words(code) if reason is None else f"{words(code)}, {reason}")


def taken_on(operate: Callable[[], None]) -> None:
    """Do something to the world; turn its no into the platform's."""
    try:
        operate()
    except OperationNotAllowed as error:
        raise api_error(error.code) from error
