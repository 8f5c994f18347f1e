"""What is going to happen, as frozen values: hosts, outcomes, steps, jobs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from random import Random

from attrs import field, frozen

from bkjob_async.model.refs import Scope
from bkjob_async.simulator.world.codes import FILE, HOST_SUCCESS, SCRIPT
from bkjob_async.simulator.world.inputs import NO_INPUTS, StepInputs, Variable

BUSINESS = Scope.biz(2)


@frozen
class DurationRange:
    """A duration in seconds: somewhere from *low* to *high*.

    *skew* above 1 crowds towards *low* and leaves a thin tail.
    """

    low: float
    high: float
    skew: float = 1.0

    def sample(self, rng: Random) -> float:
        """Return one duration."""
        if self.low == self.high:
            return self.low
        share = rng.random()
        return self.low + (self.high - self.low) * (share if self.skew == 1.0 else share**self.skew)


def exactly(seconds: float) -> DurationRange:
    """Return the duration that is always the same."""
    return DurationRange(seconds, seconds)


@frozen(kw_only=True)
class Host:
    """One execute object: a host, or a container when it has a *container_id*."""

    bk_host_id: int
    bk_cloud_id: int = 0
    ip: str | None = None
    ipv6: str | None = None
    bk_agent_id: str | None = None
    container_id: int | None = None
    container_name: str | None = None

    @property
    def label(self) -> str:
        """The name that people read: `cloud:ip`, else `cloud:[ipv6]`, the container's name, the id."""
        if self.container_id is not None:
            return self.container_name or f"container#{self.container_id}"
        if self.ip:
            return f"{self.bk_cloud_id}:{self.ip}"
        return f"{self.bk_cloud_id}:[{self.ipv6}]" if self.ipv6 else f"#{self.bk_host_id}"


@lru_cache(maxsize=200_000)
def host(number: int, cloud: int = 0) -> Host:
    """Return the *number*-th host of an endless fleet, the same one every time."""
    address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    return Host(bk_host_id=cloud * 10_000_000 + number, bk_cloud_id=cloud, ip=address)


def hosts(count: int, *, first: int = 1, cloud: int = 0) -> tuple[Host, ...]:
    """Return *count* hosts of the fleet, from the *first* on."""
    return tuple(host(number, cloud) for number in range(first, first + count))


def container(number: int) -> Host:
    """Return the *number*-th container, on a node of its own."""
    return Host(bk_host_id=number, container_id=500_000 + number, container_name=f"app-{number}")


@frozen(kw_only=True)
class HostOutcome:
    """What becomes of a host: how long it waits and runs, and how it ends.

    *status* None runs for ever; *stoppable* False ignores force-termination. *weight* is its share among others.
    """

    status: int | None = HOST_SUCCESS
    start_delay: DurationRange = DurationRange(0.0, 0.0)
    duration: DurationRange = DurationRange(2.0, 8.0)
    tag: str = ""
    exit_code: int | None = 0
    error_code: int = 0
    log: str = "done\n"
    stoppable: bool = True
    weight: float = 1.0


SUCCEEDS = HostOutcome()
FAILS = HostOutcome(status=104, exit_code=1, error_code=0, log="no such file\n")
HANGS = HostOutcome(status=None)
IGNORES_STOP = HostOutcome(status=None, stoppable=False)
NO_AGENT = HostOutcome(status=18, exit_code=None, error_code=117, log="")
INVALID_HOST = HostOutcome(status=2, exit_code=None, log="")


@frozen(kw_only=True)
class Rolling:
    """How a step rolls over its hosts in batches (`rolling_config`).

    *mode* 1 pauses when a batch fails, 2 goes on, 3 asks a person before each next batch. *kind* 2 rolls over source
    files: every batch reaches every host. *parallel* starts all batches, *stagger* seconds apart.
    """

    sizes: tuple[int, ...]
    mode: int = 1
    kind: int = 1
    parallel: bool = False
    stagger: float = 5.0


@frozen(kw_only=True)
class StepPlan:
    """One step: what kind, on which hosts, and what becomes of them.

    *hosts* is a count or the hosts themselves. *pinned* fixes the first execution's outcome by a host's position; all
    others draw from *outcomes*, in later executions from *retry_outcomes*. *abnormal_after* seconds the engine itself fails:
    the step ends with *abnormal_status*, its rows stay as they are. *content* is the script, or the names of the files
    that are sent, joined by commas; *inputs* is the rest of what it was told to do.
    """

    name: str = ""
    kind: int = SCRIPT
    hosts: int | tuple[Host, ...] = 3
    outcomes: tuple[HostOutcome, ...] = (SUCCEEDS,)
    retry_outcomes: tuple[HostOutcome, ...] = (SUCCEEDS,)
    pinned: Mapping[int, HostOutcome] = field(factory=dict)
    ignore_error: bool = False
    rolling: Rolling | None = None
    confirmers: tuple[str, ...] = ()
    stop_duration: float = 1.0
    abnormal_after: float | None = None
    abnormal_status: int = 9
    content: str = "uptime"
    inputs: StepInputs = NO_INPUTS

    @property
    def is_file(self) -> bool:
        """Whether it sends files."""
        return self.kind == FILE


@frozen(kw_only=True)
class JobPlan:
    """One job: its steps, its scope, when it is created and by whom.

    *start_task* False leaves it unstarted. *archived_after* seconds after its end it is gone for good. Ids are given
    by the world unless *job_instance_id* says one; steps then count up from *first_step_id*.
    """

    name: str = "job"
    steps: tuple[StepPlan, ...] = (StepPlan(),)
    scope: Scope = BUSINESS
    operator: str = "admin"
    created: float = 0.0
    start_task: bool = True
    callback_url: str | None = field(default=None, repr=False)
    archived_after: float | None = None
    launch_mode: int = 2
    plan_id: int | None = None
    kind: int = 1
    job_instance_id: int | None = None
    first_step_id: int | None = None
    variables: tuple[Variable, ...] = ()


@frozen(kw_only=True)
class PlatformDelays:
    """Seconds that the platform takes between one thing and the next.

    *event* is one message of its queue, *dispatch* from a step's start to its hosts', *step* from the last host to
    the step's end, *job* from there to the job's.
    """

    event: float = 0.3
    dispatch: float = 0.2
    step: float = 0.4
    job: float = 0.3


@frozen(kw_only=True)
class Arrivals:
    """Jobs that keep coming: one of *plans* (with their weights) *every* so many seconds, *count* in all."""

    plans: tuple[tuple[float, JobPlan], ...]
    every: DurationRange
    first: float = 0.0
    count: int | None = None
