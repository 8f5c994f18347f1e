"""What observers receive: facts about the polling itself."""

from typing import Protocol

from attrs import frozen

from bkjob_async.model.refs import Ref


@frozen(kw_only=True)
class PollCompleted:
    """One poll was completed, in *seconds*, with so many *events* or with an *error*, the name of its class.

    *ref* is the target that was polled, None when a list was polled in place of many. *operation* is the platform's name
    of the request.
    """

    ref: Ref | None
    operation: str
    seconds: float
    events: int = 0
    error: str | None = None


@frozen(kw_only=True)
class PollingFailed:
    """Polling a target, or all *targets* (*ref* None), began to fail."""

    ref: Ref | None
    message: str
    targets: int = 1


@frozen(kw_only=True)
class PollingRecovered:
    """Polling a target, or all *targets* (*ref* None), works again."""

    ref: Ref | None
    targets: int = 1


Observation = PollCompleted | PollingFailed | PollingRecovered


class Observer(Protocol):
    """A callable that receives observations; it runs in the event loop, so it must return quickly.

    If it raises, the error is logged once, polling continues, and it is called again for later observations.
    """

    def __call__(self, observation: Observation) -> None:
        """Receive one observation."""
        ...
