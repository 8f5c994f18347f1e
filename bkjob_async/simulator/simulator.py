"""The simulated platform that tests use: its jobs, faults, history and servers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime

from bkjob_async.model.refs import JobRef, StepRef
from bkjob_async.simulator.faults.faults import ActiveFault, Fault, parse_fault
from bkjob_async.simulator.faults.rate_limit import RateLimit
from bkjob_async.simulator.handlers.platform import Platform
from bkjob_async.simulator.handlers.site import SiteConfig
from bkjob_async.simulator.servers.callbacks import CallbackSender, Post
from bkjob_async.simulator.servers.clock import WorldClock
from bkjob_async.simulator.servers.http import SimulatorServer
from bkjob_async.simulator.servers.in_process import SimulatedTransport
from bkjob_async.simulator.servers.thread import ServerInThread
from bkjob_async.simulator.world.history import History
from bkjob_async.simulator.world.launch_outcomes import LaunchOutcomes
from bkjob_async.simulator.world.plans import FAILS, SUCCEEDS, HostOutcome, PlatformDelays, SimulatedJob
from bkjob_async.simulator.world.records import Job, Step
from bkjob_async.simulator.world.scenarios import Scenario, scenario_by_name
from bkjob_async.simulator.world.world import EPOCH_MS, World


class Simulator:
    """A simulated platform that tests control.

    *scenario* is a name or a `Scenario`; without it the world is empty and jobs are added. The same *seed*
    gives the same run. *site* is the configuration, *speed* how fast world time passes. With *at_once* the
    platform sees changes of hosts at once, not at its engine's polls. *begins* is when world time begins (aware); None
    for the first of January 2026, so that the same seed gives the same responses on any day.
    """

    def __init__(
        self,
        scenario: Scenario | str | None = None,
        *,
        seed: int = 0,
        site: SiteConfig | None = None,
        speed: float = 1.0,
        delays: PlatformDelays | None = None,
        at_once: bool = False,
        rate_limit: RateLimit | None = None,
        begins: datetime | None = None,
    ) -> None:
        chosen = scenario_by_name(scenario) if isinstance(scenario, str) else scenario
        default = chosen.delays if chosen is not None else None
        epoch_ms = EPOCH_MS if begins is None else round(begins.timestamp() * 1000)
        self.world = World(seed, delays=delays or default, at_once=at_once, epoch_ms=epoch_ms)
        if chosen is not None:
            chosen.add_to(self.world)
        self.site = site or SiteConfig()
        self.platform = Platform(self.world, self.site, rate_limit=rate_limit)
        if chosen is not None:
            self.platform.faults += map(parse_fault, chosen.faults)
        self.clock = WorldClock(speed=speed)

    # Servers ------------------------------------------------------------------------------------------------

    def transport(self, *, latency: float = 0.0) -> SimulatedTransport:
        """Return a transport within this process, for `connect(transport=...)`."""
        return SimulatedTransport(self.platform, clock=self.clock, latency=latency)

    def serve(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        control_names: Collection[str] = (),
        remote_callbacks: bool = False,
    ) -> SimulatorServer:
        """Return an HTTP server, to be entered with `async with`.

        The control API accepts loopback names, the address of the request, and *control_names* as `Host`.
        Callbacks are sent to this machine only, unless *remote_callbacks*.
        """
        return SimulatorServer(
            self.platform,
            host=host,
            port=port,
            clock=self.clock,
            control_names=control_names,
            remote_callbacks=remote_callbacks,
        )

    def serve_in_thread(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        control_names: Collection[str] = (),
        remote_callbacks: bool = False,
    ) -> ServerInThread:
        """Return an HTTP server for synchronous code, to be entered with `with`; see `serve`."""
        server = self.serve(
            host=host, port=port, control_names=control_names, remote_callbacks=remote_callbacks
        )
        return ServerInThread(server)

    def callbacks(self, *, post: Post | None = None, remote: bool = False) -> CallbackSender:
        """Return the sender of callbacks for the transport within this process; `start` and `aclose` it.

        Without *post* they are sent over HTTP, to this machine only unless *remote*.
        """
        return CallbackSender(self.platform, self.clock, post=post, remote=remote)

    def fault(
        self,
        fault: Fault | str,
        *,
        share: float = 1.0,
        times: int | None = None,
        operations: Iterable[str] | None = None,
        jobs: Iterable[int] | None = None,
    ) -> AbstractContextManager[ActiveFault]:
        """Inject a fault within a `with` block; see `Platform.fault`."""
        return self.platform.fault(fault, share=share, times=times, operations=operations, jobs=jobs)

    # Jobs ---------------------------------------------------------------------------------------------------

    @property
    def refs(self) -> tuple[JobRef, ...]:
        """The refs of all jobs."""
        return self.world.refs()

    def add(self, plan: SimulatedJob) -> JobRef:
        """Create a job, and return its ref."""
        return self.world.add(plan)

    def job(self, ref: JobRef | StepRef) -> Job:
        """Return a job's present record; KeyError for an unknown one."""
        return self.world.jobs[ref.job_instance_id]

    def steps(self, ref: JobRef) -> tuple[StepRef, ...]:
        """Return the refs of a job's steps, in order."""
        return tuple(step.ref for step in self.job(ref).steps)

    def step(self, ref: StepRef) -> Step:
        """Return a step's present record; KeyError for an unknown one."""
        step = self.job(ref).step(ref.step_instance_id)
        if step is None:
            raise KeyError(ref)
        return step

    def history(self, refs: Iterable[JobRef] | None = None) -> History:
        """Return the true history, whatever was observed."""
        return self.world.history(refs)

    # Control ------------------------------------------------------------------------------------------------

    def advance(self, seconds: float) -> float:
        """Advance the world's time; return it."""
        at = self.clock.advance(seconds)
        self.world.advance(at)
        return at

    def pause(self) -> float:
        """Pause the world's time; return it."""
        return self.clock.pause()

    def resume(self) -> float:
        """Resume the world's time; return it."""
        return self.clock.resume()

    def set_launch_outcomes(
        self,
        hosts: Mapping[str, HostOutcome] | None = None,
        *,
        others: HostOutcome = SUCCEEDS,
        name: str | None = None,
        times: int | None = 1,
    ) -> LaunchOutcomes:
        """Set the outcomes of the hosts of the next launches, whatever their scripts are.

        *hosts* has an outcome per host (`cloud:ip`) for the first execution; all other hosts, and all hosts
        in later executions, have the outcome *others*. *name* selects launches of that name (`task_name`, or
        a plan's); *times* is the number of launches, None for all. A launch without one of these hosts is
        rejected.
        """
        outcomes = LaunchOutcomes(hosts=dict(hosts or {}), others=others, name=name, times=times)
        self.site.launch_outcomes.append(outcomes)
        return outcomes

    def finish_host(self, step: StepRef, host: str, outcome: HostOutcome | None = None) -> None:
        """End a host (`cloud:ip`) now, with success or *outcome*; KeyError for an unknown one."""
        self.world.advance(self.clock.now())
        self.world.end_host(self.step(step), host, outcome)

    def fail_host(
        self, step: StepRef, host: str, *, status: int = 104, exit_code: int | None = 1, tag: str = ""
    ) -> None:
        """End a host (`cloud:ip`) now, with failure."""
        self.finish_host(step, host, HostOutcome(status=status, exit_code=exit_code, tag=tag, log=FAILS.log))
