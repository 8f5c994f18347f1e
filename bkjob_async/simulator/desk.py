"""What every answer is made from: the world, how the site is set up, and the moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, field, frozen

from bkjob_async.model.refs import Scope
from bkjob_async.simulator.asking import Asked, Refusal
from bkjob_async.simulator.render_permission import PERMISSION_DENIED, permission
from bkjob_async.simulator.render_words import words
from bkjob_async.simulator.world import World
from bkjob_async.simulator.world_operations import Refused
from bkjob_async.simulator.world_plans import GREEN, Fate, JobPlan
from bkjob_async.simulator.world_records import Job, Step


@define(kw_only=True)
class Site:
    """How one installation is set up; changed at any time.

    *app_code*, *app_secret* and *access_token* None take any that are not empty. *require_user* asks for a user outside `system`
    paths. *scopes* None knows every scope. *forbidden* scopes need a permission that the user lacks. *classic* is the
    old component behind the ESB's `job`. *group_pace* is how many seconds the reading of one group of a step with more than
    100 hosts takes. *fates* is what becomes of the hosts of launches, *plans* are the job plans that can be launched.
    """

    app_code: str | None = None
    app_secret: str | None = field(default=None, repr=False)
    access_token: str | None = field(default=None, repr=False)
    require_user: bool = False
    scopes: frozenset[Scope] | None = None
    forbidden: set[Scope] = field(factory=set)
    forbidden_apis: set[str] = field(factory=set)
    classic: bool = True
    group_pace: float = 0.002
    fates: tuple[Fate, ...] = (GREEN,)
    plans: dict[int, JobPlan] = field(factory=lambda: {1000: JobPlan(name="plan 1000")})


@frozen(kw_only=True)
class Desk:
    """One request's look at everything."""

    world: World
    site: Site
    now: float

    @property
    def epoch_ms(self) -> int:
        """The Unix time of the world's beginning."""
        return self.world.epoch_ms

    def scope(self, asked: Asked, *, legacy: bool = True) -> Scope:
        """Return the scope asked for, or refuse one that is unknown or forbidden."""
        scope = asked.scope(legacy=legacy)
        if self.site.scopes is not None and scope not in self.site.scopes:
            raise refusal(1243051)
        if scope in self.site.forbidden:
            raise Refusal(PERMISSION_DENIED, words(PERMISSION_DENIED), details=permission(scope))
        return scope

    def job(self, asked: Asked, *, legacy: bool = True, code: int = 1241007) -> Job:
        """Return the job asked for; unknown, archived and foreign ones look alike."""
        scope = self.scope(asked, legacy=legacy)
        job = self.world.job(asked.id("job_instance_id", code=code), scope)
        if job is None:
            raise refusal(1244006)
        return job

    def step(self, asked: Asked, *, legacy: bool = True, code: int = 1241007) -> Step:
        """Return the step asked for."""
        job_id = asked.id("job_instance_id", code=code)
        step_id = asked.id("step_instance_id", code=code)
        job = self.world.job(job_id, self.scope(asked, legacy=legacy))
        if job is None:
            raise refusal(1244006)
        step = job.step(step_id)
        if step is None:
            raise refusal(1244007)
        return step


Handler = Callable[[Desk, Asked], Any]


@frozen
class Route:
    """What answers an operation, and by which methods it may be asked."""

    handle: Handler
    methods: frozenset[str]


READ = frozenset({"GET"})
WRITE = frozenset({"POST"})
EITHER = frozenset({"GET", "POST"})


def refusal(code: int) -> Refusal:
    """Return a refusal of Job's own."""
    return Refusal(code, words(code))


def taken_on(operate: Callable[[], None]) -> None:
    """Do something to the world; turn its no into the platform's."""
    try:
        operate()
    except Refused as error:
        raise refusal(error.code) from error
