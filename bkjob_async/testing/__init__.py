"""Public tools for tests: a simulated platform, and a validator of streams against the true history."""

from bkjob_async.simulator.faults.faults import Fault
from bkjob_async.simulator.faults.rate_limit import RateLimit
from bkjob_async.simulator.handlers.site import SiteConfig
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.catalog import (
    Catalog,
    Cron,
    SimulatedAccount,
    SimulatedScript,
    SimulatedScriptVersion,
    Template,
)
from bkjob_async.simulator.world.hosts import Host, container, host, hosts
from bkjob_async.simulator.world.plans import (
    FAILS,
    HANGS,
    IGNORES_STOP,
    INVALID_HOST,
    NO_AGENT,
    SUCCEEDS,
    Arrivals,
    DurationRange,
    HostOutcome,
    PlatformDelays,
    Rolling,
    SimulatedJob,
    SimulatedVariable,
    SourceInputs,
    StepInputs,
    StepPlan,
    exactly,
)
from bkjob_async.simulator.world.scenarios import Scenario
from bkjob_async.testing.promise import broken_promises
from bkjob_async.testing.results import observed_codes
from bkjob_async.testing.truth import Truth, truth_of

__all__ = [
    "FAILS",
    "HANGS",
    "IGNORES_STOP",
    "INVALID_HOST",
    "NO_AGENT",
    "SUCCEEDS",
    "Arrivals",
    "Catalog",
    "Cron",
    "DurationRange",
    "Fault",
    "Host",
    "HostOutcome",
    "PlatformDelays",
    "RateLimit",
    "Rolling",
    "Scenario",
    "SimulatedAccount",
    "SimulatedJob",
    "SimulatedScript",
    "SimulatedScriptVersion",
    "SimulatedVariable",
    "Simulator",
    "SiteConfig",
    "SourceInputs",
    "StepInputs",
    "StepPlan",
    "Template",
    "Truth",
    "broken_promises",
    "container",
    "exactly",
    "host",
    "hosts",
    "observed_codes",
    "truth_of",
]
