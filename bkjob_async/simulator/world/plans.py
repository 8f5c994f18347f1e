"""Plans of what will happen, as frozen values: outcomes, steps, jobs."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from attrs import field, frozen

from bkjob_async.model.refs import Scope
from bkjob_async.simulator.world.codes import FILE, HOST_SUCCESS, SCRIPT
from bkjob_async.simulator.world.hosts import Host
from bkjob_async.simulator.world.hosts import hosts as first_hosts

BUSINESS = Scope.biz(2)
SERVER_FILE, LOCAL_FILE = 1, 2
TEXT = 1


@frozen
class DurationRange:
    """A random duration in seconds, from *low* to *high*.

    *skew* above 1 makes most durations short and few long.
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
    """Return a duration that is always the same."""
    return DurationRange(seconds, seconds)


@frozen(kw_only=True)
class HostOutcome:
    """The outcome of a host: how long it waits and runs, and how it ends.

    *status* None runs for ever; *stoppable* False ignores force-termination. *weight* is its share among
    several outcomes.
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
    """How a step runs on its hosts in batches (`rolling_config`).

    *mode* 1 pauses when a batch fails, 2 continues, 3 waits for a user before each next batch. *kind* 2
    divides the source files: every batch runs on every host. *parallel* starts all batches, *stagger* seconds
    apart.
    """

    sizes: tuple[int, ...]
    mode: int = 1
    kind: int = 1
    parallel: bool = False
    stagger: float = 5.0


@frozen(kw_only=True)
class SourceInputs:
    """Where files come from: *kind* 1 hosts, 2 uploaded files, 3 a file source (`file_type`)."""

    files: tuple[str, ...]
    kind: int = SERVER_FILE
    account: str = "root"
    hosts: tuple[tuple[int, int, str | None], ...] = ()
    file_source_id: int | None = None


@frozen(kw_only=True)
class StepInputs:
    """The inputs of a script or file step; *timeout* is seconds, the speed limits are MB per second."""

    account_id: int | None = 1
    account: str = "root"
    language: int = 1
    script_id: str | None = None
    script_version_id: int | None = None
    parameters: str = field(default="", repr=False)
    is_param_sensitive: bool = False
    timeout: int = 7200
    sources: tuple[SourceInputs, ...] = ()
    target_path: str = "/tmp/"  # noqa: S108 - a path on simulated hosts
    target_name: str | None = None
    upload_speed_limit: int | None = None
    download_speed_limit: int | None = None
    transfer_mode: int = 2
    confirm_message: str = "Go on?"


@frozen(kw_only=True)
class SimulatedVariable:
    """A global variable of a job plan: *kind* 1 text, 3 hosts, 4 cipher (`type`)."""

    id: int
    name: str
    kind: int = TEXT
    value: str = field(default="", repr=False)
    description: str = ""
    is_required: bool = False


NO_INPUTS = StepInputs()


@frozen(kw_only=True)
class StepPlan:
    """One step: its kind, its hosts and their outcomes.

    *hosts* is a count or the hosts themselves. *pinned* sets the first execution's outcome by a host's
    position; all others have one of *outcomes*, in later executions of *retry_outcomes*. Where the step is
    skipped, hosts that have not ended do so one by one within *skip_duration* seconds. *abnormal_after*
    seconds the engine itself fails: the step ends with *abnormal_status*, its rows stay as they are.
    *content* is the script, or the names of the files that are sent, joined by commas; *inputs* are its other
    inputs.
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
    skip_duration: float = 0.0
    abnormal_after: float | None = None
    abnormal_status: int = 9
    content: str = "uptime"
    inputs: StepInputs = NO_INPUTS

    @property
    def is_file(self) -> bool:
        """Whether it sends files."""
        return self.kind == FILE


def hosts_of(step: StepPlan) -> tuple[Host, ...]:
    """Return a step's hosts, where it has a count of them as well."""
    return first_hosts(step.hosts) if isinstance(step.hosts, int) else step.hosts


@frozen(kw_only=True)
class SimulatedJob:
    """One job: its steps, its scope, when it is created and by whom.

    *start_task* False leaves it unstarted. *archived_after* seconds after its end it is not found any more.
    The world assigns ids unless *job_instance_id* is given; steps then count up from *first_step_id*.
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
    variables: tuple[SimulatedVariable, ...] = ()


@frozen(kw_only=True)
class PlatformDelays:
    """Seconds that the platform takes between two events.

    *event* is one message of its queue, *dispatch* from a step's start to its hosts', *step* from the last
    host to the step's end, *job* from there to the job's.
    """

    event: float = 0.3
    dispatch: float = 0.2
    step: float = 0.4
    job: float = 0.3


@frozen(kw_only=True)
class Arrivals:
    """Jobs that are started repeatedly: one of *plans* (with weights) *every* so many seconds, *count* in all."""

    plans: tuple[tuple[float, SimulatedJob], ...]
    every: DurationRange
    first: float = 0.0
    count: int | None = None


def rolling_sizes(expression: str, total: int) -> tuple[int, ...]:
    """Return batch sizes of a rolling expression; ValueError for one that is none.

    Its parts are `N`, `N%`, `+N` (more than before) and `*N` (times as many); the last one repeats.
    Source: bk-job's engine/rolling.
    """
    parts = expression.split()
    if not parts:
        raise ValueError("a rolling expression has parts")
    sizes: list[int] = []
    left, place = total, 0
    while left > 0:
        part = parts[min(place, len(parts) - 1)]
        size = min(left, batch_size(part, total, sizes[-1] if sizes else 0))
        sizes.append(size)
        left -= size
        place += 1
    return tuple(sizes)


def batch_size(part: str, total: int, before: int) -> int:
    """Return the size that one part of an expression asks for, at least 1."""
    if part.startswith("+"):
        size = before + int(part[1:])
    elif part.startswith("*"):
        size = before * int(part[1:])
    elif part.endswith("%"):
        size = -(-total * int(part[:-1]) // 100)
    else:
        size = int(part)
    if size < 1:
        raise ValueError(f"a batch of {size} hosts")
    return size
