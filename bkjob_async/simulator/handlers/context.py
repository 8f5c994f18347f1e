"""The context of a request: the world, the configuration of the site, and the time; finds the requested job."""

from __future__ import annotations

from attrs import frozen

from bkjob_async.model.refs import Scope
from bkjob_async.simulator.handlers.site import SiteConfig
from bkjob_async.simulator.protocol.api_errors import api_error, permission_denied
from bkjob_async.simulator.protocol.requests import ParsedRequest
from bkjob_async.simulator.world.plans import SimulatedJob
from bkjob_async.simulator.world.records import Job, Step
from bkjob_async.simulator.world.world import World


@frozen(kw_only=True)
class RequestContext:
    """What a handler reads and changes."""

    world: World
    site: SiteConfig
    now: float

    @property
    def epoch_ms(self) -> int:
        """The Unix time of the world's beginning."""
        return self.world.epoch_ms

    def scope(self, request: ParsedRequest, *, legacy: bool = True) -> Scope:
        """Return the requested scope; raise `ApiError` for an unknown or forbidden one."""
        scope = request.scope(legacy=legacy)
        if self.site.scopes is not None and scope not in self.site.scopes:
            raise api_error(1243051, f"{scope.type}:{scope.id}")
        if scope in self.site.forbidden:
            raise permission_denied(scope, request.user)
        return scope

    def plan(self, number: int, *, code: int = 1243009) -> SimulatedJob:
        """Return a job plan of the site; raise `ApiError` with *code* for an unknown one."""
        plan = self.site.plans.get(number)
        if plan is None:
            raise api_error(code)
        return plan

    def job(self, request: ParsedRequest, *, legacy: bool = True, code: int = 1241007) -> Job:
        """Return the requested job; unknown, archived and foreign ones raise the same `ApiError`."""
        scope = self.scope(request, legacy=legacy)
        job = self.world.job(request.id("job_instance_id", code=code), scope)
        if job is None:
            raise api_error(1244006)
        return job

    def step(self, request: ParsedRequest, *, legacy: bool = True, code: int = 1241007) -> Step:
        """Return the requested step."""
        # A missing id is an error before a missing scope is one.
        request.id("job_instance_id", code=code)
        number = request.id("step_instance_id", code=code)
        step = self.job(request, legacy=legacy, code=code).step(number)
        if step is None:
            raise api_error(1244007)
        return step
