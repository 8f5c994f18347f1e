"""What tests need: a simulated platform, the promise of the stream as a validator, the truth to hold it against."""

from bkjob_async.simulator.faults.faults import Fault
from bkjob_async.simulator.faults.rate_limit import RateLimit
from bkjob_async.simulator.handlers.context import SiteConfig
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.catalog import Account, Catalog, Cron, Script, ScriptVersion, Template
from bkjob_async.simulator.world.inputs import SourceInputs, StepInputs, Variable
from bkjob_async.simulator.world.plans import (
    FAILS,
    HANGS,
    IGNORES_STOP,
    INVALID_HOST,
    NO_AGENT,
    SUCCEEDS,
    Arrivals,
    DurationRange,
    Host,
    HostOutcome,
    JobPlan,
    PlatformDelays,
    Rolling,
    StepPlan,
    container,
    exactly,
    host,
    hosts,
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
    "Account",
    "Arrivals",
    "Catalog",
    "Cron",
    "DurationRange",
    "Fault",
    "Host",
    "HostOutcome",
    "JobPlan",
    "PlatformDelays",
    "RateLimit",
    "Rolling",
    "Scenario",
    "Script",
    "ScriptVersion",
    "Simulator",
    "SiteConfig",
    "SourceInputs",
    "StepInputs",
    "StepPlan",
    "Template",
    "Truth",
    "Variable",
    "broken_promises",
    "container",
    "exactly",
    "host",
    "hosts",
    "observed_codes",
    "truth_of",
]
