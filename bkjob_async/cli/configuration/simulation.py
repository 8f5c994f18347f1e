"""The names of the simulator's scenarios and faults: importing the simulator takes longer; a test compares them."""

from attrs import frozen

SCENARIOS = (
    "all-succeed",
    "some-fail",
    "one-hangs",
    "slow-tail",
    "retry-succeeds",
    "rolling",
    "manual-confirm",
    "force-stop",
    "skip",
    "ten-thousand-hosts",
    "thousand-small-jobs",
    "mixed-fleet",
    "chaos",
)
FAULTS = (
    "latency",
    "gateway-rate-limit",
    "gateway-concurrency",
    "esb-rate-limit",
    "esb-timeout",
    "internal-error",
    "database-away",
    "gateway-timeout-json",
    "bad-gateway",
    "gateway-timeout",
    "login-page",
    "empty-401",
    "half-body",
    "half-json",
    "garbage",
    "slow-drip",
    "reset",
    "hang",
    "wrong-charset",
    "duplicate-rows",
    "missing-rows",
    "unknown-codes",
    "unknown-fields",
    "callback-lost",
    "callback-doubled",
    "callback-form",
    "callback-early",
)


@frozen(kw_only=True)
class SimulateOptions:
    """The scenario to serve, where, and how fast."""

    scenario: str
    port: int = 0
    seed: int = 0
    speed: float = 1.0
    faults: tuple[str, ...] = ()
    rate_limit: int | None = None
    remote_callbacks: bool = False
